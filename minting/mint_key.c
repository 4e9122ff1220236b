/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/mint_key.h"

#include <string.h>

#include "base/buffer.h"

/* Of the byte that says which parts follow. */
#define FLAG_NAMES_DROPPED 1
#define FLAG_SUBJECT_DROPPED 2
#define FLAG_DNS_ADDED 4
#define FLAG_IP_ADDED 8

static uint8_t flags_of(const struct leaf_names *names)
{
    unsigned flags = 0;
    flags |= names->num_dropped > 0 ? FLAG_NAMES_DROPPED : 0;
    flags |= names->drops_subject ? FLAG_SUBJECT_DROPPED : 0;
    if (names->added.len > 0) {
        flags |= names->added_kind == MIMIC_NAME_DNS ? FLAG_DNS_ADDED : FLAG_IP_ADDED;
    }
    return (uint8_t)flags;
}

void mint_key_build(struct mint_key *out, const struct issuer *issuer, enum leaf_key_type key_type,
                    const struct leaf_names *names)
{
    struct mg_buffer buffer;
    mg_buffer_wrap(&buffer, out->bytes, sizeof(out->bytes));
    mg_buffer_append_u64(&buffer, issuer->generation);
    mg_buffer_append(&buffer, names->mimic->fingerprint, MIMIC_FINGERPRINT_LEN);
    mg_buffer_append_u8(&buffer, (uint8_t)key_type);
    mg_buffer_append_u8(&buffer, flags_of(names));
    if (names->num_dropped > 0) {
        /* As many bytes as the certificate has names for: the fingerprint fixes the number. */
        mg_buffer_append(&buffer, names->dropped, (names->mimic->num_names + 7) / 8);
    }
    mg_buffer_append_slice(&buffer, names->added);
    out->len = buffer.len;
}

static size_t count_bits(const uint8_t *bits, size_t len)
{
    size_t num = 0;
    for (size_t i = 0; i < len; i++) {
        num += (size_t)__builtin_popcount(bits[i]);
    }
    return num;
}

bool mint_key_parse(struct leaf_names *out, enum leaf_key_type *key_type, struct mg_slice key, struct mimic *mimic)
{
    uint64_t generation;
    uint8_t fingerprint[MIMIC_FINGERPRINT_LEN], type, flags;
    size_t dropped_len = (mimic->num_names + 7) / 8;
    *out = (struct leaf_names){.mimic = mimic};
    if (!mg_slice_u64(&key, &generation) || !mg_slice_copy(&key, fingerprint, sizeof(fingerprint)) ||
        !mg_slice_u8(&key, &type) || !mg_slice_u8(&key, &flags) || type >= LEAF_KEY_NUM_TYPES ||
        memcmp(fingerprint, mimic->fingerprint, sizeof(fingerprint)) != 0 ||
        ((flags & FLAG_NAMES_DROPPED) != 0 && !mg_slice_copy(&key, out->dropped, dropped_len))) {
        return false;
    }
    *key_type = (enum leaf_key_type)type;
    out->num_dropped = count_bits(out->dropped, dropped_len);
    out->drops_subject = (flags & FLAG_SUBJECT_DROPPED) != 0;
    out->added_kind = (flags & FLAG_IP_ADDED) != 0 ? MIMIC_NAME_IP : MIMIC_NAME_DNS;
    out->added = key;
    return true;
}

uint64_t mint_key_generation(struct mg_slice key)
{
    uint64_t generation = 0;
    return mg_slice_u64(&key, &generation) ? generation : 0;
}
