/* SPDX-License-Identifier: Apache-2.0 */
/* Apigee Edge's key stores and trust stores (contracts.md section 3.4), under both forms of its addresses.
 * Organizations and environments have any name: there is one set of stores. */
#include <ctype.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "control/http/json_body.h"
#include "control/http/scan.h"
#include "control/sap/certificate_json.h"
#include "control/sap/edge_xml.h"
#include "control/sap/entry_material.h"
#include "control/sap/sap_api.h"
#include "control/sap/sap_auth.h"

/* Two files of the largest size, and the form around them. */
#define FORM_LIMIT (2 * MATERIAL_MAX_FILE + 16 * 1024)
#define SMALL_LIMIT ((size_t)16 * 1024)

#define CERT_SUFFIX "-cert"
#define ALIAS_SIZE (SAP_NAME_SIZE + sizeof(CERT_SUFFIX)) /* or a certificate's name */
#define OVERWRITTEN "X-Mintgate-Overwritten"

/* ---- errors ---- */

static void render_error(const struct http_problem *problem, struct http_response *response)
{
    static const char *const codes[HTTP_NUM_PROBLEMS] = {
        [HTTP_PROBLEM_BAD_BODY] = "keystore.service.InvalidRequest",
        [HTTP_PROBLEM_INVALID] = "keystore.service.InvalidRequest",
        [HTTP_PROBLEM_FORBIDDEN] = "keystore.service.Forbidden",
        [HTTP_PROBLEM_NOT_FOUND] = "keystore.service.NotFound",
        [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = "keystore.service.MethodNotAllowed",
        [HTTP_PROBLEM_CONFLICT] = "keystore.service.Conflict",
        [HTTP_PROBLEM_TOO_LARGE] = "keystore.service.RequestTooLarge",
        [HTTP_PROBLEM_RATE_LIMITED] = "keystore.service.TooManyRequests",
        [HTTP_PROBLEM_SLOWED] = "keystore.service.TooManyRequests",
        [HTTP_PROBLEM_UNAVAILABLE] = "keystore.service.Unavailable",
    };
    if (problem->kind == HTTP_PROBLEM_UNAUTHENTICATED) {
        http_response_empty(response, problem->status);
        return;
    }
    const char *code = codes[problem->kind];
    http_response_json(response, problem->status,
                       json_pack("{s:s, s:s, s:[]}", "code", code == NULL ? "keystore.service.InternalError" : code,
                                 "message", problem->message, "contexts"));
}

/* ---- requests ---- */

/* Where in a path the names are. */
enum { PATH_ORG, PATH_ENV, PATH_STORE, PATH_ALIAS };

/* One request while it is answered. */
struct exchange {
    struct sap_call call;
    const struct http_request *request;
    struct http_response *response;
    struct mg_error error;
    char store[SAP_NAME_SIZE], alias[ALIAS_SIZE]; /* of the path; "": it has none */
};

/* read_word reads a name of the path. What cannot be a name is not found, as what is none. */
static enum mg_status read_word(struct exchange *exchange, size_t index, char *out, size_t size)
{
    if (exchange->request->num_path_values <= index) {
        return MG_OK;
    }
    if (http_request_word(exchange->request, index, out, size, NULL) != MG_OK) {
        out[0] = '\0';
        return mg_error_set(&exchange->error, MG_NOT_FOUND, "there is no such name");
    }
    return MG_OK;
}

static enum mg_status begin(struct exchange *exchange, void *api, const struct http_request *request,
                            struct http_response *response)
{
    *exchange = (struct exchange){.call = sap_api_call(api, request), .request = request, .response = response};
    enum mg_status status = read_word(exchange, PATH_STORE, exchange->store, sizeof(exchange->store));
    return status == MG_OK ? read_word(exchange, PATH_ALIAS, exchange->alias, sizeof(exchange->alias)) : status;
}

/* finish answers for a failure; MG_DENIED is a conflict: what stands in the way is another's reference, or the kind. */
static void finish(struct exchange *exchange, enum mg_status status)
{
    if (status == MG_DENIED) {
        http_fail(exchange->request, exchange->response, HTTP_PROBLEM_CONFLICT, NULL, exchange->error.text);
    } else if (status != MG_OK) {
        http_fail_status(exchange->request, exchange->response, status, &exchange->error);
    }
}

/* ---- objects ---- */

static json_t *cert_name(const struct sap_entry *entry)
{
    return json_sprintf("%s" CERT_SUFFIX, entry->name);
}

/* The members of a KeyStore, while its entries are walked. */
struct store_members {
    json_t *aliases, *certs, *keys;
};

static enum mg_status add_members(void *arg, const struct sap_entry *entry, struct mg_error *error)
{
    struct store_members *members = arg;
    json_t *alias = json_pack("{s:s, s:o}", "aliasName", entry->name, "cert", cert_name(entry));
    int failed = json_array_append_new(members->certs, cert_name(entry));
    if (entry->has_key) {
        failed |= json_object_set_new(alias, "key", json_string(entry->name));
        failed |= json_array_append_new(members->keys, json_string(entry->name));
    }
    failed |= json_array_append_new(members->aliases, alias);
    return failed == 0 ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

/* store_json gives a KeyStore; on failure *out is NULL. */
static enum mg_status store_json(struct store_tx *tx, const char *name, json_t **out, struct mg_error *error)
{
    struct sap_store store;
    *out = NULL;
    enum mg_status status = sap_store_load(tx, name, &store, error);
    if (status != MG_OK) {
        return status;
    }
    struct store_members members = {.aliases = json_array(), .certs = json_array(), .keys = json_array()};
    json_t *json = json_pack("{s:o, s:o, s:o, s:s}", "aliases", members.aliases, "certs", members.certs, "keys",
                             members.keys, "name", store.name);
    status = sap_entry_each(tx, store.id, add_members, &members, error);
    if (status != MG_OK) {
        json_decref(json);
        return status;
    }
    *out = json;
    return MG_OK;
}

static json_t *infos_json(const struct material *material, int64_t now_ms)
{
    json_t *list = json_array();
    for (size_t i = 0; i < material->num_certificates; i++) {
        (void)json_array_append_new(list, certificate_json_info(material->certificates[i], now_ms));
    }
    return list;
}

/* certs_json gives what Apigee calls a Certificate, or the certsInfo of an Alias. NULL: no memory. */
static json_t *certs_json(const struct exchange *exchange, const struct sap_entry *entry)
{
    struct material material;
    if (entry_material_parse(entry, &material, NULL) != MG_OK) {
        return NULL;
    }
    json_t *json = json_pack("{s:o, s:o}", "certInfo", infos_json(&material, exchange->call.now_us / 1000), "certName",
                             cert_name(entry));
    material_free(&material);
    return json;
}

static json_t *alias_json(const struct exchange *exchange, const struct sap_entry *entry)
{
    json_t *json = json_pack("{s:s, s:o}", "alias", entry->name, "certsInfo", certs_json(exchange, entry));
    if (json != NULL && entry->has_key) {
        json_object_set_new(json, "keyName", json_string(entry->name));
    }
    return json;
}

/* ---- organizations ---- */

/* What the vendor's own client asks for before all else; it wants the list to be there. */
static void get_organization(void *arg, struct http_request *request, struct http_response *response)
{
    struct mg_error error = {""};
    char name[SAP_NAME_SIZE];
    (void)arg;
    if (http_request_word(request, PATH_ORG, name, sizeof(name), &error) != MG_OK) {
        http_fail(request, response, HTTP_PROBLEM_NOT_FOUND, NULL, NULL);
        return;
    }
    http_response_json(response, 200,
                       json_pack("{s:s, s:s, s:[s], s:{s:[]}}", "name", name, "type", "paid", "environments",
                                 "mintgate", "properties", "property"));
}

/* ---- stores ---- */

static enum mg_status add_store_name(void *arg, const struct sap_store *store, struct mg_error *error)
{
    return json_array_append_new(arg, json_string(store->name)) == 0 ? MG_OK
                                                                     : mg_error_set(error, MG_MEMORY, "out of memory");
}

static void list_stores(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    struct store_tx *tx;
    json_t *list = json_array();
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = store_begin(exchange.call.sap->store, STORE_READ, &tx, &exchange.error);
    }
    if (status == MG_OK) {
        status = store_end(tx, sap_store_each(tx, add_store_name, list, &exchange.error), &exchange.error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, list);
    } else {
        json_decref(list);
    }
    finish(&exchange, status);
}

static enum mg_status load_store_json(struct exchange *exchange, json_t **out)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(exchange->call.sap->store, STORE_READ, &tx, &exchange->error);
    return status == MG_OK ? store_end(tx, store_json(tx, exchange->store, out, &exchange->error), &exchange->error)
                           : status;
}

