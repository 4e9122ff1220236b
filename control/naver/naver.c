/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/naver.h"

#include <ctype.h>

#include "control/certificate_check.h"
#include "control/http/login_answer.h"
#include "control/naver/naver_json.h"
#include "control/naver/naver_reply.h"
#include "control/naver/pca_crl_issue.h"
#include "control/naver/pca_names.h"
#include "control/naver/pca_request.h"

#define PAGE_SIZE 10
#define MAX_PAGE UINT32_MAX
#define JSON_LIMIT ((size_t)64 * 1024)
/* PEM as JSON texts, with each end of a line escaped. */
#define FILES_LIMIT (2 * (CERTIFICATE_MAX_FILE + CERTIFICATE_MAX_CHAIN_FILE))
#define MAX_CSR ((size_t)48 * 1024)
#define MAX_WORD 32

/* ---- lists ---- */

/* read_page reads `pageNo`, from 1. */
static enum mg_status read_page(struct naver_exchange *exchange, int64_t *out)
{
    uint64_t page;
    enum mg_status status =
        http_params_number(&exchange->request->query, "pageNo", 1, MAX_PAGE, 1, &page, &exchange->error);
    if (status != MG_OK) {
        exchange->call.code = "INVALID_INPUT_PAGENUMBBER"; /* the vendor's own spelling */
        return status;
    }
    *out = (int64_t)page;
    return MG_OK;
}

/* page_json renders a page of |total| items; it takes over |items|. */
static json_t *page_json(int64_t total, int64_t page, const char *name, json_t *items)
{
    return json_pack("{s:I,s:I,s:I,s:o}", "totalCnt", (json_int_t)total, "totalPageNo",
                     (json_int_t)((total + PAGE_SIZE - 1) / PAGE_SIZE), "currentPageNo", (json_int_t)page, name, items);
}

struct ca_list {
    const struct pca *pca;
    json_t *items;
};

static void add_ca(void *arg, const struct pca_ca *ca)
{
    const struct ca_list *list = arg;
    (void)json_array_append_new(list->items, naver_json_ca(list->pca, ca));
}

