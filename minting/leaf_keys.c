/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/leaf_keys.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include "cache/rcu.h"

/* keyUsage, critical (RFC 5280 section 4.2.1.3): bit 0 digitalSignature, bit 2 keyEncipherment. */
static const uint8_t key_usage_ec[] = {0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01,
                                       0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x07, 0x80};
static const uint8_t key_usage_rsa[] = {0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01,
                                        0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x05, 0xa0};
/* subjectKeyIdentifier (section 4.2.1.2) up to its 20 bytes. */
static const uint8_t subject_key_id[] = {0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14};

_Static_assert(sizeof(key_usage_ec) == sizeof(key_usage_rsa), "the extensions of a key have one length");
#define EXTENSIONS_LEN (sizeof(key_usage_ec) + sizeof(subject_key_id) + CERT_KEY_ID_LEN)

struct key_block {
    struct leaf_key key;
    _Atomic uint32_t references;
    uint8_t *spki; /* owned; key.spki is a view */
    uint8_t extensions[EXTENSIONS_LEN];
};

const char *leaf_key_type_name(enum leaf_key_type type)
{
    return type == LEAF_KEY_EC_P256 ? "ec_p256" : "rsa_2048";
}

static bool generate_ec(EVP_PKEY *pkey)
{
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (key == NULL || !EC_KEY_generate_key(key) || !EVP_PKEY_assign_EC_KEY(pkey, key)) {
        EC_KEY_free(key);
        return false;
    }
    return true;
}

static bool generate_rsa(EVP_PKEY *pkey)
{
    RSA *key = RSA_new();
    BIGNUM *exponent = BN_new();
    bool ok = key != NULL && exponent != NULL && BN_set_word(exponent, RSA_F4) &&
              RSA_generate_key_ex(key, 2048, exponent, NULL) && EVP_PKEY_assign_RSA(pkey, key);
    BN_free(exponent);
    if (!ok) {
        RSA_free(key);
    }
    return ok;
}

static bool encode_spki(struct key_block *block)
{
    CBB out;
    size_t len;
    if (!CBB_init(&out, 512)) {
        return false;
    }
    if (!EVP_marshal_public_key(&out, block->key.pkey) || !CBB_finish(&out, &block->spki, &len)) {
        CBB_cleanup(&out);
        return false;
    }
    block->key.spki = mg_slice_of(block->spki, len);
    return true;
}

static bool compute_key_id(struct leaf_key *key)
{
    CBS element = cert_cbs_of(key->spki.data, key->spki.len), spki, public_key;
    uint8_t num_unused_bits;
    if (!CBS_get_asn1(&element, &spki, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&spki, NULL, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&spki, &public_key, CBS_ASN1_BITSTRING) || !CBS_get_u8(&public_key, &num_unused_bits)) {
        return false;
    }
    cert_compute_key_id(key->key_id, public_key);
    return true;
}

static void encode_extensions(struct key_block *block)
{
    uint8_t *out = block->extensions;
    memcpy(out, block->key.type == LEAF_KEY_RSA_2048 ? key_usage_rsa : key_usage_ec, sizeof(key_usage_ec));
    out += sizeof(key_usage_ec);
    memcpy(out, subject_key_id, sizeof(subject_key_id));
    out += sizeof(subject_key_id);
    memcpy(out, block->key.key_id, CERT_KEY_ID_LEN);
    block->key.extensions = mg_slice_of(block->extensions, EXTENSIONS_LEN);
}

enum mg_status leaf_key_new(struct leaf_key **out, enum leaf_key_type type)
{
    struct key_block *block = calloc(1, sizeof(*block));
    if (block == NULL) {
        return MG_MEMORY;
    }
    atomic_init(&block->references, 1);
    block->key.type = type;
    block->key.pkey = EVP_PKEY_new();
    if (block->key.pkey == NULL ||
        !(type == LEAF_KEY_RSA_2048 ? generate_rsa(block->key.pkey) : generate_ec(block->key.pkey)) ||
        !encode_spki(block) || !compute_key_id(&block->key)) {
        leaf_key_unref(&block->key);
        ERR_clear_error();
        return MG_INTERNAL;
    }
    encode_extensions(block);
    *out = &block->key;
    return MG_OK;
}

struct leaf_key *leaf_key_up_ref(struct leaf_key *key)
{
    struct key_block *block = MG_CONTAINER_OF(key, struct key_block, key);
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return key;
}

void leaf_key_unref(struct leaf_key *key)
{
    if (key == NULL) {
        return;
    }
    struct key_block *block = MG_CONTAINER_OF(key, struct key_block, key);
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1) {
        EVP_PKEY_free(key->pkey); /* BoringSSL wipes what it frees */
        OPENSSL_free(block->spki);
        free(block);
    }
}

/* struct key_set is what readers see: replaced whole, never changed. It holds a reference to each key. */
struct key_set {
    struct leaf_key *keys[LEAF_KEY_NUM_TYPES][LEAF_KEYS_MAX];
    struct mg_rcu_head rcu;
};

