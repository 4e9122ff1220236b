/* SPDX-License-Identifier: Apache-2.0 */
/* How clients of the NAVER family are known, and the gateway's errors (contracts.md section 5.1). */
#ifndef MINTGATE_CONTROL_NAVER_NAVER_AUTH_H
#define MINTGATE_CONTROL_NAVER_NAVER_AUTH_H

#include "control/http/router.h"
#include "control/store.h"

/* All borrowed. */
struct naver_auth {
    struct store *store; /* with the tables of naver_key.h */
    /* denied, if not NULL, is told of wrong signatures. */
    void (*denied)(void *arg, const struct http_caller *caller, const char *who);
    void *denied_arg;
};

/* naver_auth_identify knows a caller, "pca:ACCESS_KEY", by x-ncp-apigw-timestamp, x-ncp-iam-access-key and
 * x-ncp-apigw-signature-v2 or -v1. A signature on anything but a GET counts once: it covers neither body nor nonce.
 * MG_DENIED; MG_AGAIN: the store cannot tell just now. Any thread. */
MG_MUST_USE enum mg_status naver_auth_identify(const struct naver_auth *auth, const struct http_request *request,
                                               struct http_identity *out);

/* naver_render_error gives {"error": {"errorCode", "message", "details"}}; a role that does not suffice is 401 with
 * 210, as the gateway has it. */
void naver_render_error(const struct http_problem *problem, struct http_response *response);

#endif
