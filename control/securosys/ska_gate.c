/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/securosys/ska_internal.h"

/* An operation at the gate. */
struct passage {
    struct ska_call call;
    const char *label;
    enum ska_operation operation;
    const char *payload;
    struct ska_request request;
};

/* open_new makes the request for approvals. */
static enum mg_status open_new(struct passage *passage, struct store_tx *tx, const struct ska_key *key,
                               const struct ska_rule *rule)
{
    struct ska_call *call = &passage->call;
    struct ska_request *request = &passage->request;
    request->key_id = key->id;
    memcpy(request->label, key->label, sizeof(request->label));
    request->operation = passage->operation;
    request->payload = strdup(passage->payload);
    request->rule = json_dumps(json_object_get(key->policy, "ruleUse"), JSON_COMPACT);
    if (request->payload == NULL || request->rule == NULL) {
        return mg_error_set(&call->error.why, MG_MEMORY, "no memory for a request");
    }
    enum mg_status status = ska_open_request(call, tx, request, rule);
    return status == MG_OK ? ska_audit(call, tx, "requestOperation", "ska-request", request->id, NULL) : status;
}

/* use_found takes the request that is open already one step further: judged anew, and used up if it is approved. */
static enum mg_status use_found(struct passage *passage, struct store_tx *tx, const char *id, bool *is_open)
{
    struct ska_call *call = &passage->call;
    struct ska_request *request = &passage->request;
    struct ska_rule *rule;
    enum mg_status status = ska_request_load(tx, id, request, &call->error.why);
    if (status == MG_OK && request->state == SKA_PENDING) {
        status = ska_rule_of_request(call, request, &rule);
        if (status == MG_OK) {
            status = ska_judge_request(call, tx, request, rule);
            free(rule);
        }
    }
    if (status == MG_OK && request->state == SKA_APPROVED && request->due_us <= call->now_us) {
        free(request->result);
        request->result = strdup("true");
        request->executed_us = call->now_us;
        status = ska_change_state(call, tx, request, SKA_WAS_EXECUTED);
        if (status == MG_OK) {
            status = ska_audit(call, tx, "executeRequest", "ska-request", request->id, NULL);
        }
    }
    *is_open = status == MG_OK && (ska_state_is_open(request->state) || request->state == SKA_EXECUTED);
    return status;
}

/* look_for finds the request for the operation, or makes one. */
static enum mg_status look_for(struct passage *passage, struct store_tx *tx, const struct ska_key *key,
                               const struct ska_rule *rule)
{
    char id[SKA_UUID_SIZE];
    bool is_open = false;
    enum mg_status status =
        ska_request_find(tx, key->id, passage->operation, passage->payload, id, &passage->call.error.why);
    if (status == MG_OK) {
        status = use_found(passage, tx, id, &is_open);
    } else if (status == MG_NOT_FOUND) {
        status = MG_OK;
    }
    if (status == MG_OK && !is_open) { /* it has run out of time just now: a new one */
        ska_request_free(&passage->request);
        status = open_new(passage, tx, key, rule);
    }
    return status;
}

/* settle finds out how the operation stands; passage->request is its request then. */
static enum mg_status settle(struct passage *passage, struct store_tx *tx)
{
    struct ska_call *call = &passage->call;
    struct ska_key key;
    struct ska_rule *rule = NULL;
    enum mg_status status = ska_load_key(call, tx, passage->label, &key);
    if (status == MG_OK) {
        status = ska_rule_new(&rule, json_object_get(key.policy, "ruleUse"), 0, &call->error);
    }
    if (status == MG_NOT_FOUND || (status == MG_OK && rule->num_tokens == 0)) {
        status =
            mg_error_set(&call->error.why, MG_DENIED,
                         "this needs approvals under the SKA key %s, which is missing or has no rule", passage->label);
    }
    if (status == MG_OK) {
        status = look_for(passage, tx, &key, rule);
    }
    free(rule);
    ska_key_free(&key);
    return status;
}

