/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/params.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"
#include "control/http/scan.h"

/* Beyond it page * page_size could leave 64 bits. */
#define MAX_PAGE UINT32_MAX

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* take_decoded takes one character, escaped or not, off |in|. */
static bool take_decoded(struct mg_slice *in, bool plus_is_space, uint8_t *out)
{
    uint8_t first, high, low;
    if (!mg_slice_u8(in, &first)) {
        return false;
    }
    if (first != '%') {
        *out = first == '+' && plus_is_space ? ' ' : first;
        return true;
    }
    if (!mg_slice_u8(in, &high) || !mg_slice_u8(in, &low) || hex_value(high) < 0 || hex_value(low) < 0) {
        return false;
    }
    *out = (uint8_t)(hex_value(high) << 4 | hex_value(low));
    return true;
}

static bool is_utf8(struct mg_slice text)
{
    uint32_t character;
    while (mg_utf8_take(&text, &character)) {
    }
    return text.len == 0;
}

bool http_percent_decode(struct mg_slice encoded, bool plus_is_space, char *out, size_t size)
{
    size_t len = 0;
    while (encoded.len > 0) {
        uint8_t byte;
        if (!take_decoded(&encoded, plus_is_space, &byte) || byte == '\0' || len + 1 >= size) {
            return false;
        }
        out[len++] = (char)byte;
    }
    if (size == 0) {
        return false;
    }
    out[len] = '\0';
    return is_utf8(mg_slice_of(out, len));
}

/* store decodes |encoded| into the storage and moves |*used| behind it; NULL if it is wrong. */
static const char *store(struct http_params *params, struct mg_slice encoded, size_t *used)
{
    char *text = params->storage + *used;
    if (!http_percent_decode(encoded, true, text, params->storage_len - *used)) {
        return NULL;
    }
    *used += strlen(text) + 1;
    return text;
}

static enum mg_status add(struct http_params *params, struct mg_slice member, size_t *used, struct mg_error *error)
{
    if (params->num_items == HTTP_MAX_PARAMS) {
        return mg_error_set(error, MG_LIMIT, "more than %d parameters", HTTP_MAX_PARAMS);
    }
    struct mg_slice name = scan_until(&member, '=');
    struct http_param *item = &params->items[params->num_items];
    item->name = store(params, name, used);
    item->value = item->name == NULL ? NULL : store(params, member, used);
    if (item->value == NULL) {
        return mg_error_set(error, MG_INVALID, "a parameter has a wrong %%-escape, a NUL, or is no UTF-8");
    }
    if (http_params_get0(params, item->name) != NULL) {
        return mg_error_set(error, MG_INVALID, "a parameter is given twice");
    }
    params->num_items++;
    return MG_OK;
}

enum mg_status http_params_decode(struct http_params *out, struct mg_slice encoded, struct mg_error *error)
{
    /* Decoding never makes a text longer; each member needs two NULs, and has its '=' or '&' or the end for them. */
    out->storage_len = encoded.len + 2 * (HTTP_MAX_PARAMS + 1);
    out->storage = malloc(out->storage_len);
    if (out->storage == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for parameters");
    }
    enum mg_status status = MG_OK;
    size_t used = 0;
    while (status == MG_OK && encoded.len > 0) {
        struct mg_slice member = scan_until(&encoded, '&');
        if (member.len > 0) {
            status = add(out, member, &used, error);
        }
    }
    if (status != MG_OK) {
        http_params_free(out);
    }
    return status;
}

void http_params_free(struct http_params *params)
{
    if (params->storage != NULL) {
        mg_secret_wipe(params->storage, params->storage_len);
    }
    free(params->storage);
    *params = (struct http_params){.num_items = 0};
}

const char *http_params_get0(const struct http_params *params, const char *name)
{
    for (size_t i = 0; i < params->num_items; i++) {
        if (strcmp(params->items[i].name, name) == 0) {
            return params->items[i].value;
        }
    }
    return NULL;
}

enum mg_status http_params_number(const struct http_params *params, const char *name, uint64_t min, uint64_t max,
                                  uint64_t fallback, uint64_t *out, struct mg_error *error)
{
    const char *value = http_params_get0(params, name);
    if (value == NULL) {
        *out = fallback;
        return MG_OK;
    }
    if (!scan_decimal(mg_slice_of_text(value), min, max, out)) {
        return mg_error_set(error, MG_INVALID, "%s: must be a number from %" PRIu64 " to %" PRIu64, name, min, max);
    }
    return MG_OK;
}

enum mg_status http_paging_read(const struct http_params *query, uint64_t default_size, uint64_t max_size,
                                struct http_paging *out, struct mg_error *error)
{
    struct http_paging paging;
    enum mg_status status = http_params_number(query, "page", 1, MAX_PAGE, 1, &paging.page, error);
    if (status == MG_OK) {
        status = http_params_number(query, "pageSize", 1, UINT32_MAX, default_size, &paging.page_size, error);
    }
    if (status == MG_OK) {
        paging.page_size = paging.page_size > max_size ? max_size : paging.page_size;
        *out = paging;
    }
    return status;
}

void http_paging_range(const struct http_paging *paging, size_t total, size_t *first, size_t *num)
{
    uint64_t begin = (paging->page - 1) * paging->page_size;
    *first = begin > total ? total : (size_t)begin;
    size_t left = total - *first;
    *num = left > paging->page_size ? (size_t)paging->page_size : left;
}
