/* SPDX-License-Identifier: Apache-2.0 */
/* What approvers ask for and answer (contracts.md section 4.4). Who they are their signatures say, and nothing else. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/securosys/ska_internal.h"
#include "ossl/base64.h"

#define MAX_PAGE 1000
#define MAX_BASE64_SIGNATURE 2048
#define MAX_BASE64_KEY 4096
#define MAX_BASE64_CERTIFICATE 32768
#define MAX_BASE64_TO_BE_SIGNED ((int64_t)SKA_MAX_TO_BE_SIGNED * 2)

/* ---- who ---- */

struct identity_body {
    const char *public_key, *certificate, *signing_certificate;
};

#define IDENTITY(type, member)                                                                                          \
    {"approverPublicKey", HTTP_FIELD_TEXT, false, offsetof(type, member.public_key), 0, MAX_BASE64_KEY},                \
        {"approverCertificate", HTTP_FIELD_TEXT, false, offsetof(type, member.certificate), 0, MAX_BASE64_CERTIFICATE}, \
    {                                                                                                                   \
        "timestampSigningCertificate", HTTP_FIELD_TEXT, false, offsetof(type, member.signing_certificate), 0,           \
            MAX_BASE64_CERTIFICATE                                                                                      \
    }

static enum mg_status read_identity(struct ska_call *call, const struct identity_body *body, struct ska_public_key *out)
{
    const char *certificate = body->certificate != NULL ? body->certificate : body->signing_certificate;
    if ((body->public_key != NULL) == (certificate != NULL)) {
        return ska_fail(&call->error, SKA_INPUT, "approverPublicKey, approverCertificate: one of them is needed");
    }
    return body->public_key != NULL ? ska_public_key_read(out, mg_slice_of_text(body->public_key), &call->error)
                                    : ska_public_key_of_certificate(out, mg_slice_of_text(certificate),
                                                                    call->now_us / SKA_US_PER_SECOND, &call->error);
}

/* verify_text checks |base64|, a signature over |message|. */
static enum mg_status verify(struct ska_call *call, const struct ska_public_key *key, const char *digest,
                             struct mg_slice message, const char *base64, struct mg_buffer *signature)
{
    if (!base64_decode(signature, mg_slice_of_text(base64))) {
        return ska_fail(&call->error, SKA_INVALID_SIGNATURE, "signature: must be base64 of %d bytes at most",
                        SKA_MAX_SIGNATURE);
    }
    return ska_public_key_verify(key, digest, message, mg_buffer_slice(signature), &call->error);
}

/* A signed timestamp, which proves who asks. */
struct stamp_body {
    struct identity_body identity;
    const char *timestamp, *signature, *digest;
};

#define STAMP(type, member)                                                                                            \
    IDENTITY(type, member.identity), {"timestamp", HTTP_FIELD_TEXT, true, offsetof(type, member.timestamp), 1, 64},    \
        {"timestampSignature", HTTP_FIELD_TEXT, true, offsetof(type, member.signature), 1, MAX_BASE64_SIGNATURE},      \
    {                                                                                                                  \
        "timestampDigestAlgorithm", HTTP_FIELD_TEXT, false, offsetof(type, member.digest), 0, 32                       \
    }

/* check_stamp finds out who asks: |signature| gets the proof's bytes. */
static enum mg_status check_stamp(struct ska_call *call, const struct stamp_body *body, struct ska_public_key *out,
                                  struct mg_buffer *signature)
{
    enum mg_status status = read_identity(call, &body->identity, out);
    if (status == MG_OK) {
        status = ska_timestamp_check(body->timestamp, call->now_us, &call->error);
    }
    return status == MG_OK
               ? verify(call, out, body->digest, mg_slice_of_text(body->timestamp), body->signature, signature)
               : status;
}

/* check_known refuses whom no policy names, before anything is written on its account. */
static enum mg_status check_known(struct ska_call *call, struct store_tx *tx, const struct ska_public_key *approver)
{
    bool is_known;
    enum mg_status status = ska_approver_is_known(tx, approver, &is_known, &call->error.why);
    return status != MG_OK || is_known
               ? status
               : ska_fail(&call->error, SKA_SIGNER_NOT_ALLOWED, "timestamp: is not signed by an approver of any key");
}

