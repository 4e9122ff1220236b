/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The approvals that signing a CA below a private CA may need (control.approve_sub_ca; docs/api/securosys.md): within a
 * change, as pca_issue.h. What is approved is one request, by its SHA-256, for one CA and one period; so a client that
 * repeats its call repeats what was approved, and nothing else.
 */
#ifndef MINTGATE_CONTROL_NAVER_PCA_APPROVAL_H
#define MINTGATE_CONTROL_NAVER_PCA_APPROVAL_H

#include "control/naver/pca.h"
#include "control/naver/pca_certificate.h"
#include "control/service/approval_gate.h"

/* The family's word for what waits for approvals, or can have none. */
#define PCA_NEEDS_APPROVAL "NOT_AUTHORIZED_ACTION"

/* What is to be signed. All borrowed. */
struct pca_sub_signing {
    const struct pca_ca *ca;
    X509_REQ *request;
    int64_t days;
    int path_len; /* that the certificate will have, or PCA_NO_PATH_LEN */
};

/* pca_approval_take passes the gate, if there is one; MG_OK: |out| is an approval that was used up. MG_EXISTS: it waits
 * for approvals, and the error says for which request; MG_DENIED: nobody can approve. call->code is set. */
MG_MUST_USE enum mg_status pca_approval_take(struct pca_call *call, const struct pca_sub_signing *signing,
                                             struct approval_ticket *out, struct mg_error *error);

/* pca_approval_end gives the approval back unless call->may_have_signed: a signature that nobody has recorded, or that
 * may come after control gave up waiting for it, has used the approval up as well. */
void pca_approval_end(const struct pca_call *call, const struct approval_ticket *ticket);

#endif
