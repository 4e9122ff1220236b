/* SPDX-License-Identifier: Apache-2.0 */
/* SAP API Management's OData 2.0 (contracts.md section 3.2): CertificateStores, Certificates,
 * CertificateStoreReferences under Management.svc. Every refusal is 400 in OData's shape, as the vendor documents it
 * for references. */
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "control/http/json_body.h"
#include "control/http/login_answer.h"
#include "control/sap/certificate_json.h"
#include "control/sap/entry_material.h"
#include "control/sap/odata_key.h"
#include "control/sap/sap_api.h"
#include "control/sap/sap_body.h"
#include "ossl/base64.h"

#define BASE "/apiportal/api/1.0/Management.svc"
#define MAX_HOST 255

#define CERTIFICATE_LIMIT SAP_BODY_LIMIT
#define SMALL_LIMIT ((size_t)16 * 1024)

/* ---- errors ---- */

static void render_error(const struct http_problem *problem, struct http_response *response)
{
    static const char *const codes[HTTP_NUM_PROBLEMS] = {
        [HTTP_PROBLEM_BAD_BODY] = "BAD_REQUEST",
        [HTTP_PROBLEM_INVALID] = "BAD_REQUEST",
        [HTTP_PROBLEM_UNAUTHENTICATED] = "UNAUTHORIZED",
        [HTTP_PROBLEM_BAD_CREDENTIALS] = "UNAUTHORIZED",
        [HTTP_PROBLEM_FORBIDDEN] = "FORBIDDEN",
        [HTTP_PROBLEM_NOT_FOUND] = "NOT_FOUND",
        [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = "METHOD_NOT_ALLOWED",
        [HTTP_PROBLEM_CONFLICT] = "CONFLICT",
        [HTTP_PROBLEM_TOO_LARGE] = "REQUEST_TOO_LARGE",
        [HTTP_PROBLEM_RATE_LIMITED] = "TOO_MANY_REQUESTS",
        [HTTP_PROBLEM_SLOWED] = "TOO_MANY_REQUESTS",
        [HTTP_PROBLEM_UNAVAILABLE] = "SERVICE_UNAVAILABLE",
    };
    const char *code = problem->code != NULL ? problem->code : codes[problem->kind];
    http_response_json(response, problem->status,
                       json_pack("{s:{s:s, s:{s:s, s:s}}}", "error", "code", code == NULL ? "INTERNAL_ERROR" : code,
                                 "message", "lang", "en", "value", problem->message));
}

/* What an operation's refusals are called; NULL: cannot be. */
struct codes {
    const char *invalid, *not_found, *exists, *denied, *limit;
};

static const struct codes reference_create_codes = {
    .invalid = "CERTIFICATE_STORE_REFERENCE_VALIDATION_ERROR",
    .exists = "CERTIFICATE_STORE_REFERENCE_NAME_DUPLICATION_ERROR",
    .denied = "CERTIFICATE_STORE_REFERENCE_CREATE_FAILED_LINKED_CERTIFICATE_STORE_VALIDATION_ERROR",
};
static const struct codes reference_codes = {
    .invalid = "CERTIFICATE_STORE_REFERENCE_VALIDATION_ERROR",
    .not_found = "NO_SUCH_CERTIFICATE_STORE_REFERENCE_EXISTS",
    .denied = "CERTIFICATE_STORE_REFERENCE_UPDATE_FAILED_LINKED_CERTIFICATE_STORE_VALIDATION_ERROR",
};
static const struct codes store_codes = {
    .invalid = "CERTIFICATE_STORE_VALIDATION_ERROR",
    .not_found = "NO_SUCH_CERTIFICATE_STORE_EXISTS",
    .exists = "CERTIFICATE_STORE_NAME_DUPLICATION_ERROR",
    .denied = "CERTIFICATE_STORE_DELETE_FAILED_LINKED_REFERENCE_ERROR",
    .limit = "CERTIFICATE_STORE_LIMIT_ERROR",
};
static const struct codes certificate_codes = {
    .invalid = "CERTIFICATE_VALIDATION_ERROR",
    .not_found = "NO_SUCH_CERTIFICATE_EXISTS",
    .denied = "CERTIFICATE_STORE_TYPE_ERROR",
    .limit = "CERTIFICATE_LIMIT_ERROR",
};

static const char *code_of(const struct codes *codes, enum mg_status status)
{
    switch (status) {
    case MG_INVALID:
        return codes->invalid;
    case MG_NOT_FOUND:
        return codes->not_found;
    case MG_EXISTS:
        return codes->exists;
    case MG_DENIED:
        return codes->denied;
    case MG_LIMIT:
        return codes->limit;
    default:
        return NULL;
    }
}

/* fail answers 400 for what is the client's fault; what is ours as all families do. */
static void fail(const struct http_request *request, struct http_response *response, const struct codes *codes,
                 enum mg_status status, const struct mg_error *error)
{
    const char *code = code_of(codes, status);
    if (code != NULL) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, code, error->text);
    } else {
        http_fail_status(request, response, status, error);
    }
}

