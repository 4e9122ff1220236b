/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CRLs of private CAs for everybody, over plain HTTP (RFC 5280 section 8: a CRL is signed, and what fetches it may
 * not know how to verify TLS yet):
 *
 *   GET /crl/{caTag}.crl   DER, application/pkix-crl
 *
 * A router of its own: at its address nothing else is served.
 */
#ifndef MINTGATE_CONTROL_NAVER_CRL_PAGES_H
#define MINTGATE_CONTROL_NAVER_CRL_PAGES_H

#include "control/http/router.h"
#include "control/naver/pca.h"

/* crl_pages_new makes the router; |pca| is borrowed until router_free. */
MG_MUST_USE enum mg_status crl_pages_new(struct router **out, struct pca *pca, struct mg_error *error);

#endif
