/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CCADB family works with, for administrators, under /mintgate/v1/ccadb; auditors read what is not about
 * credentials. {record} is a record's id of 18 characters, {client} a client's id.
 *
 * - GET /owners: [{"name"}]
 * - POST /owners: {"name"}
 * - GET /records: [{"id", "kind", "owner", "parent", "name", "sha256", "revoked", "updatedUs"}]; ?kind=root or
 *   intermediate, ?page, ?pageSize
 * - GET /records/{record}: the same with "attributes" and "certificate" (PEM)
 * - POST /roots: {"owner", "certificate", "name"?}: a root's record
 * - GET /users: [{"name", "owner", "mayRevoke"}]
 * - PUT /users/{name}: {"owner", "mayRevoke"?}: a user of the control plane may act for an owner
 * - DELETE /users/{name}: 204
 * - GET /clients: [{"id", "name", "redirectUri"}]
 * - POST /clients: {"name", "redirectUri"}: {..., "secret"}, told once
 * - DELETE /clients/{client}: 204
 * - GET /auditors: [{"name", "location"}]
 * - POST /auditors: {"name", "location"?}
 * - GET /words: [{"list", "value"}]
 * - POST /words: {"list", "value"}
 * - DELETE /words/{list}/{value}: 204
 *
 * Each change is one transaction with its audit record.
 */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "control/audit.h"
#include "control/ccadb/appliance.h"
#include "control/ccadb/fields.h"
#include "control/ccadb/grants.h"
#include "control/ccadb/picklists.h"
#include "control/ccadb/routes.h"
#include "control/http/json_body.h"
#include "control/http/login_answer.h"
#include "control/service/pem.h"
#include "control/service/request_call.h"
#include "ossl/certificate_line.h"

#define MAX_BODY ((size_t)128 * 1024)
#define MAX_PEM ((size_t)128 * 1024)
#define MAX_TEXT 1024 /* bytes of a name; the rules for characters are those of records.h and picklists.h */
#define PAGE 1000

/* One request while it is answered, within its transaction. */
struct admin {
    struct ccadb *ccadb;
    struct http_request *request;
    struct appliance_call call;
    json_t *answer; /* owned; NULL: none, 204 */
    struct mg_error error;
};

typedef enum mg_status admin_step(struct admin *admin);

static enum mg_status run_step(struct admin *admin, enum store_access access, admin_step *step)
{
    enum mg_status status = store_begin(admin->ccadb->lifecycle->store, access, &admin->call.tx, &admin->error);
    return status == MG_OK ? store_end(admin->call.tx, step(admin), &admin->error) : status;
}

static void run(void *arg, struct http_request *request, struct http_response *response, enum store_access access,
                admin_step *step)
{
    struct admin admin = {
        .ccadb = arg, .request = request, .call = {.actor = request_actor(request), .now_us = request->caller.wall_us}};
    enum mg_status status = run_step(&admin, access, step);
    if (status == MG_OK && admin.call.changed) {
        service_publish(admin.ccadb->service);
    }
    if (status != MG_OK) {
        json_decref(admin.answer);
        http_fail_status(request, response, status, &admin.error);
    } else if (admin.answer != NULL) {
        http_response_json(response, 200, admin.answer);
    } else {
        http_response_empty(response, 204);
    }
}

/* audit writes the record of a change of |object|, whose detail is the object |detail|; that is taken over. */
static enum mg_status audit(struct admin *admin, const char *operation, const char *object, json_t *detail)
{
    char *text = json_dumps(detail, JSON_COMPACT);
    json_decref(detail);
    if (text == NULL) {
        return mg_error_set(&admin->error, MG_MEMORY, "no memory for an audit record");
    }
    const struct audit_entry entry = {
        .time_us = admin->call.now_us,
        .actor = admin->call.actor,
        .operation = operation,
        .object = object,
        .outcome = AUDIT_DONE,
        .detail = text,
    };
    enum mg_status status = audit_append(admin->call.tx, &entry, &admin->error);
    free(text);
    return status;
}

static enum mg_status read_body(struct admin *admin, const struct http_field *fields, size_t num, void *out)
{
    return http_json_fields(admin->request->json, fields, num, out, &admin->error);
}

static enum mg_status read_word(struct admin *admin, char *out, size_t size)
{
    return http_request_word(admin->request, 0, out, size, &admin->error);
}

/* The bodies' members, all in one struct: no body has them all. */
struct body {
    const char *name, *owner, *location, *list, *value, *certificate, *redirect_uri;
    struct http_json_flag may_revoke;
};

