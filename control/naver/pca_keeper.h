/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that keeps private CAs: renews CRLs in time, ends CAs whose day has come, destroys keys that nobody wants
 * (pca_keep). Once a second it looks; after a failure it waits a while. */
#ifndef MINTGATE_CONTROL_NAVER_PCA_KEEPER_H
#define MINTGATE_CONTROL_NAVER_PCA_KEEPER_H

#include "control/naver/pca.h"

#define PCA_KEEPER_RETRY_SECONDS 30

struct pca_keeper;

/* pca_keeper_start: |pca| is borrowed until pca_keeper_stop. Main thread, as that; once the signer is there. */
MG_MUST_USE enum mg_status pca_keeper_start(struct pca_keeper **out, struct pca *pca, struct mg_error *error);
/* pca_keeper_stop ends the thread, after the signer's answer to what it is asked. NULL is allowed. */
void pca_keeper_stop(struct pca_keeper *keeper);

#endif
