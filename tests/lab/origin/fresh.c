/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/fresh.h"

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/siphash.h"

#define NAME_MAX_LEN 255
#define SECONDS_PER_DAY (24 * 60 * 60)
#define VALIDITY_DAYS 90
#define MAX_COMMON_NAME 64 /* ub-common-name, RFC 5280 appendix A.1 */

struct entry {
    struct entry *next_in_bucket;
    CRYPTO_BUFFER *leaf; /* owned */
    char name[NAME_MAX_LEN + 1];
};

struct fresh {
    X509 *issuer;
    EVP_PKEY *issuer_key; /* borrowed */
    EVP_PKEY *leaf_key;
    int64_t not_before;
    struct mg_siphash_key hash_key;

    pthread_mutex_t lock; /* guards what follows */
    uint64_t num_minted;
    size_t max_names;
    size_t num_buckets;
    struct entry **buckets;
    struct entry **by_age; /* a ring of |max_names|; |oldest| is the next to go */
    size_t oldest;
};

static EVP_PKEY *new_p256_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    if (ec == NULL || key == NULL || !EC_KEY_generate_key(ec) || !EVP_PKEY_set1_EC_KEY(key, ec)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EC_KEY_free(ec);
    return key;
}

struct fresh *fresh_new(const struct credentials *issuer, size_t max_names)
{
    struct fresh *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL) {
        return NULL;
    }
    pthread_mutex_init(&fresh->lock, NULL);
    mg_siphash_key_random(&fresh->hash_key);
    fresh->issuer = X509_parse_from_buffer(issuer->chain[0]);
    fresh->issuer_key = issuer->key;
    fresh->leaf_key = new_p256_key();
    fresh->not_before = mg_clock_wall_seconds() - SECONDS_PER_DAY;
    fresh->max_names = max_names;
    fresh->num_buckets = max_names;
    fresh->buckets = calloc(fresh->num_buckets, sizeof(*fresh->buckets));
    fresh->by_age = calloc(max_names, sizeof(*fresh->by_age));
    if (fresh->issuer == NULL || fresh->leaf_key == NULL || fresh->buckets == NULL || fresh->by_age == NULL) {
        fresh_free(fresh);
        return NULL;
    }
    return fresh;
}

static void entry_free(struct entry *entry)
{
    if (entry != NULL) {
        CRYPTO_BUFFER_free(entry->leaf);
        free(entry);
    }
}

void fresh_free(struct fresh *fresh)
{
    if (fresh == NULL) {
        return;
    }
    for (size_t i = 0; fresh->by_age != NULL && i < fresh->max_names; i++) {
        entry_free(fresh->by_age[i]);
    }
    free(fresh->by_age);
    free(fresh->buckets);
    EVP_PKEY_free(fresh->leaf_key);
    X509_free(fresh->issuer);
    pthread_mutex_destroy(&fresh->lock);
    free(fresh);
}

static bool canonical(char out[NAME_MAX_LEN + 1], const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c != '\0' && (c > 127 || !(isalnum(c) || strchr("-_.", c) != NULL))) {
            return false;
        }
        out[i] = (char)tolower(c);
    }
    return true;
}

static bool set_serial(X509 *leaf)
{
    uint8_t bytes[16];
    RAND_bytes(bytes, sizeof(bytes));
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and of full length: RFC 5280 section 4.1.2.2 */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(leaf)) != NULL;
    BN_free(number);
    return ok;
}

static bool set_validity(X509 *leaf, int64_t not_before)
{
    int64_t not_after = not_before + (int64_t)VALIDITY_DAYS * SECONDS_PER_DAY - 1;
    return ASN1_TIME_set(X509_getm_notBefore(leaf), (time_t)not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(leaf), (time_t)not_after) != NULL;
}

/* set_subject puts the name into the CN where it fits. */
static bool set_subject(X509 *leaf, const char *name)
{
    size_t len = strlen(name);
    return len > MAX_COMMON_NAME || X509_NAME_add_entry_by_NID(X509_get_subject_name(leaf), NID_commonName,
                                                               MBSTRING_UTF8, (const uint8_t *)name, (int)len, -1, 0);
}

static bool add_names(X509 *leaf, const char *name)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *dns = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    bool ok = names != NULL && dns != NULL && text != NULL && ASN1_STRING_set(text, name, (int)strlen(name));
    if (ok) {
        GENERAL_NAME_set0_value(dns, GEN_DNS, text);
        text = NULL;
        ok = sk_GENERAL_NAME_push(names, dns) > 0;
    }
    if (ok) {
        dns = NULL;
        bool no_subject = X509_NAME_entry_count(X509_get_subject_name(leaf)) == 0;
        ok = X509_add1_ext_i2d(leaf, NID_subject_alt_name, names, no_subject, 0);
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(dns);
    GENERAL_NAMES_free(names);
    return ok;
}

