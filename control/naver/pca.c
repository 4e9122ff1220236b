/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "control/audit.h"
#include "control/certificate_check.h"
#include "control/naver/pca_certificate.h"
#include "control/naver/pca_crl_issue.h"
#include "control/naver/pca_issue.h"
#include "control/service/pem.h"
#include "ossl/openssl_error.h"

#define US_PER_SECOND INT64_C(1000000)
#define DAY_SECONDS INT64_C(86400)
#define KEY_LABEL "private CA"
#define MAX_DETAIL 512

void pca_init(struct pca *pca, struct store *store, struct signer_client *signer, const char *crl_base)
{
    size_t len = strlen(crl_base);
    while (len > 0 && crl_base[len - 1] == '/') {
        len--;
    }
    *pca = (struct pca){.store = store, .signer = signer};
    snprintf(pca->crl_base, sizeof(pca->crl_base), "%.*s", (int)len, crl_base);
    pthread_mutex_init(&pca->changing, NULL);
}

void pca_close(struct pca *pca)
{
    if (pca->store != NULL) {
        pthread_mutex_destroy(&pca->changing);
    }
}

void pca_crl_url(const struct pca *pca, const char *tag, char out[PCA_MAX_URL + 64])
{
    out[0] = '\0';
    if (pca->crl_base[0] != '\0') {
        snprintf(out, PCA_MAX_URL + 64, "%s/crl/%s.crl", pca->crl_base, tag);
    }
}

enum mg_status pca_fail(struct pca_call *call, struct mg_error *error, enum mg_status status, const char *code,
                        const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    call->code = code;
    return mg_error_set(error, status, "%s", text);
}

/* ---- within a change ---- */

enum mg_status pca_load(struct pca_call *call, const char *tag, struct pca_ca *out, struct mg_error *error)
{
    struct store_tx *tx;
    *out = (struct pca_ca){.id = 0};
    enum mg_status status = store_begin(call->pca->store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, pca_ca_load(tx, tag, out, error), error);
    }
    return status == MG_NOT_FOUND ? pca_fail(call, error, status, "NOT_FOUND", "caTag: there is no such CA") : status;
}

/* check_own_validity tells whether the certificate of |ca| is valid now. */
static enum mg_status check_own_validity(struct pca_call *call, const struct pca_ca *ca, struct mg_error *error)
{
    X509 *x509;
    int64_t not_before, not_after, now = call->now_us / US_PER_SECOND;
    enum mg_status status = pca_read(ca->certificate, &x509, error);
    if (status != MG_OK) {
        return status;
    }
    bool ok = pca_validity_of(x509, &not_before, &not_after) && now >= not_before && now <= not_after;
    X509_free(x509);
    return ok ? MG_OK : pca_fail(call, error, MG_INVALID, "INVALID_CA_STATUS", "the CA's certificate has expired");
}

enum mg_status pca_load_active(struct pca_call *call, const char *tag, struct pca_ca *out, struct mg_error *error)
{
    enum mg_status status = pca_load(call, tag, out, error);
    if (status == MG_OK && out->status != PCA_ACTIVE) {
        status = pca_fail(call, error, MG_INVALID, "INVALID_CA_STATUS", "the CA is %s, and must be ACTIVE",
                          words_name(&pca_status_words, out->status));
    }
    return status == MG_OK ? check_own_validity(call, out, error) : status;
}

static enum mg_status record(struct pca_call *call, struct store_tx *tx, const char *operation, const char *tag,
                             const char *detail, struct mg_error *error)
{
    char object[sizeof("privateCa/") + PCA_TAG_SIZE];
    snprintf(object, sizeof(object), "privateCa/%s", tag);
    const struct audit_entry entry = {.time_us = call->now_us,
                                      .actor = call->actor,
                                      .operation = operation,
                                      .object = object,
                                      .outcome = AUDIT_DONE,
                                      .detail = detail};
    return audit_append(tx, &entry, error);
}

