/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/trust.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "dataplane/tls/known_paths.h"
#include "minting/cert.h"
#include "minting/der_time.h"

#define MAX_PEM_FILE (16 << 20)
#define MAX_CHAIN_SENT 16
#define MIN_RSA_BITS 2048
#define MIN_EC_BITS 256
/* Issuing intermediates in use at one time: some hundred serve nearly all of the web. */
#define MAX_KNOWN_PATHS 512

/* Intermediates by which missing ones are filled in: a small ring, newest over oldest. */
struct intermediates {
    pthread_mutex_t lock;
    size_t max;
    size_t num;
    size_t next;
    X509 **certificates;
};

struct trust_base {
    char store_name[WIRE_STORE_MAX_NAME + 1];
    STACK_OF(X509) * roots; /* of the file; owned, as the next */
    STACK_OF(X509) * bundle;
    int64_t remember_seconds; /* paths above intermediates; 0: not at all */
};

struct trust {
    uint64_t generation;
    char store_name[WIRE_STORE_MAX_NAME + 1];
    size_t num_file_roots;
    struct trusted *store; /* one reference; NULL: none */
    X509_STORE *roots;
    STACK_OF(X509) * bundle;
    struct intermediates *learned;
    struct known_paths *paths; /* NULL: nothing is remembered */
};

const char *trust_verdict_name(enum trust_verdict verdict)
{
    static const char *const names[TRUST_NUM_VERDICTS] = {
        [TRUST_OK] = "ok",
        [TRUST_EXPIRED] = "expired",
        [TRUST_NOT_YET_VALID] = "not_yet_valid",
        [TRUST_WRONG_NAME] = "wrong_name",
        [TRUST_SELF_SIGNED] = "self_signed",
        [TRUST_UNKNOWN_ISSUER] = "unknown_issuer",
        [TRUST_MISSING_INTERMEDIATE] = "missing_intermediate",
        [TRUST_WEAK_SIGNATURE] = "weak_signature",
        [TRUST_WEAK_KEY] = "weak_key",
        [TRUST_INVALID] = "invalid",
    };
    return names[verdict];
}

/* ---- learned intermediates ---- */

enum mg_status intermediates_new(struct intermediates **out, size_t max)
{
    struct intermediates *store = calloc(1, sizeof(*store));
    X509 **certificates = calloc(max == 0 ? 1 : max, sizeof(*certificates));
    if (store == NULL || certificates == NULL) {
        free(store);
        free(certificates);
        return MG_MEMORY;
    }
    store->max = max;
    store->certificates = certificates;
    pthread_mutex_init(&store->lock, NULL);
    *out = store;
    return MG_OK;
}

void intermediates_free(struct intermediates *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < store->num; i++) {
        X509_free(store->certificates[i]);
    }
    pthread_mutex_destroy(&store->lock);
    free(store->certificates);
    free(store);
}

static void learn(struct intermediates *store, X509 *certificate)
{
    if (store->max == 0) {
        return;
    }
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->num; i++) {
        if (X509_cmp(store->certificates[i], certificate) == 0) {
            pthread_mutex_unlock(&store->lock);
            return;
        }
    }
    X509 *old = store->certificates[store->next];
    X509_up_ref(certificate);
    store->certificates[store->next] = certificate;
    store->next = (store->next + 1) % store->max;
    store->num += old == NULL;
    pthread_mutex_unlock(&store->lock);
    X509_free(old);
}

/* ---- the snapshot ---- */

static bool push_ref(STACK_OF(X509) * stack, X509 *certificate)
{
    if (!sk_X509_push(stack, certificate)) {
        return false;
    }
    X509_up_ref(certificate);
    return true;
}

/* read_pem calls |take| for each certificate of a PEM file; |take| owns it. */
static enum mg_status read_pem(const char *key, const char *path, bool (*take)(void *arg, X509 *certificate), void *arg,
                               struct mg_error *error)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_PEM_FILE);
    struct mg_error cause;
    enum mg_status status = mg_file_read(path, &text, &cause);
    if (status != MG_OK) {
        mg_buffer_free(&text);
        return mg_error_set(error, status, "tls.%s: %s", key, cause.text);
    }
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    size_t num = 0;
    while (bio != NULL && status == MG_OK) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (certificate == NULL) {
            break;
        }
        num++;
        if (!take(arg, certificate)) {
            status = mg_error_set(error, MG_MEMORY, "tls.%s: %s: out of memory", key, path);
        }
    }
    uint32_t last = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (status == MG_OK && (bio == NULL || !ended)) {
        status = mg_error_set(error, MG_INVALID, "tls.%s: %s: certificate %zu cannot be read", key, path, num + 1);
    } else if (status == MG_OK && num == 0) {
        status = mg_error_set(error, MG_INVALID, "tls.%s: %s holds no PEM certificate", key, path);
    }
    BIO_free(bio);
    mg_buffer_free(&text);
    return status;
}