/* ---- entities ---- */

/* host_of returns what the client calls this server. */
static const char *host_of(const struct http_request *request)
{
    const char *host = http_request_header(request, "Host");
    bool is_fit = host != NULL && host[0] != '\0' && strlen(host) <= MAX_HOST &&
                  mg_utf8_is_label(mg_slice_of_text(host)) && strpbrk(host, "/'\"<> ") == NULL;
    return is_fit ? host : "localhost";
}

static json_t *metadata(const struct http_request *request, const char *entity, const char *key, const char *type)
{
    json_t *uri = json_sprintf("https://%s" BASE "/%s(%s)", host_of(request), entity, key);
    return json_pack("{s:O, s:o, s:s}", "id", uri, "uri", uri, "type", type);
}

static json_t *date_of(int64_t time_us)
{
    return json_sprintf("/Date(%lld)/", (long long)(time_us / 1000));
}

static json_t *life_cycle(const struct sap_stamp *created, const struct sap_stamp *changed)
{
    return json_pack("{s:{s:s}, s:o, s:s, s:o, s:s}", "__metadata", "type", "apiportal.History", "changed_at",
                     date_of(changed->time_us), "changed_by", changed->by, "created_at", date_of(created->time_us),
                     "created_by", created->by);
}

/* kind_json is null for a store of Apigee's that has nothing in it yet. */
static json_t *kind_json(enum sap_kind kind)
{
    return kind == SAP_UNDECIDED ? json_null() : json_string(words_name(&sap_kind_words, kind));
}

static json_t *store_json(const struct http_request *request, const struct sap_store *store)
{
    char key[SAP_NAME_SIZE + 2];
    snprintf(key, sizeof(key), "'%s'", store->name);
    return json_pack("{s:o, s:s, s:s, s:o, s:o}", "__metadata",
                     metadata(request, "CertificateStores", key, "apiportal.CertificateStore"), "name", store->name,
                     "description", store->description, "storeType", kind_json(store->kind), "life_cycle",
                     life_cycle(&store->created, &store->changed));
}

static json_t *reference_json(const struct http_request *request, const struct sap_reference *reference)
{
    char key[SAP_NAME_SIZE + 2];
    snprintf(key, sizeof(key), "'%s'", reference->name);
    return json_pack("{s:o, s:s, s:o, s:s, s:o}", "__metadata",
                     metadata(request, "CertificateStoreReferences", key, "apiportal.CertificateStoreReference"),
                     "certificateStoreName", reference->store_name, "life_cycle",
                     life_cycle(&reference->created, &reference->changed), "name", reference->name, "storeType",
                     kind_json(reference->kind));
}

/* base64_json gives Edm.Binary: what a file of PEM has. */
static json_t *base64_json(const char *text)
{
    struct mg_buffer encoded;
    mg_buffer_init(&encoded, 2 * strlen(text) + 4);
    base64_encode(&encoded, mg_slice_of_text(text));
    json_t *json = mg_buffer_ok(&encoded) ? json_stringn((const char *)encoded.data, encoded.len) : NULL;
    mg_buffer_free(&encoded);
    return json;
}

