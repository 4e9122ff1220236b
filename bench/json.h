/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MINTGATE_BENCH_JSON_H
#define MINTGATE_BENCH_JSON_H

#include "base/buffer.h"

/* json_append_string appends |text| in quotes (RFC 8259 section 7). Bytes beyond ASCII, which may not be UTF-8, become
 * '?'. Pure: any thread. */
void json_append_string(struct mg_buffer *out, const char *text);

#endif
