/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_mb's own calls and nothing around them: the limit of what signs through it. One thread. */
#ifndef MINTGATE_BENCH_PROBES_RAW_LANES_H
#define MINTGATE_BENCH_PROBES_RAW_LANES_H

#include <stddef.h>

#include <openssl/evp.h>

struct raw_lanes;

/* raw_lanes_new prepares |key|, EC P-256 or RSA. NULL: there is no crypto_mb, or no memory. */
struct raw_lanes *raw_lanes_new(const EVP_PKEY *key);
void raw_lanes_free(struct raw_lanes *lanes);

/* raw_lanes_sign makes eight signatures, for EC with fresh nonces, for RSA without the check that has to follow.
 * Returns how many were made. */
size_t raw_lanes_sign(struct raw_lanes *lanes);

#endif
