/* SPDX-License-Identifier: Apache-2.0 */
/* Chains are made here certificate by certificate; what the verdicts should be is RFC 5280's and RFC 9525's word. */
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "certs.h"
#include "dataplane/tls/trust.h"

#define MAX_SENT 20

/* ---- certificates ---- */

/* Whatever a test makes lives until its end. */
static struct mg_buffer made[64];
static size_t num_made;

static struct mg_slice make(const struct certs_spec *spec)
{
    assert_in_range(num_made, 0, MG_ARRAY_LEN(made) - 1);
    struct mg_buffer *der = &made[num_made++];
    mg_buffer_init(der, 1 << 20);
    certs_make(der, spec);
    return mg_buffer_slice(der);
}

static struct mg_slice make_of(struct certs_spec spec)
{
    return make(&spec);
}

static struct mg_slice subject(const char *common_name)
{
    assert_in_range(num_made, 0, MG_ARRAY_LEN(made) - 1);
    struct mg_buffer *name = &made[num_made++];
    mg_buffer_init(name, 1 << 10);
    certs_subject(name, "DE", "Example", common_name);
    return mg_buffer_slice(name);
}

/* The keys of the usual chain: those of the root and of what is under it. */
#define ROOT_KEY certs_key(WIRE_KEY_EC_P256, 0)
#define MIDDLE_KEY certs_key(WIRE_KEY_EC_P256, 1)
#define LEAF_KEY certs_key(WIRE_KEY_EC_P256, 2)
#define OTHER_KEY certs_key(WIRE_KEY_EC_P256, 3)

static struct certs_spec authority(const char *name, EVP_PKEY *key, const char *issuer, EVP_PKEY *signer)
{
    return (struct certs_spec){
        .subject = subject(name),
        .issuer = subject(issuer),
        .not_before = CERTS_NOW - 1000 * CERTS_DAY,
        .not_after = CERTS_NOW + 1000 * CERTS_DAY,
        .is_ca = true,
        .path_len = -1,
        .key_usage = CERTS_KEY_USAGE_CA,
        .key = key,
        .signer = signer,
    };
}

static struct certs_spec root_spec(void)
{
    return authority("root", ROOT_KEY, "root", ROOT_KEY);
}

static struct certs_spec middle_spec(void)
{
    return authority("middle", MIDDLE_KEY, "root", ROOT_KEY);
}

static const struct certs_name leaf_names[] = {CERTS_DNS("www.example"), CERTS_DNS("*.wild.example")};

static struct certs_spec leaf_spec(void)
{
    return (struct certs_spec){
        .subject = subject("cn.example"),
        .issuer = subject("middle"),
        .names = leaf_names,
        .num_names = MG_ARRAY_LEN(leaf_names),
        .key_usage = CERTS_KEY_USAGE_END_ENTITY,
        .eku = "1.3.6.1.5.5.7.3.1",
        .key = LEAF_KEY,
        .signer = MIDDLE_KEY,
    };
}

static struct mg_slice root(void)
{
    return make_of(root_spec());
}

static struct mg_slice middle(void)
{
    return make_of(middle_spec());
}

static struct mg_slice leaf(void)
{
    return make_of(leaf_spec());
}

/* weak_key returns an RSA key of 1024 bits, made once. */
static EVP_PKEY *weak_key;
static EVP_PKEY *rsa_1024(void)
{
    if (weak_key == NULL) {
        RSA *rsa = RSA_new();
        BIGNUM *exponent = BN_new();
        weak_key = EVP_PKEY_new();
        assert_true(BN_set_word(exponent, RSA_F4) && RSA_generate_key_ex(rsa, 1024, exponent, NULL));
        assert_true(EVP_PKEY_assign_RSA(weak_key, rsa));
        BN_free(exponent);
    }
    return weak_key;
}

/* sign_again signs |der|, a certificate, anew with RSASSA-PSS. */
static struct mg_slice sign_again_with_pss(struct mg_slice der, EVP_PKEY *key, const EVP_MD *digest)
{
    const uint8_t *in = der.data;
    uint8_t *out = NULL;
    X509 *certificate = d2i_X509(NULL, &in, (long)der.len);
    EVP_PKEY_CTX *parameters;
    EVP_MD_CTX context;
    EVP_MD_CTX_init(&context);
    assert_true(EVP_DigestSignInit(&context, &parameters, digest, NULL, key));
    assert_true(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, -1));
    if (X509_sign_ctx(certificate, &context) <= 0) {
        assert_ptr_equal(digest, EVP_sha1());
        EVP_MD_CTX_cleanup(&context);
        X509_free(certificate);
        skip(); /* newer libraries do not make such a signature, nor verify one */
    }
    EVP_MD_CTX_cleanup(&context);
    int len = i2d_X509(certificate, &out);
    assert_true(len > 0);
    struct mg_buffer *made_again = &made[num_made++];
    mg_buffer_init(made_again, 1 << 20);
    mg_buffer_append(made_again, out, (size_t)len);
    OPENSSL_free(out);
    X509_free(certificate);
    return mg_buffer_slice(made_again);
}

/* ---- the store ---- */