enum mg_status pca_commit(struct pca_call *call, pca_change *change, void *arg, const char *operation, const char *tag,
                          const char *detail, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(call->pca->store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = change(tx, arg, error);
    if (status == MG_OK) {
        status = record(call, tx, operation, tag, detail, error);
    }
    return store_end(tx, status, error);
}

enum mg_status pca_period(struct pca_call *call, int64_t days, int64_t limit, int64_t *not_after,
                          struct mg_error *error)
{
    int64_t now = call->now_us / US_PER_SECOND;
    if (days < 0 || days > PCA_MAX_PERIOD_DAYS) {
        return pca_fail(call, error, MG_INVALID, "INVALID_INPUT_PERIOD", "period: must be 1 to %d days",
                        PCA_MAX_PERIOD_DAYS);
    }
    *not_after = now + (days == PCA_PERIOD_MAX ? PCA_MAX_PERIOD_DAYS : days) * DAY_SECONDS;
    if (limit != 0 && *not_after > limit) {
        if (days != PCA_PERIOD_MAX) {
            return pca_fail(call, error, MG_LIMIT, "EXCEED_EXPIRY_DATE", "period: beyond the end of the CA itself");
        }
        *not_after = limit;
    }
    return MG_OK;
}

/* ---- making a CA ---- */

/* A CA being made. */
struct making {
    struct pca_call *call;
    const struct pca_wish *wish;
    struct pca_ca *ca;
    struct pca_ca parent; /* id 0: none */
    X509 *parent_certificate;
    struct pca_certificate issued; /* by the parent */
};

static bool is_alias(const char *alias)
{
    size_t len = strlen(alias);
    for (size_t i = 0; i < len; i++) {
        char c = alias[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_' || c == '-'))) {
            return false;
        }
    }
    return len >= 3 && len <= PCA_MAX_ALIAS;
}

static enum mg_status count_cas(struct pca_call *call, struct mg_error *error)
{
    struct store_tx *tx;
    int64_t num;
    enum mg_status status = store_begin(call->pca->store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, pca_ca_count(tx, &num, error), error);
    }
    return status == MG_OK && num >= PCA_MAX_CAS
               ? pca_fail(call, error, MG_LIMIT, "UNPROCESSABLE_ENTITY", "there are %d CAs already", PCA_MAX_CAS)
               : status;
}

static enum mg_status check_wish(struct making *making, struct mg_error *error)
{
    const struct pca_wish *wish = making->wish;
    if (!is_alias(wish->alias)) {
        return pca_fail(making->call, error, MG_INVALID, "INVALID_INPUT",
                        "alias: must be 3 to %d letters, digits, '-' and '_', and begin with a letter", PCA_MAX_ALIAS);
    }
    if (wish->type == PCA_ROOT && wish->issuer_tag != NULL) {
        return pca_fail(making->call, error, MG_INVALID, "INVALID_ISSUER_CA", "issuerTag: a root has no issuer");
    }
    return count_cas(making->call, error);
}

static enum mg_status load_parent(struct making *making, struct mg_error *error)
{
    struct pca_call *call = making->call;
    if (making->wish->issuer_tag == NULL) {
        return MG_OK;
    }
    enum mg_status status = pca_load_active(call, making->wish->issuer_tag, &making->parent, error);
    if (status == MG_NOT_FOUND) {
        return pca_fail(call, error, MG_NOT_FOUND, "NOT_EXIST_ISSUER_CA", "issuerTag: there is no such CA");
    }
    if (status == MG_OK) {
        status = pca_check_room(call, &making->parent, error);
    }
    return status == MG_OK ? pca_read(making->parent.certificate, &making->parent_certificate, error) : status;
}

static bool draw(struct pca_ca *ca)
{
    uint8_t bytes[8];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1 || RAND_bytes(ca->key_token.bytes, sizeof(ca->key_token.bytes)) != 1) {
        return false;
    }
    snprintf(ca->tag, sizeof(ca->tag), "%02x%02x%02x%02x-%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3],
             bytes[4], bytes[5], bytes[6], bytes[7]);
    return true;
}

