/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 section 4). Pure: any thread. */
#ifndef MINTGATE_OSSL_BASE64_H
#define MINTGATE_OSSL_BASE64_H

#include "base/buffer.h"
#include "base/slice.h"

/* base64_decode appends the bytes of |text| to |out|, which the caller has initialised; spaces and the ends of lines in
 * it are skipped. False: another character, wrong padding, bits left over that are not 0, or more than |out| takes. */
MG_MUST_USE bool base64_decode(struct mg_slice text, struct mg_buffer *out);

/* base64_encode appends |bytes| as text without ends of lines. */
void base64_encode(struct mg_slice bytes, struct mg_buffer *out);

#endif
