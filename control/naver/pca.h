/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private CAs (contracts.md section 5): what may be done to one, and when. Keys are in the signer, with purpose
 * private-ca; what they sign the signer judges (hsm/private_ca_policy.h). Each change is one transaction with its audit
 * record, made after the signer has done its part: cut off in between, nothing has changed but for the signer's
 * journal, and keys that nobody wants are destroyed later (pca_keep).
 *
 * Any thread may call; changes are made one after the other, since each needs the signer. Failures: MG_INVALID,
 * MG_NOT_FOUND, MG_EXISTS, MG_DENIED, MG_LIMIT are the client's, and call->code is the family's word for it; MG_IO: the
 * signer is away; others are our own.
 */
#ifndef MINTGATE_CONTROL_NAVER_PCA_H
#define MINTGATE_CONTROL_NAVER_PCA_H

#include <openssl/x509v3.h>
#include <pthread.h>

#include "control/actor.h"
#include "control/keys/signer_client.h"
#include "control/naver/pca_record.h"
#include "control/service/approval_gate.h"

#define PCA_MAX_PERIOD_DAYS 3650
#define PCA_DEFAULT_CRL_DAYS 7
#define PCA_MIN_CRL_DAYS 3
#define PCA_MAX_CRL_DAYS 365
/* From "DESTROYING" to the end. */
#define PCA_DESTROY_SECONDS (INT64_C(3) * 86400)
/* Of the signer's KEYSTORE_MAX_KEYS; the rest is for intermediates. */
#define PCA_MAX_CAS 64
#define PCA_MAX_CERTIFICATES 100000

struct pca {
    struct store *store; /* borrowed, as the next */
    struct signer_client *signer;
    char crl_base[PCA_MAX_URL + 1];   /* of the URLs in certificates; "": CRLs are not served, and not pointed at */
    pthread_mutex_t changing;         /* held by each change */
    const struct approval_gate *gate; /* what pca_sign_sub must pass; borrowed; NULL: nothing */
};

/* pca_init: |crl_base| is cut at its end's slashes. */
void pca_init(struct pca *pca, struct store *store, struct signer_client *signer, const char *crl_base);
void pca_close(struct pca *pca);

struct pca_call {
    struct pca *pca;
    struct control_actor actor;
    int64_t now_us;       /* since 1970 */
    const char *code;     /* set on failure; NULL: none of the family's words fits */
    bool may_have_signed; /* set by pca_certify: there is a signature, or the signer's answer is not known */
};

/* pca_fail sets the code and the error of |call|. */
enum mg_status pca_fail(struct pca_call *call, struct mg_error *error, enum mg_status status, const char *code,
                        const char *format, ...) MG_PRINTF(5, 6);

/* pca_period_days of a wish: as long as may be. */
#define PCA_PERIOD_MAX 0

/* A CA that is wished for. Texts are borrowed. */
struct pca_wish {
    enum pca_type type;
    const char *issuer_tag; /* NULL: a root, or one that is signed elsewhere */
    const char *alias, *memo;
    enum wire_key_type key_type;
    int64_t period_days; /* or PCA_PERIOD_MAX */
    struct pca_subject subject;
    GENERAL_NAMES *names; /* NULL: none; not of one that is signed elsewhere */
};

/* pca_create makes a CA: a root, or one below a CA of ours, is ACTIVE at once; a PRIVATE_SUB without issuer is PENDING
 * with a request. The caller frees |out| with pca_ca_free. */
MG_MUST_USE enum mg_status pca_create(struct pca_call *call, const struct pca_wish *wish, struct pca_ca *out,
                                      struct mg_error *error);

/* pca_load reads one. */
MG_MUST_USE enum mg_status pca_load(struct pca_call *call, const char *tag, struct pca_ca *out, struct mg_error *error);

/* pca_set_status: ACTIVE, DEACTIVATED and DESTROYING, from whichever the table in pca.c allows. |memo| NULL: stays. */
MG_MUST_USE enum mg_status pca_set_status(struct pca_call *call, const char *tag, enum pca_status to, const char *memo,
                                          struct pca_ca *out, struct mg_error *error);

/* pca_delete ends one that is DESTROYING, with its key and its certificates' records. */
MG_MUST_USE enum mg_status pca_delete(struct pca_call *call, const char *tag, struct mg_error *error);

/* pca_activate gives a pending one its certificate and what is above it; |chain| without memory: nothing. */
MG_MUST_USE enum mg_status pca_activate(struct pca_call *call, const char *tag, struct mg_slice certificate,
                                        struct mg_slice chain, struct pca_ca *out, struct mg_error *error);

/* pca_set_ocsp sets the URL that certificates from now on point at; "": none. */
MG_MUST_USE enum mg_status pca_set_ocsp(struct pca_call *call, const char *tag, const char *url,
                                        struct mg_error *error);

/* pca_crl_url writes where the CRL of |tag| is served; "" where it is not. */
void pca_crl_url(const struct pca *pca, const char *tag, char out[PCA_MAX_URL + 64]);

/* pca_keep does one thing that is due: destroys what is to be destroyed, renews a CRL, destroys a loose key.
 * MG_NOT_FOUND: there was none. */
MG_MUST_USE enum mg_status pca_keep(struct pca *pca, int64_t now_us, struct mg_error *error);

/* ---- within a change; the mutex is held ---- */

/* pca_load_active is pca_load for a CA that issues: ACTIVE, and its certificate has not expired. */
MG_MUST_USE enum mg_status pca_load_active(struct pca_call *call, const char *tag, struct pca_ca *out,
                                           struct mg_error *error);

/* A change that a transaction makes. */
typedef enum mg_status pca_change(struct store_tx *tx, void *arg, struct mg_error *error);

/* pca_commit runs |change| and writes its audit record. |detail|: JSON. */
MG_MUST_USE enum mg_status pca_commit(struct pca_call *call, pca_change *change, void *arg, const char *operation,
                                      const char *tag, const char *detail, struct mg_error *error);

/* pca_period sets the end of a certificate of |days| from now, within that of the issuer, which ends at |limit| (0:
 * nobody's). MG_INVALID: more days than are allowed; MG_LIMIT: beyond the issuer's end. */
MG_MUST_USE enum mg_status pca_period(struct pca_call *call, int64_t days, int64_t limit, int64_t *not_after,
                                      struct mg_error *error);

#endif