static bool add_extension(X509 *leaf, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, leaf, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    bool ok = extension != NULL && X509_add_ext(leaf, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_extensions(X509 *leaf, X509 *issuer)
{
    static const struct {
        int nid;
        const char *value;
    } extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(extensions); i++) {
        if (!add_extension(leaf, issuer, extensions[i].nid, extensions[i].value)) {
            return false;
        }
    }
    return true;
}

static CRYPTO_BUFFER *encode(X509 *leaf)
{
    uint8_t *der = NULL;
    int len = i2d_X509(leaf, &der);
    CRYPTO_BUFFER *buffer = len <= 0 ? NULL : CRYPTO_BUFFER_new(der, (size_t)len, NULL);
    OPENSSL_free(der);
    return buffer;
}

static CRYPTO_BUFFER *mint(const struct fresh *fresh, const char *name)
{
    CRYPTO_BUFFER *buffer = NULL;
    X509 *leaf = X509_new();
    if (leaf != NULL && X509_set_version(leaf, X509_VERSION_3) && set_serial(leaf) &&
        X509_set_issuer_name(leaf, X509_get_subject_name(fresh->issuer)) && set_validity(leaf, fresh->not_before) &&
        set_subject(leaf, name) && X509_set_pubkey(leaf, fresh->leaf_key) && add_names(leaf, name) &&
        add_extensions(leaf, fresh->issuer) && X509_sign(leaf, fresh->issuer_key, EVP_sha256()) > 0) {
        buffer = encode(leaf);
    }
    X509_free(leaf);
    return buffer;
}

static struct entry **bucket_of(struct fresh *fresh, const char *name)
{
    return &fresh->buckets[mg_siphash(&fresh->hash_key, name, strlen(name)) % fresh->num_buckets];
}

/* find and insert are called with the lock held. */
static CRYPTO_BUFFER *find(struct fresh *fresh, const char *name)
{
    for (struct entry *entry = *bucket_of(fresh, name); entry != NULL; entry = entry->next_in_bucket) {
        if (strcmp(entry->name, name) == 0) {
            CRYPTO_BUFFER_up_ref(entry->leaf);
            return entry->leaf;
        }
    }
    return NULL;
}

static void forget(struct fresh *fresh, struct entry *entry)
{
    struct entry **link = bucket_of(fresh, entry->name);
    while (*link != entry) {
        link = &(*link)->next_in_bucket;
    }
    *link = entry->next_in_bucket;
    entry_free(entry);
}

static void insert(struct fresh *fresh, struct entry *entry)
{
    struct entry **slot = &fresh->by_age[fresh->oldest];
    if (*slot != NULL) {
        forget(fresh, *slot);
    }
    *slot = entry;
    fresh->oldest = (fresh->oldest + 1) % fresh->max_names;
    struct entry **bucket = bucket_of(fresh, entry->name);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
}

/* publish remembers |leaf|, unless another thread was first: then it becomes that thread's leaf. */
static CRYPTO_BUFFER *publish(struct fresh *fresh, const char *name, CRYPTO_BUFFER *leaf)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return leaf;
    }
    memcpy(entry->name, name, strlen(name) + 1);
    pthread_mutex_lock(&fresh->lock);
    CRYPTO_BUFFER *other = find(fresh, name);
    if (other == NULL) {
        CRYPTO_BUFFER_up_ref(leaf);
        entry->leaf = leaf;
        insert(fresh, entry);
        fresh->num_minted++;
    }
    pthread_mutex_unlock(&fresh->lock);
    if (other == NULL) {
        return leaf;
    }
    CRYPTO_BUFFER_free(leaf);
    free(entry);
    return other;
}

enum mg_status fresh_get(struct fresh *fresh, const char *name, CRYPTO_BUFFER **out)
{
    char key[NAME_MAX_LEN + 1];
    if (!canonical(key, name)) {
        return MG_INVALID;
    }
    pthread_mutex_lock(&fresh->lock);
    *out = find(fresh, key);
    pthread_mutex_unlock(&fresh->lock);
    if (*out == NULL) {
        CRYPTO_BUFFER *leaf = mint(fresh, key); /* signing needs no lock */
        *out = leaf == NULL ? NULL : publish(fresh, key, leaf);
    }
    return *out != NULL ? MG_OK : MG_INTERNAL;
}

EVP_PKEY *fresh_get0_key(const struct fresh *fresh)
{
    return fresh->leaf_key;
}

uint64_t fresh_num_minted(struct fresh *fresh)
{
    pthread_mutex_lock(&fresh->lock);
    uint64_t num_minted = fresh->num_minted;
    pthread_mutex_unlock(&fresh->lock);
    return num_minted;
}
