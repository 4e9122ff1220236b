/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with padding (RFC 4648 section 4). Any thread. */
#ifndef MINTGATE_OSSL_BASE64_H
#define MINTGATE_OSSL_BASE64_H

#include "base/buffer.h"

/* base64_encode appends |bytes| to |out| on one line; a full buffer marks itself. */
void base64_encode(struct mg_buffer *out, struct mg_slice bytes);

/* base64_decode appends the bytes of |text| to |out|. Spaces, tabs and ends of lines are skipped, since files have
 * them. False: anything else that is not of the alphabet, padding that is missing or not at the end, bits left over, or
 * |out| is full; what was appended until then stays. */
MG_MUST_USE bool base64_decode(struct mg_buffer *out, struct mg_slice text);

#endif
