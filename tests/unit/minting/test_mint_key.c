/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certs.h"
#include "minting/mint_key.h"

static const struct certs_name server[] = {CERTS_DNS("*.example.com"), CERTS_DNS("www.bank.example")};
static const struct mg_slice no_name;

static struct mimic *mimic, *other_mimic;

static int setup(void **state)
{
    (void)state;
    mimic = certs_mimic(&(struct certs_spec){.names = server, .num_names = 2});
    other_mimic = certs_mimic(&(struct certs_spec){.names = server, .num_names = 1});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mimic_unref(mimic);
    mimic_unref(other_mimic);
    return 0;
}

static bool drop_one(void *arg, enum mimic_name_kind kind, struct mg_slice name)
{
    (void)kind;
    return !mg_slice_equal(name, mg_slice_of_text(arg));
}

/* The key for what a client asks for. |dropped| is a name that policy drops, or NULL. */
static struct mint_key key_of(struct mimic *of, uint64_t generation, enum leaf_key_type type, enum mimic_name_kind kind,
                              struct mg_slice required, char *dropped)
{
    const struct issuer issuer = {.generation = generation};
    struct leaf_names names;
    leaf_names_decide(&names, of, kind, required, dropped != NULL ? drop_one : NULL, dropped);
    struct mint_key key;
    mint_key_build(&key, &issuer, type, &names);
    return key;
}

static bool same(struct mint_key a, struct mint_key b)
{
    return mg_slice_equal(mint_key_slice(&a), mint_key_slice(&b));
}

static struct mint_key key_for_host(const char *host)
{
    return key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, mg_slice_of_text(host), NULL);
}

static void test_all_names_that_the_server_covers_share_one_leaf(void **state)
{
    (void)state;
    assert_true(same(key_for_host("a.example.com"), key_for_host("b.example.com")));
    assert_true(same(key_for_host("a.example.com"), key_for_host("www.bank.example")));
    assert_true(same(key_for_host("a.example.com"), key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, NULL)));
}

static void test_a_name_that_must_be_added_has_a_leaf_of_its_own(void **state)
{
    (void)state;
    assert_false(same(key_for_host("a.example.com"), key_for_host("a.example.org")));
    assert_false(same(key_for_host("a.example.org"), key_for_host("b.example.org")));
    assert_true(same(key_for_host("a.example.org"), key_for_host("a.example.org")));
    /* A name and an address of the same bytes. */
    assert_false(same(key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, mg_slice_of_text("abcd"), NULL),
                      key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_IP, mg_slice_of_text("abcd"), NULL)));
}

/* Scar: stale leaves kept being served after the CA changed. */
static void test_scar_another_issuer_generation_is_another_key(void **state)
{
    (void)state;
    struct mint_key first = key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, NULL);
    struct mint_key second = key_of(mimic, 2, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, NULL);
    assert_false(same(first, second));
    assert_int_equal(mint_key_generation(mint_key_slice(&first)), 1);
    assert_int_equal(mint_key_generation(mint_key_slice(&second)), 2);
    assert_int_equal(mint_key_generation(mg_slice_of("", 0)), 0);
}

static void test_another_certificate_or_key_type_is_another_key(void **state)
{
    (void)state;
    struct mint_key key = key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, NULL);
    assert_false(same(key, key_of(other_mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, NULL)));
    assert_false(same(key, key_of(mimic, 1, LEAF_KEY_RSA_2048, MIMIC_NAME_DNS, no_name, NULL)));
}

static void test_each_set_of_dropped_names_is_another_key(void **state)
{
    (void)state;
    char bank[] = "www.bank.example", wildcard[] = "*.example.com", none[] = "unrelated.example";
    struct mint_key all = key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, NULL);
    struct mint_key no_bank = key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, bank);
    struct mint_key no_wildcard = key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, wildcard);
    assert_false(same(all, no_bank));
    assert_false(same(all, no_wildcard));
    assert_false(same(no_bank, no_wildcard));
    assert_true(same(all, key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, none)));
    /* A name that only the dropped wildcard covered. */
    assert_false(same(no_wildcard,
                      key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, mg_slice_of_text("a.example.com"), wildcard)));
}