static void get_store(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    json_t *json = NULL;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = load_store_json(&exchange, &json);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, json);
    }
    finish(&exchange, status);
}

static enum mg_status name_of_json(struct mg_slice text, char out[SAP_NAME_SIZE], struct mg_error *error)
{
    struct name_body {
        const char *name;
    } body = {.name = NULL};
    static const struct http_field fields[] = {
        {"name", HTTP_FIELD_TEXT, true, offsetof(struct name_body, name), 1, SAP_MAX_NAME}};
    json_t *json = NULL;
    if (http_json_parse(text, &json, error) != MG_OK) {
        return MG_INVALID;
    }
    enum mg_status status = json_is_object(json) ? http_json_fields(json, fields, MG_ARRAY_LEN(fields), &body, error)
                                                 : mg_error_set(error, MG_INVALID, "body: must be a JSON object");
    if (status == MG_OK) {
        snprintf(out, SAP_NAME_SIZE, "%s", body.name);
    }
    http_json_free(json);
    return status;
}

/* read_store_name reads the body, XML or JSON, whatever the client calls it. Apigee's names have letters and digits
 * alone. */
static enum mg_status read_store_name(const struct http_request *request, char out[SAP_NAME_SIZE],
                                      struct mg_error *error)
{
    struct mg_slice body = mg_buffer_slice(&request->body), text = scan_trim(body);
    enum mg_status status = text.len > 0 && text.data[0] == '<' ? edge_xml_name(text, out, SAP_NAME_SIZE, error)
                                                                : name_of_json(body, out, error);
    for (size_t i = 0; status == MG_OK && out[i] != '\0'; i++) {
        if (!isascii((unsigned char)out[i]) || !isalnum((unsigned char)out[i])) {
            status = mg_error_set(error, MG_INVALID, "name: must have letters and digits alone");
        }
    }
    return status;
}