static char directory[] = "/tmp/test_trust.XXXXXX";
static char store_path[64], bundle_path[64];
static struct intermediates *learned;
static struct trust *trust;
static struct mg_error trust_error;
static int64_t remember_seconds; /* known paths; 0: none */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static void write_pem(const char *path, const struct mg_slice *certificates, size_t num)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < num; i++) {
        assert_true(PEM_write(file, "CERTIFICATE", "", certificates[i].data, (long)certificates[i].len));
    }
    assert_int_equal(fclose(file), 0);
}

static enum mg_status new_trust(bool with_bundle)
{
    const struct config_tls config = {
        .trust_store = store_path,
        .intermediates = with_bundle ? bundle_path : "",
        .remember_chains = remember_seconds > 0,
        .remember_chain_ns = (uint64_t)remember_seconds * MG_NS_PER_SECOND,
    };
    trust_free(trust);
    trust = NULL;
    return trust_new(&trust, &config, 5, learned, &trust_error);
}

#define SLICES(...) ((const struct mg_slice[]){__VA_ARGS__})
#define NUM_SLICES(...) (sizeof(SLICES(__VA_ARGS__)) / sizeof(struct mg_slice))
#define TRUST_ROOTS(...)                                                                                               \
    do {                                                                                                               \
        const struct mg_slice roots[] = {__VA_ARGS__};                                                                 \
        write_pem(store_path, roots, MG_ARRAY_LEN(roots));                                                             \
        assert_int_equal(new_trust(false), MG_OK);                                                                     \
    } while (0)
#define TRUST_BUNDLE(...)                                                                                              \
    do {                                                                                                               \
        const struct mg_slice bundle[] = {__VA_ARGS__};                                                                \
        write_pem(bundle_path, bundle, MG_ARRAY_LEN(bundle));                                                          \
        assert_int_equal(new_trust(true), MG_OK);                                                                      \
    } while (0)

/* ---- verification ---- */

static int64_t valid_until;

static enum trust_verdict verify(const struct mg_slice *sent, size_t num, const char *name, int64_t now)
{
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    struct mimic *mimic = NULL;
    for (size_t i = 0; i < num; i++) {
        /* Of exactly their size, so that a sanitizer sees the first byte read past one. */
        assert_true(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(sent[i].data, sent[i].len, NULL)));
    }
    if (num == 0 || mimic_new(&mimic, sent[0], NULL) != MG_OK) {
        mimic = certs_mimic(&(struct certs_spec){.names = leaf_names, .num_names = MG_ARRAY_LEN(leaf_names)});
    }
    valid_until = -1;
    enum trust_verdict verdict = trust_verify(trust, chain, mimic, mg_slice_of_text(name), now, &valid_until);
    mimic_unref(mimic);
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
    return verdict;
}

static void check(enum trust_verdict verdict, enum trust_verdict expected)
{
    if (verdict != expected) {
        fail_msg("%s, not %s", trust_verdict_name(verdict), trust_verdict_name(expected));
    }
}

/* VERIFY checks the verdict on what is sent, for www.example at CERTS_NOW. */
#define VERIFY(expected, ...)                                                                                          \
    check(verify(SLICES(__VA_ARGS__), NUM_SLICES(__VA_ARGS__), "www.example", CERTS_NOW), expected)

static int start(void **state)
{
    (void)state;
    assert_int_equal(intermediates_new(&learned, 100), MG_OK);
    TRUST_ROOTS(root());
    return 0;
}

static int start_remembering(void **state)
{
    remember_seconds = 600;
    return start(state);
}

static int stop(void **state)
{
    (void)state;
    trust_free(trust);
    trust = NULL;
    remember_seconds = 0;
    intermediates_free(learned);
    while (num_made > 0) {
        mg_buffer_free(&made[--num_made]);
    }
    return 0;
}

static void test_a_good_chain_is_ok_until_its_first_end(void **state)
{
    (void)state;
    struct certs_spec spec = middle_spec();
    spec.not_after = CERTS_NOW + 10 * CERTS_DAY;
    VERIFY(TRUST_OK, leaf(), middle());
    assert_int_equal(valid_until, CERTS_NOW + 60 * CERTS_DAY);
    VERIFY(TRUST_OK, leaf(), make(&spec));
    assert_int_equal(valid_until, CERTS_NOW + 10 * CERTS_DAY);
    VERIFY(TRUST_OK, leaf(), middle(), root()); /* superfluous, and often sent */
    assert_int_equal(trust_generation(trust), 5);
}

static void test_the_end_of_the_root_counts_too(void **state)
{
    (void)state;
    struct certs_spec spec = root_spec();
    spec.not_after = CERTS_NOW + CERTS_DAY;
    TRUST_ROOTS(make(&spec));
    VERIFY(TRUST_OK, leaf(), middle());
    assert_int_equal(valid_until, CERTS_NOW + CERTS_DAY);
    spec.not_after = CERTS_NOW - CERTS_DAY;
    TRUST_ROOTS(make(&spec));
    VERIFY(TRUST_EXPIRED, leaf(), middle());
}

static enum trust_verdict at(int64_t now)
{
    return verify(SLICES(leaf(), middle()), 2, "www.example", now);
}

