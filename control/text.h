/* SPDX-License-Identifier: Apache-2.0 */
/* Short texts from outside that end up in records, names and headers: UTF-8 without control characters, counted in
 * characters as X.520 counts them. Pure: any thread. */
#ifndef MINTGATE_CONTROL_TEXT_H
#define MINTGATE_CONTROL_TEXT_H

#include "base/slice.h"
#include "base/status.h"

/* Memory for a text of |max_chars| characters, its NUL included. */
#define TEXT_SIZE(max_chars) (4 * (max_chars) + 1)

struct text_rule {
    const char *field; /* as errors call it */
    size_t min_chars, max_chars;
    const char *forbidden; /* ASCII characters that it may not have besides; NULL: none */
};

/* text_set copies |text| into |out|, which has TEXT_SIZE(rule->max_chars) bytes, with a NUL behind. MG_INVALID if it
 * breaks |rule|, is no UTF-8 (RFC 3629) or has a control character (C0, DEL, C1); |out| is then unchanged. */
MG_MUST_USE enum mg_status text_set(char *out, struct mg_slice text, const struct text_rule *rule,
                                    struct mg_error *error);

#endif