static void create_store(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    json_t *json = NULL;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = read_store_name(request, exchange.store, &exchange.error);
    }
    if (status == MG_OK) {
        status = sap_store_create(&exchange.call, exchange.store, SAP_UNDECIDED, "", NULL, &exchange.error);
    }
    if (status == MG_OK) {
        status = load_store_json(&exchange, &json);
    }
    if (status == MG_OK) {
        http_response_json(response, 201, json);
    }
    finish(&exchange, status);
}

static void delete_store(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    json_t *json = NULL;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = load_store_json(&exchange, &json);
    }
    if (status == MG_OK) {
        status = sap_store_delete(&exchange.call, exchange.store, &exchange.error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, json);
    } else {
        json_decref(json);
    }
    finish(&exchange, status);
}

/* ---- looking at entries ---- */

static enum mg_status load_entry(struct store_tx *tx, const struct exchange *exchange, struct sap_entry *out,
                                 struct mg_error *error)
{
    struct sap_store store;
    enum mg_status status = sap_store_load(tx, exchange->store, &store, error);
    return status == MG_OK ? sap_entry_load(tx, store.id, exchange->alias, out, error) : status;
}

static enum mg_status find_entry(struct exchange *exchange, struct sap_entry *out)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(exchange->call.sap->store, STORE_READ, &tx, &exchange->error);
    return status == MG_OK ? store_end(tx, load_entry(tx, exchange, out, &exchange->error), &exchange->error) : status;
}

