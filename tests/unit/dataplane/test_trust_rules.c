/* SPDX-License-Identifier: Apache-2.0 */
/* How strong a certificate has to be, and what it may be used for (RFC 5280 section 4.2.1, 6.1). */
#include "trust_fixture.h"

#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* sign_again_with_pss signs |der|, a certificate, anew with RSASSA-PSS. */
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
    struct mg_slice again = keep(out, (size_t)len);
    OPENSSL_free(out);
    X509_free(certificate);
    return again;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_md5_and_sha1_are_weak_below_the_root),
        TEST_BOTH(test_sha1_under_rsa_pss_is_as_weak),
        TEST_BOTH(test_a_root_may_have_signed_itself_with_sha1),
        TEST_BOTH(test_short_keys_are_weak_wherever_they_are),
        TEST_BOTH(test_a_leaf_that_is_not_for_servers_is_invalid),
        TEST_BOTH(test_an_issuer_that_may_not_issue_is_invalid),
        TEST_BOTH(test_a_leaf_is_no_issuer),
        TEST_BOTH(test_a_path_longer_than_an_issuer_allows_is_invalid),
        TEST_BOTH(test_name_constraints_hold),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