static enum mg_status begin_record(struct making *making, struct mg_error *error)
{
    const struct pca_wish *wish = making->wish;
    struct pca_ca *ca = making->ca;
    bool is_pending = wish->type == PCA_SUB && wish->issuer_tag == NULL;
    *ca = (struct pca_ca){.type = wish->type,
                          .status = is_pending ? PCA_PENDING : PCA_ACTIVE,
                          .subject = wish->subject,
                          .key_type = wish->key_type,
                          .created_us = making->call->now_us,
                          .status_us = making->call->now_us,
                          .crl_days = PCA_DEFAULT_CRL_DAYS};
    snprintf(ca->alias, sizeof(ca->alias), "%s", wish->alias);
    snprintf(ca->memo, sizeof(ca->memo), "%s", wish->memo);
    return draw(ca) ? MG_OK : openssl_error_set(error, "cannot draw a tag");
}

/* note_key is the change before the signer is asked for the key. */
static enum mg_status note_key(struct making *making, struct mg_error *error)
{
    const struct pca_loose_key loose = {.token = making->ca->key_token, .type = making->ca->key_type};
    struct store_tx *tx;
    enum mg_status status = store_begin(making->call->pca->store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, pca_loose_key_add(tx, &loose, error), error) : status;
}

static enum mg_status make_key(struct making *making, struct mg_error *error)
{
    struct pca_ca *ca = making->ca;
    enum mg_status status = note_key(making, error);
    if (status == MG_OK) {
        status = pca_signer_status(signer_client_make_key_for(making->call->pca->signer, WIRE_PURPOSE_PRIVATE_CA,
                                                              ca->key_type, &ca->key_token, KEY_LABEL, "", &ca->key_id,
                                                              error));
    }
    return status;
}

static enum mg_status make_request(struct making *making, struct mg_error *error)
{
    const struct pca_subject *subject = &making->ca->subject;
    const struct wire_control_make_csr wanted = {
        .subject = {[WIRE_SUBJECT_C] = mg_slice_of_text(subject->country),
                    [WIRE_SUBJECT_ST] = mg_slice_of_text(subject->state),
                    [WIRE_SUBJECT_L] = mg_slice_of_text(subject->locality),
                    [WIRE_SUBJECT_O] = mg_slice_of_text(subject->organization),
                    [WIRE_SUBJECT_OU] = mg_slice_of_text(subject->unit),
                    [WIRE_SUBJECT_CN] = mg_slice_of_text(subject->common_name)},
        .digest = WIRE_CSR_SHA256,
        .path_len = WIRE_CONTROL_NO_PATH_LEN};
    struct mg_buffer der, pem;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    mg_buffer_init(&pem, 4 * WIRE_CONTROL_MAX_DER);
    enum mg_status status =
        pca_signer_status(signer_client_make_csr(making->call->pca->signer, &making->ca->key_id, &wanted, &der, error));
    if (status == MG_OK) {
        status = pem_encode(&pem, "CERTIFICATE REQUEST", mg_buffer_slice(&der), error);
    }
    if (status == MG_OK) {
        making->ca->csr = mg_slice_dup_text(mg_buffer_slice(&pem));
        status = making->ca->csr != NULL ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
    }
    mg_buffer_free(&der);
    mg_buffer_free(&pem);
    return status;
}

/* join returns a + b, for the caller to free; NULL: no memory. */
static char *join(const char *a, const char *b)
{
    char *out;
    return asprintf(&out, "%s%s", a, b == NULL ? "" : b) < 0 ? NULL : out;
}

/* install has the signer keep the certificates of |ca|'s key, from its own to the root. */
static enum mg_status install(struct pca_call *call, const struct pca_ca *ca, struct mg_error *error)
{
    struct der_chain chain = {.num_certificates = 0};
    enum mg_status status = der_chain_add(&chain, ca->certificate, error);
    if (status == MG_OK) {
        status = der_chain_add(&chain, ca->chain, error);
    }
    if (status == MG_LIMIT) {
        call->code = "INVALID_ISSUER_CA";
    } else if (status == MG_OK) {
        struct wire_control_chain wire = {.num_certificates = chain.num_certificates};
        memcpy(wire.certificates, chain.certificates, sizeof(wire.certificates));
        status = pca_signer_status(signer_client_install(call->pca->signer, &ca->key_id, &wire, error));
    }
    der_chain_free(&chain);
    return status;
}

