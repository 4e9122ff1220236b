/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for the use of a key: made, judged, executed, cancelled, told of. */
#include <inttypes.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "control/http/json_body.h"
#include "control/securosys/ska_internal.h"
#include "ossl/base64.h"

#define MAX_RULE SKA_MAX_POLICY
#define NO_RULE "null"

/* ---- judging ---- */

enum mg_status ska_rule_of_request(struct ska_call *call, const struct ska_request *request, struct ska_rule **out)
{
    json_t *json = json_loads(request->rule, JSON_DECODE_ANY, NULL);
    enum mg_status status = json == NULL
                                ? mg_error_set(&call->error.why, MG_INTERNAL, "the rule of a request does not parse")
                                : ska_rule_new(out, json, 0, &call->error);
    json_decref(json);
    return status;
}

struct ballot {
    const struct ska_rule *rule;
    struct ska_vote *votes;
};

static enum mg_status take_vote(void *arg, const struct ska_task *task)
{
    const struct ballot *ballot = arg;
    size_t place;
    if (ska_rule_find(ballot->rule, &task->approver, &place)) {
        ballot->votes[place] = task->vote;
    }
    return MG_OK;
}

enum mg_status ska_votes(struct ska_call *call, struct store_tx *tx, const struct ska_request *request,
                         const struct ska_rule *rule, struct ska_vote votes[SKA_MAX_APPROVERS])
{
    struct ballot ballot = {rule, votes};
    memset(votes, 0, SKA_MAX_APPROVERS * sizeof(votes[0]));
    return ska_task_each(tx, request->id, take_vote, &ballot, &call->error.why);
}

enum mg_status ska_change_state(struct ska_call *call, struct store_tx *tx, struct ska_request *request,
                                enum ska_event event)
{
    enum ska_state next = ska_state_next(request->state, event);
    if (next == 0) {
        return mg_error_set(&call->error.why, MG_INTERNAL, "a request that is %s cannot change so",
                            words_name(&ska_state_words, request->state));
    }
    request->state = next;
    request->due_us = ska_state_is_open(next) ? request->due_us : INT64_MAX;
    return ska_request_update(tx, request, &call->error.why);
}

enum mg_status ska_judge_request(struct ska_call *call, struct store_tx *tx, struct ska_request *request,
                                 const struct ska_rule *rule)
{
    static const enum ska_event events[] = {[SKA_REACHED] = SKA_QUORUM_REACHED,
                                            [SKA_IMPOSSIBLE] = SKA_QUORUM_IMPOSSIBLE,
                                            [SKA_TIMED_OUT] = SKA_TIME_IS_OUT};
    struct ska_vote votes[SKA_MAX_APPROVERS];
    enum mg_status status = ska_votes(call, tx, request, rule, votes);
    if (status != MG_OK) {
        return status;
    }
    struct ska_verdict verdict = ska_rule_judge(rule, votes, request->created_us, call->now_us);
    request->due_us = verdict.due_us;
    return verdict.judgement == SKA_WAITS ? ska_request_update(tx, request, &call->error.why)
                                          : ska_change_state(call, tx, request, events[verdict.judgement]);
}

/* ---- tasks ---- */

/* write_to_be_signed writes what an approver signs: everything that tells this task from all others, and what is to be
 * done as a hash. JSON, so that a person can read it. */
static void write_to_be_signed(struct mg_buffer *out, const struct ska_request *request, const struct ska_task *task)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)request->payload, strlen(request->payload), digest);
    mg_json_begin_object(out, NULL);
    mg_json_string(out, "purpose", "mintgate-ska-approval");
    mg_json_string(out, "task", task->id);
    mg_json_string(out, "request", request->id);
    mg_json_string(out, "key", request->label);
    mg_json_string(out, "operation", words_name(&ska_operation_words, request->operation));
    mg_json_hex(out, "payloadSha256", digest, sizeof(digest));
    mg_json_uint(out, "createdUs", (uint64_t)request->created_us);
    mg_json_hex(out, "nonce", request->serial, sizeof(request->serial));
    mg_json_end_object(out);
}

