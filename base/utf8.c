/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* sequence_len returns the length of the well-formed sequence beyond ASCII that |in| begins with; 0: none. */
static size_t sequence_len(struct mg_slice in)
{
    static const struct {
        uint8_t first, last;            /* of the first byte */
        uint8_t second_min, second_max; /* which rule out overlong forms, surrogates and what is beyond U+10FFFF */
        uint8_t len;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(forms); i++) {
        if (in.data[0] < forms[i].first || in.data[0] > forms[i].last) {
            continue;
        }
        bool good = in.len >= forms[i].len && in.data[1] >= forms[i].second_min && in.data[1] <= forms[i].second_max;
        for (size_t j = 2; j < forms[i].len && good; j++) {
            good = (in.data[j] & 0xc0) == 0x80;
        }
        return good ? forms[i].len : 0;
    }
    return 0;
}

bool mg_utf8_take(struct mg_slice *in, uint32_t *character)
{
    if (in->len == 0) {
        return false;
    }
    size_t len = in->data[0] < 0x80 ? 1 : sequence_len(*in);
    struct mg_slice bytes;
    if (len == 0 || !mg_slice_take(in, &bytes, len)) {
        return false;
    }
    *character = len == 1 ? bytes.data[0] : bytes.data[0] & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        *character = *character << 6 | (bytes.data[i] & 0x3f);
    }
    return true;
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

bool mg_utf8_is_label(struct mg_slice text)
{
    uint32_t character;
    while (mg_utf8_take(&text, &character)) {
        if (is_control(character)) {
            return false;
        }
    }
    return text.len == 0;
}