static void test_a_certificate_is_good_from_its_first_second_on_and_never_after_its_last(void **state)
{
    (void)state;
    check(at(CERTS_NOW - 30 * CERTS_DAY - 1), TRUST_NOT_YET_VALID);
    check(at(CERTS_NOW - 30 * CERTS_DAY), TRUST_OK);
    check(at(CERTS_NOW + 60 * CERTS_DAY - 1), TRUST_OK);
    check(at(CERTS_NOW + 60 * CERTS_DAY + 1), TRUST_EXPIRED);
}

static void test_an_expired_or_early_intermediate_makes_the_chain_so(void **state)
{
    (void)state;
    struct certs_spec spec = middle_spec();
    spec.not_after = CERTS_NOW - CERTS_DAY;
    VERIFY(TRUST_EXPIRED, leaf(), make(&spec));
    spec.not_before = CERTS_NOW + CERTS_DAY;
    spec.not_after = CERTS_NOW + 2 * CERTS_DAY;
    VERIFY(TRUST_NOT_YET_VALID, leaf(), make(&spec));
}

static enum trust_verdict named(const char *name)
{
    return verify(SLICES(leaf(), middle()), 2, name, CERTS_NOW);
}

/* RFC 9525 section 6.3 and 1.4.2. */
static void test_the_name_must_be_one_of_the_certificates_and_not_its_common_name(void **state)
{
    (void)state;
    check(named("www.example"), TRUST_OK);
    check(named("a.wild.example"), TRUST_OK);
    check(named("wild.example"), TRUST_WRONG_NAME);
    check(named("a.b.wild.example"), TRUST_WRONG_NAME);
    check(named("cn.example"), TRUST_WRONG_NAME);
    check(named("www.example.evil"), TRUST_WRONG_NAME);
    check(named(""), TRUST_OK); /* the client judges the names that the leaf copies */
}

static void test_a_bad_chain_is_told_before_a_wrong_name(void **state)
{
    (void)state;
    check(verify(SLICES(leaf(), middle()), 2, "other.example", CERTS_NOW + 61 * CERTS_DAY), TRUST_EXPIRED);
    check(verify(SLICES(leaf()), 1, "other.example", CERTS_NOW), TRUST_MISSING_INTERMEDIATE);
}

static void test_self_signed_and_unknown_issuers_are_told_apart(void **state)
{
    (void)state;
    struct certs_spec self = leaf_spec(), other_leaf = leaf_spec();
    self.issuer = self.subject;
    self.signer = self.key;
    VERIFY(TRUST_SELF_SIGNED, make(&self));
    VERIFY(TRUST_SELF_SIGNED, make(&self), middle());
    self.key_usage = CERTS_NO_KEY_USAGE;
    VERIFY(TRUST_SELF_SIGNED, make(&self));
    self.is_ca = true;
    self.path_len = -1;
    VERIFY(TRUST_SELF_SIGNED, make(&self));

    struct certs_spec other_root = authority("other root", OTHER_KEY, "other root", OTHER_KEY);
    struct certs_spec other_middle = authority("other middle", ROOT_KEY, "other root", OTHER_KEY);
    other_leaf.issuer = other_middle.subject;
    other_leaf.signer = other_middle.key;
    struct mg_slice certificate = make(&other_leaf);
    VERIFY(TRUST_UNKNOWN_ISSUER, certificate, make(&other_middle));
    VERIFY(TRUST_UNKNOWN_ISSUER, certificate, make(&other_middle), make(&other_root));
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), make(&other_middle)); /* one that has nothing to do with it */
    VERIFY(TRUST_MISSING_INTERMEDIATE, certificate);
}

/* An issuer of the right name with another key: a forger's chain. */
static void test_an_issuer_of_the_same_name_with_another_key_is_none(void **state)
{
    (void)state;
    struct certs_spec forged = leaf_spec(), forged_middle = authority("middle", OTHER_KEY, "root", OTHER_KEY);
    forged.signer = OTHER_KEY;
    VERIFY(TRUST_INVALID, make(&forged), middle());
    VERIFY(TRUST_INVALID, make(&forged), make(&forged_middle));
}

/* ---- intermediates that were not sent ---- */

static void test_a_missing_intermediate_comes_from_the_bundle(void **state)
{
    (void)state;
    VERIFY(TRUST_MISSING_INTERMEDIATE, leaf());
    TRUST_BUNDLE(make_of(authority("x", OTHER_KEY, "root", ROOT_KEY)), middle());
    VERIFY(TRUST_OK, leaf());
    check(verify(SLICES(leaf()), 1, "other.example", CERTS_NOW), TRUST_WRONG_NAME);
    check(verify(SLICES(leaf()), 1, "www.example", CERTS_NOW + 61 * CERTS_DAY), TRUST_EXPIRED);
}

static void test_an_intermediate_once_verified_fills_in_for_later_servers(void **state)
{
    (void)state;
    VERIFY(TRUST_MISSING_INTERMEDIATE, leaf());
    VERIFY(TRUST_OK, leaf(), middle());
    VERIFY(TRUST_OK, leaf());
    assert_int_equal(new_trust(false), MG_OK); /* a reload does not lose them */
    VERIFY(TRUST_OK, leaf());
    TRUST_ROOTS(make_of(authority("x", OTHER_KEY, "x", OTHER_KEY)));
    VERIFY(TRUST_MISSING_INTERMEDIATE, leaf()); /* but they are no roots */
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), middle());
}

