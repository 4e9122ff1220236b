/* SPDX-License-Identifier: Apache-2.0 */
/* GetCertificateId and AddUpdateIntermediateCert (contracts.md sections 2.2 and 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/ccadb/grants.h"
#include "control/ccadb/request_log.h"
#include "control/ccadb/routes.h"
#include "control/ccadb/submission.h"
#include "control/service/replace.h"
#include "control/service/request_call.h"
#include "ossl/certificate_line.h"

#define USER_PREFIX "user:"

/* One call while it is answered. */
struct exchange {
    struct ccadb *ccadb;
    struct http_request *request;
    struct http_response *response;
    struct control_actor actor;
    struct grants_user user; /* zero for an administrator on this machine */
    struct mg_error error;
};

/* ---- what both have ---- */

/* was_made_before answers where the same call was made a moment ago. The Unix socket has no limits. */
static bool was_made_before(const struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    uint64_t span_ns = atomic_load_explicit(&exchange->ccadb->same_call_ns, memory_order_relaxed);
    if (request->caller.is_local) {
        return false;
    }
    uint64_t wait = same_calls_take(exchange->ccadb->same_calls, request->identity.name, request->route->pattern,
                                    mg_buffer_slice(&request->body), span_ns, request->caller.monotonic_ns);
    if (wait == 0) {
        return false;
    }
    char message[128];
    struct http_problem problem = http_problem_of(HTTP_PROBLEM_RATE_LIMITED);
    snprintf(message, sizeof(message), "The same API call was made less than %" PRIu64 " seconds ago",
             span_ns / MG_NS_PER_SECOND);
    problem.message = message;
    problem.retry_after = wait;
    http_problem_render(&problem, router_renderer(request->family), exchange->response);
    return true;
}

static enum mg_status load_user(struct exchange *exchange, struct store_tx *tx)
{
    const struct http_request *request = exchange->request;
    if (request->caller.is_local) {
        return MG_OK; /* an administrator, since nobody else is let in */
    }
    return grants_user_get(tx, request->identity.name + strlen(USER_PREFIX), &exchange->user, &exchange->error);
}

/* begin tells whether the call is to be answered. */
static bool begin(struct exchange *exchange, void *ccadb, struct http_request *request, struct http_response *response)
{
    struct store_tx *tx;
    *exchange =
        (struct exchange){.ccadb = ccadb, .request = request, .response = response, .actor = request_actor(request)};
    if (was_made_before(exchange)) {
        return false;
    }
    enum mg_status status = store_begin(exchange->ccadb->lifecycle->store, STORE_READ, &tx, &exchange->error);
    if (status == MG_OK) {
        status = store_end(tx, load_user(exchange, tx), &exchange->error);
    }
    if (status != MG_OK) {
        http_fail_status(request, response, status, &exchange->error);
    }
    return status == MG_OK;
}

/* answer_of makes the body that both answers are; |member| is what the record's id is called. NULL: no memory. */
static json_t *answer_of(const struct findings *findings, const char *member, const char *record_id)
{
    return json_pack("{s:s, s:o, s:s}", "ProcessingStatus", findings_status(findings), "Errors/Warnings",
                     findings_list(findings), member, record_id);
}

/* log_answer writes the API Log's entry. */
static enum mg_status log_answer(struct exchange *exchange, struct store_tx *tx, const char *operation,
                                 const char *record_id, unsigned status, const json_t *answer)
{
    return request_log_write(tx, exchange->request, &exchange->actor, operation, record_id, status, answer,
                             &exchange->error);
}

/* end answers: with |answer|, whose reference it takes over, or for the failure |status|. */
static void end(struct exchange *exchange, enum mg_status status, const struct findings *findings, json_t *answer)
{
    if (status == MG_OK) {
        http_response_json(exchange->response, findings_failed(findings) ? 400 : 200, answer);
    } else {
        json_decref(answer);
        http_fail_status(exchange->request, exchange->response, status, &exchange->error);
    }
}

/* ---- GetCertificateId ---- */

static const char not_found[] = "Certificate not found in CCADB.";

/* text_of returns the member |name| of the request, "" where it is missing or null. */
static const char *text_of(const struct exchange *exchange, const char *name, struct findings *findings)
{
    const json_t *value = json_object_get(exchange->request->json, name);
    if (value != NULL && !json_is_null(value) && !json_is_string(value)) {
        findings_error(findings, "%s: must be a text", name);
        return "";
    }
    return json_is_string(value) ? json_string_value(value) : "";
}