/* ---- fetching ---- */

struct paging_body {
    struct http_json_integer number, size;
    const char *order;
};

struct fetch_body {
    struct stamp_body stamp;
    const char *task, *request, *level;
    const json_t *paging;
    struct paging_body page;
};

static const struct http_field fetch_fields[] = {
    STAMP(struct fetch_body, stamp),
    {"id", HTTP_FIELD_TEXT, false, offsetof(struct fetch_body, task), 0, 64},
    {"requestId", HTTP_FIELD_TEXT, false, offsetof(struct fetch_body, request), 0, 64},
    {"detailLevel", HTTP_FIELD_TEXT, false, offsetof(struct fetch_body, level), 0, 16},
    {"paging", HTTP_FIELD_OBJECT, false, offsetof(struct fetch_body, paging), 0, 0},
};

static const struct http_field paging_fields[] = {
    {"pageNumber", HTTP_FIELD_INTEGER, false, offsetof(struct paging_body, number), 0, INT32_MAX},
    {"pageSize", HTTP_FIELD_INTEGER, false, offsetof(struct paging_body, size), 1, INT32_MAX},
    {"sortOrder", HTTP_FIELD_TEXT, false, offsetof(struct paging_body, order), 0, 64},
};

static const char *const levels[] = {NULL, "level1", "level2", "level3", "level4", "level5"};
static const struct words level_words = WORDS_OF(levels);

/* In the order of what the bits below say. */
static const char *const orders[] = {NULL, "CREATION_DATE_ASC", "CREATION_DATE_DESC", "LAST_FETCHED_DATE_ASC",
                                     "LAST_FETCHED_DATE_DESC"};
static const struct words order_words = WORDS_OF(orders);

static enum mg_status read_fetch(struct ska_call *call, const json_t *json, struct fetch_body *out)
{
    struct mg_error *why = &call->error.why;
    enum mg_status status = http_json_fields(json, fetch_fields, MG_ARRAY_LEN(fetch_fields), out, why);
    if (status == MG_OK && out->paging != NULL) {
        status = http_json_fields(out->paging, paging_fields, MG_ARRAY_LEN(paging_fields), &out->page, why);
    }
    return status;
}

/* absent turns a text that is empty into none. */
static const char *absent(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static enum mg_status plan_fetch(struct ska_call *call, const struct fetch_body *body, struct ska_inbox *inbox,
                                 unsigned *level)
{
    const char *order_text = absent(body->page.order), *level_text = absent(body->level);
    unsigned order = order_text == NULL ? 1 : words_value(&order_words, mg_slice_of_text(order_text));
    *level = level_text == NULL ? 1 : words_value(&level_words, mg_slice_of_text(level_text));
    if (order == 0 || *level == 0) {
        return ska_fail(&call->error, SKA_INVALID_ENUM, "detailLevel, sortOrder: not a word of the list");
    }
    int64_t size = body->page.size.is_set && body->page.size.value < MAX_PAGE ? body->page.size.value : MAX_PAGE;
    inbox->task = absent(body->task);
    inbox->request = absent(body->request);
    inbox->first = body->page.number.value * size;
    inbox->max = size;
    inbox->is_descending = (order - 1) % 2 == 1;
    inbox->is_by_fetching = (order - 1) / 2 == 1;
    inbox->now_us = call->now_us;
    return MG_OK;
}

static enum mg_status take_id(void *arg, const char *id)
{
    return json_array_append_new(arg, json_string(id)) == 0 ? MG_OK : MG_MEMORY;
}

static json_t *base64_json(struct mg_slice bytes)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 4 * SKA_MAX_TO_BE_SIGNED);
    base64_encode(&text, bytes);
    json_t *json = json_stringn((const char *)text.data, text.len);
    mg_buffer_free(&text);
    return json;
}

