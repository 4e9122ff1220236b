/* SPDX-License-Identifier: Apache-2.0 */
/* SKA keys, requests for their use, and approvals (docs/api/securosys.md). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "control/ctl/approver_key.h"
#include "control/ctl/commands.h"
#include "control/ctl/credential.h"
#include "control/ctl/table.h"
#include "ossl/base64.h"

#define SKA "/v1"
#define API_KEYS API_MINTGATE "/ska/api-keys"
#define MAX_TO_BE_SIGNED 8192
#define MAX_CERTIFICATE ((size_t)64 << 10)

static const char *const request_members[] = {"id", "status", "executionTime"};
static const char *const request_titles[] = {"REQUEST", "STATUS", "EXECUTED"};
static const struct credential_columns request_columns = {request_members, request_titles,
                                                          MG_ARRAY_LEN(request_members)};

static const char *const task_members[] = {"id", "operation", "signKeyName", "requestId"};
static const char *const task_titles[] = {"TASK", "OPERATION", "KEY", "REQUEST"};
static const struct credential_columns task_columns = {task_members, task_titles, MG_ARRAY_LEN(task_members)};

static const char *const key_members[] = {"name", "role", "key"};
static const char *const key_titles[] = {"NAME", "ROLE", "KEY"};
static const struct credential_columns api_key_columns = {key_members, key_titles, 2};
static const struct credential_columns new_api_key_columns = {key_members, key_titles, 3};

/* ---- keys and requests ---- */

/* print_names prints an array of texts, one a line. */
static enum mg_status print_names(const struct ctl *ctl, const json_t *list, struct mg_error *error)
{
    struct mg_buffer text;
    if (ctl->json) {
        return ctl_print_json(list, error);
    }
    mg_buffer_init(&text, SIZE_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *cell = json_string_value(json_array_get(list, i));
        table_write(&text, &cell, 1, 1);
    }
    return ctl_print(&text, error);
}

enum mg_status ska_keys(struct ctl *ctl, struct mg_error *error)
{
    json_t *list;
    enum mg_status status = api_ask(ctl, "GET", SKA "/key", NULL, &list, error);
    if (status == MG_OK) {
        status = print_names(ctl, list, error);
        json_decref(list);
    }
    return status;
}

/* ask sends |body|, which it takes over; the answer is the caller's. */
static enum mg_status ask(struct ctl *ctl, const char *method, const char *path, json_t *body, json_t **out,
                          struct mg_error *error)
{
    if (body == NULL) {
        return mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
    }
    enum mg_status status = api_ask(ctl, method, path, body, out, error);
    json_decref(body);
    return status;
}

enum mg_status ska_key(struct ctl *ctl, struct mg_error *error)
{
    json_t *key;
    enum mg_status status =
        ask(ctl, "POST", SKA "/key/attributes", json_pack("{s:s}", "label", ctl->args[0]), &key, error);
    if (status == MG_OK) {
        status = ctl_print_json(json_object_get(key, "json"), error);
        json_decref(key);
    }
    return status;
}

/* kind_of fills in what the API calls the key of type |word|, EC256 where it is NULL. */
static enum mg_status kind_of(const char *word, json_t **out, struct mg_error *error)
{
    static const struct {
        const char *word, *algorithm, *curve_oid;
        int size;
    } kinds[] = {{"EC256", "EC", "1.2.840.10045.3.1.7", 0},
                 {"EC384", "EC", "1.3.132.0.34", 0},
                 {"RSA2048", "RSA", NULL, 2048},
                 {"RSA3072", "RSA", NULL, 3072},
                 {"RSA4096", "RSA", NULL, 4096}};
    for (size_t i = 0; i < MG_ARRAY_LEN(kinds); i++) {
        if (strcmp(word == NULL ? "EC256" : word, kinds[i].word) == 0) {
            *out = json_pack("{s:s, s:s*}", "algorithm", kinds[i].algorithm, "curveOid", kinds[i].curve_oid);
            if (kinds[i].size != 0) {
                (void)json_object_set_new(*out, "keySize", json_integer(kinds[i].size));
            }
            return MG_OK;
        }
    }
    return mg_error_set(error, MG_INVALID, "--key-type: must be EC256, EC384, RSA2048, RSA3072 or RSA4096");
}

/* add_policy puts the JSON of the file |path| into |body|; NULL: without a policy. */
static enum mg_status add_policy(json_t *body, const char *path, struct mg_error *error)
{
    json_error_t why;
    json_t *policy = path == NULL ? json_null() : json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (policy == NULL) {
        return mg_error_set(error, MG_DENIED, "%s:%d: %s", path, why.line, why.text);
    }
    (void)json_object_set_new(body, "policy", policy);
    return MG_OK;
}

