/* SPDX-License-Identifier: Apache-2.0 */
/* Intermediates that were not sent, and paths that are known. */
#include "trust_fixture.h"

#include <stdio.h>

#include <openssl/evp.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