static bool take(void *arg, X509 *certificate)
{
    bool ok = sk_X509_push(arg, certificate) != 0;
    if (!ok) {
        X509_free(certificate);
    }
    return ok;
}

enum mg_status trust_base_new(struct trust_base **out, const struct config_tls *config, struct mg_error *error)
{
    struct trust_base *base = calloc(1, sizeof(*base));
    if (base == NULL) {
        return mg_error_set(error, MG_MEMORY, "tls: out of memory");
    }
    const char *name = config->trust_store_name == NULL ? "" : config->trust_store_name;
    bool has_file = name[0] == '\0' || config->trust_store_and_file;
    base->remember_seconds = config->remember_chains == 0 ? 0 : (int64_t)(config->remember_chain_ns / MG_NS_PER_SECOND);
    base->roots = sk_X509_new_null();
    base->bundle = sk_X509_new_null();
    enum mg_status status = MG_OK;
    if (base->roots == NULL || base->bundle == NULL) {
        status = mg_error_set(error, MG_MEMORY, "tls: out of memory");
    } else if (strlen(name) >= sizeof(base->store_name)) {
        status = mg_error_set(error, MG_INVALID, "tls.trust_store_name: longer than %d", WIRE_STORE_MAX_NAME);
    } else {
        memcpy(base->store_name, name, strlen(name));
    }
    if (status == MG_OK && has_file) {
        status = read_pem("trust_store", config->trust_store, take, base->roots, error);
    }
    if (status == MG_OK && config->intermediates[0] != '\0') {
        status = read_pem("intermediates", config->intermediates, take, base->bundle, error);
    }
    if (status != MG_OK) {
        trust_base_free(base);
        return status;
    }
    *out = base;
    return MG_OK;
}

void trust_base_free(struct trust_base *base)
{
    if (base == NULL) {
        return;
    }
    sk_X509_pop_free(base->roots, X509_free);
    sk_X509_pop_free(base->bundle, X509_free);
    free(base);
}

const char *trust_base_store_name(const struct trust_base *base)
{
    static const char none[WIRE_STORE_MAX_NAME + 1];
    return base == NULL ? none : base->store_name;
}

static bool add_roots(X509_STORE *store, const STACK_OF(X509) * roots)
{
    for (size_t i = 0; i < sk_X509_num(roots); i++) {
        if (X509_STORE_add_cert(store, sk_X509_value(roots, i)) != 1) {
            return false;
        }
        ERR_clear_error(); /* the same root twice is no error */
    }
    return true;
}

/* add_anchors: an anchor is one where the store says so, whoever certified it (RFC 5280 section 6.1.1, d). */
static bool add_anchors(X509_STORE *store, const struct trusted *trusted)
{
    return sk_X509_num(trusted->anchors) == 0 ||
           (add_roots(store, trusted->anchors) && X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1);
}

enum mg_status trust_new(struct trust **out, const struct trust_base *base, struct trusted *store, uint64_t generation,
                         struct intermediates *learned, struct mg_error *error)
{
    struct trust *trust = calloc(1, sizeof(*trust));
    if (trust == NULL) {
        return mg_error_set(error, MG_MEMORY, "tls: out of memory");
    }
    trust->generation = generation;
    trust->learned = learned;
    trust->store = store == NULL ? NULL : trusted_up_ref(store);
    trust->num_file_roots = sk_X509_num(base->roots);
    memcpy(trust->store_name, base->store_name, sizeof(trust->store_name));
    trust->roots = X509_STORE_new();
    trust->bundle = sk_X509_new_null();
    bool made = trust->roots != NULL && trust->bundle != NULL && add_roots(trust->roots, base->roots) &&
                (store == NULL || add_anchors(trust->roots, store));
    for (size_t i = 0; made && i < sk_X509_num(base->bundle); i++) {
        made = push_ref(trust->bundle, sk_X509_value(base->bundle, i));
    }
    if (made && base->remember_seconds > 0) {
        made = known_paths_new(&trust->paths, MAX_KNOWN_PATHS, base->remember_seconds) == MG_OK;
    }
    if (!made) {
        trust_free(trust);
        return mg_error_set(error, MG_MEMORY, "tls: out of memory");
    }
    *out = trust;
    return MG_OK;
}

