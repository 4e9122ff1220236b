/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache's key of a leaf: everything that tells two leaves apart, and nothing else, so that a certificate with a
 * hundred names is minted once. Compared whole (cache/cache.h). Pure: any thread.
 */
#ifndef MINTGATE_MINTING_MINT_KEY_H
#define MINTGATE_MINTING_MINT_KEY_H

#include "minting/issuer.h"
#include "minting/leaf_keys.h"
#include "minting/leaf_names.h"

/* Issuer generation, fingerprint, key type, flags, the bits of dropped names, the added name. */
#define MINT_KEY_MAX_LEN (8 + MIMIC_FINGERPRINT_LEN + 1 + 1 + (MIMIC_MAX_NAMES + 7) / 8 + DNS_NAME_MAX_LEN)

struct mint_key {
    uint8_t bytes[MINT_KEY_MAX_LEN];
    size_t len;
};

/*
 * mint_key_build writes the key of the leaf that |issuer| would sign for |names| with a key of |key_type|. The set of
 * dropped names is part of it, rather than the policy generation that dropped them: it is exact where rules look at
 * client or server too, and a policy reload that drops the same names keeps the leaves.
 */
void mint_key_build(struct mint_key *out, const struct issuer *issuer, enum leaf_key_type key_type,
                    const struct leaf_names *names);

/* mint_key_slice returns the bytes of |key|, borrowed. */
static inline struct mg_slice mint_key_slice(const struct mint_key *key)
{
    return mg_slice_of(key->bytes, key->len);
}

/*
 * mint_key_parse reads the decision about names and the kind of key back out of |key|, the bytes of a mint_key, for
 * minting the same leaf under another issuer. |mimic| is the certificate that the key is of. |*out| borrows from both.
 * False: not a key of that certificate.
 */
MG_MUST_USE bool mint_key_parse(struct leaf_names *out, enum leaf_key_type *key_type, struct mg_slice key,
                                struct mimic *mimic);

/* mint_key_generation returns the issuer generation in |key|, the bytes of a mint_key: for cache_remove_if. */
uint64_t mint_key_generation(struct mg_slice key);

#endif
