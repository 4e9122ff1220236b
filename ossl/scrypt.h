/* SPDX-License-Identifier: Apache-2.0 */
/* Keys from passwords (RFC 7914). */
#ifndef MINTGATE_OSSL_SCRYPT_H
#define MINTGATE_OSSL_SCRYPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

/* Block size and parallelism of every use: only N, a power of two, differs. It takes 1 KiB of memory times N. */
#define SCRYPT_R 8
#define SCRYPT_P 1

/* scrypt_derive writes |len| bytes to |out|. False: OpenSSL failed. Any thread; at N 2^15 about a tenth of a second. */
MG_MUST_USE bool scrypt_derive(struct mg_slice password, struct mg_slice salt, uint64_t n, uint8_t *out, size_t len);

#endif
