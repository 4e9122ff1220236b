/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/name_set.h"

#define MAX_PATTERNS 8

/* build makes a set of |patterns|, which end with NULL. */
static enum mg_status build(struct name_set *set, struct mg_error *error, const char *const *patterns)
{
    const char *items[MAX_PATTERNS];
    struct config_strings strings = {.items = items};
    for (; patterns[strings.num_items] != NULL; strings.num_items++) {
        assert_in_range(strings.num_items, 0, MAX_PATTERNS - 1);
        items[strings.num_items] = patterns[strings.num_items];
    }
    return name_set_build(set, &strings, error);
}
#define PATTERNS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct name_set set_of(const char *const *patterns)
{
    struct name_set set;
    struct mg_error error;
    enum mg_status status = build(&set, &error, patterns);
    if (status != MG_OK) {
        print_message("%s\n", error.text);
    }
    assert_int_equal(status, MG_OK);
    return set;
}

static void assert_matches(const struct name_set *set, const char *name, bool expected)
{
    if (name_set_matches(set, mg_slice_of_text(name)) != expected) {
        fail_msg("'%s' should %smatch", name, expected ? "" : "not ");
    }
}

static void assert_zero(const struct name_set *set)
{
    static const struct name_set zero;
    assert_memory_equal(set, &zero, sizeof(zero));
}

static void test_without_patterns_every_flow_matches(void **state)
{
    (void)state;
    struct name_set set;
    assert_int_equal(build(&set, NULL, (const char *const[]){NULL}), MG_OK);
    assert_matches(&set, "", true);
    assert_matches(&set, "a.example", true);
    name_set_clear(&set);
    assert_zero(&set);
}

static void test_an_exact_name_is_that_name_alone(void **state)
{
    (void)state;
    struct name_set set = set_of(PATTERNS("b.example", "a.example", "example"));
    const char *const in[] = {"a.example", "b.example", "example"};
    const char *const out[] = {"",  "c.example", "a.example2", "a.exampl",          "aa.example", "x.a.example",
                               "a", "0.example", "zz",         "a.examplex.example"};
    for (size_t i = 0; i < MG_ARRAY_LEN(in); i++) {
        assert_matches(&set, in[i], true);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(out); i++) {
        assert_matches(&set, out[i], false);
    }
    name_set_clear(&set);
}

static void test_a_suffix_takes_any_depth_but_neither_itself_nor_part_of_a_label(void **state)
{
    (void)state;
    struct name_set set = set_of(PATTERNS("*.bank.example", "*.z"));
    assert_matches(&set, "www.bank.example", true);
    assert_matches(&set, "a.b.c.d.e.bank.example", true);
    assert_matches(&set, "deep.under.z", true);
    assert_matches(&set, "bank.example", false);
    assert_matches(&set, "evilbank.example", false);
    assert_matches(&set, "bank.example.evil", false);
    assert_matches(&set, "www.bank.example.evil", false);
    assert_matches(&set, "z", false);
    assert_matches(&set, "", false);
    name_set_clear(&set);
}

static void test_none_is_a_flow_without_a_name(void **state)
{
    (void)state;
    struct name_set set = set_of(PATTERNS("none"));
    assert_matches(&set, "", true);
    assert_matches(&set, "none", false);
    assert_matches(&set, "a.example", false);
    name_set_clear(&set);
    set = set_of(PATTERNS("a.example", "none", "*.b.example"));
    assert_matches(&set, "", true);
    assert_matches(&set, "a.example", true);
    assert_matches(&set, "x.b.example", true);
    assert_matches(&set, "c.example", false);
    name_set_clear(&set);
}

static void test_patterns_are_canonical_as_names_are(void **state)
{
    (void)state;
    struct name_set set = set_of(PATTERNS("WWW.Example.", "*.CDN.example.", "_dmarc.example"));
    assert_matches(&set, "www.example", true);
    assert_matches(&set, "a.cdn.example", true);
    assert_matches(&set, "_dmarc.example", true);
    name_set_clear(&set);
}

