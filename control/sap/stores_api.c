/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vendors' APIs of stores have no call for, under /mintgate/v1:
 *
 *   POST /stores/{store}/{certificate}/restore   exchanges a certificate with its version before
 *   POST /intermediate                           makes an intermediate, ready for use, of a key store's file
 */
#include "base/secret.h"
#include "control/http/json_body.h"
#include "control/http/zia_auth.h"
#include "control/sap/sap_api.h"
#include "control/sap/sap_intermediate.h"
#include "ossl/base64.h"

#define FILE_LIMIT (2 * MATERIAL_MAX_FILE / 3 * 4 + 16 * 1024)

static void restore(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    char store[SAP_NAME_SIZE], name[SAP_NAME_SIZE];
    struct sap_entry entry = {.id = 0};
    struct mg_error error = {""};
    if (http_request_word(request, 0, store, sizeof(store), &error) != MG_OK ||
        http_request_word(request, 1, name, sizeof(name), &error) != MG_OK) {
        http_fail(request, response, HTTP_PROBLEM_NOT_FOUND, NULL, NULL);
        return;
    }
    enum mg_status status = sap_entry_restore(&call, store, name, &entry, &error);
    if (status == MG_OK) {
        http_response_json(response, 200,
                           json_pack("{s:s, s:s, s:s, s:I, s:s}", "store", store, "name", entry.name, "format",
                                     words_name(&sap_format_words, entry.format), "createdUs",
                                     (json_int_t)entry.created.time_us, "createdBy", entry.created.by));
    } else {
        http_fail_status(request, response, status, &error);
    }
    sap_entry_free(&entry);
}

struct import_body {
    const char *name, *description, *format, *content, *key, *password;
    struct http_json_flag enabled;
};

static const struct http_field import_fields[] = {
    {"name", HTTP_FIELD_TEXT, true, offsetof(struct import_body, name), 1, 4 * INTERMEDIATE_MAX_NAME},
    {"description", HTTP_FIELD_TEXT, false, offsetof(struct import_body, description), 0,
     4 * INTERMEDIATE_MAX_DESCRIPTION},
    {"format", HTTP_FIELD_TEXT, true, offsetof(struct import_body, format), 1, 16},
    {"content", HTTP_FIELD_TEXT, true, offsetof(struct import_body, content), 1, FILE_LIMIT},
    {"privateKey", HTTP_FIELD_TEXT, false, offsetof(struct import_body, key), 1, FILE_LIMIT},
    {"password", HTTP_FIELD_TEXT, false, offsetof(struct import_body, password), 0, 1024},
    {"enabled", HTTP_FIELD_FLAG, false, offsetof(struct import_body, enabled), 0, 0},
};

static enum mg_status decode(const char *text, const char *member, struct mg_buffer *out, struct mg_error *error)
{
    return base64_decode(mg_slice_of_text(text), out)
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "%s: must be Base64 of at most %zu bytes", member, MATERIAL_MAX_FILE);
}

/* read_file fills |out| from |body|; the buffers keep what is decoded. */
static enum mg_status read_file(const struct import_body *body, struct mg_buffer *content, struct mg_buffer *key,
                                struct sap_file *out, struct mg_error *error)
{
    *out = (struct sap_file){.format = (enum sap_format)words_value(&sap_format_words, mg_slice_of_text(body->format))};
    if (out->format == 0) {
        return mg_error_set(error, MG_INVALID, "format: must be one of JAR, PKCS12, PEM, DER");
    }
    enum mg_status status = decode(body->content, "content", content, error);
    if (status == MG_OK && body->key != NULL) {
        status = decode(body->key, "privateKey", key, error);
        out->key = mg_buffer_slice(key);
    }
    out->content = mg_buffer_slice(content);
    out->password = body->password != NULL ? mg_slice_of_text(body->password) : mg_slice_of(NULL, 0);
    return status;
}

static enum mg_status import_body(const struct sap_api *api, struct lifecycle_call *call,
                                  const struct import_body *body, struct intermediate *out, struct mg_error *error)
{
    struct mg_buffer content = {.data = NULL}, key = {.data = NULL};
    struct lifecycle_draft draft = LIFECYCLE_EMPTY_DRAFT;
    struct sap_file file;
    enum mg_status status = mg_error_set(error, MG_MEMORY, "no memory for a file");
    draft.name = mg_slice_of_text(body->name);
    draft.description = mg_slice_of_text(body->description != NULL ? body->description : "");
    draft.status = body->enabled.value ? INTERMEDIATE_ENABLED : INTERMEDIATE_DISABLED;
    if (mg_secret_buffer_init(&content, MATERIAL_MAX_FILE) && mg_secret_buffer_init(&key, MATERIAL_MAX_FILE)) {
        status = read_file(body, &content, &key, &file, error);
    }
    if (status == MG_OK) {
        status = sap_intermediate_import(api->sap->imports, api->service, call, &draft, &file, out, error);
    }
    mg_secret_free(&content);
    mg_secret_free(&key);
    return status;
}

static void import(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_api *api = arg;
    struct lifecycle_call call = request_call(api->lifecycle, request);
    struct import_body body = {.name = NULL};
    struct intermediate record = {.id = 0};
    struct mg_error error = {""};
    enum mg_status status = http_json_fields(request->json, import_fields, MG_ARRAY_LEN(import_fields), &body, &error);
    if (status == MG_OK) {
        status = import_body(api, &call, &body, &record, &error);
    }
    if (status == MG_OK) {
        http_response_json(response, 201,
                           json_pack("{s:I, s:s, s:b, s:I}", "id", (json_int_t)record.id, "name", record.name,
                                     "defaultCertificate", record.is_default, "certExpDate",
                                     (json_int_t)record.not_after));
    } else {
        struct http_problem problem = http_problem_of_status(status, &error);
        http_fail(request, response, problem.kind, call.code, problem.message);
    }
    intermediate_free(&record);
}

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct sap_api *api = arg;
    return zia_authenticate(api->authenticator, request, out); /* as all of Mintgate's own API */
}

enum mg_status stores_api_add(struct router *router, struct sap_api *api, struct mg_error *error)
{
    static const struct http_route routes[] = {
        {HTTP_POST, "/stores/{store}/{certificate}/restore", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, restore},
        {HTTP_POST, "/intermediate", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, FILE_LIMIT, RATE_MEDIUM, import},
    };
    static const char *const bases[] = {"/mintgate/v1", NULL};
    const struct http_family family = {.name = "stores",
                                       .bases = bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = authenticate,
                                       .render = api->render,
                                       .arg = api};
    return router_add(router, &family, error);
}