/* reply_entry answers with the entry of the path as |show| does. */
static void reply_entry(void *arg, struct http_request *request, struct http_response *response,
                        void (*show)(struct exchange *exchange, const struct sap_entry *entry))
{
    struct exchange exchange;
    struct sap_entry entry = {.id = 0};
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = find_entry(&exchange, &entry);
    }
    if (status == MG_OK) {
        show(&exchange, &entry);
    }
    sap_entry_free(&entry);
    finish(&exchange, status);
}

static void show_alias(struct exchange *exchange, const struct sap_entry *entry)
{
    http_response_json(exchange->response, 200, alias_json(exchange, entry));
}

static void show_certificate(struct exchange *exchange, const struct sap_entry *entry)
{
    http_response_bytes(exchange->response, 200, "application/x-pem-file", mg_slice_of_text(entry->certificates));
}

static void show_csr(struct exchange *exchange, const struct sap_entry *entry)
{
    if (entry->csr == NULL) {
        http_fail(exchange->request, exchange->response, HTTP_PROBLEM_INVALID, NULL,
                  "the alias has no private key, and so no certificate signing request");
        return;
    }
    http_response_bytes(exchange->response, 200, "application/x-pem-file", mg_slice_of_text(entry->csr));
}

static void get_alias(void *arg, struct http_request *request, struct http_response *response)
{
    reply_entry(arg, request, response, show_alias);
}

static void get_alias_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    reply_entry(arg, request, response, show_certificate);
}

static void get_alias_csr(void *arg, struct http_request *request, struct http_response *response)
{
    reply_entry(arg, request, response, show_csr);
}

/* Lists of names: of aliases, or of certificates. */
struct names {
    json_t *json;
    bool of_certs;
};

static enum mg_status add_name(void *arg, const struct sap_entry *entry, struct mg_error *error)
{
    struct names *names = arg;
    json_t *name = names->of_certs ? cert_name(entry) : json_string(entry->name);
    return json_array_append_new(names->json, name) == 0 ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

static enum mg_status load_names(struct store_tx *tx, const struct exchange *exchange, struct names *names,
                                 struct mg_error *error)
{
    struct sap_store store;
    enum mg_status status = sap_store_load(tx, exchange->store, &store, error);
    return status == MG_OK ? sap_entry_each(tx, store.id, add_name, names, error) : status;
}

static void reply_names(void *arg, struct http_request *request, struct http_response *response, bool of_certs)
{
    struct exchange exchange;
    struct names names = {.json = json_array(), .of_certs = of_certs};
    struct store_tx *tx;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = store_begin(exchange.call.sap->store, STORE_READ, &tx, &exchange.error);
    }
    if (status == MG_OK) {
        status = store_end(tx, load_names(tx, &exchange, &names, &exchange.error), &exchange.error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, names.json);
    } else {
        json_decref(names.json);
    }
    finish(&exchange, status);
}

static void list_aliases(void *arg, struct http_request *request, struct http_response *response)
{
    reply_names(arg, request, response, false);
}

static void list_certs(void *arg, struct http_request *request, struct http_response *response)
{
    reply_names(arg, request, response, true);
}

/* ---- putting entries ---- */

/* read_flag reads a parameter of the query that is true or false. */
static enum mg_status read_flag(const struct http_request *request, const char *name, bool otherwise, bool *out,
                                struct mg_error *error)
{
    const char *text = http_params_get0(&request->query, name);
    *out = text == NULL ? otherwise : strcmp(text, "true") == 0;
    return text == NULL || *out || strcmp(text, "false") == 0
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "%s: must be true or false", name);
}

static enum mg_status read_flags(const struct http_request *request, struct sap_put *put, struct mg_error *error)
{
    bool ignores_lines;
    enum mg_status status = read_flag(request, "ignoreExpiryValidation", false, &put->ignores_expiry, error);
    if (status == MG_OK) {
        status = read_flag(request, "ignoreNewlineValidation", true, &ignores_lines, error);
        put->file.wants_lines = !ignores_lines;
    }
    return status;
}

/* part_of returns a part's data, without memory where it is missing. */
static struct mg_slice part_of(const struct http_request *request, const char *name)
{
    const struct multipart_part *part = multipart_find0(&request->multipart, name);
    return part == NULL ? mg_slice_of(NULL, 0) : part->data;
}

