/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the NAVER family while it is answered. Belongs to the request's thread. */
#ifndef MINTGATE_CONTROL_NAVER_NAVER_REPLY_H
#define MINTGATE_CONTROL_NAVER_NAVER_REPLY_H

#include "control/http/request.h"
#include "control/naver/naver.h"

struct naver_exchange {
    const struct http_request *request;
    struct http_response *response;
    struct pca_call call;
    char tag[PCA_TAG_SIZE]; /* of the path; one that is no tag is nobody's */
    struct mg_error error;
};

/* naver_begin fills |exchange|: the call's actor is the request's identity, its time the request's. */
void naver_begin(struct naver_exchange *exchange, void *naver, const struct http_request *request,
                 struct http_response *response);

/* naver_fail sets the code and the error of a request that breaks a rule. */
#define naver_fail(exchange, status, code, ...)                                                                        \
    pca_fail(&(exchange)->call, &(exchange)->error, status, code, __VA_ARGS__)

/*
 * naver_end answers. MG_OK: 200 {"code": "SUCCESS", "msg": "Success", "data": |data|}, whose reference it takes over,
 * and whose texts it wipes; NULL is JSON's null. Else {"code", "msg", "data": null} by the status:
 *
 *   MG_INVALID, MG_LIMIT  400, with the call's code, INVALID_REQUEST where there is none
 *   MG_DENIED             403
 *   MG_NOT_FOUND          404
 *   MG_EXISTS             409
 *   MG_IO, MG_AGAIN       503, as the gateway says it: the signer is away
 *   others                500 INTERNAL_SERVER_ERROR, the text in the log alone
 */
void naver_end(struct naver_exchange *exchange, enum mg_status status, json_t *data);

/* naver_end_with is naver_end for an answer that has data: NULL then means that there was no memory for it. */
void naver_end_with(struct naver_exchange *exchange, enum mg_status status, json_t *data);

#endif
