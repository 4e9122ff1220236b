/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that leaves carry: a small pool, made ahead of need, shared by many leaves and replaced over time. Making a
 * key takes 20 µs (EC) to some 100 ms (RSA), so it happens only in leaf_keys_new and leaf_keys_rotate; session threads
 * pick one under RCU, without a lock. A leaf keeps its key by reference for as long as it lives.
 */
#ifndef MINTGATE_MINTING_LEAF_KEYS_H
#define MINTGATE_MINTING_LEAF_KEYS_H

#include <openssl/base.h>

#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "minting/cert.h"

/* P-256 is the default; RSA-2048 is for clients that offer no ECDSA. */
enum leaf_key_type { LEAF_KEY_EC_P256 = 0, LEAF_KEY_RSA_2048 = 1 };
#define LEAF_KEY_NUM_TYPES 2

/* leaf_key_type_name returns "ec_p256" or "rsa_2048". */
const char *leaf_key_type_name(enum leaf_key_type type);

/* struct leaf_key is immutable from its making to its last reference: any thread that holds one may read it, and sign
 * with |pkey|. */
struct leaf_key {
    enum leaf_key_type type;
    EVP_PKEY *pkey;
    struct mg_slice spki;            /* SubjectPublicKeyInfo, DER element */
    uint8_t key_id[CERT_KEY_ID_LEN]; /* its subjectKeyIdentifier: cert_compute_key_id */
    struct mg_slice extensions;      /* the Extensions of a leaf that depend on its key: keyUsage (critical;
                                        digitalSignature, for RSA also keyEncipherment) and subjectKeyIdentifier */
};

/* leaf_key_new makes a key. MG_INTERNAL if BoringSSL cannot. Takes long: see above. The caller owns one reference. */
MG_MUST_USE enum mg_status leaf_key_new(struct leaf_key **out, enum leaf_key_type type);

/* leaf_key_up_ref takes one more reference and returns |key|; leaf_key_unref (NULL is fine) gives one back. Any
 * thread. */
struct leaf_key *leaf_key_up_ref(struct leaf_key *key);
void leaf_key_unref(struct leaf_key *key);

#define LEAF_KEYS_MAX 64 /* of each type */

struct leaf_keys_config {
    size_t num_keys[LEAF_KEY_NUM_TYPES]; /* 1 to LEAF_KEYS_MAX of each type */
    int64_t lifetime_seconds;            /* how long a key is given to new leaves; at least as many as keys */
};

struct leaf_keys_counters {
    struct mg_counter rotated[LEAF_KEY_NUM_TYPES]; /* rotating thread: rw, metrics: ro */
    struct mg_counter failed;                      /* rotating thread: rw, metrics: ro */
};

struct leaf_keys;

/* leaf_keys_new makes a full pool; |now| is in seconds of a clock that does not jump, the same as in leaf_keys_rotate.
 * MG_INVALID if a number is out of range. Any thread. */
MG_MUST_USE enum mg_status leaf_keys_new(struct leaf_keys **out, const struct leaf_keys_config *config, int64_t now,
                                         struct mg_error *error);

/* leaf_keys_free drops the pool (NULL is fine) and its references to keys. No other thread may use it any more. */
void leaf_keys_free(struct leaf_keys *pool);

/*
 * leaf_keys_pick returns a key of |type|, borrowed until the caller's next quiescent state; take a reference to keep
 * it. |turn| spreads the leaves over the keys: any number that differs from leaf to leaf. Caller: online with RCU.
 */
struct leaf_key *leaf_keys_pick(struct leaf_keys *pool, enum leaf_key_type type, size_t turn);

/*
 * leaf_keys_rotate replaces, of each type, the oldest key if one is due: they take turns, so that each is picked for
 * at most |lifetime_seconds| if the call comes often enough. On failure the pool stays as it is, and the next call
 * tries again.
 *
 * Caller: one thread, registered and online with RCU. It may block for the time of making a key, during which it is
 * offline: it is a quiescent state of the caller.
 */
MG_MUST_USE enum mg_status leaf_keys_rotate(struct leaf_keys *pool, int64_t now);

/* leaf_keys_counters returns the pool's counters, which live as long as the pool. Any thread may read. */
const struct leaf_keys_counters *leaf_keys_counters(const struct leaf_keys *pool);

#endif
