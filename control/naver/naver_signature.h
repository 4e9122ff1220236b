/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature by which the family's clients prove themselves (contracts.md section 5.1):
 *
 *   base64(HMAC-SHA256(secret, METHOD + " " + request URI + "\n" + timestamp + "\n" + access key))
 *
 * in x-ncp-apigw-signature-v2, or -v1, where some clients leave the query out of the URI. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_NAVER_NAVER_SIGNATURE_H
#define MINTGATE_CONTROL_NAVER_NAVER_SIGNATURE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

#define NAVER_MAC_LEN 32
#define NAVER_WINDOW_MS (INT64_C(5) * 60 * 1000)

/* What is signed. All borrowed. */
struct naver_signed {
    const char *method;
    const char *target; /* path and query as they came */
    const char *timestamp;
    const char *access_key;
};

/* naver_timestamp_is_near tells whether |timestamp|, milliseconds since 1970 in decimal, is within NAVER_WINDOW_MS of
 * |now_ms|, before or behind, and sets *out to it. */
MG_MUST_USE bool naver_timestamp_is_near(const char *timestamp, int64_t now_ms, int64_t *out);

/* naver_signature_holds tells whether |signature| (base64) is right; |query_is_optional| for v1, of which it is enough
 * that the path is signed. |mac|, of NAVER_MAC_LEN bytes, names the signature however it was written: a replay has the
 * same. Takes as long whatever differs. */
MG_MUST_USE bool naver_signature_holds(const struct naver_signed *what, struct mg_slice secret, const char *signature,
                                       bool query_is_optional, uint8_t mac[NAVER_MAC_LEN]);

#endif
