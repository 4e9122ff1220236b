/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of multipart/form-data (RFC 7578, RFC 2046 section 5.1) that takes what vendors' clients send (contracts.md
 * 0.4): a quoted boundary, a closing delimiter without its final `--`, a text part whose value follows its headers
 * without the blank line; and lines that end in LF alone. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_HTTP_MULTIPART_H
#define MINTGATE_CONTROL_HTTP_MULTIPART_H

#include "base/slice.h"
#include "base/status.h"

#define MULTIPART_MAX_PARTS 16
#define MULTIPART_MAX_BOUNDARY 70 /* RFC 2046 section 5.1.1 */

/* All slices are borrowed from the content type and the body that were parsed. */
struct multipart_part {
    struct mg_slice name;
    struct mg_slice filename;     /* empty: none was given */
    struct mg_slice content_type; /* empty: none was given */
    struct mg_slice data;
};

struct multipart {
    struct multipart_part parts[MULTIPART_MAX_PARTS];
    size_t num_parts;
};

/* multipart_parse reads |body| with the boundary that |content_type| (the header's value) names. MG_INVALID: not
 * multipart/form-data, no boundary, no delimiter behind the last part, or a part without a name; MG_LIMIT: more than
 * MULTIPART_MAX_PARTS. */
MG_MUST_USE enum mg_status multipart_parse(struct mg_slice content_type, struct mg_slice body, struct multipart *out,
                                           struct mg_error *error);

/* multipart_find0 returns the first part called |name|, or NULL. */
const struct multipart_part *multipart_find0(const struct multipart *multipart, const char *name);

#endif
