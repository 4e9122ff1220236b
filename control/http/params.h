/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query strings and form bodies (application/x-www-form-urlencoded): `a=1&b=two+words`. Empty members are skipped,
 * since a vendor's client asks for `?&pageSize=1000` (contracts.md 1.3); a name given twice is refused, so that two
 * readers cannot take different ones (RFC 6749 section 3.2 wants the same of OAuth). Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_HTTP_PARAMS_H
#define MINTGATE_CONTROL_HTTP_PARAMS_H

#include "base/slice.h"
#include "base/status.h"

#define HTTP_MAX_PARAMS 32

struct http_param {
    const char *name, *value; /* decoded, NUL-terminated, without NUL inside */
};

/* Zero state: no parameters. */
struct http_params {
    struct http_param items[HTTP_MAX_PARAMS];
    size_t num_items;
    char *storage; /* owned: the texts */
    size_t storage_len;
};

/* http_params_decode fills |out|, which must be in its zero state and stays so on failure: MG_INVALID for a wrong
 * escape, a NUL, what is no UTF-8, or a repeated name, MG_LIMIT for more than HTTP_MAX_PARAMS, MG_MEMORY. */
MG_MUST_USE enum mg_status http_params_decode(struct http_params *out, struct mg_slice encoded, struct mg_error *error);

/* http_params_free wipes the texts, since forms carry secrets, and brings |params| back to its zero state. */
void http_params_free(struct http_params *params);

/* http_params_get0 returns the value of |name|, or NULL. */
const char *http_params_get0(const struct http_params *params, const char *name);

/* http_params_number reads |name| as a decimal number from |min| to |max|; where it is missing, |fallback|. */
MG_MUST_USE enum mg_status http_params_number(const struct http_params *params, const char *name, uint64_t min,
                                              uint64_t max, uint64_t fallback, uint64_t *out, struct mg_error *error);

/* http_percent_decode writes |encoded| with its %XX decoded to |out| of |size| bytes, NUL behind.
 * |plus_is_space| as in forms; paths have it off. False: wrong escape, NUL, no UTF-8 (which no answer could quote), or
 * too long. */
MG_MUST_USE bool http_percent_decode(struct mg_slice encoded, bool plus_is_space, char *out, size_t size);

/* Which part of a list a client wants: pages count from 1. */
struct http_paging {
    uint64_t page, page_size;
};

/* http_paging_read reads `page` and `pageSize`; a pageSize above |max_size| is taken as |max_size|. */
MG_MUST_USE enum mg_status http_paging_read(const struct http_params *query, uint64_t default_size, uint64_t max_size,
                                            struct http_paging *out, struct mg_error *error);

/* http_paging_range tells which of |total| items are on the page: |*num| from index |*first| on; 0 beyond the end. */
void http_paging_range(const struct http_paging *paging, size_t total, size_t *first, size_t *num);

#endif