void trust_free(struct trust *trust)
{
    if (trust == NULL) {
        return;
    }
    X509_STORE_free(trust->roots);
    sk_X509_pop_free(trust->bundle, X509_free);
    known_paths_free(trust->paths);
    trusted_unref(trust->store);
    free(trust);
}

uint64_t trust_generation(const struct trust *trust)
{
    return trust->generation;
}

void trust_report(const struct trust *trust, struct trust_report *out)
{
    *out = (struct trust_report){.generation = trust->generation, .num_file_roots = trust->num_file_roots};
    memcpy(out->store_name, trust->store_name, sizeof(out->store_name));
    if (trust->store != NULL) {
        out->has_store = !trust->store->is_missing;
        out->epoch = trust->store->epoch;
        out->num_anchors = sk_X509_num(trust->store->anchors);
        out->num_exact = sk_CRYPTO_BUFFER_num(trust->store->exact);
        out->num_unusable = trust->store->num_unusable;
    }
}

/* ---- strength, on the chain that was built ---- */

static bool key_is_strong(X509 *certificate)
{
    EVP_PKEY *key = X509_get_pubkey(certificate);
    if (key == NULL) {
        return false;
    }
    int type = EVP_PKEY_id(key), bits = EVP_PKEY_bits(key);
    EVP_PKEY_free(key);
    return (type == EVP_PKEY_RSA && bits >= MIN_RSA_BITS) || (type == EVP_PKEY_EC && bits >= MIN_EC_BITS) ||
           type == EVP_PKEY_ED25519;
}

/* pss_is_strong judges a signature whose parameters name the hash. */
static bool pss_is_strong(const X509 *certificate)
{
    uint8_t *der = NULL;
    int len = i2d_X509(MG_UNCONST(certificate), &der);
    struct cert cert;
    bool strong =
        len > 0 && cert_parse(&cert, cert_cbs_of(der, (size_t)len), NULL) == MG_OK && cert.digest >= CERT_DIGEST_SHA224;
    OPENSSL_free(der);
    return strong;
}

static bool signature_is_strong(const X509 *certificate)
{
    switch (X509_get_signature_nid(certificate)) {
    case NID_rsassaPss:
        return pss_is_strong(certificate);
    case NID_md2WithRSAEncryption:
    case NID_md4WithRSAEncryption:
    case NID_md5WithRSAEncryption:
    case NID_sha1WithRSAEncryption:
    case NID_sha1WithRSA:
    case NID_dsaWithSHA1:
    case NID_ecdsa_with_SHA1:
        return false;
    default:
        return true;
    }
}

/* chain_strength judges all but the root's own signature, on which nothing rests. */
static enum trust_verdict chain_strength(const STACK_OF(X509) * chain)
{
    size_t num = sk_X509_num(chain);
    for (size_t i = 0; i < num; i++) {
        X509 *certificate = sk_X509_value(chain, i);
        if (i + 1 < num && !signature_is_strong(certificate)) {
            return TRUST_WEAK_SIGNATURE;
        }
        if (!key_is_strong(certificate)) {
            return TRUST_WEAK_KEY;
        }
    }
    return TRUST_OK;
}

/* posix_time_of turns |time| into seconds since 1970; 0, long past, where it cannot be read. */
static int64_t posix_time_of(const ASN1_TIME *time)
{
    uint8_t der[32], *end = der;
    CBS cbs;
    int64_t seconds;
    int len = i2d_ASN1_TIME(MG_UNCONST(time), NULL);
    if (len <= 0 || (size_t)len > sizeof(der) || i2d_ASN1_TIME(MG_UNCONST(time), &end) != len) {
        return 0;
    }
    CBS_init(&cbs, der, (size_t)len);
    return der_time_parse(&cbs, &seconds) ? seconds : 0;
}

static int64_t chain_valid_until(const STACK_OF(X509) * chain)
{
    int64_t until = INT64_MAX;
    for (size_t i = 0; i < sk_X509_num(chain); i++) {
        int64_t not_after = posix_time_of(X509_get0_notAfter(sk_X509_value(chain, i)));
        until = not_after < until ? not_after : until;
    }
    return until;
}

/* ---- verification ---- */

/* is_valid_at tells whether |certificate| is within its validity. */
static bool is_valid_at(const X509 *certificate, int64_t now)
{
    return posix_time_of(X509_get0_notBefore(certificate)) <= now &&
           posix_time_of(X509_get0_notAfter(certificate)) >= now;
}

