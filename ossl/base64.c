/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct mg_slice bytes, struct mg_buffer *out)
{
    while (bytes.len > 0) {
        struct mg_slice group = mg_slice_of(NULL, 0);
        uint64_t bits = 0;
        bool taken = mg_slice_take(&bytes, &group, bytes.len < 3 ? bytes.len : 3);
        size_t len = taken ? group.len : 0;
        taken = taken && mg_slice_u64_of(&group, len, &bits);
        bits <<= 8 * (3 - len);
        for (size_t i = 0; taken && i < 4; i++) {
            mg_buffer_append_u8(out, i <= len ? (uint8_t)alphabet[(bits >> (18 - 6 * i)) & 63] : '=');
        }
    }
}

static int value_of(uint8_t c)
{
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at == NULL ? -1 : (int)(at - alphabet);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What was read so far of a group of four characters. */
struct group {
    uint32_t bits;
    unsigned num_values, num_padding;
    bool is_last; /* it had padding: nothing may follow */
};

/* end_group appends the bytes of a whole group. */
static bool end_group(struct group *group, struct mg_buffer *out)
{
    unsigned num_bytes = 3 - group->num_padding;
    uint32_t bits = group->bits << 6 * group->num_padding;
    if (group->num_padding > 2 || (bits & ((1U << 8 * group->num_padding) - 1)) != 0) {
        return false;
    }
    for (unsigned i = 0; i < num_bytes; i++) {
        mg_buffer_append_u8(out, (uint8_t)(bits >> (16 - 8 * i)));
    }
    *group = (struct group){.is_last = group->num_padding > 0};
    return mg_buffer_ok(out);
}

static bool take(struct group *group, uint8_t c, struct mg_buffer *out)
{
    int value = value_of(c);
    if (group->is_last || (value < 0 && c != '=') || (value >= 0 && group->num_padding > 0)) {
        return false;
    }
    if (value >= 0) {
        group->bits = group->bits << 6 | (uint32_t)value;
        group->num_values++;
    } else {
        group->num_padding++;
    }
    return group->num_values + group->num_padding < 4 || end_group(group, out);
}

bool base64_decode(struct mg_slice text, struct mg_buffer *out)
{
    struct group group = {.bits = 0};
    uint8_t c;
    while (mg_slice_u8(&text, &c)) {
        if (!is_space(c) && !take(&group, c, out)) {
            return false;
        }
    }
    return group.num_values + group.num_padding == 0;
}
