/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 from outside (RFC 3629). Pure: any thread. */
#ifndef MINTGATE_BASE_UTF8_H
#define MINTGATE_BASE_UTF8_H

#include "base/slice.h"

#define MG_UTF8_MAX_LEN 4 /* of one character */

/* mg_utf8_take moves one character off the front of |in|. False, and |in| unchanged, if |in| is empty or does not begin
 * with a well-formed one: overlong forms, surrogates and what is beyond U+10FFFF are none (RFC 3629 section 4). */
MG_MUST_USE bool mg_utf8_take(struct mg_slice *in, uint32_t *character);

/* mg_utf8_is_label tells whether |text| is well-formed and has no control character (C0, DEL, C1), so that it can be
 * shown on one line. The empty text is. */
bool mg_utf8_is_label(struct mg_slice text);

#endif