static void test_the_bundle_holds_no_roots(void **state)
{
    (void)state;
    struct certs_spec other = authority("middle", OTHER_KEY, "middle", OTHER_KEY);
    struct certs_spec forged = leaf_spec();
    forged.signer = OTHER_KEY;
    TRUST_BUNDLE(make(&other));
    VERIFY(TRUST_UNKNOWN_ISSUER, make(&forged));
}

static void test_nothing_is_learned_from_a_bad_chain(void **state)
{
    (void)state;
    struct certs_spec weak = middle_spec();
    weak.digest = EVP_sha1();
    VERIFY(TRUST_WEAK_SIGNATURE, leaf(), make(&weak));
    VERIFY(TRUST_MISSING_INTERMEDIATE, leaf());
    check(verify(SLICES(leaf(), middle()), 2, "www.example", CERTS_NOW + 61 * CERTS_DAY), TRUST_EXPIRED);
    VERIFY(TRUST_MISSING_INTERMEDIATE, leaf());
}

/* chain_of makes the leaf and intermediate number |i|. */
static void chain_of(unsigned i, struct mg_slice out[2])
{
    char name[16];
    snprintf(name, sizeof(name), "middle %u", i);
    struct certs_spec issuer = authority(name, MIDDLE_KEY, "root", ROOT_KEY), spec = leaf_spec();
    spec.issuer = issuer.subject;
    out[0] = make(&spec);
    out[1] = make(&issuer);
}

static void test_learned_intermediates_are_bounded_and_the_oldest_gives_way(void **state)
{
    (void)state;
    struct mg_slice chains[3][2];
    intermediates_free(learned);
    assert_int_equal(intermediates_new(&learned, 2), MG_OK);
    assert_int_equal(new_trust(false), MG_OK);
    for (unsigned i = 0; i < 3; i++) {
        chain_of(i, chains[i]);
    }
    VERIFY(TRUST_OK, chains[0][0], chains[0][1]);
    VERIFY(TRUST_OK, chains[1][0], chains[1][1]);
    for (int i = 0; i < 5; i++) {
        VERIFY(TRUST_OK, chains[1][0], chains[1][1]); /* known: it takes no second place */
    }
    VERIFY(TRUST_OK, chains[0][0]);
    VERIFY(TRUST_OK, chains[1][0]);
    VERIFY(TRUST_OK, chains[2][0], chains[2][1]);
    VERIFY(TRUST_MISSING_INTERMEDIATE, chains[0][0]);
    VERIFY(TRUST_OK, chains[1][0]);
    VERIFY(TRUST_OK, chains[2][0]);
}

static void test_with_a_bound_of_none_nothing_is_learned(void **state)
{
    (void)state;
    intermediates_free(learned);
    assert_int_equal(intermediates_new(&learned, 0), MG_OK);
    assert_int_equal(new_trust(false), MG_OK);
    VERIFY(TRUST_OK, leaf(), middle());
    VERIFY(TRUST_MISSING_INTERMEDIATE, leaf());
}

/* ---- known paths ---- */

/* A path of two intermediates of which the upper one is sent only once: what is OK later is so by a known path. */
struct two_issuers {
    struct certs_spec upper;
    struct mg_slice lower;
};

static struct two_issuers two_issuers(void)
{
    intermediates_free(learned);
    assert_int_equal(intermediates_new(&learned, 0), MG_OK);
    remember_seconds = 600;
    assert_int_equal(new_trust(false), MG_OK);
    return (struct two_issuers){
        .upper = authority("upper", OTHER_KEY, "root", ROOT_KEY),
        .lower = make_of(authority("middle", MIDDLE_KEY, "upper", OTHER_KEY)),
    };
}

static void verify_at(enum trust_verdict expected, struct mg_slice end, struct mg_slice lower, int64_t now)
{
    check(verify(SLICES(end, lower), 2, "www.example", now), expected);
}

static void test_a_path_verified_a_moment_ago_is_good_for_the_next_leaf_and_not_for_long(void **state)
{
    (void)state;
    struct two_issuers two = two_issuers();
    struct certs_spec next = leaf_spec();
    next.key = OTHER_KEY;
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), two.lower);
    VERIFY(TRUST_OK, leaf(), two.lower, make(&two.upper));
    verify_at(TRUST_OK, leaf(), two.lower, CERTS_NOW);
    verify_at(TRUST_OK, make(&next), two.lower, CERTS_NOW + 599);
    verify_at(TRUST_UNKNOWN_ISSUER, make(&next), two.lower, CERTS_NOW + 600);
    VERIFY(TRUST_OK, leaf(), two.lower, make(&two.upper));
    assert_int_equal(new_trust(false), MG_OK); /* a reload forgets it */
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), two.lower);
}

static void test_a_known_path_ends_with_the_first_of_its_certificates(void **state)
{
    (void)state;
    struct two_issuers two = two_issuers();
    two.upper.not_after = CERTS_NOW + 100;
    VERIFY(TRUST_OK, leaf(), two.lower, make(&two.upper));
    VERIFY(TRUST_OK, leaf(), two.lower);
    assert_int_equal(valid_until, CERTS_NOW + 100);
    verify_at(TRUST_OK, leaf(), two.lower, CERTS_NOW + 100);
    verify_at(TRUST_UNKNOWN_ISSUER, leaf(), two.lower, CERTS_NOW + 101);
    struct certs_spec shorter = leaf_spec();
    shorter.not_after = CERTS_NOW + 50;
    VERIFY(TRUST_OK, make(&shorter), two.lower);
    assert_int_equal(valid_until, CERTS_NOW + 50);
    check(verify(SLICES(make(&shorter), two.lower, make(&two.upper)), 3, "www.example", CERTS_NOW + 51), TRUST_EXPIRED);
}

