/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/pattern.h"

#include <endian.h>
#include <string.h>

#define WORD_LEN sizeof(uint64_t)

static uint64_t word_at(uint64_t index)
{
    uint64_t z = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return htole64(z ^ (z >> 31));
}

static size_t copy_part(uint8_t *out, size_t len, uint64_t offset)
{
    uint64_t word = word_at(offset / WORD_LEN);
    size_t skip = offset % WORD_LEN;
    size_t part = WORD_LEN - skip < len ? WORD_LEN - skip : len;
    memcpy(out, (const uint8_t *)&word + skip, part);
    return part;
}

void pattern_fill(uint8_t *out, size_t len, uint64_t offset)
{
    size_t done = offset % WORD_LEN == 0 ? 0 : copy_part(out, len, offset);
    for (; len - done >= WORD_LEN; done += WORD_LEN) {
        uint64_t word = word_at((offset + done) / WORD_LEN);
        memcpy(out + done, &word, WORD_LEN);
    }
    if (done < len) {
        copy_part(out + done, len - done, offset + done);
    }
}
