/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates by private CAs: for keys of others' requests, for CAs below, and with keys that are made here. As pca.h.
 */
#ifndef MINTGATE_CONTROL_NAVER_PCA_ISSUE_H
#define MINTGATE_CONTROL_NAVER_PCA_ISSUE_H

#include "control/naver/pca.h"
#include "control/naver/pca_certificate.h"

/* What was issued. Zero state: nothing, and nothing owned. */
struct pca_issued {
    struct pca_certificate certificate;
    struct pca_ca issuer;
    struct mg_buffer private_key; /* PEM, where it was made here; wiped by pca_issued_free */
};

void pca_issued_free(struct pca_issued *issued);

/* As long as may be, up to a year: of a certificate whose period nobody asked for. */
#define PCA_PERIOD_DEFAULT (-1)
#define PCA_DEFAULT_PERIOD_DAYS 365

/* pca_sign_sub signs the request of a CA below |tag|. Its pathLenConstraint is what it asks for within what the CA
 * allows, else the most that is allowed; other extensions that it asks for are not looked at. Fails as
 * pca_approval_take does where approvals are needed, once all else is in order. */
MG_MUST_USE enum mg_status pca_sign_sub(struct pca_call *call, const char *tag, int64_t days, X509_REQ *request,
                                        struct pca_issued *out, struct mg_error *error);

/* pca_sign signs the request of an end-entity, with the names and usages that it asks for. */
MG_MUST_USE enum mg_status pca_sign(struct pca_call *call, const char *tag, int64_t days, X509_REQ *request,
                                    struct pca_issued *out, struct mg_error *error);

enum pca_key_kind { PCA_KEY_RSA_2048 = 1, PCA_KEY_RSA_4096, PCA_KEY_EC_256, PCA_KEY_EC_521 };

/* An end-entity's certificate that is wished for. All borrowed. */
struct pca_end_wish {
    enum pca_key_kind key;
    int64_t days;
    const X509_NAME *subject;
    GENERAL_NAMES *names;       /* NULL: none */
    unsigned key_usage;         /* KU_ flags; 0: those of a TLS end point */
    EXTENDED_KEY_USAGE *usages; /* NULL: server and client */
};

/* pca_issue makes a key in this process, has it certified, and forgets it: out->private_key is the only copy. */
MG_MUST_USE enum mg_status pca_issue(struct pca_call *call, const char *tag, const struct pca_end_wish *wish,
                                     struct pca_issued *out, struct mg_error *error);

/* ---- within a change ---- */

/* pca_signer_status is what a failure of the signer is to the client: MG_IO stays, all else is our own. */
enum mg_status pca_signer_status(enum mg_status status);

/* pca_check_room tells whether |ca| may have CAs below it. */
MG_MUST_USE enum mg_status pca_check_room(struct pca_call *call, const struct pca_ca *ca, struct mg_error *error);

/* pca_profile_below fills in what the issuer |ca|, whose certificate is |issuer|, decides: issuer, validity, pathLen
 * (of a CA that asks for |asked_path_len|) and URLs; |url| is memory for one. */
MG_MUST_USE enum mg_status pca_profile_below(struct pca_call *call, const struct pca_ca *ca, X509 *issuer,
                                             int asked_path_len, int64_t days, char url[PCA_MAX_URL + 64],
                                             struct pca_profile *profile, struct mg_error *error);

/* pca_certify has the key of |signer| sign |profile|. |out| gets PEM, serial, name and validity. It sets
 * call->may_have_signed, whatever it returns, once the signer was asked and has not refused. */
MG_MUST_USE enum mg_status pca_certify(struct pca_call *call, const struct pca_ca *signer,
                                       const struct pca_profile *profile, struct pca_certificate *out,
                                       struct mg_error *error);

/* pca_record_issued writes |issued| by |ca|, and counts it. */
MG_MUST_USE enum mg_status pca_record_issued(struct store_tx *tx, struct pca_ca *ca, struct pca_certificate *issued,
                                             struct mg_error *error);

#endif