static void test_under_a_known_path_a_leaf_is_judged_as_under_any(void **state)
{
    (void)state;
    struct two_issuers two = two_issuers();
    struct certs_spec forged = leaf_spec(), weak = leaf_spec(), no_server = leaf_spec();
    forged.signer = OTHER_KEY;
    weak.digest = EVP_sha1();
    no_server.eku = "1.3.6.1.5.5.7.3.4";
    struct mg_slice upper = make(&two.upper);
    VERIFY(TRUST_OK, leaf(), two.lower, upper);
    VERIFY(TRUST_INVALID, make(&forged), two.lower, upper);
    VERIFY(TRUST_WEAK_SIGNATURE, make(&weak), two.lower, upper);
    VERIFY(TRUST_INVALID, make(&no_server), two.lower, upper);
    check(verify(SLICES(leaf(), two.lower), 2, "other.example", CERTS_NOW), TRUST_WRONG_NAME);
    /* The intermediate for a leaf, and another in its name. */
    VERIFY(TRUST_INVALID, two.lower, two.lower, upper);
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), make_of(authority("middle", OTHER_KEY, "upper", OTHER_KEY)));
    VERIFY(TRUST_OK, leaf(), two.lower);
}

static void test_a_path_whose_upper_part_constrains_names_is_not_known(void **state)
{
    (void)state;
    uint8_t permitted[64];
    size_t len = frame_hex(permitted, "3019 0603551d1e 0101ff 040f 300d a00b 3009 8207 6578616d706c65");
    struct two_issuers two = two_issuers();
    two.upper.raw_extensions = mg_slice_of(permitted, len);
    VERIFY(TRUST_OK, leaf(), two.lower, make(&two.upper));
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), two.lower);
}

static void test_of_a_bad_chain_no_path_is_known(void **state)
{
    (void)state;
    struct two_issuers two = two_issuers();
    struct certs_spec expired = leaf_spec();
    expired.not_after = CERTS_NOW - 1;
    two.upper.digest = EVP_sha1();
    VERIFY(TRUST_WEAK_SIGNATURE, leaf(), two.lower, make(&two.upper));
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), two.lower);
    two.upper.digest = NULL;
    VERIFY(TRUST_EXPIRED, make(&expired), two.lower, make(&two.upper));
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), two.lower);
}

/* ---- strength ---- */

/* rsa_chain makes a chain under an intermediate with an RSA key, signed with |leaf_digest| and |middle_digest|. */
static void rsa_chain(struct mg_slice out[2], const EVP_MD *leaf_digest, const EVP_MD *middle_digest)
{
    struct certs_spec issuer = authority("middle", certs_key(WIRE_KEY_RSA_2048, 0), "root", ROOT_KEY);
    struct certs_spec spec = leaf_spec();
    issuer.digest = middle_digest;
    spec.signer = certs_key(WIRE_KEY_RSA_2048, 0);
    spec.digest = leaf_digest;
    out[0] = make(&spec);
    out[1] = make(&issuer);
}

static void test_md5_and_sha1_are_weak_below_the_root(void **state)
{
    (void)state;
    struct mg_slice chain[2];
    rsa_chain(chain, EVP_sha256(), EVP_sha256());
    VERIFY(TRUST_OK, chain[0], chain[1]);
    rsa_chain(chain, EVP_sha384(), EVP_sha512());
    VERIFY(TRUST_OK, chain[0], chain[1]);
    rsa_chain(chain, EVP_sha1(), EVP_sha256());
    VERIFY(TRUST_WEAK_SIGNATURE, chain[0], chain[1]);
    rsa_chain(chain, EVP_md5(), EVP_sha256());
    VERIFY(TRUST_WEAK_SIGNATURE, chain[0], chain[1]);
    rsa_chain(chain, EVP_sha256(), EVP_sha1());
    VERIFY(TRUST_WEAK_SIGNATURE, chain[0], chain[1]);
    struct certs_spec spec = leaf_spec();
    spec.digest = EVP_sha1();
    VERIFY(TRUST_WEAK_SIGNATURE, make(&spec), middle());
}

/* RFC 4055 section 3.1: the parameters name the hash. */
static void test_sha1_under_rsa_pss_is_as_weak(void **state)
{
    (void)state;
    struct mg_slice chain[2];
    EVP_PKEY *key = certs_key(WIRE_KEY_RSA_2048, 0);
    rsa_chain(chain, EVP_sha256(), EVP_sha256());
    VERIFY(TRUST_OK, sign_again_with_pss(chain[0], key, EVP_sha256()), chain[1]);
    VERIFY(TRUST_OK, sign_again_with_pss(chain[0], key, EVP_sha512()), chain[1]);
    VERIFY(TRUST_WEAK_SIGNATURE, sign_again_with_pss(chain[0], key, EVP_sha1()), chain[1]);
}

