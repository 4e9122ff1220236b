/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates made on the fly, one for each name, all for one P-256 key. A name gets the very same bytes again until
 * more than the configured number of other names came after it. Any thread.
 */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_FRESH_H
#define MINTGATE_TESTS_LAB_ORIGIN_FRESH_H

#include <stdint.h>

#include <openssl/base.h>

#include "base/status.h"
#include "tests/lab/origin/credentials.h"

struct fresh;

/* fresh_new takes the issuer, which must outlive it, and the number of names to remember. NULL if memory is short or
 * the issuer cannot be used. */
struct fresh *fresh_new(const struct credentials *issuer, size_t max_names);
void fresh_free(struct fresh *fresh);

/* fresh_get returns the leaf for |name| in |out| (a reference that the caller frees), valid from a day before the
 * start of this process for 90 days, with the name as its only subjectAltName. MG_INVALID if |name| has other
 * characters than letters, digits, '-', '_' and '.', which count without regard to case. */
MG_MUST_USE enum mg_status fresh_get(struct fresh *fresh, const char *name, CRYPTO_BUFFER **out);

/* fresh_get0_key returns the key of all leaves. */
EVP_PKEY *fresh_get0_key(const struct fresh *fresh);

/* fresh_num_minted counts the certificates made, those made again for a forgotten name included. */
uint64_t fresh_num_minted(struct fresh *fresh);

#endif