#define TEXT_MEMBER(name, member, required)                                                                            \
    {                                                                                                                  \
        name, HTTP_FIELD_TEXT, required, offsetof(struct body, member), 1, MAX_TEXT                                    \
    }

/* ---- owners ---- */

static enum mg_status step_list_owners(struct admin *admin)
{
    struct store_statement query;
    bool ok = true;
    admin->answer = json_array();
    store_prepare(&query, admin->call.tx, "SELECT name FROM ccadb_owner ORDER BY name");
    while (ok && store_next(&query)) {
        const char *name = (const char *)store_column_text(&query).data;
        ok = json_array_append_new(admin->answer, json_pack("{s:s}", "name", name)) == 0;
    }
    enum mg_status status = store_finish(&query, &admin->error);
    return status == MG_OK && !ok ? mg_error_set(&admin->error, MG_MEMORY, "no memory for a list") : status;
}

static void list_owners(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_READ, step_list_owners);
}

static enum mg_status step_add_owner(struct admin *admin)
{
    static const struct http_field members[] = {TEXT_MEMBER("name", name, true)};
    struct body body = {.name = NULL};
    struct records_owner owner;
    enum mg_status status = read_body(admin, members, MG_ARRAY_LEN(members), &body);
    if (status == MG_OK) {
        status = records_owner_add(admin->call.tx, body.name, &owner, &admin->error);
    }
    if (status != MG_OK) {
        return status;
    }
    admin->answer = json_pack("{s:s}", "name", owner.name);
    return audit(admin, "ccadbAddOwner", owner.name, json_object());
}

static void add_owner(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_add_owner);
}

/* ---- records ---- */

static void hex_of(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        snprintf(out + 2 * i, 3, "%02X", bytes[i]);
    }
}

static json_t *record_json(const struct record *record)
{
    char id[RECORD_ID_SIZE], parent[RECORD_ID_SIZE] = "", sha256[2 * RECORDS_SHA256_LEN + 1];
    record_id_of(record, id);
    if (record->parent_id != 0) {
        record_id_make(RECORD_ID_RECORD, (uint64_t)record->parent_id, parent);
    }
    hex_of(record->sha256, sizeof(record->sha256), sha256);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}", "id", id, "kind",
                     record->kind == RECORD_ROOT ? "root" : "intermediate", "owner", record->owner, "parent", parent,
                     "name", record->name, "sha256", sha256, "revoked", fields_is_revoked(record->attributes),
                     "updatedUs", (json_int_t)record->updated_us);
}

struct record_page {
    json_t *list;
    uint64_t skip, left;
};

static enum mg_status add_record(void *arg, const struct record *record, struct mg_error *error)
{
    struct record_page *page = arg;
    if (page->skip > 0) {
        page->skip--;
        return MG_OK;
    }
    if (page->left == 0) {
        return MG_LIMIT; /* ends the walk: the page is full */
    }
    page->left--;
    return json_array_append_new(page->list, record_json(record)) == 0
               ? MG_OK
               : mg_error_set(error, MG_MEMORY, "no memory for a list");
}

static enum mg_status read_kind(struct admin *admin, enum record_kind *out)
{
    const char *kind = http_params_get0(&admin->request->query, "kind");
    *out = 0;
    if (kind != NULL && strcmp(kind, "root") == 0) {
        *out = RECORD_ROOT;
    } else if (kind != NULL && strcmp(kind, "intermediate") == 0) {
        *out = RECORD_INTERMEDIATE;
    } else if (kind != NULL) {
        return mg_error_set(&admin->error, MG_INVALID, "kind: must be root or intermediate");
    }
    return MG_OK;
}

static enum mg_status step_list_records(struct admin *admin)
{
    enum record_kind kind;
    struct http_paging paging;
    enum mg_status status = read_kind(admin, &kind);
    if (status == MG_OK) {
        status = http_paging_read(&admin->request->query, PAGE, PAGE, &paging, &admin->error);
    }
    if (status != MG_OK) {
        return status;
    }
    admin->answer = json_array();
    uint64_t before = paging.page - 1;
    struct record_page page = {.list = admin->answer,
                               .skip = before > UINT64_MAX / paging.page_size ? UINT64_MAX : before * paging.page_size,
                               .left = paging.page_size};
    status = records_each(admin->call.tx, kind, NULL, add_record, &page, &admin->error);
    return status == MG_LIMIT ? MG_OK : status;
}

static void list_records(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_READ, step_list_records);
}