static enum mg_status read_public_key(struct making *making, X509_PUBKEY **out, struct mg_error *error)
{
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    enum mg_status status =
        pca_signer_status(signer_client_public_key(making->call->pca->signer, &making->ca->key_id, &der, error));
    if (status == MG_OK) {
        const uint8_t *at = der.data;
        *out = d2i_X509_PUBKEY(NULL, &at, (long)der.len);
        status = *out != NULL ? MG_OK : openssl_error_set(error, "the signer's public key cannot be read");
    }
    mg_buffer_free(&der);
    return status;
}

/* certify makes the certificate of the new CA: by its parent, or by itself. */
static enum mg_status certify(struct making *making, X509_NAME *subject, X509_PUBKEY *key, struct mg_error *error)
{
    const struct pca_wish *wish = making->wish;
    bool has_parent = making->parent.id != 0;
    struct pca_profile profile = {
        .subject = subject, .key = key, .is_ca = true, .path_len = PCA_NO_PATH_LEN, .names = wish->names};
    char url[PCA_MAX_URL + 64] = "";
    profile.crl_url = url;
    profile.ocsp_url = "";
    if (has_parent) {
        enum mg_status status = pca_profile_below(making->call, &making->parent, making->parent_certificate,
                                                  PCA_NO_PATH_LEN, wish->period_days, url, &profile, error);
        return status == MG_OK ? pca_certify(making->call, &making->parent, &profile, &making->issued, error) : status;
    }
    profile.not_before = making->call->now_us / US_PER_SECOND;
    enum mg_status status = pca_period(making->call, wish->period_days, 0, &profile.not_after, error);
    return status == MG_OK ? pca_certify(making->call, making->ca, &profile, &making->issued, error) : status;
}

