/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading text protocols out of slices: delimiters, lines, words whatever their case, decimal numbers. What is read is
 * taken off the front, as with base/slice.h, so that nobody counts bytes. Letters are ASCII's. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_HTTP_SCAN_H
#define MINTGATE_CONTROL_HTTP_SCAN_H

#include "base/slice.h"

/* scan_until takes what stands before |delimiter| and takes the delimiter away too; all of |in| where there is none. */
struct mg_slice scan_until(struct mg_slice *in, uint8_t delimiter);

/* scan_line takes one line, whose end is LF or CRLF or the end of |in|, without its end. False: |in| is empty. */
MG_MUST_USE bool scan_line(struct mg_slice *in, struct mg_slice *out);

/* scan_trim returns |in| without spaces and tabs at both ends. */
struct mg_slice scan_trim(struct mg_slice in);

MG_MUST_USE bool scan_equal_nocase(struct mg_slice in, const char *text);

/* scan_skip and scan_skip_nocase take |text| off the front of |in|; false, and nothing is taken, if it is not there. */
MG_MUST_USE bool scan_skip(struct mg_slice *in, const char *text);
MG_MUST_USE bool scan_skip_nocase(struct mg_slice *in, const char *text);

/* scan_find returns where |what| begins in |in|, or in.len if it is not there. */
size_t scan_find(struct mg_slice in, struct mg_slice what);

/* scan_decimal reads |in| as a number from |min| to |max|: digits alone, at least one, no sign, no space. */
MG_MUST_USE bool scan_decimal(struct mg_slice in, uint64_t min, uint64_t max, uint64_t *out);

/* scan_copy_text copies |in| to |out| with a NUL behind; false if it is too long or has a NUL in it. */
MG_MUST_USE bool scan_copy_text(struct mg_slice in, char *out, size_t size);

/* scan_header_parameter finds the parameter |name| of a header value like `form-data; name="x"` (RFC 9110 section
 * 5.6.6): a token or a quoted string, whose escapes are left as they stand. False: there is none. */
MG_MUST_USE bool scan_header_parameter(struct mg_slice header, const char *name, struct mg_slice *out);

#endif