/* known_and returns the bundle, what was learned, and |sent|: helpers to a root, never roots. What is known here comes
 * first, and so wins over a certificate of the same name that leads nowhere; but nothing outdated does. NULL: out of
 * memory. */
static STACK_OF(X509) * known_and(const struct trust *trust, const STACK_OF(X509) * sent, int64_t now)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    bool ok = all != NULL;
    for (size_t i = 0; i < sk_X509_num(trust->bundle) && ok; i++) {
        X509 *certificate = sk_X509_value(trust->bundle, i);
        ok = !is_valid_at(certificate, now) || push_ref(all, certificate);
    }
    pthread_mutex_lock(&trust->learned->lock);
    for (size_t i = 0; i < trust->learned->num && ok; i++) {
        X509 *certificate = trust->learned->certificates[i];
        ok = !is_valid_at(certificate, now) || push_ref(all, certificate);
    }
    pthread_mutex_unlock(&trust->learned->lock);
    for (size_t i = 0; i < sk_X509_num(sent) && ok; i++) {
        ok = push_ref(all, sk_X509_value(sent, i));
    }
    if (!ok) {
        sk_X509_pop_free(all, X509_free);
        return NULL;
    }
    return all;
}

static enum trust_verdict verdict_without_issuer(const X509 *leaf, size_t num_sent)
{
    /* The library says "self-signed" only of a certificate that may sign others. */
    if (X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf)) == 0) {
        return TRUST_SELF_SIGNED;
    }
    return num_sent == 1 ? TRUST_MISSING_INTERMEDIATE : TRUST_UNKNOWN_ISSUER;
}

static enum trust_verdict verdict_of_error(int error, size_t num_sent, const X509 *leaf)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return TRUST_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TRUST_NOT_YET_VALID;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return TRUST_SELF_SIGNED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return verdict_without_issuer(leaf, num_sent);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return TRUST_UNKNOWN_ISSUER;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        /* A digest so weak that the library no longer knows it. */
        return signature_is_strong(leaf) ? TRUST_INVALID : TRUST_WEAK_SIGNATURE;
    default:
        return TRUST_INVALID;
    }
}

/* ends_nowhere tells whether the path that was found leads to no root: another one may. */
static bool ends_nowhere(int error)
{
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
}

static X509_STORE_CTX *new_context(X509_STORE *store, X509 *leaf, STACK_OF(X509) * untrusted, int64_t now)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context != NULL && X509_STORE_CTX_init(context, store, leaf, untrusted) &&
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER)) {
        X509_STORE_CTX_set_time(context, 0, (time_t)now);
        return context;
    }
    X509_STORE_CTX_free(context);
    return NULL;
}

/* verify_by_known_path verifies |leaf| under the issuer that was sent with it, if the path from there on is known. It
 * says yes, or nothing: what is wrong with a chain is for the whole verification to tell. */
static bool verify_by_known_path(const struct trust *trust, X509 *leaf, const STACK_OF(CRYPTO_BUFFER) * chain,
                                 int64_t now, int64_t *valid_until)
{
    X509_STORE *store;
    int64_t path_valid_until;
    if (trust->paths == NULL || sk_CRYPTO_BUFFER_num(chain) < 2 ||
        !known_paths_find(trust->paths, sk_CRYPTO_BUFFER_value(chain, 1), now, &store, &path_valid_until)) {
        return false;
    }
    X509_STORE_CTX *context = new_context(store, leaf, NULL, now);
    bool good = false;
    if (context != NULL && X509_verify_cert(context) == 1) {
        const STACK_OF(X509) *built = X509_STORE_CTX_get0_chain(context);
        int64_t until = chain_valid_until(built);
        good = sk_X509_num(built) == 2 && chain_strength(built) == TRUST_OK;
        *valid_until = until < path_valid_until ? until : path_valid_until;
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return good;
}

/* verify_once runs one verification; on success the chain that was built is judged. */
static enum trust_verdict verify_once(const struct trust *trust, X509 *leaf, STACK_OF(X509) * untrusted, int64_t now,
                                      size_t num_sent, int64_t *valid_until, int *error)
{
    enum trust_verdict verdict = TRUST_INVALID;
    *error = X509_V_ERR_OUT_OF_MEM;
    X509_STORE_CTX *context = new_context(trust->roots, leaf, untrusted, now);
    if (context != NULL) {
        if (X509_verify_cert(context) == 1) {
            const STACK_OF(X509) *built = X509_STORE_CTX_get0_chain(context);
            *error = X509_V_OK;
            verdict = chain_strength(built);
            *valid_until = chain_valid_until(built);
            for (size_t i = 1; verdict == TRUST_OK && i + 1 < sk_X509_num(built); i++) {
                learn(trust->learned, sk_X509_value(built, i));
            }
            if (verdict == TRUST_OK && trust->paths != NULL) {
                known_paths_add(trust->paths, built, now, *valid_until);
            }
        } else {
            *error = X509_STORE_CTX_get_error(context);
            verdict = verdict_of_error(*error, num_sent, leaf);
        }
    }
    X509_STORE_CTX_free(context);
    return verdict;
}

/* parse_others turns what was sent behind the leaf into X509s. NULL: out of memory. */
static STACK_OF(X509) * parse_others(const STACK_OF(CRYPTO_BUFFER) * chain)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    bool ok = others != NULL;
    for (size_t i = 1; i < sk_CRYPTO_BUFFER_num(chain) && ok; i++) {
        X509 *certificate = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i));
        /* One that cannot be parsed helps nobody, and may be superfluous. */
        if (certificate != NULL && !sk_X509_push(others, certificate)) {
            X509_free(certificate);
            ok = false;
        }
    }
    if (!ok) {
        sk_X509_pop_free(others, X509_free);
        return NULL;
    }
    return others;
}