/* make_certificate fills in what an ACTIVE CA has. */
static enum mg_status make_certificate(struct making *making, X509_NAME *subject, struct mg_error *error)
{
    struct pca_ca *ca = making->ca;
    X509_PUBKEY *key = NULL;
    enum mg_status status = read_public_key(making, &key, error);
    if (status == MG_OK) {
        status = certify(making, subject, key, error);
    }
    X509_PUBKEY_free(key);
    if (status != MG_OK) {
        return status;
    }
    ca->certificate = strdup(making->issued.pem);
    ca->chain = making->parent.id != 0 ? join(making->parent.certificate, making->parent.chain) : NULL;
    if (ca->certificate == NULL || (making->parent.id != 0 && ca->chain == NULL)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    status = install(making->call, ca, error);
    return status == MG_OK ? pca_crl_issue(making->call, ca, NULL, error) : status;
}

static enum mg_status insert(struct store_tx *tx, void *arg, struct mg_error *error)
{
    struct making *making = arg;
    enum mg_status status = pca_ca_insert(tx, making->ca, error);
    if (status == MG_EXISTS) {
        return pca_fail(making->call, error, status, "ALREADY_EXIST_ALIAS", "alias: another CA has it");
    }
    if (status == MG_OK) {
        status = pca_loose_key_forget(tx, &making->ca->key_token, error);
    }
    return status == MG_OK && making->parent.id != 0 ? pca_record_issued(tx, &making->parent, &making->issued, error)
                                                     : status;
}

static enum mg_status make(struct making *making, struct mg_error *error)
{
    char detail[MAX_DETAIL];
    X509_NAME *subject = NULL;
    enum mg_status status = pca_name_of(&making->wish->subject, &subject, error);
    if (status != MG_OK) {
        making->call->code = "INVALID_REQUEST";
        return status;
    }
    if (making->parent_certificate != NULL &&
        X509_NAME_cmp(subject, X509_get_subject_name(making->parent_certificate)) == 0) {
        status = pca_fail(making->call, error, MG_INVALID, "INVALID_REQUEST", "x509Parameters: the issuer's own name");
    }
    if (status == MG_OK) {
        status = begin_record(making, error);
    }
    if (status == MG_OK) {
        status = make_key(making, error);
    }
    if (status == MG_OK) {
        status =
            making->ca->status == PCA_PENDING ? make_request(making, error) : make_certificate(making, subject, error);
    }
    X509_NAME_free(subject);
    snprintf(detail, sizeof(detail), "{\"alias\":\"%s\",\"caType\":\"%s\",\"issuerTag\":\"%s\"}", making->wish->alias,
             words_name(&pca_type_words, making->wish->type), making->parent.tag);
    return status == MG_OK ? pca_commit(making->call, insert, making, "createPrivateCa", making->ca->tag, detail, error)
                           : status;
}

enum mg_status pca_create(struct pca_call *call, const struct pca_wish *wish, struct pca_ca *out,
                          struct mg_error *error)
{
    struct making making = {.call = call, .wish = wish, .ca = out};
    *out = (struct pca_ca){.id = 0};
    pthread_mutex_lock(&call->pca->changing);
    enum mg_status status = check_wish(&making, error);
    if (status == MG_OK) {
        status = load_parent(&making, error);
    }
    if (status == MG_OK) {
        status = make(&making, error);
    }
    pthread_mutex_unlock(&call->pca->changing);
    pca_ca_free(&making.parent);
    X509_free(making.parent_certificate);
    pca_certificate_free(&making.issued);
    return status;
}

/* ---- changing one ---- */

static enum mg_status update(struct store_tx *tx, void *arg, struct mg_error *error)
{
    return pca_ca_update(tx, arg, error);
}

/* Which status may follow which by PUT; only activation leads from PENDING to ACTIVE. */
static const bool transitions[PCA_DESTROYING + 1][PCA_DESTROYING + 1] = {
    [PCA_PENDING] = {[PCA_DESTROYING] = true},
    [PCA_ACTIVE] = {[PCA_ACTIVE] = true, [PCA_DEACTIVATED] = true, [PCA_DESTROYING] = true},
    [PCA_DEACTIVATED] = {[PCA_ACTIVE] = true, [PCA_DEACTIVATED] = true, [PCA_DESTROYING] = true},
    [PCA_DESTROYING] = {[PCA_ACTIVE] = true, [PCA_DEACTIVATED] = true, [PCA_DESTROYING] = true},
};

static enum mg_status move(struct pca_call *call, struct pca_ca *ca, enum pca_status to, struct mg_error *error)
{
    bool has_certificate = ca->certificate != NULL;
    if (!transitions[ca->status][to] || (!has_certificate && to != PCA_DESTROYING)) {
        return pca_fail(call, error, MG_INVALID, "INVALID_CA_STATUS", "status: a CA that is %s does not become %s",
                        words_name(&pca_status_words, ca->status), words_name(&pca_status_words, to));
    }
    if (ca->status != to) {
        ca->status = to;
        ca->status_us = call->now_us;
        ca->destroy_us = to == PCA_DESTROYING ? call->now_us + PCA_DESTROY_SECONDS * US_PER_SECOND : 0;
    }
    return MG_OK;
}

static enum mg_status set_status(struct pca_call *call, const char *tag, enum pca_status to, const char *memo,
                                 struct pca_ca *out, struct mg_error *error)
{
    char detail[MAX_DETAIL];
    enum mg_status status = pca_load(call, tag, out, error);
    if (status == MG_OK) {
        status = move(call, out, to, error);
    }
    if (status != MG_OK) {
        return status;
    }
    if (memo != NULL) {
        snprintf(out->memo, sizeof(out->memo), "%s", memo);
    }
    snprintf(detail, sizeof(detail), "{\"status\":\"%s\"}", words_name(&pca_status_words, to));
    return pca_commit(call, update, out, "changePrivateCa", tag, detail, error);
}

enum mg_status pca_set_status(struct pca_call *call, const char *tag, enum pca_status to, const char *memo,
                              struct pca_ca *out, struct mg_error *error)
{
    pthread_mutex_lock(&call->pca->changing);
    enum mg_status status = set_status(call, tag, to, memo, out, error);
    pthread_mutex_unlock(&call->pca->changing);
    return status;
}

enum mg_status pca_set_ocsp(struct pca_call *call, const char *tag, const char *url, struct mg_error *error)
{
    struct pca_ca ca = {.id = 0};
    pthread_mutex_lock(&call->pca->changing);
    enum mg_status status = pca_load(call, tag, &ca, error);
    if (status == MG_OK) {
        snprintf(ca.ocsp_url, sizeof(ca.ocsp_url), "%s", url);
        status =
            pca_commit(call, update, &ca, url[0] == '\0' ? "clearPrivateCaUrls" : "setPrivateCaUrls", tag, "{}", error);
    }
    pthread_mutex_unlock(&call->pca->changing);
    pca_ca_free(&ca);
    return status;
}

/* ---- ending one ---- */

static enum mg_status end(struct store_tx *tx, void *arg, struct mg_error *error)
{
    const struct pca_ca *ca = arg;
    const struct pca_loose_key loose = {.token = ca->key_token, .type = ca->key_type};
    enum mg_status status = pca_ca_delete(tx, ca->id, error);
    return status == MG_OK ? pca_loose_key_add(tx, &loose, error) : status;
}

enum mg_status pca_delete(struct pca_call *call, const char *tag, struct mg_error *error)
{
    struct pca_ca ca = {.id = 0};
    pthread_mutex_lock(&call->pca->changing);
    enum mg_status status = pca_load(call, tag, &ca, error);
    if (status == MG_OK && ca.status != PCA_DESTROYING) {
        status = pca_fail(call, error, MG_INVALID, "INVALID_CA_STATUS", "the CA is %s, and must be DESTROYING",
                          words_name(&pca_status_words, ca.status));
    }
    if (status == MG_OK) {
        status = pca_commit(call, end, &ca, "deletePrivateCa", tag, "{}", error);
    }
    pthread_mutex_unlock(&call->pca->changing);
    pca_ca_free(&ca);
    return status;
}

/* ---- activating one ---- */

/* public_key_of makes the PEM of the key in the request of |ca|, for certificate_check.h. */
static enum mg_status public_key_of(struct pca_call *call, const struct pca_ca *ca, struct mg_buffer *pem,
                                    struct mg_error *error)
{
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    enum mg_status status = pca_signer_status(signer_client_public_key(call->pca->signer, &ca->key_id, &der, error));
    if (status == MG_OK) {
        status = pem_encode(pem, "PUBLIC KEY", mg_buffer_slice(&der), error);
    }
    mg_buffer_free(&der);
    return status;
}

static enum mg_status check_certificates(struct pca_call *call, struct pca_ca *ca, struct mg_slice certificate,
                                         struct mg_slice chain, struct mg_error *error)
{
    struct certificate_facts facts;
    struct mg_buffer key;
    int64_t now = call->now_us / US_PER_SECOND;
    mg_buffer_init(&key, 4 * WIRE_CONTROL_MAX_DER);
    enum mg_status status = public_key_of(call, ca, &key, error);
    if (status == MG_OK) {
        status =
            certificate_check_intermediate(certificate, mg_buffer_slice(&key), now, &facts, &ca->certificate, error);
        call->code = status == MG_INVALID ? "INVALID_INPUT_CERT" : call->code;
    }
    mg_buffer_free(&key);
    if (status == MG_OK && chain.data != NULL) {
        status = certificate_check_chain(chain, mg_slice_of_text(ca->certificate), now, &ca->chain, error);
        call->code = status == MG_INVALID ? "INVALID_INPUT_CA_CHAIN" : call->code;
    }
    return status;
}

static enum mg_status activate(struct pca_call *call, const char *tag, struct mg_slice certificate,
                               struct mg_slice chain, struct pca_ca *out, struct mg_error *error)
{
    enum mg_status status = pca_load(call, tag, out, error);
    if (status == MG_OK && out->status != PCA_PENDING) {
        return pca_fail(call, error, MG_INVALID, "INVALID_CA_STATUS", "the CA is %s, and must be PENDING",
                        words_name(&pca_status_words, out->status));
    }
    if (status == MG_OK) {
        status = check_certificates(call, out, certificate, chain, error);
    }
    if (status == MG_OK) {
        status = install(call, out, error);
    }
    if (status == MG_OK) {
        out->status = PCA_ACTIVE;
        out->status_us = call->now_us;
        status = pca_crl_issue(call, out, NULL, error);
    }
    return status == MG_OK ? pca_commit(call, update, out, "activatePrivateCa", tag, "{}", error) : status;
}

enum mg_status pca_activate(struct pca_call *call, const char *tag, struct mg_slice certificate, struct mg_slice chain,
                            struct pca_ca *out, struct mg_error *error)
{
    *out = (struct pca_ca){.id = 0};
    pthread_mutex_lock(&call->pca->changing);
    enum mg_status status = activate(call, tag, certificate, chain, out, error);
    pthread_mutex_unlock(&call->pca->changing);
    return status;
}

/* ---- what is due ---- */

/* destroy_key destroys the key of |loose|. Which that is only asking for it says; if it was not made, it is now. */
static enum mg_status destroy_key(struct pca *pca, const struct pca_loose_key *loose, struct mg_error *error)
{
    struct wire_key_id key;
    enum mg_status status = signer_client_make_key_for(pca->signer, WIRE_PURPOSE_PRIVATE_CA, loose->type, &loose->token,
                                                       KEY_LABEL, "", &key, error);
    if (status == MG_LIMIT) {
        return MG_OK; /* there is no room for one, so it has not been made */
    }
    return status == MG_OK ? signer_client_destroy(pca->signer, &key, error) : status;
}

static enum mg_status keep_keys(struct pca *pca, struct mg_error *error)
{
    struct store_tx *tx;
    struct pca_loose_key loose;
    enum mg_status status = store_begin(pca->store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, pca_loose_key_next(tx, &loose, error), error);
    }
    if (status == MG_OK) {
        status = destroy_key(pca, &loose, error);
    }
    if (status == MG_OK) {
        status = store_begin(pca->store, STORE_WRITE, &tx, error);
    }
    return status == MG_OK ? store_end(tx, pca_loose_key_forget(tx, &loose.token, error), error) : status;
}

