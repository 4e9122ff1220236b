/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_crl_issue.h"

#include <stdio.h>

#include "control/naver/pca_certificate.h"
#include "control/naver/pca_issue.h"

#define US_PER_SECOND INT64_C(1000000)
#define DAY_SECONDS INT64_C(86400)
#define MAX_DETAIL 128

/* ---- making one ---- */

static void add(void *arg, const char *serial, int64_t revoked_us)
{
    pca_crl_add(arg, serial, revoked_us / US_PER_SECOND);
}

static enum mg_status list_revoked(struct pca_call *call, const struct pca_ca *ca, struct pca_crl *crl,
                                   struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(call->pca->store, STORE_READ, &tx, error);
    return status == MG_OK
               ? store_end(tx, pca_certificate_each_revoked(tx, ca->id, call->now_us / US_PER_SECOND, add, crl, error),
                           error)
               : status;
}

static enum mg_status sign(struct pca_call *call, struct pca_ca *ca, const struct pca_crl *crl, X509 *issuer,
                           char **out_pem, struct mg_error *error)
{
    struct mg_buffer tbs, signature;
    mg_buffer_init(&tbs, WIRE_CONTROL_MAX_TBS);
    mg_buffer_init(&signature, WIRE_CONTROL_MAX_DER);
    enum mg_status status = pca_crl_tbs(crl, issuer, ca->key_type, (uint64_t)ca->crl_number, ca->crl_this_update,
                                        ca->crl_next_update, &tbs, error);
    if (status == MG_LIMIT) {
        call->code = "UNPROCESSABLE_ENTITY";
    }
    if (status == MG_OK) {
        status = pca_signer_status(
            signer_client_sign_crl(call->pca->signer, &ca->key_id, mg_buffer_slice(&tbs), &signature, error));
    }
    if (status == MG_OK) {
        status =
            pca_assemble(mg_buffer_slice(&tbs), ca->key_type, mg_buffer_slice(&signature), "X509 CRL", out_pem, error);
    }
    mg_buffer_free(&tbs);
    mg_buffer_free(&signature);
    return status;
}

enum mg_status pca_crl_issue(struct pca_call *call, struct pca_ca *ca, const char *serial, struct mg_error *error)
{
    struct pca_crl crl;
    X509 *issuer = NULL;
    char *pem = NULL;
    int64_t now = call->now_us / US_PER_SECOND;
    ca->crl_number++;
    ca->crl_this_update = now;
    ca->crl_next_update = now + ca->crl_days * DAY_SECONDS;
    pca_crl_begin(&crl);
    enum mg_status status = list_revoked(call, ca, &crl, error);
    if (status == MG_OK && serial != NULL) {
        pca_crl_add(&crl, serial, now);
    }
    if (status == MG_OK) {
        status = pca_read(ca->certificate, &issuer, error);
    }
    if (status == MG_OK) {
        status = sign(call, ca, &crl, issuer, &pem, error);
    }
    X509_free(issuer);
    pca_crl_free(&crl);
    if (status == MG_OK) {
        free(ca->crl);
        ca->crl = pem;
    }
    return status;
}

/* ---- changes ---- */

/* load loads a CA that has a certificate. */
static enum mg_status load(struct pca_call *call, const char *tag, struct pca_ca *out, struct mg_error *error)
{
    enum mg_status status = pca_load(call, tag, out, error);
    return status == MG_OK && out->certificate == NULL
               ? pca_fail(call, error, MG_INVALID, "INVALID_CA_STATUS", "the CA has no certificate yet")
               : status;
}

static enum mg_status update(struct store_tx *tx, void *arg, struct mg_error *error)
{
    return pca_ca_update(tx, arg, error);
}

/* renew makes a new CRL of |tag|, valid |days|; 0: as long as before. */
static enum mg_status renew(struct pca_call *call, const char *tag, int64_t days, const char *operation,
                            struct mg_error *error)
{
    struct pca_ca ca = {.id = 0};
    char detail[MAX_DETAIL];
    pthread_mutex_lock(&call->pca->changing);
    enum mg_status status = load(call, tag, &ca, error);
    if (status == MG_OK) {
        ca.crl_days = days != 0 ? days : ca.crl_days;
        status = pca_crl_issue(call, &ca, NULL, error);
    }
    if (status == MG_OK) {
        snprintf(detail, sizeof(detail), "{\"crlNumber\":%lld,\"expiry\":%lld}", (long long)ca.crl_number,
                 (long long)ca.crl_days);
        status = pca_commit(call, update, &ca, operation, tag, detail, error);
    }
    pthread_mutex_unlock(&call->pca->changing);
    pca_ca_free(&ca);
    return status;
}

enum mg_status pca_rotate_crl(struct pca_call *call, const char *tag, struct mg_error *error)
{
    return renew(call, tag, 0, "rotateCrl", error);
}

enum mg_status pca_set_crl_days(struct pca_call *call, const char *tag, int64_t days, struct mg_error *error)
{
    if (days < PCA_MIN_CRL_DAYS || days > PCA_MAX_CRL_DAYS) {
        return pca_fail(call, error, MG_INVALID, "INVALID_INPUT", "expiry: must be %d to %d days", PCA_MIN_CRL_DAYS,
                        PCA_MAX_CRL_DAYS);
    }
    return renew(call, tag, days, "setCrlExpiry", error);
}

/* ---- revoking ---- */

struct revocation {
    struct pca_ca ca;
    struct pca_certificate certificate;
    int64_t now_us;
};

static enum mg_status mark(struct store_tx *tx, void *arg, struct mg_error *error)
{
    const struct revocation *what = arg;
    enum mg_status status = pca_certificate_revoke(tx, what->ca.id, what->certificate.serial, what->now_us, error);
    return status == MG_OK ? pca_ca_update(tx, &what->ca, error) : status;
}

static enum mg_status load_certificate(struct pca_call *call, struct revocation *what, const char *serial,
                                       struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(call->pca->store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, pca_certificate_load(tx, what->ca.id, serial, &what->certificate, error), error);
    }
    return status == MG_NOT_FOUND
               ? pca_fail(call, error, status, "NOT_FOUND", "serialNo: the CA has issued no such certificate")
               : status;
}

static enum mg_status revoke(struct pca_call *call, struct revocation *what, const char *tag, const char *serial,
                             struct mg_error *error)
{
    char detail[MAX_DETAIL];
    enum mg_status status = load(call, tag, &what->ca, error);
    if (status == MG_OK) {
        status = load_certificate(call, what, serial, error);
    }
    if (status != MG_OK || what->certificate.revoked_us != 0) {
        return status;
    }
    status = pca_crl_issue(call, &what->ca, serial, error);
    snprintf(detail, sizeof(detail), "{\"serialNo\":\"%s\"}", what->certificate.serial);
    return status == MG_OK ? pca_commit(call, mark, what, "revokeCertificate", tag, detail, error) : status;
}

enum mg_status pca_revoke(struct pca_call *call, const char *tag, const char *serial, struct mg_error *error)
{
    struct revocation what = {.now_us = call->now_us};
    pthread_mutex_lock(&call->pca->changing);
    enum mg_status status = revoke(call, &what, tag, serial, error);
    pthread_mutex_unlock(&call->pca->changing);
    pca_ca_free(&what.ca);
    pca_certificate_free(&what.certificate);
    return status;
}