static json_t *certificate_json(const struct http_request *request, const char *store, const struct sap_entry *entry)
{
    struct material material;
    char key[2 * SAP_NAME_SIZE + 32];
    if (entry_material_parse(entry, &material, NULL) != MG_OK) {
        return NULL;
    }
    json_t *info = certificate_json_info(material.certificates[0], request->caller.wall_us / 1000);
    int64_t from_ms = json_integer_value(json_object_get(info, "validFrom")),
            until_ms = json_integer_value(json_object_get(info, "expiryDate"));
    snprintf(key, sizeof(key), "name='%s',storeName='%s'", entry->name, store);
    json_t *json = json_pack(
        "{s:o, s:s, s:s, s:s, s:o, s:b, s:b, s:o, s:o, s:O, s:O, s:O, s:i, s:o}", "__metadata",
        metadata(request, "Certificates", key, "apiportal.Certificate"), "name", entry->name, "storeName", store,
        "format", words_name(&sap_format_words, entry->format), "content", base64_json(entry->certificates),
        "hasPrivateKey", entry->has_key, "hasPreviousVersion", entry->has_previous, "validFrom",
        date_of(from_ms * 1000), "validTo", date_of(until_ms * 1000), "subject", json_object_get(info, "subject"),
        "issuer", json_object_get(info, "issuer"), "serialNumber", json_object_get(info, "serialNumber"),
        "numCertificates", (int)material.num_certificates, "life_cycle", life_cycle(&entry->created, &entry->created));
    json_decref(info);
    material_free(&material);
    return json;
}

/* answer_one answers with an entity, answer_list with several; each takes |json| over. */
static void answer_one(struct http_response *response, unsigned status, json_t *json)
{
    http_response_json(response, status, json_pack("{s:o}", "d", json));
}

static void answer_list(struct http_response *response, json_t *list)
{
    http_response_json(response, 200, json_pack("{s:{s:o}}", "d", "results", list));
}

/* ---- requests ---- */

/* read_key reads the key of the address into |out|, one value for each of |names|. */
static enum mg_status read_key(const struct http_request *request, const char *const *names, size_t num_names,
                               char out[][ODATA_MAX_VALUE + 1], struct mg_error *error)
{
    char text[4 * ODATA_MAX_VALUE];
    enum mg_status status = http_request_word(request, 0, text, sizeof(text), error);
    return status == MG_OK ? odata_key_parse(mg_slice_of_text(text), names, num_names, out, error) : status;
}

static enum mg_status read_name(const struct http_request *request, char out[ODATA_MAX_VALUE + 1],
                                struct mg_error *error)
{
    static const char *const names[] = {"name"};
    return read_key(request, names, 1, (char(*)[ODATA_MAX_VALUE + 1]) out, error);
}

/* A list that is being built. */
struct list {
    const struct http_request *request;
    const char *store; /* whose certificates */
    json_t *json;
};