/* Nothing rests on a root's signature on itself. */
static void test_a_root_may_have_signed_itself_with_sha1(void **state)
{
    (void)state;
    struct certs_spec spec = root_spec();
    spec.digest = EVP_sha1();
    TRUST_ROOTS(make(&spec));
    VERIFY(TRUST_OK, leaf(), middle());
}

static void test_short_keys_are_weak_wherever_they_are(void **state)
{
    (void)state;
    EVP_PKEY *p224 = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_secp224r1);
    assert_true(EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(p224, ec));
    struct certs_spec spec = leaf_spec();
    spec.key = rsa_1024();
    VERIFY(TRUST_WEAK_KEY, make(&spec), middle());
    spec.key = p224;
    VERIFY(TRUST_WEAK_KEY, make(&spec), middle());
    spec.key = certs_key(WIRE_KEY_RSA_2048, 1);
    VERIFY(TRUST_OK, make(&spec), middle());
    spec.key = certs_key(WIRE_KEY_EC_P384, 0);
    VERIFY(TRUST_OK, make(&spec), middle());

    struct certs_spec issuer = authority("middle", rsa_1024(), "root", ROOT_KEY);
    spec.signer = rsa_1024();
    VERIFY(TRUST_WEAK_KEY, make(&spec), make(&issuer));
    EVP_PKEY_free(p224);

    struct certs_spec weak_root = authority("root", rsa_1024(), "root", rsa_1024());
    TRUST_ROOTS(make(&weak_root));
    issuer = authority("middle", MIDDLE_KEY, "root", rsa_1024());
    VERIFY(TRUST_WEAK_KEY, leaf(), make(&issuer));
}

/* ---- what a certificate may be used for (RFC 5280 section 4.2.1, 6.1) ---- */

static void test_a_leaf_that_is_not_for_servers_is_invalid(void **state)
{
    (void)state;
    struct certs_spec spec = leaf_spec();
    spec.eku = NULL;
    VERIFY(TRUST_OK, make(&spec), middle());
    spec.eku = "1.3.6.1.5.5.7.3.2"; /* clientAuth */
    VERIFY(TRUST_INVALID, make(&spec), middle());
    spec.eku = "1.3.6.1.5.5.7.3.3"; /* codeSigning */
    VERIFY(TRUST_INVALID, make(&spec), middle());
}

static void test_an_issuer_that_may_not_issue_is_invalid(void **state)
{
    (void)state;
    struct certs_spec spec = middle_spec();
    spec.is_ca = false;
    VERIFY(TRUST_INVALID, leaf(), make(&spec));
    spec = middle_spec();
    spec.key_usage = CERTS_KEY_USAGE_END_ENTITY; /* without keyCertSign it is taken for no issuer at all */
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), make(&spec));
    spec = middle_spec();
    spec.eku = "1.3.6.1.5.5.7.3.3";
    VERIFY(TRUST_INVALID, leaf(), make(&spec));
    spec = middle_spec();
    spec.version_1 = true;
    VERIFY(TRUST_INVALID, leaf(), make(&spec));
    VERIFY(TRUST_OK, leaf(), middle());
}

/* A leaf of another customer of the same authority must not become one itself. */
static void test_a_leaf_is_no_issuer(void **state)
{
    (void)state;
    struct certs_spec under_leaf = leaf_spec();
    under_leaf.issuer = under_leaf.subject;
    under_leaf.subject = subject("another");
    under_leaf.key = OTHER_KEY;
    under_leaf.signer = LEAF_KEY;
    VERIFY(TRUST_UNKNOWN_ISSUER, make(&under_leaf), leaf(), middle());
    struct certs_spec usable = leaf_spec();
    usable.key_usage = CERTS_NO_KEY_USAGE;
    VERIFY(TRUST_INVALID, make(&under_leaf), make(&usable), middle());
}

static void test_a_path_longer_than_an_issuer_allows_is_invalid(void **state)
{
    (void)state;
    struct certs_spec upper = authority("upper", OTHER_KEY, "root", ROOT_KEY);
    struct certs_spec lower = authority("middle", MIDDLE_KEY, "upper", OTHER_KEY);
    VERIFY(TRUST_OK, leaf(), make(&lower), make(&upper));
    upper.path_len = 1;
    VERIFY(TRUST_OK, leaf(), make(&lower), make(&upper));
    upper.path_len = 0;
    VERIFY(TRUST_INVALID, leaf(), make(&lower), make(&upper));
}

static void test_name_constraints_hold(void **state)
{
    (void)state;
    /* An Extension: nameConstraints, critical, permitted dNSName "example" (section 4.2.1.10). */
    uint8_t permitted[64];
    size_t len = frame_hex(permitted, "3019 0603551d1e 0101ff 040f 300d a00b 3009 8207 6578616d706c65");
    struct certs_spec spec = middle_spec();
    spec.raw_extensions = mg_slice_of(permitted, len);
    VERIFY(TRUST_OK, leaf(), make(&spec));
    permitted[len - 1] = 'f';
    VERIFY(TRUST_INVALID, leaf(), make(&spec));
}

/* ---- what servers send ---- */