static enum mg_status judge(struct passage *passage, struct approval_ticket *out)
{
    struct ska_call *call = &passage->call;
    struct store_tx *tx;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status == MG_OK) {
        status = ska_end(call, tx, settle(passage, tx));
    }
    if (status == MG_OK && passage->request.state == SKA_EXECUTED) {
        snprintf(out->request, sizeof(out->request), "%s", passage->request.id);
        return MG_OK;
    }
    return status == MG_OK ? mg_error_set(&call->error.why, MG_EXISTS, "this needs approvals: request %s is %s",
                                          passage->request.id, words_name(&ska_state_words, passage->request.state))
                           : status;
}

/* rule_of tells which operation of a request, and whose quorum, |operation| is. */
static enum ska_operation rule_of(const struct ska_gate *gate, enum approval_operation operation, const char **label)
{
    switch (operation) {
    case APPROVAL_MAKE_DEFAULT:
        *label = gate->make_default;
        return SKA_GATE_DEFAULT;
    case APPROVAL_MAKE_CSR:
        *label = gate->make_csr;
        return SKA_GATE_CSR;
    default:
        *label = gate->sign_sub_ca;
        return SKA_GATE_SUB_CA;
    }
}

static enum mg_status pass(void *arg, struct lifecycle_call *call, enum approval_operation operation,
                           const char *payload, struct approval_ticket *out, struct mg_error *error)
{
    const struct ska_gate *gate = arg;
    struct passage passage = {
        .call = {.ska = gate->ska, .actor = call->actor, .now_us = call->now_us},
        .payload = payload,
    };
    passage.operation = rule_of(gate, operation, &passage.label);
    *out = (struct approval_ticket){.request = ""};
    if (passage.label[0] == '\0' || strcmp(call->actor.source, "internal") == 0) {
        return MG_OK;
    }
    enum mg_status status = judge(&passage, out);
    if (status != MG_OK) {
        bool is_told = status == MG_EXISTS || status == MG_DENIED;
        call->code = is_told ? APPROVAL_REQUIRED : "UNEXPECTED_ERROR";
        (void)mg_error_set(error, status, "%s", passage.call.error.why.text);
    }
    ska_request_free(&passage.request);
    return status;
}

static enum mg_status reopen(struct ska_call *call, struct store_tx *tx, const char *id)
{
    struct ska_request request;
    enum mg_status status = ska_request_load(tx, id, &request, &call->error.why);
    if (status == MG_OK) {
        free(request.result);
        request.result = NULL;
        request.executed_us = 0;
        status = ska_change_state(call, tx, &request, SKA_GIVEN_BACK);
    }
    if (status == MG_OK) {
        request.due_us = call->now_us; /* its timelock is over already */
        status = ska_request_update(tx, &request, &call->error.why);
    }
    if (status == MG_OK) {
        status = ska_audit(call, tx, "giveBackRequest", "ska-request", id, NULL);
    }
    ska_request_free(&request);
    return status;
}

static void give_back(void *arg, const struct lifecycle_call *call, const struct approval_ticket *ticket)
{
    const struct ska_gate *gate = arg;
    struct ska_call own = {.ska = gate->ska, .actor = call->actor, .now_us = call->now_us};
    struct store_tx *tx;
    if (ticket->request[0] == '\0') {
        return;
    }
    enum mg_status status = ska_begin(&own, STORE_WRITE, &tx);
    if (status == MG_OK) {
        status = ska_end(&own, tx, reopen(&own, tx, ticket->request));
    }
    if (status != MG_OK) {
        mg_log_error("approval %s is used up, though nothing was done: %s", ticket->request, own.error.why.text);
    }
}

struct approval_gate ska_gate_of(struct ska_gate *gate)
{
    return (struct approval_gate){.arg = gate, .pass = pass, .give_back = give_back};
}