/* read_password takes it from the form, or, which is out of use, from the query. An empty one is none: forms have the
 * field whether it is filled in or not. */
static struct mg_slice read_password(const struct http_request *request)
{
    struct mg_slice part = part_of(request, "password");
    const char *text = http_params_get0(&request->query, "password");
    if (part.data == NULL && text != NULL) {
        part = mg_slice_of_text(text);
    }
    return part.len > 0 ? part : mg_slice_of(NULL, 0);
}

/* What is uploaded where. */
enum upload {
    UPLOAD_JAR,         /* the part `file` */
    UPLOAD_PKCS12,      /* likewise */
    UPLOAD_CERTIFICATE, /* likewise, or `certFile`; no key */
    UPLOAD_PAIR,        /* `certFile`, and `keyFile` unless it is for a trust store */
    NUM_UPLOADS,
};

static enum mg_status read_files(const struct http_request *request, enum upload upload, struct sap_file *out,
                                 struct mg_error *error)
{
    static const enum sap_format formats[NUM_UPLOADS] = {[UPLOAD_JAR] = SAP_FORMAT_JAR,
                                                         [UPLOAD_PKCS12] = SAP_FORMAT_PKCS12,
                                                         [UPLOAD_CERTIFICATE] = SAP_FORMAT_PEM,
                                                         [UPLOAD_PAIR] = SAP_FORMAT_PEM};
    struct mg_slice file = part_of(request, "file"), cert = part_of(request, "certFile");
    out->format = formats[upload];
    out->password = read_password(request);
    out->content = upload == UPLOAD_PAIR || (upload == UPLOAD_CERTIFICATE && cert.data != NULL) ? cert : file;
    if (upload == UPLOAD_PAIR) {
        out->key = part_of(request, "keyFile");
    }
    if (out->content.data == NULL) {
        return mg_error_set(error, MG_INVALID, "%s: the form must have this part",
                            upload == UPLOAD_PAIR ? "certFile" : "file");
    }
    return MG_OK;
}

/* read_format tells what the query says that is uploaded. */
static enum mg_status read_format(const struct http_request *request, enum upload *out, struct mg_error *error)
{
    static const struct {
        const char *name;
        enum upload upload;
    } formats[] = {{"keycertjar", UPLOAD_JAR}, {"pkcs12", UPLOAD_PKCS12}, {"keycertfile", UPLOAD_PAIR}};
    const char *format = http_params_get0(&request->query, "format");
    for (size_t i = 0; format != NULL && i < MG_ARRAY_LEN(formats); i++) {
        if (strcmp(format, formats[i].name) == 0) {
            *out = formats[i].upload;
            return MG_OK;
        }
    }
    return mg_error_set(error, MG_INVALID, "format: must be keycertjar, pkcs12 or keycertfile");
}

static enum mg_status read_alias(struct exchange *exchange)
{
    const char *alias = http_params_get0(&exchange->request->query, "alias");
    if (alias == NULL) {
        return mg_error_set(&exchange->error, MG_INVALID, "alias: is required");
    }
    enum mg_status status = sap_name_check("alias", alias, &exchange->error);
    if (status == MG_OK) {
        snprintf(exchange->alias, sizeof(exchange->alias), "%s", alias);
    }
    return status;
}

/* put reads the form and stores it under the alias; |out| is the caller's to free. */
static enum mg_status put(struct exchange *exchange, enum upload upload, bool must_exist, struct sap_entry *out,
                          bool *overwritten)
{
    struct sap_put put = {.store = exchange->store, .name = exchange->alias, .must_exist = must_exist};
    enum mg_status status = read_flags(exchange->request, &put, &exchange->error);
    if (status == MG_OK) {
        status = read_files(exchange->request, upload, &put.file, &exchange->error);
    }
    put.file.is_renewal = must_exist && put.file.key.data == NULL;
    return status == MG_OK ? sap_entry_put(&exchange->call, &put, out, overwritten, &exchange->error) : status;
}

