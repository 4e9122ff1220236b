/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void mg_siphash_key_random(struct mg_siphash_key *key)
{
    if (getrandom(key, sizeof(*key), 0) != (ssize_t)sizeof(*key)) {
        abort();
    }
}

static inline uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip_state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_block(struct sip_state *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

uint64_t mg_siphash(const struct mg_siphash_key *key, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    struct sip_state s = {
        .v0 = key->k[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = key->k[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key->k[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = key->k[1] ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m;
        memcpy(&m, bytes + i, 8); /* the reference reads little-endian, as this project's machines are */
        sip_block(&s, m);
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = whole; i < len; i++) {
        last |= (uint64_t)bytes[i] << (8 * (i - whole));
    }
    sip_block(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