static enum record_kind kind_of(const char *text, struct findings *findings)
{
    if (strcmp(text, "Intermediate Certificate") == 0) {
        return RECORD_INTERMEDIATE;
    }
    /* The second spelling is the seed's own, where it lists what is valid. */
    if (strcmp(text, "Root Certificate") == 0 || strcmp(text, "Root Crtificate") == 0) {
        return RECORD_ROOT;
    }
    findings_error(findings, "RecordType: must be Root Certificate or Intermediate Certificate");
    return 0;
}

static bool read_nibble(char digit, uint8_t *out)
{
    const char *const digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = digit == '\0' ? NULL : strchr(digits, digit);
    *out = at == NULL ? 0 : (uint8_t)((at - digits) % 16);
    return at != NULL;
}

static bool read_sha256(const char *text, uint8_t out[RECORDS_SHA256_LEN])
{
    if (strlen(text) != 2 * (size_t)RECORDS_SHA256_LEN) {
        return false;
    }
    for (size_t i = 0; i < RECORDS_SHA256_LEN; i++) {
        uint8_t high, low;
        if (!read_nibble(text[2 * i], &high) || !read_nibble(text[2 * i + 1], &low)) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool hash_pem(const char *text, uint8_t out[RECORDS_SHA256_LEN], struct findings *findings)
{
    X509 *x509;
    struct mg_error error;
    if (certificate_line_parse(mg_slice_of_text(text), &x509, &error) != MG_OK) {
        findings_error(findings, "PEM: %s", error.text);
        return false;
    }
    bool ok = X509_digest(x509, EVP_sha256(), out, NULL) == 1;
    X509_free(x509);
    return ok;
}

/* read_fingerprint reads the certificate's SHA-256 from either member, which must agree where both are given. What is
 * no fingerprint is that of no certificate: the seed's sample has one of 65 digits, and this answer. */
static void read_fingerprint(const struct exchange *exchange, uint8_t out[RECORDS_SHA256_LEN],
                             struct findings *findings)
{
    const char *pem = text_of(exchange, "PEM", findings), *sha256 = text_of(exchange, "SHA256", findings);
    uint8_t given[RECORDS_SHA256_LEN];
    if (pem[0] == '\0' && sha256[0] == '\0') {
        if (!findings_failed(findings)) {
            findings_error(findings, "PEM or SHA256: one of them is required");
        }
        return;
    }
    if (pem[0] != '\0' && !hash_pem(pem, out, findings)) {
        return;
    }
    if (sha256[0] == '\0') {
        return;
    }
    if (!read_sha256(sha256, given) || (pem[0] != '\0' && memcmp(given, out, sizeof(given)) != 0)) {
        findings_error(findings, "%s", not_found);
    }
    memcpy(out, given, sizeof(given));
}

static enum mg_status find_record(struct exchange *exchange, struct store_tx *tx, char record_id[RECORD_ID_SIZE],
                                  struct findings *findings)
{
    uint8_t sha256[RECORDS_SHA256_LEN] = {0};
    struct record record;
    enum record_kind kind = kind_of(text_of(exchange, "RecordType", findings), findings);
    read_fingerprint(exchange, sha256, findings);
    if (findings_failed(findings)) {
        return MG_OK;
    }
    enum mg_status status = records_find(tx, sha256, 0, kind, &record, &exchange->error);
    if (status == MG_OK) {
        record_id_of(&record, record_id);
        record_free(&record);
    } else if (status == MG_NOT_FOUND) {
        findings_error(findings, "%s", not_found);
        status = MG_OK;
    }
    return status;
}

/* look_up finds the record and logs the answer, which it makes. */
static enum mg_status look_up(struct exchange *exchange, struct store_tx *tx, struct findings *findings,
                              json_t **answer)
{
    char record_id[RECORD_ID_SIZE] = "";
    enum mg_status status = find_record(exchange, tx, record_id, findings);
    if (status == MG_OK) {
        *answer = answer_of(findings, "RecordId", record_id);
        status =
            log_answer(exchange, tx, "ccadbGetRecordId", record_id, findings_failed(findings) ? 400 : 200, *answer);
    }
    return status;
}

void ccadb_record_id(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    struct findings findings = {.errors = NULL};
    struct store_tx *tx;
    json_t *answer = NULL;
    if (!begin(&exchange, arg, request, response)) {
        return;
    }
    enum mg_status status = store_begin(exchange.ccadb->lifecycle->store, STORE_WRITE, &tx, &exchange.error);
    if (status == MG_OK) {
        status = store_end(tx, look_up(&exchange, tx, &findings, &answer), &exchange.error);
    }
    end(&exchange, status, &findings, answer);
    findings_free(&findings);
}

/* ---- AddUpdateIntermediateCert ---- */

/* check finds out what the request would do, before engines are asked to do something about it. */
static enum mg_status check(struct exchange *exchange, struct submission *submission)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(exchange->ccadb->lifecycle->store, STORE_READ, &tx, &exchange->error);
    if (status != MG_OK) {
        return status;
    }
    const struct appliance_call call = {.tx = tx};
    return store_end(tx, submission_check(submission, &call, &exchange->error), &exchange->error);
}

/* replace has the default's successor take over before the record says Revoked; "" or why that could not be done, which
 * does not keep the record from being made: then nothing is signed, and control tries again (service/expiry.h). */
static void replace(struct exchange *exchange, int64_t default_id, char trouble[512])
{
    struct mg_error error;
    struct lifecycle_call call = {
        .lifecycle = exchange->ccadb->lifecycle,
        .actor = exchange->actor,
        .now_us = exchange->request->caller.wall_us,
    };
    enum mg_status status = replace_default(exchange->ccadb->service, &call, default_id, &error);
    trouble[0] = '\0';
    if (status != MG_OK && status != MG_AGAIN) {
        snprintf(trouble, 512, "%s", status == MG_NOT_FOUND ? "it has no successor" : "its successor is not ready yet");
        mg_log_error("ALARM issuer_revoked: the default, intermediate %lld, is revoked by %s, and nothing is signed in "
                     "its place: %s",
                     (long long)default_id, exchange->actor.name, error.text);
    }
}

/* apply does what is asked, and logs the answer, which it makes. */
static enum mg_status apply(struct exchange *exchange, struct appliance_call *call, struct submission *submission,
                            const char *trouble, json_t **answer)
{
    enum mg_status status = submission_apply(submission, call, &exchange->error);
    if (status != MG_OK) {
        return status;
    }
    if (trouble[0] != '\0') {
        findings_warning(&submission->findings,
                         "RevocationStatus: the certificate was this appliance's default, and %s: nothing is signed "
                         "until there is another default",
                         trouble);
    }
    *answer = answer_of(&submission->findings, "SalesforceRecordId", submission->record_id);
    return log_answer(exchange, call->tx, submission->is_update ? "ccadbUpdate" : "ccadbAdd", submission->record_id,
                      findings_failed(&submission->findings) ? 400 : 200, *answer);
}

static enum mg_status submit(struct exchange *exchange, struct submission *submission, json_t **answer)
{
    struct appliance_call call = {.actor = exchange->actor, .now_us = exchange->request->caller.wall_us};
    char trouble[512] = "";
    enum mg_status status = check(exchange, submission);
    if (status != MG_OK) {
        return status;
    }
    if (!findings_failed(&submission->findings) && submission->revokes.default_id != 0) {
        replace(exchange, submission->revokes.default_id, trouble);
    }
    status = store_begin(exchange->ccadb->lifecycle->store, STORE_WRITE, &call.tx, &exchange->error);
    if (status == MG_OK) {
        status = store_end(call.tx, apply(exchange, &call, submission, trouble, answer), &exchange->error);
    }
    if (status == MG_OK && call.changed) {
        service_publish(exchange->ccadb->service);
    }
    return status;
}

void ccadb_submit(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    json_t *answer = NULL;
    if (!begin(&exchange, arg, request, response)) {
        return;
    }
    struct submission submission = {
        .request = request->json,
        .caller = {.owner_id = exchange.user.owner.id,
                   .owner = exchange.user.owner.name,
                   .may_revoke = exchange.user.may_revoke || request->caller.is_local},
    };
    enum mg_status status = submit(&exchange, &submission, &answer);
    end(&exchange, status, &submission.findings, answer);
    submission_free(&submission);
}