static enum mg_status make_task(struct ska_call *call, struct store_tx *tx, const struct ska_request *request,
                                const struct ska_public_key *approver)
{
    struct ska_task task = {.approver = *approver};
    memcpy(task.request, request->id, sizeof(task.request));
    enum mg_status status = ska_uuid(task.id, &call->error);
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_init(&task.to_be_signed, SKA_MAX_TO_BE_SIGNED);
    write_to_be_signed(&task.to_be_signed, request, &task);
    status = mg_buffer_ok(&task.to_be_signed) ? ska_task_insert(tx, &task, &call->error.why)
                                              : mg_error_set(&call->error.why, MG_MEMORY, "no memory for a task");
    ska_task_free(&task);
    return status;
}

enum mg_status ska_open_request(struct ska_call *call, struct store_tx *tx, struct ska_request *request,
                                const struct ska_rule *rule)
{
    int64_t num_open = 0;
    request->state = SKA_PENDING;
    request->created_us = call->now_us;
    request->due_us = INT64_MAX;
    enum mg_status status = ska_uuid(request->id, &call->error);
    if (status == MG_OK) {
        status = ska_request_count_open(tx, &num_open, &call->error.why);
    }
    if (status == MG_OK && num_open >= SKA_MAX_OPEN_REQUESTS) {
        status = mg_error_set(&call->error.why, MG_LIMIT, "%d requests are open already", SKA_MAX_OPEN_REQUESTS);
    }
    if (status == MG_OK && RAND_bytes(request->serial, sizeof(request->serial)) != 1) {
        status = mg_error_set(&call->error.why, MG_INTERNAL, "no randomness");
    }
    if (status == MG_OK) {
        status = ska_request_insert(tx, request, &call->error.why);
    }
    for (size_t i = 0; i < rule->num_approvers && status == MG_OK; i++) {
        status = make_task(call, tx, request, &rule->approvers[i]);
    }
    return status == MG_OK ? ska_judge_request(call, tx, request, rule) : status;
}

/* ---- operations at once ---- */

static enum mg_status load_rule(struct ska_call *call, const struct ska_key *key, struct ska_rule **out)
{
    return ska_rule_new(out, json_object_get(key->policy, "ruleUse"), 0, &call->error);
}

/* begin_use loads the key of |wish| and checks that whoever asks may use it, and for what. */
static enum mg_status begin_use(struct ska_call *call, const struct ska_wish *wish, struct ska_key *key)
{
    enum mg_status status = ska_read_key(call, wish->key_label, key);
    if (status == MG_OK) {
        status = ska_check_password(call, key, wish->password);
    }
    return status == MG_OK ? ska_check_use(call, key, wish) : status;
}

static enum mg_status check_needs_nobody(struct ska_call *call, const struct ska_key *key)
{
    struct ska_rule *rule;
    enum mg_status status = load_rule(call, key, &rule);
    if (status != MG_OK) {
        return status;
    }
    size_t num_tokens = rule->num_tokens;
    free(rule);
    return num_tokens == 0 ? MG_OK
                           : ska_fail(&call->error, SKA_MISSING_APPROVAL,
                                      "signKeyName: the key's policy asks for approvals; make a request");
}

/* take_certificate gives the key the certificate of |outcome|, if there is one. */
static enum mg_status take_certificate(struct ska_call *call, struct store_tx *tx, int64_t key_id,
                                       const struct ska_outcome *outcome)
{
    return outcome->certificate.len == 0
               ? MG_OK
               : ska_key_set_certificate(tx, key_id, mg_buffer_slice(&outcome->certificate), &call->error.why);
}

static enum mg_status note_operation(struct ska_call *call, const struct ska_key *key, const struct ska_wish *wish,
                                     const struct ska_outcome *outcome)
{
    struct store_tx *tx;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = take_certificate(call, tx, key->id, outcome);
    if (status == MG_OK) {
        status = ska_audit(call, tx, words_name(&ska_operation_words, wish->operation), "ska-key", key->label, NULL);
    }
    return ska_end(call, tx, status);
}