static void test_a_dropped_subject_is_another_key(void **state)
{
    (void)state;
    struct leaf_names names = {.mimic = mimic};
    const struct issuer issuer = {.generation = 1};
    struct mint_key with, without;
    mint_key_build(&with, &issuer, LEAF_KEY_EC_P256, &names);
    names.drops_subject = true;
    mint_key_build(&without, &issuer, LEAF_KEY_EC_P256, &names);
    assert_false(same(with, without));
}

static void test_the_largest_key_fits(void **state)
{
    (void)state;
    struct mimic large = {.num_names = MIMIC_MAX_NAMES};
    char host[DNS_NAME_MAX_LEN];
    memset(host, 'a', sizeof(host));
    const struct leaf_names names = {.mimic = &large, .num_dropped = 1, .added = mg_slice_of(host, sizeof(host))};
    const struct issuer issuer = {.generation = 1};
    struct mint_key key;
    mint_key_build(&key, &issuer, LEAF_KEY_EC_P256, &names);
    assert_int_equal(key.len, MINT_KEY_MAX_LEN);
}

static void test_a_key_says_what_to_mint_under_another_issuer(void **state)
{
    (void)state;
    char wildcard[] = "*.example.com", address[] = {10, 1, 2, 3};
    const struct mint_key keys[] = {
        key_for_host("a.example.com"),
        key_for_host("a.example.org"),
        key_of(mimic, 1, LEAF_KEY_RSA_2048, MIMIC_NAME_IP, mg_slice_of(address, sizeof(address)), NULL),
        key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, mg_slice_of_text("a.example.com"), wildcard),
    };
    const struct issuer other = {.generation = 2};
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        struct leaf_names names;
        enum leaf_key_type type;
        struct mint_key again;
        assert_true(mint_key_parse(&names, &type, mint_key_slice(&keys[i]), mimic));
        mint_key_build(&again, &other, type, &names);
        assert_int_equal(mint_key_generation(mint_key_slice(&again)), 2);
        assert_int_equal(again.len, keys[i].len);
        assert_memory_equal(again.bytes + 8, keys[i].bytes + 8, again.len - 8);
    }
}

static void test_a_key_of_another_certificate_or_cut_short_is_none(void **state)
{
    (void)state;
    char wildcard[] = "*.example.com";
    struct mint_key key = key_of(mimic, 1, LEAF_KEY_EC_P256, MIMIC_NAME_DNS, no_name, wildcard);
    struct leaf_names names;
    enum leaf_key_type type;
    assert_true(mint_key_parse(&names, &type, mint_key_slice(&key), mimic));
    assert_false(mint_key_parse(&names, &type, mint_key_slice(&key), other_mimic));
    for (size_t len = 0; len < key.len; len++) {
        assert_false(mint_key_parse(&names, &type, mg_slice_of(key.bytes, len), mimic));
    }
    key.bytes[8 + MIMIC_FINGERPRINT_LEN] = LEAF_KEY_NUM_TYPES;
    assert_false(mint_key_parse(&names, &type, mint_key_slice(&key), mimic));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_names_that_the_server_covers_share_one_leaf),
        cmocka_unit_test(test_a_name_that_must_be_added_has_a_leaf_of_its_own),
        cmocka_unit_test(test_scar_another_issuer_generation_is_another_key),
        cmocka_unit_test(test_another_certificate_or_key_type_is_another_key),
        cmocka_unit_test(test_each_set_of_dropped_names_is_another_key),
        cmocka_unit_test(test_a_dropped_subject_is_another_key),
        cmocka_unit_test(test_the_largest_key_fits),
        cmocka_unit_test(test_a_key_says_what_to_mint_under_another_issuer),
        cmocka_unit_test(test_a_key_of_another_certificate_or_cut_short_is_none),
    };
    return cmocka_run_group_tests_name("mint_key", tests, setup, teardown);
}
