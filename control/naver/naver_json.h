/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NAVER family's objects (contracts.md section 5.2): records as JSON with the names of the vendor's answers, and
 * bodies read into what pca.h takes. Pure but for memory: any thread.
 */
#ifndef MINTGATE_CONTROL_NAVER_NAVER_JSON_H
#define MINTGATE_CONTROL_NAVER_NAVER_JSON_H

#include <jansson.h>

#include "control/naver/pca_issue.h"

/* Each renders; the caller owns what it returns. NULL: no memory. PEM is without a line's end behind it, as in the
 * vendor's samples. */
json_t *naver_json_info(const struct pca *pca, const struct pca_ca *ca); /* caInfo */
json_t *naver_json_ca(const struct pca *pca, const struct pca_ca *ca);   /* {caInfo, caCertInfo}; null while pending */
json_t *naver_json_pem(const char *pem);
/* naver_json_signed renders {certificate, caChain: [PEM], ocspResponder, issuer, serialNo}; naver_json_issued has the
 * private key besides, and caChain as one text. */
json_t *naver_json_signed(const struct pca_issued *issued);
json_t *naver_json_issued(const struct pca_issued *issued);
json_t *naver_json_certificate(const struct pca_ca *ca, const struct pca_certificate *certificate);
/* naver_json_chain renders the certificates of |ca|, from its own to the root, as one text. */
json_t *naver_json_chain(const struct pca_ca *ca);

/*
 * The readers fill |out|, whose texts borrow from |body|. Members that are not named in the contract are ignored; null
 * and "" count as absent; numbers are taken where the contract has a number as text. MG_INVALID: the error names the
 * member and its rule, and call->code is the family's word.
 */

/* naver_json_read_wish reads the body of POST /ca. out->names is the caller's to free. */
MG_MUST_USE enum mg_status naver_json_read_wish(struct pca_call *call, const json_t *body, struct pca_wish *out,
                                                struct mg_error *error);

/* An end-entity's wish with what it owns. Zero state: nothing. */
struct naver_end_wish {
    struct pca_end_wish wish;
    X509_NAME *subject;
    GENERAL_NAMES *names;
    EXTENDED_KEY_USAGE *usages;
};
MG_MUST_USE enum mg_status naver_json_read_end_wish(struct pca_call *call, const json_t *body,
                                                    struct naver_end_wish *out, struct mg_error *error);
void naver_end_wish_free(struct naver_end_wish *wish);

/* naver_json_read_period reads `period`: days as text or number, or, where |max_is_allowed|, "MAX". Without it
 * |fallback|; 0: it is required. */
MG_MUST_USE enum mg_status naver_json_read_period(struct pca_call *call, const json_t *body, bool max_is_allowed,
                                                  int64_t fallback, int64_t *out, struct mg_error *error);

/* naver_json_read_text reads a text of at most |max_len| bytes; *out is NULL where it is absent and |missing| NULL,
 * else that is the failure's code. */
MG_MUST_USE enum mg_status naver_json_read_text(struct pca_call *call, const json_t *body, const char *name,
                                                size_t max_len, const char *missing, const char **out,
                                                struct mg_error *error);

#endif