enum mg_status ska_operate_now(struct ska_call *call, enum ska_operation operation, const json_t *body, char **result)
{
    struct ska_wish wish;
    struct ska_key key = {.id = 0};
    struct ska_outcome outcome = {.result = NULL};
    uint8_t serial[SKA_SERIAL_BYTES];
    enum mg_status status = ska_wish_read(body, operation, &wish, &call->error);
    if (status != MG_OK) {
        return status;
    }
    pthread_mutex_lock(&call->ska->work);
    status = begin_use(call, &wish, &key);
    if (status == MG_OK) {
        status = check_needs_nobody(call, &key);
    }
    if (status == MG_OK && RAND_bytes(serial, sizeof(serial)) != 1) {
        status = mg_error_set(&call->error.why, MG_INTERNAL, "no randomness");
    }
    if (status == MG_OK) {
        status = ska_operate(call, &key, &wish, serial, &outcome);
    }
    if (status == MG_OK) {
        status = note_operation(call, &key, &wish, &outcome);
    }
    pthread_mutex_unlock(&call->ska->work);
    if (status == MG_OK) {
        *result = outcome.result;
        outcome.result = NULL;
    }
    ska_outcome_free(&outcome);
    ska_key_free(&key);
    return status;
}

/* ---- requests ---- */

struct signature_body {
    const char *signature, *digest, *public_key;
};

/* check_signature verifies the signature over a request by whoever makes it (contracts.md section 4.2). */
static enum mg_status check_signature(struct ska_call *call, const struct ska_submission *submission)
{
    static const struct http_field fields[] = {
        {"signature", HTTP_FIELD_TEXT, true, offsetof(struct signature_body, signature), 1, 2048},
        {"digestAlgorithm", HTTP_FIELD_TEXT, false, offsetof(struct signature_body, digest), 0, 32},
        {"publicKey", HTTP_FIELD_TEXT, true, offsetof(struct signature_body, public_key), 1, 4096},
    };
    struct signature_body body = {.signature = NULL};
    struct ska_public_key key;
    uint8_t storage[SKA_MAX_SIGNATURE];
    struct mg_buffer signature;
    if (submission->signature == NULL || json_is_null(submission->signature)) {
        return MG_OK;
    }
    mg_buffer_wrap(&signature, storage, sizeof(storage));
    enum mg_status status =
        http_json_fields(submission->signature, fields, MG_ARRAY_LEN(fields), &body, &call->error.why);
    if (status == MG_OK) {
        status = ska_public_key_read(&key, mg_slice_of_text(body.public_key), &call->error);
    }
    if (status == MG_OK && !base64_decode(&signature, mg_slice_of_text(body.signature))) {
        status = ska_fail(&call->error, SKA_INVALID_SIGNATURE, "requestSignature: signature is no base64");
    }
    return status == MG_OK ? ska_public_key_verify(&key, body.digest, submission->signed_text,
                                                   mg_buffer_slice(&signature), &call->error)
                           : status;
}