/* RFC 5891 section 4, and UTS 46 without its transitional mapping: as browsers look names up. */
static void test_unicode_names_are_their_a_labels(void **state)
{
    (void)state;
    struct name_set set =
        set_of(PATTERNS("m\xc3\xbcnchen.example",
                        "*.B\xc3\x9c"
                        "CHER.example",
                        "fa\xc3\x9f.example", "\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82jp", "xn--caf-dma.example"));
    assert_matches(&set, "xn--mnchen-3ya.example", true);
    assert_matches(&set, "www.xn--bcher-kva.example", true);
    assert_matches(&set, "xn--fa-hia.example", true);
    assert_matches(&set, "fass.example", false);
    assert_matches(&set, "xn--wgv71a.jp", true);
    assert_matches(&set, "xn--caf-dma.example", true);
    name_set_clear(&set);
}

/* Names that no registry gives out but that servers have, and clients connect to (minting/names.h). */
static void test_hyphens_anywhere_are_taken_as_clients_send_them(void **state)
{
    (void)state;
    struct name_set set =
        set_of(PATTERNS("r3---sn-4g5e6nz.video.example", "-a.example", "*.b-.example", "xn--a.example"));
    assert_matches(&set, "r3---sn-4g5e6nz.video.example", true);
    assert_matches(&set, "-a.example", true);
    assert_matches(&set, "x.b-.example", true);
    assert_matches(&set, "xn--a.example", true);
    name_set_clear(&set);
}

static void test_what_is_no_name_is_refused_and_named(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "*",
        "*.",
        ".",
        "a..example",
        ".example",
        "*.*.example",
        "a.*.example",
        "w*.example",
        "a b",
        "a,b",
        "a/b",
        "192.0.2.1",
        "::1",
        "10",
        "a.\xff.example",
        "*.none.1",
        "\xc3\xbc b",
        "a\tb",
        "xn--\xc3\xbc.example",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct name_set set;
        struct mg_error error = {""};
        if (build(&set, &error, PATTERNS("good.example", "*.good.example", bad[i], "late.example")) != MG_INVALID) {
            fail_msg("'%s' was taken", bad[i]);
        }
        assert_zero(&set);
        const char *name = strncmp(bad[i], "*.", 2) == 0 ? bad[i] + 2 : bad[i];
        if (strstr(error.text, name) == NULL) {
            fail_msg("'%s' is not named: %s", bad[i], error.text);
        }
    }
}

static void test_a_name_of_the_greatest_length_matches_and_a_longer_one_is_refused(void **state)
{
    (void)state;
    char name[300];
    size_t len = 0;
    while (len < 250) {
        len += (size_t)snprintf(name + len, sizeof(name) - len, "abcdefghi.");
    }
    snprintf(name + len, sizeof(name) - len, "abc"); /* 253 */
    struct name_set set = set_of(PATTERNS(name));
    assert_matches(&set, name, true);
    name_set_clear(&set);
    strcat(name, "d");
    assert_int_equal(build(&set, NULL, PATTERNS(name)), MG_INVALID);
}

/* ---- overlap with the names of a wildcard ---- */

static enum name_set_overlap overlap(const struct name_set *set, const char *domain)
{
    return name_set_overlap(set, mg_slice_of_text(domain));
}

