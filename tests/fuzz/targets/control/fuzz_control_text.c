/* SPDX-License-Identifier: Apache-2.0 */
/* Texts from outside: what is accepted is copied whole, has no control or forbidden character, and iconv agrees that
 * it is UTF-8; what iconv accepts is refused for its length or its characters only. */
#include <iconv.h>
#include <stdlib.h>

#include "control/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_CHARS 32

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* decode returns the number of characters, -1 if |text| is no UTF-8; the characters go to |out|. */
static long decode(struct mg_slice text, uint32_t *out, size_t max)
{
    static iconv_t converter;
    if (converter == NULL) {
        converter = iconv_open("UTF-32LE", "UTF-8");
        expect(converter != (iconv_t)-1);
    }
    char bytes[4096];
    if (text.len > sizeof(bytes)) {
        return -1;
    }
    memcpy(bytes, text.data, text.len);
    char *in = bytes, *to = (char *)out;
    size_t in_len = text.len, out_len = max * sizeof(*out);
    iconv(converter, NULL, NULL, NULL, NULL);
    if (iconv(converter, &in, &in_len, &to, &out_len) == (size_t)-1) {
        return -1;
    }
    return (long)(max - out_len / sizeof(*out));
}

static bool is_bad(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == '"';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct text_rule rule = {"text", 1, MAX_CHARS, "\""};
    static uint32_t characters[4096];
    char out[TEXT_SIZE(MAX_CHARS)];
    struct mg_slice text = mg_slice_of(data, size);
    bool accepted = text_set(out, text, &rule, NULL) == MG_OK;
    long num = size > 0 && size <= 4096 ? decode(text, characters, MG_ARRAY_LEN(characters)) : -1;
    bool good = num >= 1 && num <= MAX_CHARS;
    for (long i = 0; i < num; i++) {
        good = good && !is_bad(characters[i]);
    }
    expect(accepted == good);
    expect(!accepted || (memcmp(out, data, size) == 0 && out[size] == '\0'));
    return 0;
}