static char *dump(const json_t *json)
{
    return json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* describe fills in what |request| keeps of |submission|: all but the password. */
static enum mg_status describe(struct ska_call *call, const struct ska_submission *submission,
                               const struct ska_key *key, struct ska_request *request)
{
    json_t *body = json_copy(MG_UNCONST(submission->body)); /* jansson counts references in what it copies */
    const json_t *rule = json_object_get(key->policy, "ruleUse");
    (void)json_object_del(body, "keyPassword");
    request->key_id = key->id;
    memcpy(request->label, key->label, sizeof(request->label));
    request->operation = submission->operation;
    request->payload = dump(body);
    request->rule = rule == NULL ? strdup(NO_RULE) : dump(rule);
    request->request_signature = dump(submission->signature);
    json_decref(body);
    return request->payload != NULL && request->rule != NULL
               ? MG_OK
               : mg_error_set(&call->error.why, MG_MEMORY, "no memory for a request");
}

static enum mg_status store_request(struct ska_call *call, const struct ska_key *key, struct ska_request *request)
{
    struct store_tx *tx;
    struct ska_key present;
    struct ska_rule *rule = NULL;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = ska_load_key(call, tx, key->label, &present);
    if (status == MG_OK && present.id != key->id) {
        status = ska_fail(&call->error, SKA_NO_KEY, "signKeyName: the key has been deleted");
    }
    if (status == MG_OK) {
        status = ska_rule_of_request(call, request, &rule);
    }
    if (status == MG_OK) {
        status = ska_open_request(call, tx, request, rule);
    }
    if (status == MG_OK) {
        status = ska_audit(call, tx, "requestOperation", "ska-request", request->id, NULL);
    }
    free(rule);
    ska_key_free(&present);
    return ska_end(call, tx, status);
}

enum mg_status ska_submit(struct ska_call *call, const struct ska_submission *submission, char id[SKA_UUID_SIZE])
{
    struct ska_wish wish;
    struct ska_key key = {.id = 0};
    struct ska_request request = {.key_id = 0};
    enum mg_status status = ska_wish_read(submission->body, submission->operation, &wish, &call->error);
    if (status == MG_OK) {
        status = check_signature(call, submission);
    }
    if (status == MG_OK) {
        status = begin_use(call, &wish, &key);
    }
    if (status == MG_OK) {
        status = describe(call, submission, &key, &request);
    }
    if (status == MG_OK) {
        status = store_request(call, &key, &request);
    }
    if (status == MG_OK) {
        memcpy(id, request.id, SKA_UUID_SIZE);
        ska_settle(call->ska, request.id, call->now_us);
    }
    ska_request_free(&request);
    ska_key_free(&key);
    return status;
}

/* ---- executing ---- */

/* operate_on does what |request| asks. */
static enum mg_status operate_on(struct ska_call *call, const struct ska_request *request, const struct ska_key *key,
                                 struct ska_outcome *outcome)
{
    struct ska_wish wish;
    json_t *body = json_loads(request->payload, 0, NULL);
    enum mg_status status = body == NULL ? mg_error_set(&call->error.why, MG_INTERNAL, "the request does not parse")
                                         : ska_wish_read(body, request->operation, &wish, &call->error);
    if (status == MG_OK) {
        status = ska_check_use(call, key, &wish);
    }
    if (status == MG_OK) {
        status = ska_operate(call, key, &wish, request->serial, outcome);
    }
    json_decref(body);
    return status;
}

/* note_end writes how |id| ended, if it is still approved: it may have been cancelled meanwhile. */
static enum mg_status note_end(struct ska_call *call, const char *id, enum ska_event event, struct ska_outcome *outcome,
                               const char *reason)
{
    struct store_tx *tx;
    struct ska_request request;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = ska_request_load(tx, id, &request, &call->error.why);
    if (status == MG_OK && request.state == SKA_APPROVED) {
        bool is_self_sign = request.operation == SKA_SELF_SIGN;
        request.executed_us = call->now_us;
        request.result = event == SKA_WAS_EXECUTED ? strdup(is_self_sign ? "true" : outcome->result) : NULL;
        request.reason = reason == NULL ? NULL : strdup(reason);
        status = ska_change_state(call, tx, &request, event);
        if (status == MG_OK) {
            status = take_certificate(call, tx, request.key_id, outcome);
        }
        if (status == MG_OK) {
            status = ska_audit(call, tx, event == SKA_WAS_EXECUTED ? "executeRequest" : "failRequest", "ska-request",
                               id, NULL);
        }
    }
    ska_request_free(&request);
    return ska_end(call, tx, status);
}

/* execute does what an approved request asks. Where the signer is away it stays approved, and is tried again. */
static enum mg_status execute(struct ska_call *call, const struct ska_request *request)
{
    struct ska_key key;
    struct ska_outcome outcome = {.result = NULL};
    enum mg_status status = ska_read_key(call, request->label, &key);
    if (status == MG_OK && key.id != request->key_id) {
        status = ska_fail(&call->error, SKA_NO_KEY, "the key has been deleted");
    }
    if (status == MG_OK) {
        status = operate_on(call, request, &key, &outcome);
    }
    if (status == MG_OK) {
        status = note_end(call, request->id, SKA_WAS_EXECUTED, &outcome, NULL);
    } else if (status != MG_IO && status != MG_AGAIN) {
        char reason[sizeof(call->error.why.text)];
        snprintf(reason, sizeof(reason), "%s", call->error.why.text);
        status = note_end(call, request->id, SKA_DID_FAIL, &outcome, reason);
    }
    ska_outcome_free(&outcome);
    ska_key_free(&key);
    return status;
}

/* judge_pending judges a request that is pending again. */
static enum mg_status judge_pending(struct ska_call *call, const char *id, struct ska_request *request)
{
    struct store_tx *tx;
    struct ska_rule *rule = NULL;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    status = ska_request_load(tx, id, request, &call->error.why);
    if (status == MG_OK && request->state == SKA_PENDING) {
        status = ska_rule_of_request(call, request, &rule);
        if (status == MG_OK) {
            status = ska_judge_request(call, tx, request, rule);
        }
        if (status == MG_OK && !ska_state_is_open(request->state)) {
            status = ska_audit(call, tx, "expireRequest", "ska-request", id, NULL);
        }
    }
    free(rule);
    return ska_end(call, tx, status);
}

void ska_settle(struct ska *ska, const char *id, int64_t now_us)
{
    struct ska_request request = {.key_id = 0};
    struct ska_call call = {
        .ska = ska,
        .actor = {.name = "mintgate-control", .role = CONTROL_ADMIN, .source = "internal"},
        .now_us = now_us,
    };
    pthread_mutex_lock(&ska->work);
    enum mg_status status = judge_pending(&call, id, &request);
    if (status == MG_OK && request.state == SKA_APPROVED && request.due_us <= now_us &&
        !ska_operation_is_gate(request.operation)) {
        status = execute(&call, &request);
    }
    pthread_mutex_unlock(&ska->work);
    if (status != MG_OK) {
        mg_log_warning("SKA request %s is not settled yet: %s", id, call.error.why.text);
    }
    ska_request_free(&request);
}

/* ---- cancelling ---- */

static enum mg_status load_request(struct ska_call *call, struct store_tx *tx, const char *id, struct ska_request *out)
{
    enum mg_status status = ska_request_load(tx, id, out, &call->error.why);
    return status == MG_NOT_FOUND ? ska_fail(&call->error, SKA_NO_REQUEST, "id: there is no such request") : status;
}

static enum mg_status cancel(struct ska_call *call, struct store_tx *tx, const char *id)
{
    struct ska_request request;
    enum mg_status status = load_request(call, tx, id, &request);
    if (status == MG_OK && ska_state_is_open(request.state)) {
        status = ska_change_state(call, tx, &request, SKA_WAS_CANCELLED);
        if (status == MG_OK) {
            status = ska_audit(call, tx, "cancelRequest", "ska-request", id, NULL);
        }
    }
    ska_request_free(&request);
    return status;
}

enum mg_status ska_cancel_request(struct ska_call *call, const char *id)
{
    struct store_tx *tx;
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    return status == MG_OK ? ska_end(call, tx, cancel(call, tx, id)) : status;
}

static enum mg_status take_id(void *arg, const char *id)
{
    return json_array_append_new(arg, json_string(id)) == 0 ? MG_OK : MG_MEMORY;
}

enum mg_status ska_cancel_all(struct ska_call *call, struct store_tx *tx, int64_t key_id)
{
    const struct ska_request_filter filter = {
        .states = SKA_OPEN_STATES, .key_id = key_id, .max = SKA_MAX_OPEN_REQUESTS};
    json_t *ids = json_array();
    enum mg_status status = ska_request_each(tx, &filter, take_id, ids, &call->error.why);
    for (size_t i = 0; i < json_array_size(ids) && status == MG_OK; i++) {
        status = cancel(call, tx, json_string_value(json_array_get(ids, i)));
    }
    json_decref(ids);
    return status;
}

/* ---- telling ---- */

struct answers {
    json_t *approved, *open, *rejected;
};

static json_t *approver_json(const struct ska_public_key *approver)
{
    char storage[SKA_MAX_PUBLIC_KEY * 4 / 3 + 8];
    struct mg_buffer text;
    mg_buffer_wrap(&text, storage, sizeof(storage));
    base64_encode(&text, ska_public_key_slice(approver));
    return json_stringn(storage, text.len);
}

static enum mg_status take_answer(void *arg, const struct ska_task *task)
{
    const struct answers *answers = arg;
    json_t *const lists[] = {
        [SKA_NO_ANSWER] = answers->open, [SKA_APPROVES] = answers->approved, [SKA_REJECTS] = answers->rejected};
    return json_array_append_new(lists[task->vote.answer], approver_json(&task->approver)) == 0 ? MG_OK : MG_MEMORY;
}

/* time_json renders seconds in UTC, as in the seed; null for none. */
static json_t *time_json(int64_t time_us)
{
    char text[sizeof("2024-01-23T11:43:43Z") + 16];
    struct tm parts;
    time_t seconds = (time_t)(time_us / SKA_US_PER_SECOND);
    if (time_us == 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return json_null();
    }
    return json_string(text);
}

/* state_now is the state that a request is in, also where time has run out and nobody has noted it yet. */
static enum mg_status state_now(struct ska_call *call, struct store_tx *tx, const struct ska_request *request,
                                enum ska_state *out)
{
    struct ska_rule *rule;
    struct ska_vote votes[SKA_MAX_APPROVERS];
    *out = request->state;
    if (request->state != SKA_PENDING || request->due_us > call->now_us) {
        return MG_OK;
    }
    enum mg_status status = ska_rule_of_request(call, request, &rule);
    if (status != MG_OK) {
        return status;
    }
    status = ska_votes(call, tx, request, rule, votes);
    if (status == MG_OK && ska_rule_judge(rule, votes, request->created_us, call->now_us).judgement == SKA_TIMED_OUT) {
        *out = SKA_EXPIRED;
    }
    free(rule);
    return status;
}

static enum mg_status request_json(struct ska_call *call, struct store_tx *tx, const char *id, json_t **out)
{
    struct ska_request request;
    enum ska_state state = 0;
    struct answers answers = {json_array(), json_array(), json_array()};
    enum mg_status status = load_request(call, tx, id, &request);
    if (status == MG_OK) {
        status = state_now(call, tx, &request, &state);
    }
    if (status == MG_OK) {
        status = ska_task_each(tx, id, take_answer, &answers, &call->error.why);
    }
    if (status == MG_OK) {
        *out = json_pack("{s:s, s:s, s:o, s:O, s:O, s:O, s:s?}", "id", request.id, "status",
                         words_name(&ska_state_words, state), "executionTime", time_json(request.executed_us),
                         "approvedBy", answers.approved, "notYetApprovedBy", answers.open, "rejectedBy",
                         answers.rejected, "result", request.result);
        status = *out != NULL ? MG_OK : mg_error_set(&call->error.why, MG_MEMORY, "out of memory");
    }
    json_decref(answers.approved);
    json_decref(answers.open);
    json_decref(answers.rejected);
    ska_request_free(&request);
    return status;
}

enum mg_status ska_request_status(struct ska_call *call, const char *id, json_t **out)
{
    struct store_tx *tx;
    enum mg_status status = ska_begin(call, STORE_READ, &tx);
    return status == MG_OK ? ska_end(call, tx, request_json(call, tx, id, out)) : status;
}

static enum mg_status list_requests(struct ska_call *call, struct store_tx *tx, unsigned states, json_t *list)
{
    const struct ska_request_filter filter = {.states = states, .max = SKA_MAX_LIST};
    json_t *ids = json_array();
    enum mg_status status = ska_request_each(tx, &filter, take_id, ids, &call->error.why);
    for (size_t i = 0; i < json_array_size(ids) && status == MG_OK; i++) {
        json_t *one;
        status = request_json(call, tx, json_string_value(json_array_get(ids, i)), &one);
        if (status == MG_OK) {
            (void)json_array_append_new(list, one);
        }
    }
    json_decref(ids);
    return status;
}

enum mg_status ska_list_requests(struct ska_call *call, unsigned states, json_t **out)
{
    struct store_tx *tx;
    json_t *list = json_array();
    enum mg_status status = ska_begin(call, STORE_READ, &tx);
    if (status == MG_OK) {
        status = ska_end(call, tx, list_requests(call, tx, states, list));
    }
    if (status != MG_OK) {
        json_decref(list);
        return status;
    }
    *out = list;
    return MG_OK;
}