/* add_certificate adds the PEM of |record|'s certificate to |json|. */
static enum mg_status add_certificate(struct admin *admin, const struct record *record, json_t *json)
{
    X509 *x509;
    struct records_certificate certificate;
    struct mg_buffer pem;
    enum mg_status status = records_load_certificate(admin->call.tx, record->id, &x509, &admin->error);
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_init(&pem, MAX_PEM);
    status = records_describe(x509, &certificate, &admin->error);
    if (status == MG_OK) {
        status = pem_encode(&pem, "CERTIFICATE", mg_slice_of(certificate.der, certificate.der_len), &admin->error);
        records_describe_free(&certificate);
    }
    if (status == MG_OK &&
        json_object_set_new(json, "certificate", json_stringn((const char *)pem.data, pem.len)) != 0) {
        status = mg_error_set(&admin->error, MG_MEMORY, "no memory for a certificate");
    }
    mg_buffer_free(&pem);
    X509_free(x509);
    return status;
}

static enum mg_status step_show_record(struct admin *admin)
{
    char id[HTTP_MAX_NAME];
    struct record record;
    enum mg_status status = read_word(admin, id, sizeof(id));
    if (status == MG_OK) {
        status = records_load(admin->call.tx, mg_slice_of_text(id), &record, &admin->error);
    }
    if (status != MG_OK) {
        return status;
    }
    admin->answer = record_json(&record);
    status = add_certificate(admin, &record, admin->answer);
    if (status == MG_OK && json_object_set(admin->answer, "attributes", record.attributes) != 0) {
        status = mg_error_set(&admin->error, MG_MEMORY, "no memory for a record");
    }
    record_free(&record);
    return status;
}

static void show_record(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_READ, step_show_record);
}

/* insert_root adds the record of |x509|, which signed itself, and those that follow from it. */
static enum mg_status insert_root(struct admin *admin, X509 *x509, const struct body *body)
{
    struct records_owner owner;
    struct records_certificate certificate;
    struct record record = {.kind = RECORD_ROOT,
                            .created_us = admin->call.now_us,
                            .updated_us = admin->call.now_us,
                            .attributes = json_object()};
    enum mg_status status = records_owner_find(admin->call.tx, body->owner, &owner, &admin->error);
    if (status == MG_OK) {
        status = records_describe(x509, &certificate, &admin->error);
    }
    if (status != MG_OK) {
        record_free(&record);
        return status;
    }
    record.owner_id = owner.id;
    memcpy(record.owner, owner.name, sizeof(record.owner));
    const char *name = body->name != NULL ? body->name : certificate.common_name;
    status = records_set_name(&record, name[0] != '\0' ? name : "(no common name)", &admin->error);
    if (status == MG_OK) {
        status = records_insert(admin->call.tx, &record, &certificate, &admin->error);
    }
    records_describe_free(&certificate);
    if (status == MG_OK) {
        admin->answer = record_json(&record);
        char object[8 + RECORD_ID_SIZE] = "ccadb/";
        record_id_of(&record, object + strlen(object));
        status =
            audit(admin, "ccadbAddRoot", object, json_pack("{s:s, s:s}", "owner", record.owner, "name", record.name));
    }
    record_free(&record);
    return status == MG_OK ? appliance_take_all(&admin->call, &admin->error) : status;
}

static enum mg_status parse_root(struct admin *admin, const char *text, X509 **out)
{
    struct mg_error cause;
    if (certificate_line_parse(mg_slice_of_text(text), out, &cause) != MG_OK) {
        return mg_error_set(&admin->error, MG_INVALID, "certificate: %s", cause.text);
    }
    if (X509_self_signed(*out, 1) != 1) {
        X509_free(*out);
        return mg_error_set(&admin->error, MG_INVALID, "certificate: must be a root, which signed itself");
    }
    return MG_OK;
}

static enum mg_status step_add_root(struct admin *admin)
{
    static const struct http_field members[] = {
        TEXT_MEMBER("owner", owner, true),
        TEXT_MEMBER("name", name, false),
        {"certificate", HTTP_FIELD_TEXT, true, offsetof(struct body, certificate), 1, CERTIFICATE_LINE_MAX},
    };
    struct body body = {.name = NULL};
    X509 *x509;
    enum mg_status status = read_body(admin, members, MG_ARRAY_LEN(members), &body);
    if (status == MG_OK) {
        status = parse_root(admin, body.certificate, &x509);
    }
    if (status == MG_OK) {
        status = insert_root(admin, x509, &body);
        X509_free(x509);
    }
    return status;
}