/* verify_whole verifies up to a root: with what was sent, and where that leads to none, with what is known here. */
static enum trust_verdict verify_whole(const struct trust *trust, X509 *leaf, const STACK_OF(CRYPTO_BUFFER) * chain,
                                       int64_t now, int64_t *valid_until)
{
    STACK_OF(X509) *untrusted = parse_others(chain);
    if (untrusted == NULL) {
        return TRUST_INVALID;
    }
    size_t num_sent = sk_CRYPTO_BUFFER_num(chain);
    int error;
    enum trust_verdict verdict = verify_once(trust, leaf, untrusted, now, num_sent, valid_until, &error);
    if (ends_nowhere(error)) {
        STACK_OF(X509) *known = known_and(trust, untrusted, now);
        if (known != NULL) {
            verdict = verify_once(trust, leaf, known, now, num_sent, valid_until, &error);
        }
        sk_X509_pop_free(known, X509_free);
    }
    sk_X509_pop_free(untrusted, X509_free);
    return verdict;
}

/* verify_exact judges a server's own certificate that is trusted byte by byte. Its signature is not looked at: what
 * certifies it is the store. */
static enum trust_verdict verify_exact(X509 *leaf, int64_t now, int64_t *valid_until)
{
    *valid_until = posix_time_of(X509_get0_notAfter(leaf));
    if (posix_time_of(X509_get0_notBefore(leaf)) > now) {
        return TRUST_NOT_YET_VALID;
    }
    if (*valid_until < now) {
        return TRUST_EXPIRED;
    }
    if (!key_is_strong(leaf)) {
        return TRUST_WEAK_KEY;
    }
    return X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) == 1 ? TRUST_OK : TRUST_INVALID;
}

/* verify_chain: a certificate that is trusted for itself needs no chain, and is not saved by one. */
static enum trust_verdict verify_chain(const struct trust *trust, X509 *leaf, const STACK_OF(CRYPTO_BUFFER) * chain,
                                       int64_t now, int64_t *valid_until)
{
    if (trust->store != NULL && trusted_has(trust->store, sk_CRYPTO_BUFFER_value(chain, 0))) {
        return verify_exact(leaf, now, valid_until);
    }
    return verify_by_known_path(trust, leaf, chain, now, valid_until)
               ? TRUST_OK
               : verify_whole(trust, leaf, chain, now, valid_until);
}

enum trust_verdict trust_verify_name(const struct mimic *mimic, struct mg_slice name)
{
    return name.len == 0 || mimic_covers_dns(mimic, name) ? TRUST_OK : TRUST_WRONG_NAME;
}

enum trust_verdict trust_verify(const struct trust *trust, const STACK_OF(CRYPTO_BUFFER) * chain,
                                const struct mimic *mimic, struct mg_slice name, int64_t now, int64_t *valid_until)
{
    size_t num_sent = sk_CRYPTO_BUFFER_num(chain);
    X509 *leaf =
        num_sent == 0 || num_sent > MAX_CHAIN_SENT ? NULL : X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, 0));
    enum trust_verdict verdict = leaf == NULL ? TRUST_INVALID : verify_chain(trust, leaf, chain, now, valid_until);
    if (verdict == TRUST_OK) {
        verdict = trust_verify_name(mimic, name);
    }
    X509_free(leaf);
    ERR_clear_error();
    return verdict;
}