static enum mg_status append(struct list *list, json_t *item, struct mg_error *error)
{
    return json_array_append_new(list->json, item) == 0 ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

/* A read is a transaction that fills a list. */
typedef enum mg_status reader(struct store_tx *tx, struct list *list, struct mg_error *error);

static enum mg_status run_reader(const struct sap_api *api, reader *read, struct list *list, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(api->sap->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, read(tx, list, error), error) : status;
}

static void reply_list(const struct sap_api *api, struct http_request *request, struct http_response *response,
                       reader *read)
{
    struct list list = {.request = request, .json = json_array()};
    struct mg_error error = {""};
    enum mg_status status = run_reader(api, read, &list, &error);
    if (status == MG_OK) {
        answer_list(response, list.json);
    } else {
        json_decref(list.json);
        http_fail_status(request, response, status, &error);
    }
}

/* ---- CertificateStores ---- */

static enum mg_status add_store(void *arg, const struct sap_store *store, struct mg_error *error)
{
    struct list *list = arg;
    return append(list, store_json(list->request, store), error);
}

static enum mg_status read_stores(struct store_tx *tx, struct list *list, struct mg_error *error)
{
    return sap_store_each(tx, add_store, list, error);
}

static void list_stores(void *arg, struct http_request *request, struct http_response *response)
{
    reply_list(arg, request, response, read_stores);
}

static enum mg_status load_store(const struct sap_api *api, const char *name, struct sap_store *out,
                                 struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(api->sap->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, sap_store_load(tx, name, out, error), error) : status;
}

static void get_store(void *arg, struct http_request *request, struct http_response *response)
{
    char name[ODATA_MAX_VALUE + 1];
    struct sap_store store;
    struct mg_error error = {""};
    enum mg_status status = read_name(request, name, &error);
    if (status == MG_OK) {
        status = load_store(arg, name, &store, &error);
    }
    if (status == MG_OK) {
        answer_one(response, 200, store_json(request, &store));
    } else {
        fail(request, response, &store_codes, status, &error);
    }
}

struct store_body {
    const char *name, *description, *kind;
};

static const struct http_field store_fields[] = {
    {"name", HTTP_FIELD_TEXT, true, offsetof(struct store_body, name), 1, SAP_MAX_NAME},
    {"description", HTTP_FIELD_TEXT, false, offsetof(struct store_body, description), 0, 4 * SAP_MAX_DESCRIPTION},
    {"storeType", HTTP_FIELD_TEXT, true, offsetof(struct store_body, kind), 1, 16},
};

static enum mg_status create_store_of(const struct sap_call *call, const json_t *json, struct sap_store *out,
                                      struct mg_error *error)
{
    struct store_body body = {.name = NULL};
    enum mg_status status = http_json_fields(json, store_fields, MG_ARRAY_LEN(store_fields), &body, error);
    if (status != MG_OK) {
        return status;
    }
    enum sap_kind kind = (enum sap_kind)words_value(&sap_kind_words, mg_slice_of_text(body.kind));
    if (kind == SAP_UNDECIDED) {
        return mg_error_set(error, MG_INVALID, "storeType: must be KEYSTORE or TRUSTSTORE");
    }
    return sap_store_create(call, body.name, kind, body.description != NULL ? body.description : "", out, error);
}

static void create_store(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    struct sap_store store;
    struct mg_error error = {""};
    enum mg_status status = create_store_of(&call, request->json, &store, &error);
    if (status == MG_OK) {
        answer_one(response, 201, store_json(request, &store));
    } else {
        fail(request, response, &store_codes, status, &error);
    }
}

static void delete_store(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    char name[ODATA_MAX_VALUE + 1];
    struct mg_error error = {""};
    enum mg_status status = read_name(request, name, &error);
    if (status == MG_OK) {
        status = sap_store_delete(&call, name, &error);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
    } else {
        fail(request, response, &store_codes, status, &error);
    }
}

/* ---- Certificates ---- */

static enum mg_status add_certificate(void *arg, const struct sap_entry *entry, struct mg_error *error)
{
    struct list *list = arg;
    return append(list, certificate_json(list->request, list->store, entry), error);
}

struct certificates_reading {
    struct store_tx *tx;
    struct list *list;
};

static enum mg_status add_certificates_of(void *arg, const struct sap_store *store, struct mg_error *error)
{
    struct certificates_reading *reading = arg;
    reading->list->store = store->name;
    return sap_entry_each(reading->tx, store->id, add_certificate, reading->list, error);
}

static enum mg_status read_certificates(struct store_tx *tx, struct list *list, struct mg_error *error)
{
    struct certificates_reading reading = {.tx = tx, .list = list};
    return sap_store_each(tx, add_certificates_of, &reading, error);
}

static void list_certificates(void *arg, struct http_request *request, struct http_response *response)
{
    reply_list(arg, request, response, read_certificates);
}

/* The key of a certificate: its name and its store's. */
struct certificate_key {
    char values[2][ODATA_MAX_VALUE + 1];
};

static enum mg_status read_certificate_key(const struct http_request *request, struct certificate_key *out,
                                           struct mg_error *error)
{
    static const char *const names[] = {"name", "storeName"};
    return read_key(request, names, 2, out->values, error);
}

static enum mg_status load_entry(struct store_tx *tx, const struct certificate_key *key, struct sap_entry *out,
                                 struct mg_error *error)
{
    struct sap_store store;
    enum mg_status status = sap_store_load(tx, key->values[1], &store, error);
    return status == MG_OK ? sap_entry_load(tx, store.id, key->values[0], out, error) : status;
}

static enum mg_status find_entry(const struct sap_api *api, const struct certificate_key *key, struct sap_entry *out,
                                 struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(api->sap->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, load_entry(tx, key, out, error), error) : status;
}

static void get_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    struct certificate_key key;
    struct sap_entry entry = {.id = 0};
    struct mg_error error = {""};
    enum mg_status status = read_certificate_key(request, &key, &error);
    if (status == MG_OK) {
        status = find_entry(arg, &key, &entry, &error);
    }
    if (status == MG_OK) {
        answer_one(response, 200, certificate_json(request, key.values[1], &entry));
    } else {
        fail(request, response, &certificate_codes, status, &error);
    }
    sap_entry_free(&entry);
}