static void add_root(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_add_root);
}

/* ---- users ---- */

static enum mg_status step_list_users(struct admin *admin)
{
    admin->answer = json_array();
    return grants_users_json(admin->call.tx, admin->answer, &admin->error);
}

static void list_users(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_READ, step_list_users);
}

static enum mg_status step_put_user(struct admin *admin)
{
    static const struct http_field members[] = {
        TEXT_MEMBER("owner", owner, true),
        {"mayRevoke", HTTP_FIELD_FLAG, false, offsetof(struct body, may_revoke), 0, 0},
    };
    struct body body = {.name = NULL};
    char name[HTTP_MAX_NAME];
    struct grants_user user;
    enum mg_status status = read_word(admin, name, sizeof(name));
    if (status == MG_OK) {
        status = read_body(admin, members, MG_ARRAY_LEN(members), &body);
    }
    if (status == MG_OK) {
        status = grants_user_put(admin->call.tx, name, body.owner, body.may_revoke.value, &admin->error);
    }
    if (status == MG_OK) {
        status = grants_user_get(admin->call.tx, name, &user, &admin->error);
    }
    if (status != MG_OK) {
        return status;
    }
    admin->answer =
        json_pack("{s:s, s:s, s:b}", "name", user.name, "owner", user.owner.name, "mayRevoke", user.may_revoke);
    return audit(admin, "ccadbGrantUser", user.name,
                 json_pack("{s:s, s:b}", "owner", user.owner.name, "mayRevoke", user.may_revoke));
}

static void put_user(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_put_user);
}

static enum mg_status step_delete_user(struct admin *admin)
{
    char name[HTTP_MAX_NAME];
    enum mg_status status = read_word(admin, name, sizeof(name));
    if (status == MG_OK) {
        status = grants_user_delete(admin->call.tx, name, &admin->error);
    }
    return status == MG_OK ? audit(admin, "ccadbRevokeUser", name, json_object()) : status;
}

static void delete_user(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_delete_user);
}

/* ---- clients ---- */

static enum mg_status step_list_clients(struct admin *admin)
{
    admin->answer = json_array();
    return grants_clients_json(admin->call.tx, admin->answer, &admin->error);
}

static void list_clients(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_READ, step_list_clients);
}

static enum mg_status step_add_client(struct admin *admin)
{
    static const struct http_field members[] = {TEXT_MEMBER("name", name, true),
                                                TEXT_MEMBER("redirectUri", redirect_uri, true)};
    struct body body = {.name = NULL};
    struct grants_client client;
    char secret[GRANTS_SECRET_SIZE];
    enum mg_status status = read_body(admin, members, MG_ARRAY_LEN(members), &body);
    if (status == MG_OK) {
        status = grants_client_add(admin->call.tx, body.name, body.redirect_uri, &client, secret, &admin->error);
    }
    if (status != MG_OK) {
        return status;
    }
    admin->answer = json_pack("{s:s, s:s, s:s, s:s}", "id", client.id, "name", client.name, "redirectUri",
                              client.redirect_uri, "secret", secret);
    mg_secret_wipe(secret, sizeof(secret));
    return audit(admin, "ccadbAddClient", client.name,
                 json_pack("{s:s, s:s}", "id", client.id, "redirectUri", client.redirect_uri));
}

static void add_client(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_add_client);
}

static enum mg_status step_delete_client(struct admin *admin)
{
    char id[GRANTS_SECRET_SIZE];
    enum mg_status status = read_word(admin, id, sizeof(id));
    if (status == MG_OK) {
        status = grants_client_delete(admin->call.tx, id, &admin->error);
    }
    return status == MG_OK ? audit(admin, "ccadbDeleteClient", id, json_object()) : status;
}

static void delete_client(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_delete_client);
}

/* ---- words ---- */

static enum mg_status step_list_auditors(struct admin *admin)
{
    admin->answer = json_array();
    return picklists_auditors_json(admin->call.tx, admin->answer, &admin->error);
}

static void list_auditors(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_READ, step_list_auditors);
}

static enum mg_status step_add_auditor(struct admin *admin)
{
    static const struct http_field members[] = {
        TEXT_MEMBER("name", name, true),
        {"location", HTTP_FIELD_TEXT, false, offsetof(struct body, location), 0, MAX_TEXT}};
    struct body body = {.name = NULL};
    enum mg_status status = read_body(admin, members, MG_ARRAY_LEN(members), &body);
    const char *location = body.location != NULL ? body.location : "";
    if (status == MG_OK) {
        status = picklists_add_auditor(admin->call.tx, body.name, location, &admin->error);
    }
    if (status != MG_OK) {
        return status;
    }
    admin->answer = json_pack("{s:s, s:s}", "name", body.name, "location", location);
    return audit(admin, "ccadbAddAuditor", body.name, json_pack("{s:s}", "location", location));
}