/* task_json renders a task: what more a level tells stands with each. */
static json_t *task_json(const struct ska_task *task, const struct ska_request *request, unsigned level)
{
    json_t *payload = json_loads(request->payload, 0, NULL);
    json_t *json = json_pack("{s:s, s:s, s:o, s:o}", "id", task->id, "detailLevel", levels[level], "approvalToBeSigned",
                             base64_json(mg_buffer_slice(&task->to_be_signed)), "approverPublicKey",
                             base64_json(ska_public_key_slice(&task->approver)));
    if (level >= 2) {
        (void)json_object_set_new(json, "metaData", json_incref(json_object_get(payload, "metaData")));
        (void)json_object_set_new(json, "metaDataSignature",
                                  json_incref(json_object_get(payload, "metaDataSignature")));
    }
    if (level >= 3) {
        (void)json_object_set_new(json, "requestId", json_string(request->id));
        (void)json_object_set_new(json, "signKeyName", json_string(request->label));
        (void)json_object_set_new(json, "operation", json_string(words_name(&ska_operation_words, request->operation)));
    }
    if (level >= 4) {
        (void)json_object_set(json, "request", payload);
    }
    json_decref(payload);
    return json;
}

/* load_task loads a task that is open, and its request. */
static enum mg_status load_task(struct ska_call *call, struct store_tx *tx, const char *id, struct ska_task *task,
                                struct ska_request *request)
{
    *request = (struct ska_request){.key_id = 0};
    enum mg_status status = ska_task_load(tx, id, task, &call->error.why);
    if (status == MG_OK) {
        status = ska_request_load(tx, task->request, request, &call->error.why);
    }
    if (status == MG_NOT_FOUND ||
        (status == MG_OK && (task->vote.answer != SKA_NO_ANSWER || request->state != SKA_PENDING))) {
        status = ska_fail(&call->error, SKA_NO_TASK, "id: there is no such task, or nothing to answer any more");
    }
    return status;
}

static enum mg_status add_task(struct ska_call *call, struct store_tx *tx, const char *id, unsigned level, json_t *out)
{
    struct ska_task task;
    struct ska_request request;
    enum mg_status status = load_task(call, tx, id, &task, &request);
    if (status == MG_OK) {
        (void)json_array_append_new(out, task_json(&task, &request, level));
    }
    ska_task_free(&task);
    ska_request_free(&request);
    return status;
}

static enum mg_status fetch(struct ska_call *call, struct store_tx *tx, const struct ska_inbox *inbox,
                            const char *timestamp, unsigned level, json_t *out)
{
    json_t *ids = json_array();
    enum mg_status status = check_known(call, tx, inbox->approver);
    if (status == MG_OK) {
        status = ska_timestamp_use(tx, inbox->approver, timestamp, call->now_us, &call->error.why);
        status = status == MG_EXISTS ? MG_OK : status; /* who reads may read again, by pages */
    }
    if (status == MG_OK) {
        status = ska_task_fetch(tx, inbox, take_id, ids, &call->error.why);
    }
    for (size_t i = 0; i < json_array_size(ids) && status == MG_OK; i++) {
        status = add_task(call, tx, json_string_value(json_array_get(ids, i)), level, out);
    }
    json_decref(ids);
    return status;
}

enum mg_status ska_fetch_tasks(struct ska_call *call, const json_t *json, bool is_wanted, json_t **out)
{
    struct fetch_body body = {.task = NULL};
    struct ska_public_key approver;
    struct ska_inbox inbox = {.approver = &approver};
    unsigned level = 0;
    uint8_t storage[SKA_MAX_SIGNATURE];
    struct mg_buffer signature;
    struct store_tx *tx;
    mg_buffer_wrap(&signature, storage, sizeof(storage));
    enum mg_status status = read_fetch(call, json, &body);
    if (status == MG_OK) {
        status = plan_fetch(call, &body, &inbox, &level);
    }
    if (status == MG_OK) {
        status = check_stamp(call, &body.stamp, &approver, &signature);
    }
    if (status == MG_OK) {
        status = ska_begin(call, STORE_WRITE, &tx);
    }
    if (status != MG_OK) {
        return status;
    }
    json_t *tasks = json_array();
    inbox.max = is_wanted ? inbox.max : 0;
    status = ska_end(call, tx, fetch(call, tx, &inbox, body.stamp.timestamp, level, tasks));
    *out = status == MG_OK ? json_pack("{s:O}", "tasks", tasks) : NULL;
    json_decref(tasks);
    return status;
}

