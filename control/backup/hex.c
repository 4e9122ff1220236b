/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/hex.h"

#include <string.h>

static uint8_t value_of(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

bool hex_read(const char *text, uint8_t *out, size_t len)
{
    if (strspn(text, "0123456789abcdef") != 2 * len || text[2 * len] != '\0') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(value_of(text[2 * i]) << 4 | value_of(text[2 * i + 1]));
    }
    return true;
}