struct certificate_body {
    const char *name, *store;
    struct http_json_flag ignores_expiry;
};

static const struct http_field certificate_fields[] = {
#define TEXT(member, required, field, max)                                                                             \
    {                                                                                                                  \
        member, HTTP_FIELD_TEXT, required, offsetof(struct certificate_body, field), 1, max                            \
    }
    TEXT("name", true, name, SAP_MAX_NAME),
    TEXT("storeName", true, store, SAP_MAX_NAME),
    {"ignoreExpiryValidation", HTTP_FIELD_FLAG, false, offsetof(struct certificate_body, ignores_expiry), 0, 0},
#undef TEXT
};

/* What is put into a store, once its files are decoded. */
struct putting {
    const struct sap_call *call;
    struct sap_put put;
    struct sap_entry *out;
    bool *overwritten;
};

static enum mg_status put_file(void *arg, const struct sap_file *file, struct mg_error *error)
{
    struct putting *putting = arg;
    putting->put.file = *file;
    return sap_entry_put(putting->call, &putting->put, putting->out, putting->overwritten, error);
}

static enum mg_status put_certificate(const struct sap_call *call, const json_t *json, struct certificate_body *body,
                                      struct sap_entry *out, bool *overwritten, struct mg_error *error)
{
    struct putting putting = {.call = call, .out = out, .overwritten = overwritten};
    enum mg_status status = http_json_fields(json, certificate_fields, MG_ARRAY_LEN(certificate_fields), body, error);
    if (status != MG_OK) {
        return status;
    }
    putting.put =
        (struct sap_put){.store = body->store, .name = body->name, .ignores_expiry = body->ignores_expiry.value};
    return sap_body_read(json, put_file, &putting, error);
}

/* answer_put tells of a certificate that was put; what it has replaced is reported by status and member. */
static void answer_put(const struct http_request *request, struct http_response *response, const char *store,
                       const struct sap_entry *entry, bool overwritten)
{
    json_t *json = certificate_json(request, store, entry);
    json_object_set_new(json, "overwritten", json_boolean(overwritten));
    answer_one(response, overwritten ? 200 : 201, json);
}

static void create_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    struct certificate_body body = {.name = NULL};
    struct sap_entry entry = {.id = 0};
    struct mg_error error = {""};
    bool overwritten = false;
    enum mg_status status = put_certificate(&call, request->json, &body, &entry, &overwritten, &error);
    if (status == MG_OK) {
        answer_put(request, response, body.store, &entry, overwritten);
    } else {
        fail(request, response, &certificate_codes, status, &error);
    }
    sap_entry_free(&entry);
}

static void delete_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    struct certificate_key key;
    struct mg_error error = {""};
    enum mg_status status = read_certificate_key(request, &key, &error);
    if (status == MG_OK) {
        status = sap_entry_delete(&call, key.values[1], key.values[0], &error);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
    } else {
        fail(request, response, &certificate_codes, status, &error);
    }
}

/* ---- CertificateStoreReferences ---- */

static enum mg_status add_reference(void *arg, const struct sap_reference *reference, struct mg_error *error)
{
    struct list *list = arg;
    return append(list, reference_json(list->request, reference), error);
}

static enum mg_status read_references(struct store_tx *tx, struct list *list, struct mg_error *error)
{
    return sap_reference_each(tx, add_reference, list, error);
}

static void list_references(void *arg, struct http_request *request, struct http_response *response)
{
    reply_list(arg, request, response, read_references);
}

static enum mg_status find_reference(const struct sap_api *api, const char *name, struct sap_reference *out,
                                     struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(api->sap->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, sap_reference_load(tx, name, out, error), error) : status;
}

