/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/base64.h"

#include <openssl/evp.h>
#include <string.h>

#define QUANTUM 4 /* characters, for three bytes */

void base64_encode(struct mg_buffer *out, struct mg_slice bytes)
{
    struct mg_slice three;
    while (mg_slice_take(&bytes, &three, bytes.len < 3 ? bytes.len : 3) && three.len > 0) {
        unsigned char text[QUANTUM + 1];
        mg_buffer_append(out, text, (size_t)EVP_EncodeBlock(text, three.data, (int)three.len));
    }
}

static int value_of(uint8_t character)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = character == '\0' ? NULL : strchr(alphabet, character);
    return found == NULL ? -1 : (int)(found - alphabet);
}

/* decode_quantum appends the one to three bytes of four characters; |num_padding| of them are '='. */
static bool decode_quantum(struct mg_buffer *out, const uint8_t quantum[QUANTUM], unsigned *num_padding)
{
    uint32_t bits = 0;
    *num_padding = 0;
    for (unsigned i = 0; i < QUANTUM; i++) {
        int value = value_of(quantum[i]);
        if (quantum[i] == '=' && i >= 2) {
            ++*num_padding;
            value = 0;
        }
        if (value < 0 || (*num_padding > 0 && quantum[i] != '=')) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
    }
    if ((bits & ((1U << (8 * *num_padding)) - 1)) != 0) {
        return false;
    }
    for (unsigned i = 0; i < 3 - *num_padding; i++) {
        mg_buffer_append_u8(out, (uint8_t)(bits >> (16 - 8 * i)));
    }
    return true;
}

bool base64_decode(struct mg_buffer *out, struct mg_slice text)
{
    uint8_t quantum[QUANTUM], character;
    unsigned num_characters = 0, num_padding = 0;
    while (mg_slice_u8(&text, &character)) {
        if (character == ' ' || character == '\t' || character == '\r' || character == '\n') {
            continue;
        }
        if (num_padding > 0) {
            return false;
        }
        quantum[num_characters++] = character;
        if (num_characters == QUANTUM) {
            num_characters = 0;
            if (!decode_quantum(out, quantum, &num_padding)) {
                return false;
            }
        }
    }
    return num_characters == 0 && mg_buffer_ok(out);
}
