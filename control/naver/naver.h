/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NAVER Private CA family: private CAs as the vendor's clients know them, under /api/v1/ca with signed requests
 * (contracts.md section 5; docs/api/naver.md). The same routes are under /mintgate/v1/pca for Mintgate's own sessions
 * and tokens (mintgatectl), and the access keys beside them:
 *
 *   GET    /mintgate/v1/pca-keys               [{"accessKey", "role", "created"}]
 *   POST   /mintgate/v1/pca-keys               {"role"}: {..., "secretKey"}, the only time that it is told
 *   DELETE /mintgate/v1/pca-keys/{accessKey}   204
 */
#ifndef MINTGATE_CONTROL_NAVER_NAVER_H
#define MINTGATE_CONTROL_NAVER_NAVER_H

#include "control/http/authenticator.h"
#include "control/http/router.h"
#include "control/naver/naver_auth.h"
#include "control/naver/pca.h"

/* What the handlers work on; all borrowed. */
struct naver {
    struct pca *pca;
    struct naver_auth auth;
    struct authenticator *authenticator;
    http_problem_renderer render; /* of Mintgate's own API */
};

/* naver_add adds the family's routes, and those of the access keys; |naver| is borrowed until router_free. Fails as
 * router_add does. Main thread, before the server starts. */
MG_MUST_USE enum mg_status naver_add(struct router *router, struct naver *naver, struct mg_error *error);

/* naver_keys_add adds the routes of the access keys (naver_add calls it). */
MG_MUST_USE enum mg_status naver_keys_add(struct router *router, struct naver *naver, struct mg_error *error);

#endif