static void test_overlap_says_how_many_names_of_a_wildcard_are_meant(void **state)
{
    (void)state;
    struct name_set any = {.any = true};
    assert_int_equal(overlap(&any, "example"), NAME_SET_ALL);
    struct name_set none = set_of(PATTERNS("none"));
    assert_int_equal(overlap(&none, "example"), NAME_SET_DISJOINT);
    name_set_clear(&none);

    struct name_set set = set_of(PATTERNS("a.one.example", "deep.two.three.example", "*.four.example"));
    assert_int_equal(overlap(&set, "one.example"), NAME_SET_SOME);
    assert_int_equal(overlap(&set, "two.three.example"), NAME_SET_SOME);
    assert_int_equal(overlap(&set, "three.example"), NAME_SET_DISJOINT);
    assert_int_equal(overlap(&set, "a.one.example"), NAME_SET_DISJOINT);
    assert_int_equal(overlap(&set, "four.example"), NAME_SET_ALL);
    assert_int_equal(overlap(&set, "x.four.example"), NAME_SET_ALL);
    assert_int_equal(overlap(&set, "example"), NAME_SET_DISJOINT); /* four.example itself is not in the suffix */
    assert_int_equal(overlap(&set, "xfour.example"), NAME_SET_DISJOINT);
    name_set_clear(&set);
}

/* ---- against the plainest reading of the patterns ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static bool naive_matches(const char *const *patterns, const char *name)
{
    for (size_t i = 0; patterns[i] != NULL; i++) {
        const char *pattern = patterns[i];
        if (strcmp(pattern, "none") == 0 ? name[0] == '\0'
            : pattern[0] == '*'          ? ends_with(name, pattern + 1)
                                         : strcmp(pattern, name) == 0) {
            return true;
        }
    }
    return patterns[0] == NULL;
}

/* random_name writes up to four labels of a tiny alphabet, so that names meet. */
static void random_name(char *out, uint64_t *seed)
{
    size_t len = 0;
    for (uint32_t labels = 1 + test_random_below(seed, 4); labels > 0; labels--) {
        for (uint32_t letters = 1 + test_random_below(seed, 2); letters > 0; letters--) {
            out[len++] = "ab-"[test_random_below(seed, 3)];
        }
        out[len++] = '.';
    }
    out[len - 1] = '\0';
}

static void random_pattern(char *out, uint64_t *seed)
{
    switch (test_random_below(seed, 8)) {
    case 0:
        strcpy(out, "none");
        break;
    case 1:
    case 2:
    case 3:
        strcpy(out, "*.");
        random_name(out + 2, seed);
        break;
    default:
        random_name(out, seed);
    }
}

static void test_random_sets_match_as_the_plainest_reading_does(void **state)
{
    (void)state;
    uint64_t seed = 20261121;
    for (int round = 0; round < 20000; round++) {
        char texts[MAX_PATTERNS][32], name[32];
        const char *patterns[MAX_PATTERNS + 1] = {NULL};
        uint32_t num = test_random_below(&seed, MAX_PATTERNS);
        for (uint32_t i = 0; i < num; i++) {
            random_pattern(texts[i], &seed);
            patterns[i] = texts[i];
        }
        struct name_set set = set_of(patterns);
        for (int i = 0; i < 10; i++) {
            random_name(name, &seed);
            assert_matches(&set, name, naive_matches(patterns, name));
        }
        assert_matches(&set, "", naive_matches(patterns, ""));
        name_set_clear(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_patterns_every_flow_matches),
        cmocka_unit_test(test_an_exact_name_is_that_name_alone),
        cmocka_unit_test(test_a_suffix_takes_any_depth_but_neither_itself_nor_part_of_a_label),
        cmocka_unit_test(test_none_is_a_flow_without_a_name),
        cmocka_unit_test(test_patterns_are_canonical_as_names_are),
        cmocka_unit_test(test_unicode_names_are_their_a_labels),
        cmocka_unit_test(test_hyphens_anywhere_are_taken_as_clients_send_them),
        cmocka_unit_test(test_what_is_no_name_is_refused_and_named),
        cmocka_unit_test(test_a_name_of_the_greatest_length_matches_and_a_longer_one_is_refused),
        cmocka_unit_test(test_overlap_says_how_many_names_of_a_wildcard_are_meant),
        cmocka_unit_test(test_random_sets_match_as_the_plainest_reading_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