/* ---- answering ---- */

/* An answer, once its sender is known. */
struct answer {
    enum ska_answer answer;
    const char *task;
    const struct ska_public_key *approver;
    struct mg_slice message, signature; /* the proof */
    const char *digest;
    const char *timestamp; /* of a rejection; NULL */
};

/* check_time: a request whose time is out takes no answer, also before that is noted. */
static enum mg_status check_time(struct ska_call *call, struct store_tx *tx, const struct ska_request *request,
                                 const struct ska_rule *rule)
{
    struct ska_vote votes[SKA_MAX_APPROVERS];
    enum mg_status status = ska_votes(call, tx, request, rule, votes);
    if (status == MG_OK && ska_rule_judge(rule, votes, request->created_us, call->now_us).judgement != SKA_WAITS) {
        status = ska_fail(&call->error, SKA_NO_TASK, "id: the time for approvals is out");
    }
    return status;
}

static enum mg_status note_answer(struct ska_call *call, struct store_tx *tx, struct ska_task *task,
                                  struct ska_request *request, const struct answer *answer)
{
    struct ska_rule *rule;
    char detail[96];
    enum mg_status status = ska_rule_of_request(call, request, &rule);
    if (status != MG_OK) {
        return status;
    }
    task->vote = (struct ska_vote){answer->answer, call->now_us};
    status = check_time(call, tx, request, rule);
    if (status == MG_OK) {
        status = ska_task_answer(tx, task, answer->message, answer->signature, answer->digest, &call->error.why);
    }
    if (status == MG_OK) {
        status = ska_judge_request(call, tx, request, rule);
    }
    free(rule);
    if (status == MG_OK) {
        snprintf(detail, sizeof(detail), "{\"task\":\"%s\"}", task->id);
        status = ska_audit(call, tx, answer->answer == SKA_APPROVES ? "approveRequest" : "rejectRequest", "ska-request",
                           request->id, detail);
    }
    return status;
}

/* check_answer: the task is the approver's own, and an approval is over its bytes. */
static enum mg_status check_answer(struct ska_call *call, struct store_tx *tx, const struct ska_task *task,
                                   const struct answer *answer)
{
    if (!mg_slice_equal(ska_public_key_slice(&task->approver), ska_public_key_slice(answer->approver))) {
        return ska_fail(&call->error, SKA_NO_APPROVER, "approverPublicKey: is not the approver of this task");
    }
    if (answer->answer == SKA_APPROVES) {
        return mg_slice_equal(mg_buffer_slice(&task->to_be_signed), answer->message)
                   ? MG_OK
                   : ska_fail(&call->error, SKA_INVALID_SIGNATURE, "approvalToBeSigned: is not this task's");
    }
    /* A timestamp says nothing of the task: one that was seen before could be somebody else's to replay. */
    enum mg_status status = ska_timestamp_use(tx, answer->approver, answer->timestamp, call->now_us, &call->error.why);
    return status == MG_EXISTS ? ska_fail(&call->error, SKA_TIMESTAMP_OFF, "timestamp: has been used before") : status;
}

static enum mg_status answer_task(struct ska_call *call, struct store_tx *tx, const struct answer *answer,
                                  char request_id[SKA_UUID_SIZE])
{
    struct ska_task task;
    struct ska_request request;
    enum mg_status status = load_task(call, tx, answer->task, &task, &request);
    if (status == MG_OK) {
        status = check_answer(call, tx, &task, answer);
    }
    if (status == MG_OK) {
        status = note_answer(call, tx, &task, &request, answer);
    }
    memcpy(request_id, request.id, SKA_UUID_SIZE);
    ska_task_free(&task);
    ska_request_free(&request);
    return status;
}

/* name_approver names who answers, for the audit record: by the begin of its key's hash. */
static void name_approver(struct ska_call *call, const struct ska_public_key *approver, char name[32])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(approver->spki, approver->len, digest, NULL, EVP_sha256(), NULL) == 1) {
        snprintf(name, 32, "approver:%02x%02x%02x%02x%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3],
                 digest[4], digest[5], digest[6], digest[7]);
        call->actor.name = name;
    }
}

