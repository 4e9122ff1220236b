/* SPDX-License-Identifier: Apache-2.0 */
#include "control/zia/zia.h"

#include <stdio.h>

#include "control/http/zia_auth.h"
#include "control/zia/zia_reply.h"
#include "control/zia/zia_upload.h"

#define DEFAULT_PAGE 1000
#define MAX_PAGE 1000

/* Clients send whole objects, public key included. */
#define JSON_LIMIT ((size_t)64 * 1024)
/* A file, and the form around it. */
#define FORM_LIMIT(max_file) ((max_file) + (size_t)8 * 1024)
/* A file as a JSON text, with each end of a line escaped. */
#define JSON_FILE_LIMIT(max_file) (2 * (max_file))

/* ---- lists ---- */

/* `search` is taken and does not filter, as recorded (contracts.md 1.3): clients compare names themselves. */
static enum mg_status load_list(const struct zia_exchange *exchange, enum intermediate_filter filter,
                                struct intermediate_list *out, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(exchange->zia->lifecycle->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, intermediate_list_load(tx, filter, out, error), error) : status;
}

static json_t *render_page(const struct intermediate_list *list, const struct http_paging *paging,
                           zia_json_renderer *render)
{
    size_t first, num;
    json_t *page = json_array();
    http_paging_range(paging, list->num_items, &first, &num);
    for (size_t i = first; i < first + num; i++) {
        if (json_array_append_new(page, render(&list->items[i])) != 0) {
            json_decref(page);
            return NULL;
        }
    }
    return page;
}

static void reply_list(void *arg, struct http_request *request, struct http_response *response,
                       enum intermediate_filter filter, zia_json_renderer *render)
{
    struct zia_exchange exchange;
    struct http_paging paging;
    struct intermediate_list list = {.num_items = 0};
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = http_paging_read(&request->query, DEFAULT_PAGE, MAX_PAGE, &paging, &exchange.error);
    if (status == MG_OK) {
        status = load_list(&exchange, filter, &list, &exchange.error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, render_page(&list, &paging, render));
    }
    intermediate_list_free(&list);
    zia_end(&exchange, status, NULL);
}

static void handle_list(void *arg, struct http_request *request, struct http_response *response)
{
    reply_list(arg, request, response, INTERMEDIATE_ALL, zia_json_cert);
}

static void handle_list_lite(void *arg, struct http_request *request, struct http_response *response)
{
    reply_list(arg, request, response, INTERMEDIATE_ALL, zia_json_lite);
}

static void handle_ready_to_use(void *arg, struct http_request *request, struct http_response *response)
{
    reply_list(arg, request, response, INTERMEDIATE_READY_TO_USE, zia_json_ready);
}

/* ---- one certificate: looking ---- */

/* reply_record answers with the certificate of the path, if |operation|, which changes nothing, is allowed. */
static void reply_record(void *arg, struct http_request *request, struct http_response *response,
                         enum lifecycle_operation operation, zia_json_renderer *render)
{
    struct zia_exchange exchange;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status =
        lifecycle_check(&exchange.call, operation, http_request_id(request, 0), &exchange.record, &exchange.error);
    zia_end(&exchange, status, render);
}

static void handle_get(void *arg, struct http_request *request, struct http_response *response)
{
    reply_record(arg, request, response, LIFECYCLE_SHOW, zia_json_cert);
}

static void handle_get_lite(void *arg, struct http_request *request, struct http_response *response)
{
    reply_record(arg, request, response, LIFECYCLE_SHOW, zia_json_lite);
}

static void handle_show_csr(void *arg, struct http_request *request, struct http_response *response)
{
    reply_record(arg, request, response, LIFECYCLE_READ_CSR, zia_json_csr);
}

static void handle_show_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    struct certificate_facts facts;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = lifecycle_check(&exchange.call, LIFECYCLE_READ_CERTIFICATE, http_request_id(request, 0),
                                            &exchange.record, &exchange.error);
    if (status == MG_OK &&
        certificate_describe(mg_slice_of_text(exchange.record.certificate), &facts, &exchange.error) != MG_OK) {
        status = MG_INTERNAL; /* it was read when it was uploaded */
    }
    if (status == MG_OK) {
        http_response_json(response, 200, zia_json_signed(&exchange.record, &facts.subject));
    }
    zia_end(&exchange, status, NULL);
}

#define MAX_ATTESTATION WIRE_CONTROL_MAX_DER

/* What a client saves is named after the certificate; a name is cut before its ending is. */
#define MAX_FILE_STEM 100

static void reply_file(struct http_response *response, const char *stem, const char *ending, struct mg_slice text)
{
    char name[MAX_FILE_STEM + 32];
    snprintf(name, sizeof(name), "%.*s%s", MAX_FILE_STEM, stem, ending);
    http_response_download(response, name, text);
}