static void get_reference(void *arg, struct http_request *request, struct http_response *response)
{
    char name[ODATA_MAX_VALUE + 1];
    struct sap_reference reference;
    struct mg_error error = {""};
    enum mg_status status = read_name(request, name, &error);
    if (status == MG_OK) {
        status = find_reference(arg, name, &reference, &error);
    }
    if (status == MG_OK) {
        answer_one(response, 200, reference_json(request, &reference));
    } else {
        fail(request, response, &reference_codes, status, &error);
    }
}

struct reference_body {
    const char *name, *store;
};

static const struct http_field reference_fields[] = {
    {"certificateStoreName", HTTP_FIELD_TEXT, true, offsetof(struct reference_body, store), 1, SAP_MAX_NAME},
    {"name", HTTP_FIELD_TEXT, true, offsetof(struct reference_body, name), 1, SAP_MAX_NAME},
};
#define NUM_SWING_FIELDS 1 /* a PUT has the first alone */

static void create_reference(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    struct reference_body body = {.name = NULL};
    struct sap_reference reference;
    struct mg_error error = {""};
    enum mg_status status =
        http_json_fields(request->json, reference_fields, MG_ARRAY_LEN(reference_fields), &body, &error);
    if (status == MG_OK) {
        status = sap_reference_create(&call, body.name, body.store, &reference, &error);
    }
    if (status == MG_OK) {
        answer_one(response, 201, reference_json(request, &reference));
    } else {
        fail(request, response, &reference_create_codes, status, &error);
    }
}

static void put_reference(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    struct reference_body body = {.name = NULL};
    char name[ODATA_MAX_VALUE + 1];
    struct mg_error error = {""};
    enum mg_status status = read_name(request, name, &error);
    if (status == MG_OK) {
        status = http_json_fields(request->json, reference_fields, NUM_SWING_FIELDS, &body, &error);
    }
    if (status == MG_OK) {
        status = sap_reference_swing(&call, name, body.store, &error);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
    } else {
        fail(request, response, &reference_codes, status, &error);
    }
}

static void delete_reference(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    char name[ODATA_MAX_VALUE + 1];
    struct mg_error error = {""};
    enum mg_status status = read_name(request, name, &error);
    if (status == MG_OK) {
        status = sap_reference_delete(&call, name, &error);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
    } else {
        fail(request, response, &reference_codes, status, &error);
    }
}

/* ---- the family ---- */

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct sap_api *api = arg;
    return login_identify(api->authenticator, request, REACH_SAP, out);
}

static void decorate(const struct http_request *request, struct http_response *response)
{
    (void)request;
    http_response_header(response, "DataServiceVersion", "2.0");
}

enum mg_status odata_add(struct router *router, struct sap_api *api, struct mg_error *error)
{
/* clang-format off */
#define READ(pattern, handler) {HTTP_GET, pattern, HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, handler}
#define POST(pattern, limit, handler) {HTTP_POST, pattern, HTTP_ROLE_ADMIN, HTTP_BODY_JSON, limit, RATE_MEDIUM, handler}
#define DELETE(pattern, handler) {HTTP_DELETE, pattern, HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, handler}
    static const struct http_route routes[] = {
        READ("/CertificateStores", list_stores),
        POST("/CertificateStores", SMALL_LIMIT, create_store),
        READ("/CertificateStores({key})", get_store),
        DELETE("/CertificateStores({key})", delete_store),
        READ("/Certificates", list_certificates),
        POST("/Certificates", CERTIFICATE_LIMIT, create_certificate),
        READ("/Certificates({key})", get_certificate),
        DELETE("/Certificates({key})", delete_certificate),
        READ("/CertificateStoreReferences", list_references),
        POST("/CertificateStoreReferences", SMALL_LIMIT, create_reference),
        READ("/CertificateStoreReferences({key})", get_reference),
        {HTTP_PUT, "/CertificateStoreReferences({key})", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, SMALL_LIMIT, RATE_MEDIUM,
         put_reference},
        DELETE("/CertificateStoreReferences({key})", delete_reference),
    };
/* clang-format on */
#undef READ
#undef POST
#undef DELETE
    static const char *const bases[] = {BASE, NULL};
    const struct http_family family = {.name = "sap-odata",
                                       .bases = bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = authenticate,
                                       .render = render_error,
                                       .decorate = decorate,
                                       .arg = api};
    return router_add(router, &family, error);
}