struct leaf_keys {
    struct key_set *current; /* rotating thread: rw, others: ro by mg_rcu_load */
    struct leaf_keys_config config;
    /* Of the rotating thread alone, by type. */
    size_t oldest[LEAF_KEY_NUM_TYPES];
    int64_t last_made[LEAF_KEY_NUM_TYPES];
    struct leaf_keys_counters counters;
};

static void key_set_free(struct key_set *set)
{
    for (size_t type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        for (size_t i = 0; i < LEAF_KEYS_MAX; i++) {
            leaf_key_unref(set->keys[type][i]);
        }
    }
    free(set);
}

static void key_set_reclaim(struct mg_rcu_head *head)
{
    key_set_free(MG_CONTAINER_OF(head, struct key_set, rcu));
}

static enum mg_status check_config(const struct leaf_keys_config *config, struct mg_error *error)
{
    for (size_t type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        size_t num_keys = config->num_keys[type];
        if (num_keys < 1 || num_keys > LEAF_KEYS_MAX) {
            return mg_error_set(error, MG_INVALID, "leaf keys: 1 to %d of type %s, not %zu", LEAF_KEYS_MAX,
                                leaf_key_type_name((enum leaf_key_type)type), num_keys);
        }
        if (config->lifetime_seconds < (int64_t)num_keys) {
            return mg_error_set(error, MG_INVALID, "leaf keys: a lifetime of at least a second for each key");
        }
    }
    return MG_OK;
}

static enum mg_status key_set_fill(struct key_set *set, const struct leaf_keys_config *config)
{
    for (size_t type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        for (size_t i = 0; i < config->num_keys[type]; i++) {
            enum mg_status status = leaf_key_new(&set->keys[type][i], (enum leaf_key_type)type);
            if (status != MG_OK) {
                return status;
            }
        }
    }
    return MG_OK;
}

enum mg_status leaf_keys_new(struct leaf_keys **out, const struct leaf_keys_config *config, int64_t now,
                             struct mg_error *error)
{
    enum mg_status status = check_config(config, error);
    if (status != MG_OK) {
        return status;
    }
    struct leaf_keys *pool = calloc(1, sizeof(*pool));
    struct key_set *set = calloc(1, sizeof(*set));
    status = pool == NULL || set == NULL ? MG_MEMORY : key_set_fill(set, config);
    if (status != MG_OK) {
        if (set != NULL) {
            key_set_free(set);
        }
        free(pool);
        return mg_error_set(error, status, "leaf keys: cannot make them");
    }
    pool->config = *config;
    pool->current = set;
    for (size_t type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        pool->last_made[type] = now;
    }
    *out = pool;
    return MG_OK;
}

void leaf_keys_free(struct leaf_keys *pool)
{
    if (pool != NULL) {
        key_set_free(pool->current);
        free(pool);
    }
}

struct leaf_key *leaf_keys_pick(struct leaf_keys *pool, enum leaf_key_type type, size_t turn)
{
    mg_rcu_assert_online();
    const struct key_set *set = mg_rcu_load(&pool->current);
    return set->keys[type][turn % pool->config.num_keys[type]];
}

static bool is_due(const struct leaf_keys *pool, enum leaf_key_type type, int64_t now)
{
    return now - pool->last_made[type] >= pool->config.lifetime_seconds / (int64_t)pool->config.num_keys[type];
}

/* replace_oldest publishes a set with a new key in the place of the oldest of |type|. */
static enum mg_status replace_oldest(struct leaf_keys *pool, enum leaf_key_type type, int64_t now)
{
    struct leaf_key *key;
    mg_rcu_offline();
    enum mg_status status = leaf_key_new(&key, type);
    mg_rcu_online();
    if (status != MG_OK) {
        return status;
    }
    struct key_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        leaf_key_unref(key);
        return MG_MEMORY;
    }
    struct key_set *old = pool->current;
    for (size_t t = 0; t < LEAF_KEY_NUM_TYPES; t++) {
        for (size_t i = 0; i < pool->config.num_keys[t]; i++) {
            bool replaced = t == type && i == pool->oldest[t];
            set->keys[t][i] = replaced ? key : leaf_key_up_ref(old->keys[t][i]);
        }
    }
    mg_rcu_publish(&pool->current, set);
    mg_rcu_defer(&old->rcu, key_set_reclaim);
    pool->oldest[type] = (pool->oldest[type] + 1) % pool->config.num_keys[type];
    pool->last_made[type] = now;
    mg_counter_add(&pool->counters.rotated[type], 1);
    return MG_OK;
}

enum mg_status leaf_keys_rotate(struct leaf_keys *pool, int64_t now)
{
    enum mg_status result = MG_OK;
    for (unsigned type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        if (!is_due(pool, (enum leaf_key_type)type, now)) {
            continue;
        }
        enum mg_status status = replace_oldest(pool, (enum leaf_key_type)type, now);
        if (status != MG_OK) {
            mg_counter_add(&pool->counters.failed, 1);
            result = status;
        }
    }
    return result;
}

const struct leaf_keys_counters *leaf_keys_counters(const struct leaf_keys *pool)
{
    return &pool->counters;
}