static enum mg_status load_cas(struct naver_exchange *exchange, int64_t page, struct ca_list *list, int64_t *total)
{
    struct store_tx *tx;
    struct mg_error *error = &exchange->error;
    enum mg_status status = store_begin(exchange->call.pca->store, STORE_READ, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = pca_ca_count(tx, total, error);
    if (status == MG_OK) {
        status = pca_ca_page(tx, (page - 1) * PAGE_SIZE, PAGE_SIZE, add_ca, list, error);
    }
    return store_end(tx, status, error);
}

static void handle_list(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    int64_t page, total = 0;
    naver_begin(&exchange, arg, request, response);
    struct ca_list list = {.pca = exchange.call.pca, .items = json_array()};
    enum mg_status status = read_page(&exchange, &page);
    if (status == MG_OK) {
        status = load_cas(&exchange, page, &list, &total);
    }
    if (status == MG_OK) {
        naver_end_with(&exchange, status, page_json(total, page, "caInfoList", list.items));
        return;
    }
    json_decref(list.items);
    naver_end(&exchange, status, NULL);
}

static void add_serial(void *arg, const char *serial, int64_t revoked_us)
{
    (void)revoked_us;
    (void)json_array_append_new(arg, json_string(serial));
}

static enum mg_status load_serials(struct naver_exchange *exchange, int64_t ca_id, int64_t page, json_t *items,
                                   int64_t *total)
{
    struct store_tx *tx;
    struct mg_error *error = &exchange->error;
    enum mg_status status = store_begin(exchange->call.pca->store, STORE_READ, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = pca_certificate_count(tx, ca_id, total, error);
    if (status == MG_OK) {
        status = pca_certificate_page(tx, ca_id, (page - 1) * PAGE_SIZE, PAGE_SIZE, add_serial, items, error);
    }
    return store_end(tx, status, error);
}

static void handle_list_certificates(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_ca ca = {.id = 0};
    int64_t page, total = 0;
    json_t *items = json_array();
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = read_page(&exchange, &page);
    if (status == MG_OK) {
        status = pca_load(&exchange.call, exchange.tag, &ca, &exchange.error);
    }
    if (status == MG_OK) {
        status = load_serials(&exchange, ca.id, page, items, &total);
    }
    pca_ca_free(&ca);
    if (status == MG_OK) {
        naver_end_with(&exchange, status, page_json(total, page, "listCerts", items));
        return;
    }
    json_decref(items);
    naver_end(&exchange, status, NULL);
}

/* ---- one CA: looking ---- */

/* reply_ca answers with what |render| makes of the CA of the path; |is_signed|: only where it has a certificate. */
static void reply_ca(void *arg, struct http_request *request, struct http_response *response, bool is_signed,
                     json_t *(*render)(const struct pca *pca, const struct pca_ca *ca))
{
    struct naver_exchange exchange;
    struct pca_ca ca;
    json_t *data = NULL;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = pca_load(&exchange.call, exchange.tag, &ca, &exchange.error);
    if (status == MG_OK && is_signed && ca.certificate == NULL) {
        status = naver_fail(&exchange, MG_INVALID, "INVALID_CA_STATUS", "the CA has no certificate yet");
    }
    if (status == MG_OK) {
        data = render(exchange.call.pca, &ca);
    }
    pca_ca_free(&ca);
    naver_end_with(&exchange, status, data);
}

static void handle_get(void *arg, struct http_request *request, struct http_response *response)
{
    reply_ca(arg, request, response, false, naver_json_ca);
}

static json_t *render_chain(const struct pca *pca, const struct pca_ca *ca)
{
    (void)pca;
    return naver_json_chain(ca);
}

static void handle_get_chain(void *arg, struct http_request *request, struct http_response *response)
{
    reply_ca(arg, request, response, true, render_chain);
}

static json_t *render_crl(const struct pca *pca, const struct pca_ca *ca)
{
    (void)pca;
    return naver_json_pem(ca->crl);
}

static void handle_get_crl(void *arg, struct http_request *request, struct http_response *response)
{
    reply_ca(arg, request, response, true, render_crl);
}

static json_t *render_crl_config(const struct pca *pca, const struct pca_ca *ca)
{
    (void)pca;
    char days[24];
    snprintf(days, sizeof(days), "%lld", (long long)ca->crl_days);
    return json_pack("{s:s}", "expiry", days);
}

static void handle_get_crl_config(void *arg, struct http_request *request, struct http_response *response)
{
    reply_ca(arg, request, response, false, render_crl_config);
}

static void handle_get_request(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_ca ca;
    json_t *data = NULL;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = pca_load(&exchange.call, exchange.tag, &ca, &exchange.error);
    if (status == MG_OK && (ca.csr == NULL || ca.certificate != NULL)) {
        status = naver_fail(&exchange, MG_INVALID, "INVALID_CA_STATUS", "the CA is signed, and asks for nothing");
    }
    if (status == MG_OK) {
        data = json_pack("{s:o}", "csrPem", naver_json_pem(ca.csr));
    }
    pca_ca_free(&ca);
    naver_end_with(&exchange, status, data);
}

/* ---- one CA: changing ---- */

/* end_with_ca answers with |ca|, and frees it. */
static void end_with_ca(struct naver_exchange *exchange, enum mg_status status, struct pca_ca *ca,
                        json_t *(*render)(const struct pca *pca, const struct pca_ca *ca))
{
    naver_end_with(exchange, status, status == MG_OK ? render(exchange->call.pca, ca) : NULL);
    pca_ca_free(ca);
}

static enum mg_status read_query(struct naver_exchange *exchange, struct pca_wish *out)
{
    const char *type = http_params_get0(&exchange->request->query, "caType");
    if (type == NULL || type[0] == '\0') {
        return naver_fail(exchange, MG_INVALID, "EMPTY_CA_TYPE", "caType is missing.");
    }
    out->type = (enum pca_type)words_value(&pca_type_words, mg_slice_of_text(type));
    out->issuer_tag = http_params_get0(&exchange->request->query, "issuerTag");
    if (out->issuer_tag != NULL && out->issuer_tag[0] == '\0') {
        out->issuer_tag = NULL;
    }
    return out->type != 0
               ? MG_OK
               : naver_fail(exchange, MG_INVALID, "INVALID_REQUEST", "caType: must be PRIVATE_ROOT or PRIVATE_SUB");
}

static void handle_create(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_wish wish = {.names = NULL};
    struct pca_ca ca = {.id = 0};
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = read_query(&exchange, &wish);
    if (status == MG_OK) {
        status = naver_json_read_wish(&exchange.call, request->json, &wish, &exchange.error);
    }
    if (status == MG_OK) {
        status = pca_create(&exchange.call, &wish, &ca, &exchange.error);
    }
    GENERAL_NAMES_free(wish.names);
    end_with_ca(&exchange, status, &ca, naver_json_ca);
}

static enum mg_status read_status(struct naver_exchange *exchange, enum pca_status *status, const char **memo)
{
    const char *text;
    const json_t *body = exchange->request->json;
    enum mg_status result =
        naver_json_read_text(&exchange->call, body, "status", MAX_WORD, "EMPTY_STATUS", &text, &exchange->error);
    if (result != MG_OK) {
        return result;
    }
    *status = (enum pca_status)words_value(&pca_status_words, mg_slice_of_text(text));
    if (*status == 0 || *status == PCA_PENDING) {
        return naver_fail(exchange, MG_INVALID, "INVALID_INPUT_STATUS",
                          "status: must be ACTIVE, DEACTIVATED or DESTROYING");
    }
    result =
        naver_json_read_text(&exchange->call, body, "memo", TEXT_SIZE(PCA_MAX_MEMO) - 1, NULL, memo, &exchange->error);
    char checked[TEXT_SIZE(PCA_MAX_MEMO)];
    const struct text_rule rule = {"memo", 0, PCA_MAX_MEMO, NULL};
    return result == MG_OK && *memo != NULL ? text_set(checked, mg_slice_of_text(*memo), &rule, &exchange->error)
                                            : result;
}

static void handle_change(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_ca ca = {.id = 0};
    enum pca_status to = 0;
    const char *memo = NULL;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = read_status(&exchange, &to, &memo);
    if (status == MG_OK) {
        status = pca_set_status(&exchange.call, exchange.tag, to, memo, &ca, &exchange.error);
    }
    end_with_ca(&exchange, status, &ca, naver_json_info);
}

static void handle_delete(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    naver_begin(&exchange, arg, request, response);
    naver_end(&exchange, pca_delete(&exchange.call, exchange.tag, &exchange.error), NULL);
}

static void handle_activate(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_ca ca = {.id = 0};
    const char *certificate = NULL, *chain = NULL;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = naver_json_read_text(&exchange.call, request->json, "certPem", CERTIFICATE_MAX_FILE,
                                                 "EMPTY_CERT", &certificate, &exchange.error);
    if (status == MG_OK) {
        status = naver_json_read_text(&exchange.call, request->json, "caChainPem", CERTIFICATE_MAX_CHAIN_FILE, NULL,
                                      &chain, &exchange.error);
    }
    if (status == MG_OK) {
        struct mg_slice above = chain == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(chain);
        status = pca_activate(&exchange.call, exchange.tag, mg_slice_of_text(certificate), above, &ca, &exchange.error);
    }
    end_with_ca(&exchange, status, &ca, naver_json_ca);
}

/* ---- URLs ---- */

static void handle_set_urls(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    const char *url = NULL;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = naver_json_read_text(&exchange.call, request->json, "ocsp_servers", PCA_MAX_URL,
                                                 "INVALID_REQUEST", &url, &exchange.error);
    if (status == MG_OK && !pca_is_url(url)) {
        status = naver_fail(&exchange, MG_INVALID, "INVALID_X509_URI", "ocsp_servers: must be a URL of http or https");
    }
    if (status == MG_OK) {
        status = pca_set_ocsp(&exchange.call, exchange.tag, url, &exchange.error);
    }
    naver_end(&exchange, status, NULL);
}

static void handle_clear_urls(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    naver_begin(&exchange, arg, request, response);
    naver_end(&exchange, pca_set_ocsp(&exchange.call, exchange.tag, "", &exchange.error), NULL);
}

/* ---- CRLs ---- */

static void handle_rotate_crl(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    naver_begin(&exchange, arg, request, response);
    naver_end(&exchange, pca_rotate_crl(&exchange.call, exchange.tag, &exchange.error), NULL);
}

/* read_days reads `expiry`: days as text or number. */
static enum mg_status read_days(struct naver_exchange *exchange, int64_t *out)
{
    const json_t *value = json_object_get(exchange->request->json, "expiry");
    const char *text = json_string_value(value);
    char *end = NULL;
    *out = json_is_integer(value) ? json_integer_value(value) : -1;
    if (text != NULL && isdigit((unsigned char)text[0])) {
        long days = strtol(text, &end, 10);
        *out = *end == '\0' ? days : -1;
    }
    return *out >= 0 ? MG_OK : naver_fail(exchange, MG_INVALID, "INVALID_INPUT", "expiry: must be a number of days");
}

static void handle_set_crl_config(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    int64_t days;
    char text[24];
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = read_days(&exchange, &days);
    if (status == MG_OK) {
        status = pca_set_crl_days(&exchange.call, exchange.tag, days, &exchange.error);
    }
    snprintf(text, sizeof(text), "%lld", (long long)days);
    naver_end_with(&exchange, status, status == MG_OK ? json_pack("{s:s}", "expiry", text) : NULL);
}

/* ---- certificates ---- */

/* read_request reads the request of the body: `csrPem`, or `csrPemDer`, which is DER in base64. */
static enum mg_status read_request(struct naver_exchange *exchange, bool der_is_allowed, X509_REQ **out)
{
    const char *pem = NULL, *der = NULL;
    const json_t *body = exchange->request->json;
    enum mg_status status = MG_OK;
    if (der_is_allowed) {
        status = naver_json_read_text(&exchange->call, body, "csrPemDer", MAX_CSR, NULL, &der, &exchange->error);
    }
    if (status == MG_OK) {
        status = naver_json_read_text(&exchange->call, body, "csrPem", MAX_CSR, der == NULL ? "EMPTY_CSR" : NULL, &pem,
                                      &exchange->error);
    }
    if (status != MG_OK) {
        return status;
    }
    status = pem != NULL ? pca_request_read(mg_slice_of_text(pem), out, &exchange->error)
                         : pca_request_read_der(mg_slice_of_text(der), out, &exchange->error);
    exchange->call.code = status == MG_OK ? NULL : "INVALID_REQUEST";
    return status;
}

/* end_with_issued answers with |issued|, and frees it. */
static void end_with_issued(struct naver_exchange *exchange, enum mg_status status, struct pca_issued *issued,
                            json_t *(*render)(const struct pca_issued *issued))
{
    naver_end_with(exchange, status, status == MG_OK ? render(issued) : NULL);
    pca_issued_free(issued);
}

static void handle_sign_sub(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_issued issued = {.certificate = {.ca_id = 0}};
    X509_REQ *csr = NULL;
    int64_t days;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = read_request(&exchange, false, &csr);
    if (status == MG_OK) {
        status = naver_json_read_period(&exchange.call, request->json, false, 0, &days, &exchange.error);
    }
    if (status == MG_OK) {
        status = pca_sign_sub(&exchange.call, exchange.tag, days, csr, &issued, &exchange.error);
    }
    X509_REQ_free(csr);
    end_with_issued(&exchange, status, &issued, naver_json_signed);
}

static void handle_sign(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_issued issued = {.certificate = {.ca_id = 0}};
    X509_REQ *csr = NULL;
    int64_t days;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = read_request(&exchange, true, &csr);
    if (status == MG_OK) {
        status =
            naver_json_read_period(&exchange.call, request->json, true, PCA_PERIOD_DEFAULT, &days, &exchange.error);
    }
    if (status == MG_OK) {
        status = pca_sign(&exchange.call, exchange.tag, days, csr, &issued, &exchange.error);
    }
    X509_REQ_free(csr);
    end_with_issued(&exchange, status, &issued, naver_json_signed);
}

static void handle_issue(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_issued issued = {.certificate = {.ca_id = 0}};
    struct naver_end_wish wish;
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = naver_json_read_end_wish(&exchange.call, request->json, &wish, &exchange.error);
    if (status == MG_OK) {
        status = pca_issue(&exchange.call, exchange.tag, &wish.wish, &issued, &exchange.error);
    }
    naver_end_wish_free(&wish);
    end_with_issued(&exchange, status, &issued, naver_json_issued);
}

/* read_serial reads the serial number of the path: hexadecimal, with colons, which clients may escape, in either case.
 */
static enum mg_status read_serial(struct naver_exchange *exchange, char out[PCA_SERIAL_SIZE])
{
    enum mg_status status = http_request_word(exchange->request, 1, out, PCA_SERIAL_SIZE, &exchange->error);
    for (char *at = out; status == MG_OK && *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
        status = isxdigit((unsigned char)*at) || *at == ':' ? MG_OK : MG_INVALID;
    }
    return status == MG_OK ? MG_OK
                           : naver_fail(exchange, MG_INVALID, "INVALID_INPUT_SERIAL_NO",
                                        "serialNo: must be hexadecimal digits in pairs with colons in between");
}

static enum mg_status load_certificate(struct naver_exchange *exchange, struct pca_ca *ca, struct pca_certificate *out)
{
    struct store_tx *tx;
    struct mg_error *error = &exchange->error;
    char serial[PCA_SERIAL_SIZE];
    enum mg_status status = pca_load(&exchange->call, exchange->tag, ca, error);
    if (status == MG_OK) {
        status = read_serial(exchange, serial);
    }
    if (status == MG_OK) {
        status = store_begin(exchange->call.pca->store, STORE_READ, &tx, error);
    }
    return status == MG_OK ? store_end(tx, pca_certificate_load(tx, ca->id, serial, out, error), error) : status;
}

static void handle_get_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    struct pca_ca ca = {.id = 0};
    struct pca_certificate certificate = {.ca_id = 0};
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = load_certificate(&exchange, &ca, &certificate);
    naver_end_with(&exchange, status, status == MG_OK ? naver_json_certificate(&ca, &certificate) : NULL);
    pca_ca_free(&ca);
    pca_certificate_free(&certificate);
}

static void handle_revoke(void *arg, struct http_request *request, struct http_response *response)
{
    struct naver_exchange exchange;
    char serial[PCA_SERIAL_SIZE];
    struct pca_ca ca = {.id = 0};
    naver_begin(&exchange, arg, request, response);
    enum mg_status status = pca_load(&exchange.call, exchange.tag, &ca, &exchange.error);
    pca_ca_free(&ca);
    if (status == MG_OK) {
        status = read_serial(&exchange, serial);
    }
    if (status == MG_OK) {
        status = pca_revoke(&exchange.call, exchange.tag, serial, &exchange.error);
    }
    naver_end(&exchange, status, NULL);
}

/* ---- the table ---- */

#define NO_BODY HTTP_BODY_NONE, 0
#define JSON HTTP_BODY_JSON, JSON_LIMIT
#define FILES HTTP_BODY_JSON, FILES_LIMIT

/* Whoever may switch defaults may take trust away: revoke, and renew the CRL. Giving it is for administrators. */
static const struct http_route routes[] = {
    {HTTP_GET, "/ca", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_list},
    {HTTP_POST, "/ca", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, handle_create},
    {HTTP_GET, "/ca/{caTag}", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_get},
    {HTTP_PUT, "/ca/{caTag}", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, handle_change},
    {HTTP_DELETE, "/ca/{caTag}", HTTP_ROLE_ADMIN, NO_BODY, RATE_MEDIUM, handle_delete},
    {HTTP_GET, "/ca/{caTag}/chain", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_get_chain},
    {HTTP_GET, "/ca/{caTag}/crl", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_get_crl},
    {HTTP_GET, "/ca/{caTag}/crl/config", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_get_crl_config},
    {HTTP_PUT, "/ca/{caTag}/crl/config", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, handle_set_crl_config},
    {HTTP_POST, "/ca/{caTag}/crl/rotate", HTTP_ROLE_OPERATOR, NO_BODY, RATE_MEDIUM, handle_rotate_crl},
    {HTTP_PUT, "/ca/{caTag}/urls", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, handle_set_urls},
    {HTTP_DELETE, "/ca/{caTag}/urls", HTTP_ROLE_ADMIN, NO_BODY, RATE_MEDIUM, handle_clear_urls},
    {HTTP_GET, "/ca/{caTag}/sub/csr", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_get_request},
    {HTTP_POST, "/ca/{caTag}/sub/sign", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, handle_sign_sub},
    {HTTP_POST, "/ca/{caTag}/activate", HTTP_ROLE_ADMIN, FILES, RATE_MEDIUM, handle_activate},
    {HTTP_GET, "/ca/{caTag}/cert", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_list_certificates},
    {HTTP_POST, "/ca/{caTag}/cert", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, handle_issue},
    {HTTP_POST, "/ca/{caTag}/cert/sign", HTTP_ROLE_ADMIN, JSON, RATE_MEDIUM, handle_sign},
    {HTTP_GET, "/ca/{caTag}/cert/{serialNo}", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_get_certificate},
    {HTTP_POST, "/ca/{caTag}/cert/{serialNo}/revoke", HTTP_ROLE_OPERATOR, NO_BODY, RATE_MEDIUM, handle_revoke},
};

static enum mg_status know_by_signature(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct naver *naver = arg;
    return naver_auth_identify(&naver->auth, request, out);
}

static enum mg_status know_by_session(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct naver *naver = arg;
    return login_identify(naver->authenticator, request, REACH_MINTGATE, out);
}

enum mg_status naver_add(struct router *router, struct naver *naver, struct mg_error *error)
{
    static const char *const vendor_bases[] = {"/api/v1", NULL}, *const own_bases[] = {"/mintgate/v1/pca", NULL};
    struct http_family family = {.name = "naver",
                                 .bases = vendor_bases,
                                 .routes = routes,
                                 .num_routes = MG_ARRAY_LEN(routes),
                                 .authenticate = know_by_signature,
                                 .render = naver_render_error,
                                 .arg = naver};
    enum mg_status status = router_add(router, &family, error);
    family.name = "pca";
    family.bases = own_bases;
    family.authenticate = know_by_session;
    if (status == MG_OK) {
        status = router_add(router, &family, error);
    }
    return status == MG_OK ? naver_keys_add(router, naver, error) : status;
}
