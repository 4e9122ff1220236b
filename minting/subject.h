/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which subject names of servers are fit to be copied into a leaf. Clients parse a subject more strictly than servers'
 * owners write it; an odd one is left out whole, since subjectAltName alone identifies a server (RFC 9525 section 2).
 * Pure: any thread.
 */
#ifndef MINTGATE_MINTING_SUBJECT_H
#define MINTGATE_MINTING_SUBJECT_H

#include <stdbool.h>

#include <openssl/bytestring.h>

#include "base/attr.h"

/* The largest Name copied, in bytes of DER. */
#define SUBJECT_MAX_LEN 1024

/*
 * subject_check tells whether the Name |element| (a DER element) may be copied: not empty; at most SUBJECT_MAX_LEN; one
 * attribute to each RDN; each value a string of a type that its attribute may have today (no TeletexString, no
 * BMPString), of that type's alphabet and without control characters, not empty, and within its upper bound (RFC 5280
 * appendix A.1: 64 characters for a common name). |*out_common_name| becomes the content of the last common name seen,
 * empty if there is none.
 */
MG_MUST_USE bool subject_check(CBS element, CBS *out_common_name);

#endif
