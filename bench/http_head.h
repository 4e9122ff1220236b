/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heads of HTTP/1.1 messages (RFC 9112), as much as the lab's origin and the load generator need. Views into the
 * caller's bytes; pure; any thread.
 */
#ifndef MINTGATE_BENCH_HTTP_HEAD_H
#define MINTGATE_BENCH_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* http_head_len returns the number of bytes of |data| up to and with the empty line that ends the head, 0 while it is
 * not there. */
size_t http_head_len(struct mg_slice data);

/* http_take_line moves the next line of |in| to |line| without its CRLF (or bare LF, RFC 9112 section 2.2). False
 * when |in| has no whole line. */
MG_MUST_USE bool http_take_line(struct mg_slice *in, struct mg_slice *line);

/* http_take_word moves what precedes the next |separator| of |in|, or all that is left, to |word|, and skips the
 * separator. False when |in| is empty. */
MG_MUST_USE bool http_take_word(struct mg_slice *in, char separator, struct mg_slice *word);

/* http_field finds the field |name| (any case) in |fields|, the lines of a head after its first. |value| comes without
 * blanks around it; of several such fields, the first. */
MG_MUST_USE bool http_field(struct mg_slice fields, const char *name, struct mg_slice *value);

/* http_equal_text compares without regard to ASCII case. */
bool http_equal_text(struct mg_slice slice, const char *text);

/* http_number reads all of |text| as digits of |base| 10 or 16; false if it is empty, has anything else, or does not
 * fit. */
MG_MUST_USE bool http_number(struct mg_slice text, unsigned base, uint64_t *out);

#endif
