/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation: certificates of private CAs that count no longer, and the CRLs that say so. As pca.h. */
#ifndef MINTGATE_CONTROL_NAVER_PCA_CRL_ISSUE_H
#define MINTGATE_CONTROL_NAVER_PCA_CRL_ISSUE_H

#include "control/naver/pca.h"

/* pca_revoke revokes a certificate, and has the CRL say it: both or neither. MG_OK also for one that was revoked
 * before. */
MG_MUST_USE enum mg_status pca_revoke(struct pca_call *call, const char *tag, const char *serial,
                                      struct mg_error *error);

/* pca_rotate_crl makes a new CRL; pca_set_crl_days says how long each is valid, from the one on that it makes. */
MG_MUST_USE enum mg_status pca_rotate_crl(struct pca_call *call, const char *tag, struct mg_error *error);
MG_MUST_USE enum mg_status pca_set_crl_days(struct pca_call *call, const char *tag, int64_t days,
                                            struct mg_error *error);

/* pca_crl_issue, within a change, has a new CRL of |ca| signed, with |serial| on it besides (NULL: none), and puts it
 * into the record, which the caller commits. */
MG_MUST_USE enum mg_status pca_crl_issue(struct pca_call *call, struct pca_ca *ca, const char *serial,
                                         struct mg_error *error);

#endif