static void add_auditor(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_add_auditor);
}

static enum mg_status step_list_words(struct admin *admin)
{
    admin->answer = json_array();
    return picklists_json(admin->call.tx, admin->answer, &admin->error);
}

static void list_words(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_READ, step_list_words);
}

static enum mg_status step_add_word(struct admin *admin)
{
    static const struct http_field members[] = {TEXT_MEMBER("list", list, true), TEXT_MEMBER("value", value, true)};
    struct body body = {.name = NULL};
    enum mg_status status = read_body(admin, members, MG_ARRAY_LEN(members), &body);
    if (status == MG_OK && !picklists_has_list(body.list)) {
        status = mg_error_set(&admin->error, MG_INVALID, "list: there is no such picklist");
    }
    if (status == MG_OK) {
        status = picklists_add(admin->call.tx, body.list, body.value, &admin->error);
    }
    if (status != MG_OK) {
        return status;
    }
    admin->answer = json_pack("{s:s, s:s}", "list", body.list, "value", body.value);
    return audit(admin, "ccadbAddWord", body.list, json_pack("{s:s}", "value", body.value));
}

static void add_word(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_add_word);
}

static enum mg_status step_remove_word(struct admin *admin)
{
    char list[MAX_TEXT + 1], value[MAX_TEXT + 1];
    enum mg_status status = read_word(admin, list, sizeof(list));
    if (status == MG_OK) {
        status = http_request_word(admin->request, 1, value, sizeof(value), &admin->error);
    }
    if (status == MG_OK) {
        status = picklists_remove(admin->call.tx, list, value, &admin->error);
    }
    return status == MG_OK ? audit(admin, "ccadbRemoveWord", list, json_pack("{s:s}", "value", value)) : status;
}

static void remove_word(void *arg, struct http_request *request, struct http_response *response)
{
    run(arg, request, response, STORE_WRITE, step_remove_word);
}

/* ---- the table ---- */

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct ccadb *ccadb = arg;
    return login_identify(ccadb->authenticator, request, REACH_MINTGATE, out);
}

enum mg_status ccadb_admin_add(struct router *router, struct ccadb *ccadb, struct mg_error *error)
{
#define NO_BODY HTTP_BODY_NONE, 0
#define JSON HTTP_BODY_JSON, MAX_BODY
    static const struct http_route routes[] = {
        {HTTP_GET, "/ccadb/owners", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, list_owners},
        {HTTP_POST, "/ccadb/owners", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, add_owner},
        {HTTP_GET, "/ccadb/records", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, list_records},
        {HTTP_GET, "/ccadb/records/{record}", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, show_record},
        {HTTP_POST, "/ccadb/roots", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, add_root},
        {HTTP_GET, "/ccadb/users", HTTP_ROLE_ADMIN, NO_BODY, RATE_LIGHT, list_users},
        {HTTP_PUT, "/ccadb/users/{name}", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, put_user},
        {HTTP_DELETE, "/ccadb/users/{name}", HTTP_ROLE_ADMIN, NO_BODY, RATE_MEDIUM, delete_user},
        {HTTP_GET, "/ccadb/clients", HTTP_ROLE_ADMIN, NO_BODY, RATE_LIGHT, list_clients},
        {HTTP_POST, "/ccadb/clients", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, add_client},
        {HTTP_DELETE, "/ccadb/clients/{client}", HTTP_ROLE_ADMIN, NO_BODY, RATE_MEDIUM, delete_client},
        {HTTP_GET, "/ccadb/auditors", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, list_auditors},
        {HTTP_POST, "/ccadb/auditors", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, add_auditor},
        {HTTP_GET, "/ccadb/words", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, list_words},
        {HTTP_POST, "/ccadb/words", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, add_word},
        {HTTP_DELETE, "/ccadb/words/{list}/{value}", HTTP_ROLE_ADMIN, NO_BODY, RATE_MEDIUM, remove_word},
    };
    static const char *const bases[] = {"/mintgate/v1", NULL};
    const struct http_family family = {
        .name = "ccadb-administration",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = authenticate,
        .render = ccadb->render,
        .arg = ccadb,
    };
    return router_add(router, &family, error);
}