enum mg_status ska_key_create(struct ctl *ctl, struct mg_error *error)
{
    json_t *body = NULL, *answer;
    enum mg_status status = kind_of(ctl->options[CTL_KEY_TYPE], &body, error);
    if (status != MG_OK) {
        return status;
    }
    status = add_policy(body, ctl->options[CTL_POLICY], error);
    if (status == MG_OK && json_object_set_new(body, "label", json_string(ctl->args[0])) != 0) {
        status = mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
    }
    if (status != MG_OK) {
        json_decref(body);
        return status;
    }
    status = ask(ctl, "POST", SKA "/key", body, &answer, error);
    if (status == MG_OK) {
        json_decref(answer);
    }
    return status;
}

enum mg_status ska_key_delete(struct ctl *ctl, struct mg_error *error)
{
    json_t *answer;
    enum mg_status status =
        ask(ctl, "POST", SKA "/key/deleteKey", json_pack("{s:s}", "label", ctl->args[0]), &answer, error);
    if (status == MG_OK) {
        json_decref(answer);
    }
    return status;
}

/* deliver_certificate prints the certificate of |answer|, which it drops, or writes it to --out. */
static enum mg_status deliver_certificate(struct ctl *ctl, json_t *answer, struct mg_error *error)
{
    struct mg_buffer text;
    if (ctl->json) {
        enum mg_status status = ctl_print_json(answer, error);
        json_decref(answer);
        return status;
    }
    mg_buffer_init(&text, MAX_CERTIFICATE);
    mg_buffer_append_text(&text, ctl_text(answer, "certificate"));
    mg_buffer_append_text(&text, "\n");
    json_decref(answer);
    return ctl_deliver(ctl, &text, error);
}

enum mg_status ska_certificate(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *answer;
    enum mg_status status = api_path(path, SKA "/certificate", ctl->args[0], "", error);
    if (status == MG_OK) {
        status = api_ask(ctl, "GET", path, NULL, &answer, error);
    }
    return status == MG_OK ? deliver_certificate(ctl, answer, error) : status;
}

enum mg_status ska_certificate_import(struct ctl *ctl, struct mg_error *error)
{
    struct mg_buffer pem;
    json_t *answer = NULL;
    mg_buffer_init(&pem, MAX_CERTIFICATE);
    enum mg_status status = mg_file_read(ctl->args[1], &pem, error);
    if (status == MG_OK) {
        json_t *body = json_pack("{s:s, s:s%}", "label", ctl->args[0], "certificate", (const char *)pem.data, pem.len);
        status = ask(ctl, "POST", SKA "/certificate/import/plain", body, &answer, error);
    }
    json_decref(answer);
    mg_buffer_free(&pem);
    return status;
}

enum mg_status ska_requests(struct ctl *ctl, struct mg_error *error)
{
    json_t *list;
    enum mg_status status = ask(ctl, "POST", SKA "/filteredRequests", json_object(), &list, error);
    if (status == MG_OK) {
        status = credential_print(ctl, list, &request_columns, error);
        json_decref(list);
    }
    return status;
}

enum mg_status ska_request(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *request;
    enum mg_status status = api_path(path, SKA "/request", ctl->args[0], "", error);
    if (status == MG_OK) {
        status = api_ask(ctl, "GET", path, NULL, &request, error);
    }
    if (status == MG_OK) {
        status = ctl_print_json(request, error);
        json_decref(request);
    }
    return status;
}

enum mg_status ska_cancel(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, SKA "/request", error);
}

/* ---- approvals ---- */

/* load_key loads the approver's key, which is --key. */
static enum mg_status load_key(const struct ctl *ctl, EVP_PKEY **out, struct mg_error *error)
{
    const char *path = ctl->options[CTL_KEY];
    *out = NULL;
    return path != NULL ? approver_key_load(path, out, error)
                        : mg_error_set(error, MG_INVALID, "--key FILE, the approver's private key, is needed");
}

/* stamped makes a body that proves who asks: a timestamp, signed. NULL: OpenSSL failed. */
static json_t *stamped(EVP_PKEY *key)
{
    char text[MG_CLOCK_TEXT_LEN];
    mg_clock_format_us(text, mg_clock_wall_us());
    return json_pack("{s:s, s:o, s:s, s:o}", "timestamp", text, "timestampSignature",
                     approver_key_sign(key, mg_slice_of_text(text)), "timestampDigestAlgorithm",
                     approver_key_digest(key), "approverPublicKey", approver_key_name(key));
}

/* fetch asks for what |key| has to answer; |task| alone, unless that is NULL. */
static enum mg_status fetch(struct ctl *ctl, EVP_PKEY *key, const char *task, json_t **out, struct mg_error *error)
{
    json_t *body = stamped(key);
    (void)json_object_set_new(body, "detailLevel", json_string("level5"));
    if (task != NULL) {
        (void)json_object_set_new(body, "id", json_string(task));
    }
    return ask(ctl, "POST", SKA "/filteredAllApprovalTask", body, out, error);
}