/* answer_put tells of the alias, and whether there was one before. */
static void answer_put(struct exchange *exchange, const struct sap_entry *entry, bool overwritten)
{
    http_response_json(exchange->response, overwritten ? 200 : 201, alias_json(exchange, entry));
    http_response_header(exchange->response, OVERWRITTEN, "%s", overwritten ? "true" : "false");
}

static void create_alias(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    struct sap_entry entry = {.id = 0};
    enum upload upload = UPLOAD_PAIR;
    bool overwritten = false;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = read_alias(&exchange);
    }
    if (status == MG_OK) {
        status = read_format(request, &upload, &exchange.error);
    }
    if (status == MG_OK) {
        status = put(&exchange, upload, false, &entry, &overwritten);
    }
    if (status == MG_OK) {
        answer_put(&exchange, &entry, overwritten);
    }
    sap_entry_free(&entry);
    finish(&exchange, status);
}

/* upload_of_replacement tells whether a replacement brings a key along. */
static enum upload upload_of_replacement(const struct http_request *request)
{
    return part_of(request, "keyFile").data != NULL ? UPLOAD_PAIR : UPLOAD_CERTIFICATE;
}

static void replace_alias(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    struct sap_entry entry = {.id = 0};
    bool overwritten = false;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = put(&exchange, upload_of_replacement(request), true, &entry, &overwritten);
    }
    if (status == MG_OK) {
        answer_put(&exchange, &entry, overwritten);
    }
    sap_entry_free(&entry);
    finish(&exchange, status);
}

/* upload answers an old upload, which is told nothing but that it is done. */
static void upload_old(void *arg, struct http_request *request, struct http_response *response, enum upload kind)
{
    struct exchange exchange;
    bool overwritten = false;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = read_alias(&exchange);
    }
    if (status == MG_OK) {
        status = put(&exchange, kind, false, NULL, &overwritten);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
        http_response_header(response, OVERWRITTEN, "%s", overwritten ? "true" : "false");
    }
    finish(&exchange, status);
}

static void upload_cert(void *arg, struct http_request *request, struct http_response *response)
{
    upload_old(arg, request, response, UPLOAD_CERTIFICATE);
}

static void upload_key(void *arg, struct http_request *request, struct http_response *response)
{
    upload_old(arg, request, response, UPLOAD_JAR);
}

/* ---- deleting entries, and certificates by their own names ---- */

static void delete_and_show(struct exchange *exchange,
                            void (*show)(struct exchange *exchange, const struct sap_entry *entry))
{
    struct sap_entry entry = {.id = 0};
    enum mg_status status = find_entry(exchange, &entry);
    if (status == MG_OK) {
        status = sap_entry_delete(&exchange->call, exchange->store, exchange->alias, &exchange->error);
    }
    if (status == MG_OK) {
        show(exchange, &entry);
    }
    sap_entry_free(&entry);
    finish(exchange, status);
}

static void delete_alias(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    enum mg_status status = begin(&exchange, arg, request, response);
    if (status == MG_OK) {
        delete_and_show(&exchange, show_alias);
    } else {
        finish(&exchange, status);
    }
}

/* begin_cert reads the alias out of a certificate's name, which is the alias and "-cert". */
static enum mg_status begin_cert(struct exchange *exchange, void *arg, const struct http_request *request,
                                 struct http_response *response)
{
    enum mg_status status = begin(exchange, arg, request, response);
    size_t len = strlen(exchange->alias), suffix = strlen(CERT_SUFFIX);
    if (status == MG_OK && len > suffix && strcmp(exchange->alias + len - suffix, CERT_SUFFIX) == 0) {
        exchange->alias[len - suffix] = '\0';
    }
    return status;
}

static void show_cert(struct exchange *exchange, const struct sap_entry *entry)
{
    http_response_json(exchange->response, 200, certs_json(exchange, entry));
}

static void reply_cert(void *arg, struct http_request *request, struct http_response *response,
                       void (*show)(struct exchange *exchange, const struct sap_entry *entry))
{
    struct exchange exchange;
    struct sap_entry entry = {.id = 0};
    enum mg_status status = begin_cert(&exchange, arg, request, response);
    if (status == MG_OK) {
        status = find_entry(&exchange, &entry);
    }
    if (status == MG_OK) {
        show(&exchange, &entry);
    }
    sap_entry_free(&entry);
    finish(&exchange, status);
}