static void test_order_and_repetition_do_not_matter_behind_the_leaf(void **state)
{
    (void)state;
    struct certs_spec upper_spec = authority("upper", OTHER_KEY, "root", ROOT_KEY);
    struct certs_spec lower_spec = authority("middle", MIDDLE_KEY, "upper", OTHER_KEY);
    struct mg_slice lower = make(&lower_spec), upper = make(&upper_spec), end = leaf();
    VERIFY(TRUST_UNKNOWN_ISSUER, end, end, lower);
    VERIFY(TRUST_OK, end, upper, lower);
    VERIFY(TRUST_OK, end, root(), upper, end, lower, upper, lower);
}

static void test_a_cross_signed_issuer_is_found_by_either_path(void **state)
{
    (void)state;
    struct certs_spec old_root_spec = authority("old root", OTHER_KEY, "old root", OTHER_KEY);
    struct certs_spec cross_spec = authority("middle", MIDDLE_KEY, "old root", OTHER_KEY);
    struct certs_spec cross_root_spec = authority("root", ROOT_KEY, "old root", OTHER_KEY);
    struct mg_slice cross = make(&cross_spec), cross_root = make(&cross_root_spec), old_root = make(&old_root_spec);
    VERIFY(TRUST_OK, leaf(), middle(), cross_root);           /* the root, as another signed it */
    VERIFY(TRUST_OK, leaf(), middle(), cross_root, old_root); /* with that one, which nobody trusts */
    TRUST_ROOTS(old_root);
    VERIFY(TRUST_OK, leaf(), middle(), cross_root);
    VERIFY(TRUST_OK, leaf(), cross);
}

/* The server sends the path to a root that was given up; the other one is known here. */
static void test_a_path_that_is_known_here_replaces_a_sent_one_that_leads_nowhere(void **state)
{
    (void)state;
    struct certs_spec old_root = authority("old root", OTHER_KEY, "old root", OTHER_KEY);
    struct certs_spec cross = authority("middle", MIDDLE_KEY, "old root", OTHER_KEY);
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), make(&cross));
    VERIFY(TRUST_UNKNOWN_ISSUER, leaf(), make(&cross), make(&old_root));
    TRUST_BUNDLE(middle());
    VERIFY(TRUST_OK, leaf(), make(&cross));
    VERIFY(TRUST_OK, leaf(), make(&cross), make(&old_root));
}

static void test_an_expired_intermediate_here_does_not_stand_in_the_way_of_a_good_one(void **state)
{
    (void)state;
    struct certs_spec expired = authority("middle", MIDDLE_KEY, "upper", OTHER_KEY);
    struct certs_spec renewed = expired;
    struct certs_spec upper = authority("upper", OTHER_KEY, "root", ROOT_KEY);
    expired.not_after = CERTS_NOW - 1;
    TRUST_BUNDLE(make(&expired), make(&upper));
    VERIFY(TRUST_OK, leaf(), make(&renewed));
}

static void test_garbage_behind_the_leaf_is_passed_over_and_as_the_leaf_refused(void **state)
{
    (void)state;
    struct mg_slice end = leaf(), garbage = mg_slice_of_text("0\x82 this is no certificate"), empty = {NULL, 0};
    VERIFY(TRUST_OK, end, garbage, middle(), empty);
    VERIFY(TRUST_INVALID, garbage, middle());
    VERIFY(TRUST_INVALID, empty);
    VERIFY(TRUST_INVALID, mg_slice_of(end.data, end.len - 1), middle());
    check(verify(NULL, 0, "www.example", CERTS_NOW), TRUST_INVALID);
    uint8_t *longer = malloc(end.len + 1);
    memcpy(longer, end.data, end.len);
    longer[end.len] = 0;
    VERIFY(TRUST_INVALID, mg_slice_of(longer, end.len + 1), middle());
    free(longer);
}

static void test_one_changed_byte_of_a_leaf_is_never_ok(void **state)
{
    (void)state;
    struct mg_slice end = leaf(), issuer = middle();
    for (size_t i = 0; i < end.len; i++) {
        uint8_t *changed = frame_exact(end.data, end.len);
        changed[i] ^= 0x01;
        enum trust_verdict verdict = verify(SLICES(mg_slice_of(changed, end.len), issuer), 2, "", CERTS_NOW);
        free(changed);
        assert_int_not_equal(verdict, TRUST_OK);
    }
}

static void test_as_many_certificates_as_the_bound_says_and_no_more(void **state)
{
    (void)state;
    struct mg_slice sent[MAX_SENT], end = leaf(), issuer = middle();
    for (size_t i = 0; i < MAX_SENT; i++) {
        sent[i] = i == 0 ? end : issuer;
    }
    check(verify(sent, 16, "www.example", CERTS_NOW), TRUST_OK);
    check(verify(sent, 17, "www.example", CERTS_NOW), TRUST_INVALID);
    check(verify(sent, MAX_SENT, "www.example", CERTS_NOW), TRUST_INVALID);
}

/* ---- files ---- */

static void assert_refused(const char *part)
{
    assert_int_equal(new_trust(true), MG_INVALID);
    if (strstr(trust_error.text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, trust_error.text);
    }
}