static enum mg_status load_due(struct pca *pca, int64_t now, struct pca_ca *out, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(pca->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, pca_ca_load_due(tx, now, out, error), error) : status;
}

static enum mg_status keep_ca(struct pca_call *call, struct pca_ca *ca, struct mg_error *error)
{
    if (ca->destroy_us > 0 && ca->destroy_us <= call->now_us) {
        return pca_commit(call, end, ca, "destroyPrivateCa", ca->tag, "{}", error);
    }
    enum mg_status status = pca_crl_issue(call, ca, NULL, error);
    return status == MG_OK ? pca_commit(call, update, ca, "renewCrl", ca->tag, "{}", error) : status;
}

enum mg_status pca_keep(struct pca *pca, int64_t now_us, struct mg_error *error)
{
    struct pca_ca ca = {.id = 0};
    struct pca_call call = {.pca = pca,
                            .actor = {.name = "mintgate-control", .role = CONTROL_ADMIN, .source = "internal"},
                            .now_us = now_us};
    pthread_mutex_lock(&pca->changing);
    enum mg_status status = load_due(pca, now_us / US_PER_SECOND, &ca, error);
    if (status == MG_OK) {
        status = keep_ca(&call, &ca, error);
    } else if (status == MG_NOT_FOUND) {
        status = keep_keys(pca, error);
    }
    pthread_mutex_unlock(&pca->changing);
    pca_ca_free(&ca);
    return status;
}