static void get_cert(void *arg, struct http_request *request, struct http_response *response)
{
    reply_cert(arg, request, response, show_cert);
}

static void export_cert(void *arg, struct http_request *request, struct http_response *response)
{
    reply_cert(arg, request, response, show_certificate);
}

static void delete_cert(void *arg, struct http_request *request, struct http_response *response)
{
    struct exchange exchange;
    enum mg_status status = begin_cert(&exchange, arg, request, response);
    if (status == MG_OK) {
        delete_and_show(&exchange, show_cert);
    } else {
        finish(&exchange, status);
    }
}

/* ---- the family ---- */

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct sap_api *api = arg;
    return sap_authenticate_edge(api->authenticator, request, out);
}

/* clang-format off */
#define READ(pattern, handler) {HTTP_GET, pattern, HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, handler}
#define FORM(method, pattern, handler)                                                                                 \
    {method, pattern, HTTP_ROLE_ADMIN, HTTP_BODY_MULTIPART, FORM_LIMIT, RATE_MEDIUM, handler}
#define DELETE(pattern, handler) {HTTP_DELETE, pattern, HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, handler}
#define ROUTES(env)                                                                                                    \
    READ("/{org}", get_organization),                                                                                  \
    READ("/{org}/", get_organization),                                                                                 \
    READ(env "/keystores", list_stores),                                                                               \
    {HTTP_POST, env "/keystores", HTTP_ROLE_ADMIN, HTTP_BODY_RAW, SMALL_LIMIT, RATE_MEDIUM, create_store},             \
    READ(env "/keystores/{keystore}", get_store),                                                                      \
    DELETE(env "/keystores/{keystore}", delete_store),                                                                 \
    READ(env "/keystores/{keystore}/aliases", list_aliases),                                                           \
    FORM(HTTP_POST, env "/keystores/{keystore}/aliases", create_alias),                                                \
    READ(env "/keystores/{keystore}/aliases/{alias}", get_alias),                                                      \
    FORM(HTTP_PUT, env "/keystores/{keystore}/aliases/{alias}", replace_alias),                                        \
    DELETE(env "/keystores/{keystore}/aliases/{alias}", delete_alias),                                                 \
    READ(env "/keystores/{keystore}/aliases/{alias}/certificate", get_alias_certificate),                              \
    READ(env "/keystores/{keystore}/aliases/{alias}/csr", get_alias_csr),                                              \
    READ(env "/keystores/{keystore}/certs", list_certs),                                                               \
    FORM(HTTP_POST, env "/keystores/{keystore}/certs", upload_cert),                                                   \
    READ(env "/keystores/{keystore}/certs/{cert}", get_cert),                                                          \
    DELETE(env "/keystores/{keystore}/certs/{cert}", delete_cert),                                                     \
    READ(env "/keystores/{keystore}/certs/{cert}/export", export_cert),                                                \
    FORM(HTTP_POST, env "/keystores/{keystore}/keys", upload_key)
/* clang-format on */

enum mg_status edge_add(struct router *router, struct sap_api *api, struct mg_error *error)
{
    static const struct http_route long_routes[] = {ROUTES("/{org}/environments/{env}")};
    static const struct http_route short_routes[] = {ROUTES("/{org}/e/{env}")};
    static const char *const long_bases[] = {"/v1/organizations", NULL}, *const short_bases[] = {"/v1/o", NULL};
    struct http_family family = {.name = "sap-edge",
                                 .bases = long_bases,
                                 .routes = long_routes,
                                 .num_routes = MG_ARRAY_LEN(long_routes),
                                 .authenticate = authenticate,
                                 .render = render_error,
                                 .arg = api};
    enum mg_status status = router_add(router, &family, error);
    family.bases = short_bases;
    family.routes = short_routes;
    return status == MG_OK ? router_add(router, &family, error) : status;
}
