/* SPDX-License-Identifier: Apache-2.0 */
/* The Time of RFC 5280 section 4.1.2.5, as seconds since 1970-01-01T00:00:00Z. Pure: any thread. */
#ifndef MINTGATE_MINTING_DER_TIME_H
#define MINTGATE_MINTING_DER_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/bytestring.h>

#include "base/attr.h"

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: the first and last second that GeneralizedTime can say. The last
 * stands for "no well-defined expiration date". */
#define DER_TIME_MIN INT64_C(-62167219200)
#define DER_TIME_MAX INT64_C(253402300799)

/* der_time_parse reads a UTCTime (YYMMDDHHMMSSZ, years 1950 to 2049) or a GeneralizedTime (YYYYMMDDHHMMSSZ) from |in|.
 * Seconds and 'Z' are a must, fractions, offsets and leap seconds are refused. A GeneralizedTime before 2050 is read,
 * though the RFC forbids to write one: clients take it. On failure |in| is in an undefined place. */
MG_MUST_USE bool der_time_parse(CBS *in, int64_t *out);

/* der_time_add writes |time|, which lies between DER_TIME_MIN and DER_TIME_MAX: UTCTime from 1950 through 2049,
 * GeneralizedTime otherwise, as the RFC demands. */
MG_MUST_USE bool der_time_add(CBB *out, int64_t time);

#endif
