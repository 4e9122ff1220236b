/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on chains as servers send them, and the files of the store. */
#include "trust_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
