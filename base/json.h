/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text (RFC 8259) written straight into a buffer: for what is written once per session, where building a document
 * tree would cost more than all the rest of the record (docs/adr/0013-json-writer.md). Commas are put where they
 * belong: a value that follows neither '{' nor '[' nor a key gets one before it.
 *
 * |key| of each function is the member's name, a literal of this program; NULL in an array. Pure: any thread. A buffer
 * that is full marks itself (base/buffer.h).
 */
#ifndef MINTGATE_BASE_JSON_H
#define MINTGATE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

void mg_json_begin_object(struct mg_buffer *out, const char *key);
void mg_json_end_object(struct mg_buffer *out);
void mg_json_begin_array(struct mg_buffer *out, const char *key);
void mg_json_end_array(struct mg_buffer *out);

/* mg_json_string writes a text that ends with NUL, as ASCII: everything else is escaped, since some readers end lines
 * at characters such as U+2028. Whatever is in it stays inside its quotes; what is no UTF-8 (RFC 3629) becomes U+FFFD,
 * byte by byte. */
void mg_json_string(struct mg_buffer *out, const char *key, const char *text);
void mg_json_uint(struct mg_buffer *out, const char *key, uint64_t number);
void mg_json_bool(struct mg_buffer *out, const char *key, bool value);
/* mg_json_hex writes bytes as a string of lower-case hexadecimal digits. */
void mg_json_hex(struct mg_buffer *out, const char *key, const uint8_t *bytes, size_t len);

/* mg_json_quote appends |text| in quotes and nothing else: for text that is otherwise written by format. */
void mg_json_quote(struct mg_buffer *out, const char *text);

#endif
