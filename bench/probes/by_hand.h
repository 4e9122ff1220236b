/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves as one writes them with OpenSSL's X509 functions, one X509_sign each: what Mintgate is measured against. One
 * thread. */
#ifndef MINTGATE_BENCH_PROBES_BY_HAND_H
#define MINTGATE_BENCH_PROBES_BY_HAND_H

#include <openssl/x509.h>

#include "base/slice.h"

struct by_hand;

/* by_hand_new prepares for leaves of the issuer with that |certificate| (DER) and |key| (borrowed). NULL: OpenSSL
 * cannot. */
struct by_hand *by_hand_new(struct mg_slice certificate, EVP_PKEY *key);
void by_hand_free(struct by_hand *by_hand);

/* by_hand_make makes one leaf, down to its DER, and throws it away. False: OpenSSL cannot. */
MG_MUST_USE bool by_hand_make(struct by_hand *by_hand);

#endif
