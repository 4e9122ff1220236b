/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed client assertions (RFC 7523 section 3): a JSON Web Token by which an OAuth2 client proves itself instead of by
 * a secret. Taken: RS256 and ES256 (RFC 7518 section 3), iss and sub both the client's id, an audience of ours, exp at
 * most ten minutes ahead. Read in three steps, since the key to check with is the client's that the token names. Pure.
 */
#ifndef MINTGATE_CONTROL_HTTP_ASSERTION_H
#define MINTGATE_CONTROL_HTTP_ASSERTION_H

#include <jansson.h>
#include <openssl/evp.h>

#include "base/slice.h"
#include "base/status.h"

#define ASSERTION_MAX 8192
#define ASSERTION_MAX_SECONDS 600
#define ASSERTION_SKEW_SECONDS 60 /* clocks differ */

enum assertion_algorithm { ASSERTION_RS256, ASSERTION_ES256 };

struct assertion {
    json_t *claims; /* owned */
    enum assertion_algorithm algorithm;
    struct mg_slice signed_part; /* borrowed from the text that was parsed */
    uint8_t signature[1024];
    size_t signature_len;
    const char *client_id; /* of the claims; not yet to be believed */
    const char *jti;       /* as above; NULL: none */
    int64_t expires;       /* seconds since 1970 */
};

/* assertion_parse reads |text|, which must outlive |out|; the caller frees it by assertion_free, on success.
 * MG_INVALID: it is no such token, or of another algorithm, or says `crit`. */
MG_MUST_USE enum mg_status assertion_parse(struct mg_slice text, struct assertion *out, struct mg_error *error);
void assertion_free(struct assertion *assertion);

/* assertion_check_claims: MG_DENIED if it is expired, not yet valid, valid for too long, or for none of |audiences|
 * (ended by NULL). */
MG_MUST_USE enum mg_status assertion_check_claims(const struct assertion *assertion, const char *const *audiences,
                                                  int64_t now_seconds, struct mg_error *error);

/* assertion_check_signature: MG_DENIED if it is not by |key|, or |key| is not of the algorithm's type. */
MG_MUST_USE enum mg_status assertion_check_signature(const struct assertion *assertion, EVP_PKEY *key,
                                                     struct mg_error *error);

#endif