enum mg_status ska_tasks(struct ctl *ctl, struct mg_error *error)
{
    EVP_PKEY *key;
    json_t *answer;
    enum mg_status status = load_key(ctl, &key, error);
    if (status == MG_OK) {
        status = fetch(ctl, key, NULL, &answer, error);
    }
    if (status == MG_OK) {
        status = credential_print(ctl, json_object_get(answer, "tasks"), &task_columns, error);
        json_decref(answer);
    }
    EVP_PKEY_free(key);
    return status;
}

/* is_of tells whether |message| speaks of the task |id|, and of nothing else: the key signs no other bytes for whoever
 * answers at the URL. */
static bool is_of(struct mg_slice message, const char *id)
{
    json_t *said = json_loadb((const char *)message.data, message.len, JSON_REJECT_DUPLICATES, NULL);
    bool is_it =
        strcmp(ctl_text(said, "purpose"), "mintgate-ska-approval") == 0 && strcmp(ctl_text(said, "task"), id) == 0;
    json_decref(said);
    return is_it;
}

/* sign_task makes the approval of |task|. */
static enum mg_status sign_task(EVP_PKEY *key, const json_t *task, json_t **out, struct mg_error *error)
{
    uint8_t storage[MAX_TO_BE_SIGNED];
    struct mg_buffer message;
    const char *to_be_signed = ctl_text(task, "approvalToBeSigned");
    mg_buffer_wrap(&message, storage, sizeof(storage));
    if (!base64_decode(&message, mg_slice_of_text(to_be_signed)) ||
        !is_of(mg_buffer_slice(&message), ctl_text(task, "id"))) {
        return mg_error_set(error, MG_DENIED, "what the control plane wants signed is not this task");
    }
    *out = json_pack("{s:s, s:s, s:o, s:s, s:o}", "id", ctl_text(task, "id"), "approvalToBeSigned", to_be_signed,
                     "signature", approver_key_sign(key, mg_buffer_slice(&message)), "approvalDigestAlgorithm",
                     approver_key_digest(key), "approverPublicKey", approver_key_name(key));
    return MG_OK;
}

/* approve_with fetches the task, so that what is signed is what the approver is asked, and signs it. */
static enum mg_status approve_with(struct ctl *ctl, EVP_PKEY *key, struct mg_error *error)
{
    json_t *answer, *body = NULL, *nothing;
    enum mg_status status = fetch(ctl, key, ctl->args[0], &answer, error);
    if (status != MG_OK) {
        return status;
    }
    const json_t *task = json_array_get(json_object_get(answer, "tasks"), 0);
    status = task == NULL ? mg_error_set(error, MG_NOT_FOUND, "this key has no such task to answer")
                          : sign_task(key, task, &body, error);
    json_decref(answer);
    if (status == MG_OK) {
        status = ask(ctl, "POST", SKA "/approval", body, &nothing, error);
    }
    if (status == MG_OK) {
        json_decref(nothing);
    }
    return status;
}

enum mg_status ska_approve_task(struct ctl *ctl, struct mg_error *error)
{
    EVP_PKEY *key;
    enum mg_status status = load_key(ctl, &key, error);
    if (status == MG_OK) {
        status = approve_with(ctl, key, error);
    }
    EVP_PKEY_free(key);
    return status;
}

enum mg_status ska_reject_task(struct ctl *ctl, struct mg_error *error)
{
    EVP_PKEY *key;
    json_t *body, *nothing;
    enum mg_status status = load_key(ctl, &key, error);
    if (status == MG_OK) {
        body = stamped(key);
        (void)json_object_set_new(body, "id", json_string(ctl->args[0]));
        status = ask(ctl, "PATCH", SKA "/task", body, &nothing, error);
    }
    if (status == MG_OK) {
        json_decref(nothing);
    }
    EVP_PKEY_free(key);
    return status;
}

/* ---- API keys ---- */

enum mg_status ska_api_key_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, API_KEYS, &api_key_columns, error);
}

enum mg_status ska_api_key_add(struct ctl *ctl, struct mg_error *error)
{
    const char *role = ctl->options[CTL_ROLE];
    json_t *key;
    if (role == NULL) {
        return mg_error_set(error, MG_INVALID,
                            "ska api-key-add: --role keyManagementToken, keyOperationToken, approverToken or"
                            " serviceToken is needed");
    }
    enum mg_status status =
        ask(ctl, "POST", API_KEYS, json_pack("{s:s, s:s}", "name", ctl->args[0], "role", role), &key, error);
    if (status == MG_OK) {
        status = credential_print(ctl, key, &new_api_key_columns, error);
        json_decref(key);
    }
    return status;
}

enum mg_status ska_api_key_remove(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, API_KEYS, error);
}