static enum mg_status give_answer(struct ska_call *call, const struct answer *answer)
{
    struct store_tx *tx;
    char id[SKA_UUID_SIZE], name[32];
    enum mg_status status = ska_begin(call, STORE_WRITE, &tx);
    if (status != MG_OK) {
        return status;
    }
    name_approver(call, answer->approver, name);
    status = ska_end(call, tx, answer_task(call, tx, answer, id));
    if (status == MG_OK) {
        ska_settle(call->ska, id, call->now_us);
    }
    return status;
}

struct approve_body {
    struct identity_body identity;
    const char *task, *to_be_signed, *signature, *digest;
};

static const struct http_field approve_fields[] = {
    IDENTITY(struct approve_body, identity),
    {"id", HTTP_FIELD_TEXT, true, offsetof(struct approve_body, task), 1, 64},
    {"approvalToBeSigned", HTTP_FIELD_TEXT, true, offsetof(struct approve_body, to_be_signed), 1,
     MAX_BASE64_TO_BE_SIGNED},
    {"signature", HTTP_FIELD_TEXT, true, offsetof(struct approve_body, signature), 1, MAX_BASE64_SIGNATURE},
    {"approvalDigestAlgorithm", HTTP_FIELD_TEXT, false, offsetof(struct approve_body, digest), 0, 32},
};

enum mg_status ska_approve(struct ska_call *call, const json_t *json)
{
    struct approve_body body = {.task = NULL};
    struct ska_public_key approver;
    uint8_t message_storage[SKA_MAX_TO_BE_SIGNED], signature_storage[SKA_MAX_SIGNATURE];
    struct mg_buffer message, signature;
    mg_buffer_wrap(&message, message_storage, sizeof(message_storage));
    mg_buffer_wrap(&signature, signature_storage, sizeof(signature_storage));
    enum mg_status status =
        http_json_fields(json, approve_fields, MG_ARRAY_LEN(approve_fields), &body, &call->error.why);
    if (status == MG_OK) {
        status = read_identity(call, &body.identity, &approver);
    }
    if (status == MG_OK && !base64_decode(&message, mg_slice_of_text(body.to_be_signed))) {
        status = ska_fail(&call->error, SKA_INPUT, "approvalToBeSigned: must be base64, as it was fetched");
    }
    if (status == MG_OK) {
        status = verify(call, &approver, absent(body.digest), mg_buffer_slice(&message), body.signature, &signature);
    }
    if (status != MG_OK) {
        return status;
    }
    const struct answer answer = {.answer = SKA_APPROVES,
                                  .task = body.task,
                                  .approver = &approver,
                                  .message = mg_buffer_slice(&message),
                                  .signature = mg_buffer_slice(&signature),
                                  .digest = body.digest};
    return give_answer(call, &answer);
}

struct reject_body {
    struct stamp_body stamp;
    const char *task;
};

static const struct http_field reject_fields[] = {
    STAMP(struct reject_body, stamp),
    {"id", HTTP_FIELD_TEXT, true, offsetof(struct reject_body, task), 1, 64},
};

enum mg_status ska_reject(struct ska_call *call, const json_t *json)
{
    struct reject_body body = {.task = NULL};
    struct ska_public_key approver;
    uint8_t storage[SKA_MAX_SIGNATURE];
    struct mg_buffer signature;
    mg_buffer_wrap(&signature, storage, sizeof(storage));
    enum mg_status status = http_json_fields(json, reject_fields, MG_ARRAY_LEN(reject_fields), &body, &call->error.why);
    if (status == MG_OK) {
        status = check_stamp(call, &body.stamp, &approver, &signature);
    }
    if (status != MG_OK) {
        return status;
    }
    const struct answer answer = {.answer = SKA_REJECTS,
                                  .task = body.task,
                                  .approver = &approver,
                                  .message = mg_slice_of_text(body.stamp.timestamp),
                                  .signature = mg_buffer_slice(&signature),
                                  .digest = body.stamp.digest,
                                  .timestamp = body.stamp.timestamp};
    return give_answer(call, &answer);
}