static void handle_download_public_key(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = lifecycle_read(&exchange.call, LIFECYCLE_READ_PUBLIC_KEY, http_request_id(request, 0),
                                           &exchange.record, &exchange.error);
    if (status == MG_OK) {
        reply_file(response, exchange.record.name, "-PublicKey.pem", mg_slice_of_text(exchange.record.public_key));
    }
    zia_end(&exchange, status, NULL);
}

static void handle_download_csr(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = lifecycle_check(&exchange.call, LIFECYCLE_READ_CSR, http_request_id(request, 0),
                                            &exchange.record, &exchange.error);
    if (status == MG_OK) {
        reply_file(response, exchange.record.csr.file_name, ".pem", mg_slice_of_text(exchange.record.csr_pem));
    }
    zia_end(&exchange, status, NULL);
}

/* ---- creating, changing, deleting ---- */

static void handle_create(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    struct lifecycle_draft draft;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = zia_json_read_draft(request->json, &draft, &exchange.error);
    if (status == MG_OK) {
        status = lifecycle_create(&exchange.call, &draft, &exchange.record, &exchange.error);
    }
    zia_end(&exchange, status, zia_json_cert);
}

static void handle_update(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    struct lifecycle_draft draft;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = zia_json_read_draft(request->json, &draft, &exchange.error);
    if (status == MG_OK) {
        status = service_update(exchange.zia->service, &exchange.call, http_request_id(request, 0), &draft,
                                &exchange.record, &exchange.error);
    }
    zia_end(&exchange, status, zia_json_cert);
}

static void handle_delete(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status =
        service_delete(exchange.zia->service, &exchange.call, http_request_id(request, 0), &exchange.error);
    if (status == MG_OK) {
        http_response_empty(response, 204);
    }
    zia_end(&exchange, status, NULL);
}

/* ---- the steps of the workflow ---- */

static bool has_path_id(const struct http_request *request)
{
    return request->num_path_values > 0;
}

/* read_id takes the id from the path, or from the body, where the vendor's Go client puts it (contracts.md 1.3). */
static enum mg_status read_id(struct zia_exchange *exchange, int64_t *out)
{
    if (has_path_id(exchange->request)) {
        *out = http_request_id(exchange->request, 0);
        return MG_OK;
    }
    return zia_json_read_id(exchange->request->json, out, &exchange->error);
}

/* A step that needs nothing but the id. */
typedef enum mg_status step_function(struct zia_exchange *exchange, int64_t id);

static void reply_step(void *arg, struct http_request *request, struct http_response *response, step_function *step)
{
    struct zia_exchange exchange;
    int64_t id;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = read_id(&exchange, &id);
    if (status == MG_OK) {
        status = step(&exchange, id);
    }
    zia_end(&exchange, status, zia_json_cert);
}

static enum mg_status make_key(struct zia_exchange *exchange, int64_t id)
{
    return service_make_key(exchange->zia->service, &exchange->call, id, &exchange->record, &exchange->error);
}

static void handle_make_key(void *arg, struct http_request *request, struct http_response *response)
{
    reply_step(arg, request, response, make_key);
}

static void handle_download_attestation(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_ATTESTATION);
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = service_read_attestation(exchange.zia->service, &exchange.call, http_request_id(request, 0),
                                                     &text, &exchange.record, &exchange.error);
    if (status == MG_OK) {
        reply_file(response, exchange.record.name, "-Attestation.txt", mg_buffer_slice(&text));
    }
    zia_end(&exchange, status, NULL);
    mg_buffer_free(&text);
}

static enum mg_status verify_attestation(struct zia_exchange *exchange, int64_t id)
{
    return service_verify_attestation(exchange->zia->service, &exchange->call, id, &exchange->record, &exchange->error);
}

static void handle_verify_attestation(void *arg, struct http_request *request, struct http_response *response)
{
    reply_step(arg, request, response, verify_attestation);
}

/* Without an id in the path the answer is a Cert, since the Go client, which asks so, reads one. */
static void handle_make_csr(void *arg, struct http_request *request, struct http_response *response)
{
    struct zia_exchange exchange;
    struct lifecycle_csr_wish wish;
    int64_t id;
    zia_begin(&exchange, arg, request, response);
    enum mg_status status = read_id(&exchange, &id);
    if (status == MG_OK) {
        status = zia_json_read_csr_wish(request->json, &wish, &exchange.error);
    }
    if (status == MG_OK) {
        status = service_make_csr(exchange.zia->service, &exchange.call, id, &wish, &exchange.record, &exchange.error);
    }
    zia_end(&exchange, status, has_path_id(request) ? zia_json_csr : zia_json_cert);
}

static enum mg_status upload_certificate(struct zia_exchange *exchange, int64_t id)
{
    struct zia_upload upload;
    enum mg_status status = zia_upload_find(exchange->request, &upload, &exchange->error);
    return status == MG_OK ? lifecycle_upload_certificate(&exchange->call, id, upload.file, upload.file_name,
                                                          &exchange->record, &exchange->error)
                           : status;
}

