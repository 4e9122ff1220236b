/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/pattern.h"

#include <endian.h>
#include <string.h>

static uint64_t word_at(uint64_t index)
{
    uint64_t z = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return htole64(z ^ (z >> 31));
}

void pattern_fill(uint8_t *out, size_t len, uint64_t offset)
{
    while (len > 0) {
        uint64_t word = word_at(offset / sizeof(word));
        size_t skip = offset % sizeof(word);
        size_t part = sizeof(word) - skip < len ? sizeof(word) - skip : len;
        memcpy(out, (const uint8_t *)&word + skip, part);
        out += part;
        len -= part;
        offset += part;
    }
}