static void test_a_bad_file_is_refused_with_its_key_and_certificate(void **state)
{
    (void)state;
    struct mg_slice good = root();
    write_pem(bundle_path, &good, 1);
    write_text(store_path, "");
    assert_refused("tls.trust_store");
    write_text(store_path, "no certificate here\n");
    assert_refused("holds no PEM certificate");
    write_text(store_path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_refused("certificate 1 cannot be read");
    write_text(store_path, "-----BEGIN CERTIFICATE-----\nMIIB");
    assert_refused("certificate 1 cannot be read");
    write_pem(store_path, SLICES(good, mg_slice_of_text("garbage")), 2);
    assert_refused("certificate 2 cannot be read");
    write_pem(store_path, &good, 1);
    write_text(bundle_path, "nothing\n");
    assert_refused("tls.intermediates");
    unlink(store_path);
    assert_int_equal(new_trust(false), MG_NOT_FOUND);
    assert_non_null(strstr(trust_error.text, "tls.trust_store"));
}

static void test_comments_and_repeated_roots_are_fine(void **state)
{
    (void)state;
    struct mg_slice good = root();
    write_pem(store_path, SLICES(good, good), 2);
    FILE *file = fopen(store_path, "a");
    assert_true(fputs("\n# and a comment at the end\n", file) >= 0);
    fclose(file);
    assert_int_equal(new_trust(false), MG_OK);
    VERIFY(TRUST_OK, leaf(), middle());
}

static void test_every_verdict_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < TRUST_NUM_VERDICTS; i++) {
        assert_non_null(trust_verdict_name((enum trust_verdict)i));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(trust_verdict_name((enum trust_verdict)i),
                                    trust_verdict_name((enum trust_verdict)j));
        }
    }
}

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(store_path, sizeof(store_path), "%s/store.pem", directory);
    snprintf(bundle_path, sizeof(bundle_path), "%s/bundle.pem", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    EVP_PKEY_free(weak_key);
    unlink(store_path);
    unlink(bundle_path);
    return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
/* What is known must change no verdict. */
#define TEST_BOTH(name) TEST(name), cmocka_unit_test_setup_teardown(name, start_remembering, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_a_good_chain_is_ok_until_its_first_end),
        TEST_BOTH(test_the_end_of_the_root_counts_too),
        TEST_BOTH(test_a_certificate_is_good_from_its_first_second_on_and_never_after_its_last),
        TEST_BOTH(test_an_expired_or_early_intermediate_makes_the_chain_so),
        TEST_BOTH(test_the_name_must_be_one_of_the_certificates_and_not_its_common_name),
        TEST_BOTH(test_a_bad_chain_is_told_before_a_wrong_name),
        TEST_BOTH(test_self_signed_and_unknown_issuers_are_told_apart),
        TEST_BOTH(test_an_issuer_of_the_same_name_with_another_key_is_none),
        TEST_BOTH(test_a_missing_intermediate_comes_from_the_bundle),
        TEST_BOTH(test_an_intermediate_once_verified_fills_in_for_later_servers),
        TEST_BOTH(test_the_bundle_holds_no_roots),
        TEST_BOTH(test_nothing_is_learned_from_a_bad_chain),
        TEST_BOTH(test_learned_intermediates_are_bounded_and_the_oldest_gives_way),
        TEST_BOTH(test_with_a_bound_of_none_nothing_is_learned),
        TEST(test_a_path_verified_a_moment_ago_is_good_for_the_next_leaf_and_not_for_long),
        TEST(test_a_known_path_ends_with_the_first_of_its_certificates),
        TEST(test_under_a_known_path_a_leaf_is_judged_as_under_any),
        TEST(test_a_path_whose_upper_part_constrains_names_is_not_known),
        TEST(test_of_a_bad_chain_no_path_is_known),
        TEST_BOTH(test_md5_and_sha1_are_weak_below_the_root),
        TEST_BOTH(test_sha1_under_rsa_pss_is_as_weak),
        TEST_BOTH(test_a_root_may_have_signed_itself_with_sha1),
        TEST_BOTH(test_short_keys_are_weak_wherever_they_are),
        TEST_BOTH(test_a_leaf_that_is_not_for_servers_is_invalid),
        TEST_BOTH(test_an_issuer_that_may_not_issue_is_invalid),
        TEST_BOTH(test_a_leaf_is_no_issuer),
        TEST_BOTH(test_a_path_longer_than_an_issuer_allows_is_invalid),
        TEST_BOTH(test_name_constraints_hold),
        TEST_BOTH(test_order_and_repetition_do_not_matter_behind_the_leaf),
        TEST_BOTH(test_a_cross_signed_issuer_is_found_by_either_path),
        TEST_BOTH(test_a_path_that_is_known_here_replaces_a_sent_one_that_leads_nowhere),
        TEST_BOTH(test_an_expired_intermediate_here_does_not_stand_in_the_way_of_a_good_one),
        TEST_BOTH(test_garbage_behind_the_leaf_is_passed_over_and_as_the_leaf_refused),
        TEST_BOTH(test_one_changed_byte_of_a_leaf_is_never_ok),
        TEST_BOTH(test_as_many_certificates_as_the_bound_says_and_no_more),
        TEST(test_a_bad_file_is_refused_with_its_key_and_certificate),
        TEST(test_comments_and_repeated_roots_are_fine),
        TEST(test_every_verdict_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