static enum mg_status upload_chain(struct zia_exchange *exchange, int64_t id)
{
    struct zia_upload upload;
    enum mg_status status = zia_upload_find(exchange->request, &upload, &exchange->error);
    return status == MG_OK
               ? lifecycle_upload_chain(&exchange->call, id, upload.file, &exchange->record, &exchange->error)
               : status;
}

static void handle_upload_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    reply_step(arg, request, response, upload_certificate);
}

static void handle_upload_chain(void *arg, struct http_request *request, struct http_response *response)
{
    reply_step(arg, request, response, upload_chain);
}

static enum mg_status finalize(struct zia_exchange *exchange, int64_t id)
{
    return service_finalize(exchange->zia->service, &exchange->call, id, &exchange->record, &exchange->error);
}

static void handle_finalize(void *arg, struct http_request *request, struct http_response *response)
{
    reply_step(arg, request, response, finalize);
}

static enum mg_status make_default(struct zia_exchange *exchange, int64_t id)
{
    return service_make_default(exchange->zia->service, &exchange->call, id, false, &exchange->record,
                                &exchange->error);
}

static void handle_make_default(void *arg, struct http_request *request, struct http_response *response)
{
    reply_step(arg, request, response, make_default);
}

/* ---- activation ---- */

/* Each change is in force when it is answered, and a new default is served by every engine: nothing is ever staged. */
static void handle_activation(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    (void)request;
    http_response_json(response, 200, json_pack("{s:s}", "status", "ACTIVE"));
}

/* ---- the family ---- */

/* clang-format off */
#define CERT "/intermediateCaCertificate"
#define READ(pattern, handler)                                                                                         \
    {HTTP_GET, pattern, HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, handler}
#define POST(pattern, body, limit, handler)                                                                            \
    {HTTP_POST, pattern, HTTP_ROLE_ADMIN, body, limit, RATE_MEDIUM, handler}
/* A step with the id in the path, as documented, or in the body. */
#define STEP(word, handler)                                                                                            \
    POST(CERT "/" word "/{id}", HTTP_BODY_JSON, JSON_LIMIT, handler),                                                  \
    POST(CERT "/" word, HTTP_BODY_JSON, JSON_LIMIT, handler)
#define UPLOAD(word, max_file, handler)                                                                                \
    POST(CERT "/" word "/{id}", HTTP_BODY_MULTIPART, FORM_LIMIT(max_file), handler),                                   \
    POST(CERT "/" word, HTTP_BODY_JSON, JSON_FILE_LIMIT(max_file), handler)

static const struct http_route routes[] = {
    READ(CERT, handle_list),
    POST(CERT, HTTP_BODY_JSON, JSON_LIMIT, handle_create),
    READ(CERT "/{id}", handle_get),
    {HTTP_PUT, CERT "/{id}", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, handle_update},
    {HTTP_DELETE, CERT "/{id}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_HEAVY, handle_delete},
    READ(CERT "/lite", handle_list_lite),
    READ(CERT "/lite/{id}", handle_get_lite),
    READ(CERT "/readyToUse", handle_ready_to_use),
    STEP("keyPair", handle_make_key),
    READ(CERT "/downloadPublicKey/{id}", handle_download_public_key),
    READ(CERT "/downloadAttestation/{id}", handle_download_attestation),
    /* The vendor's documents say POST, its clients GET: it reads either way. */
    {HTTP_POST, CERT "/downloadAttestation/{id}", HTTP_ROLE_AUDITOR, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM,
     handle_download_attestation},
    STEP("verifyKeyAttestation", handle_verify_attestation),
    STEP("generateCsr", handle_make_csr),
    READ(CERT "/downloadCsr/{id}", handle_download_csr),
    READ(CERT "/showCsr/{id}", handle_show_csr),
    READ(CERT "/showCert/{id}", handle_show_certificate),
    UPLOAD("uploadCert", CERTIFICATE_MAX_FILE, handle_upload_certificate),
    UPLOAD("uploadCertChain", CERTIFICATE_MAX_CHAIN_FILE, handle_upload_chain),
    STEP("finalizeCert", handle_finalize),
    /* The Go client sends a Cert with an id of 0: the body says nothing. */
    {HTTP_PUT, CERT "/makeDefault/{id}", HTTP_ROLE_OPERATOR, HTTP_BODY_NONE, 0, RATE_MEDIUM, handle_make_default},
    READ("/status", handle_activation),
    /* Changes nothing, so that whoever switches defaults may go on to ask for it, as the vendor's scripts do. */
    {HTTP_POST, "/status/activate", HTTP_ROLE_OPERATOR, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, handle_activation},
};
/* clang-format on */

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct zia *zia = arg;
    return zia_authenticate(zia->authenticator, request, out);
}

enum mg_status zia_add(struct router *router, struct zia *zia, struct mg_error *error)
{
    const struct http_family family = {.name = "zia",
                                       .bases = zia_bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = authenticate,
                                       .render = zia_render_error,
                                       .decorate = zia_decorate,
                                       .arg = zia};
    return router_add(router, &family, error);
}
