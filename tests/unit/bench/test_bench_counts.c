/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_percentiles_of_small_values_are_exact(void **state)
{
    (void)state;
    static struct histogram histogram;
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_add(&histogram, value);
    }
    assert_int_equal(histogram_percentile(&histogram, 50), 50);
    assert_int_equal(histogram_percentile(&histogram, 99), 99);
    assert_int_equal(histogram_percentile(&histogram, 99.9), 100);
    assert_int_equal(histogram_percentile(&histogram, 100), 100);
    assert_int_equal(histogram.max, 100);
}

static void test_any_value_comes_back_within_one_part_in_128(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < UINT64_C(1) << 38; value = value * 5 / 4 + 1) {
        struct histogram *histogram = calloc(1, sizeof(*histogram));
        histogram_add(histogram, value);
        uint64_t seen = histogram_percentile(histogram, 50);
        assert_true(seen <= value);
        assert_true(value - seen <= value / HISTOGRAM_SUB_BUCKETS);
        free(histogram);
    }
}

static void test_a_value_beyond_the_last_bucket_is_counted_there(void **state)
{
    (void)state;
    static struct histogram histogram;
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.count, 1);
    assert_int_equal(histogram.buckets[HISTOGRAM_NUM_BUCKETS - 1], 1);
    assert_true(histogram_percentile(&histogram, 50) > UINT64_C(1) << 38);
}

static void test_merged_histograms_are_as_one(void **state)
{
    (void)state;
    static struct histogram odd, even;
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_add(value % 2 == 1 ? &odd : &even, value);
    }
    histogram_merge(&odd, &even);
    assert_int_equal(odd.count, 100);
    assert_int_equal(histogram_percentile(&odd, 50), 50);
    assert_int_equal(odd.max, 100);
}

static void test_an_empty_histogram_has_percentile_zero(void **state)
{
    (void)state;
    static struct histogram histogram;
    assert_int_equal(histogram_percentile(&histogram, 99), 0);
}

static struct digest digest_of_number(uint64_t number)
{
    struct digest digest = {.bytes = {1}};
    uint64_t spread = number * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(digest.bytes, &spread, sizeof(spread));
    memcpy(digest.bytes + 8, &number, sizeof(number));
    digest.bytes[15] = 1; /* never all zeros */
    return digest;
}

static void test_a_set_counts_each_digest_once_while_it_grows(void **state)
{
    (void)state;
    struct digest_set set = {.count = 0};
    for (uint64_t i = 0; i < 15000; i++) {
        struct digest digest = digest_of_number(i % 5000);
        digest_set_add(&set, &digest);
    }
    assert_int_equal(set.count, 5000);
    digest_set_free(&set);
}

static void test_digests_of_one_slot_are_kept_apart(void **state)
{
    (void)state;
    struct digest_set set = {.count = 0};
    struct digest first = digest_of_number(7), second = first;
    second.bytes[14] ^= 1; /* beyond what chooses the slot */
    digest_set_add(&set, &first);
    digest_set_add(&set, &second);
    digest_set_add(&set, &first);
    assert_int_equal(set.count, 2);
    digest_set_free(&set);
}

static void test_merged_sets_have_what_is_in_both_once(void **state)
{
    (void)state;
    struct digest_set a = {.count = 0}, b = {.count = 0};
    for (uint64_t i = 0; i < 100; i++) {
        struct digest of_a = digest_of_number(i), of_b = digest_of_number(i + 50);
        digest_set_add(&a, &of_a);
        digest_set_add(&b, &of_b);
    }
    digest_set_merge(&a, &b);
    assert_int_equal(a.count, 150);
    digest_set_free(&a);
    digest_set_free(&b);
}

static void test_words_beyond_the_bound_are_counted_together(void **state)
{
    (void)state;
    static struct word_counts counts;
    for (int i = 0; i < WORD_COUNTS_MAX + 3; i++) {
        char word[16];
        snprintf(word, sizeof(word), "word %d", i);
        word_counts_add(&counts, word, 2);
    }
    assert_int_equal(counts.num_entries, WORD_COUNTS_MAX);
    assert_int_equal(counts.num_others, 6);
    assert_int_equal(word_counts_get(&counts, "word 0"), 2);
    assert_int_equal(word_counts_get(&counts, "word 66"), 0);
}

static void test_a_word_too_long_is_cut_and_found_again(void **state)
{
    (void)state;
    static struct word_counts counts;
    char word[WORD_COUNTS_MAX_LEN + 50];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    word_counts_add(&counts, word, 1);
    word_counts_add(&counts, word, 1);
    assert_int_equal(counts.num_entries, 1);
    assert_int_equal(strlen(counts.entries[0].word), WORD_COUNTS_MAX_LEN);
    assert_int_equal(word_counts_get(&counts, word), 2);
}

static void add_record(struct tally *tally, const char *result, double finished_at, uint64_t total_us)
{
    const struct tally_record record = {.result = result, .finished_at = finished_at, .total_us = total_us};
    tally_add(tally, &record);
}

static void test_failures_have_no_part_in_latencies(void **state)
{
    (void)state;
    static struct tally tally;
    add_record(&tally, TALLY_OK, 0.5, 100);
    add_record(&tally, "connect: refused", 1.5, 7);
    assert_int_equal(tally.connections, 2);
    assert_int_equal(tally_failed(&tally), 1);
    assert_int_equal(tally.total_us.count, 1);
    assert_int_equal(tally.timeline[0]->ok, 1);
    assert_int_equal(tally.timeline[1]->failed, 1);
    assert_null(tally.timeline[2]);
    tally_free(&tally);
}

static void test_merged_tallies_add_up_second_by_second(void **state)
{
    (void)state;
    static struct tally a, b;
    add_record(&a, TALLY_OK, 0.1, 100);
    add_record(&b, TALLY_OK, 0.2, 200);
    add_record(&b, "handshake: reset", TALLY_MAX_SECONDS + 10.0, 0);
    tally_merge(&a, &b);
    assert_int_equal(a.connections, 3);
    assert_int_equal(a.timeline[0]->ok, 2);
    assert_int_equal(a.timeline[TALLY_MAX_SECONDS - 1]->failed, 1);
    assert_int_equal(word_counts_get(&a.results, "handshake: reset"), 1);
    tally_free(&a);
    tally_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles_of_small_values_are_exact),
        cmocka_unit_test(test_any_value_comes_back_within_one_part_in_128),
        cmocka_unit_test(test_a_value_beyond_the_last_bucket_is_counted_there),
        cmocka_unit_test(test_merged_histograms_are_as_one),
        cmocka_unit_test(test_an_empty_histogram_has_percentile_zero),
        cmocka_unit_test(test_a_set_counts_each_digest_once_while_it_grows),
        cmocka_unit_test(test_digests_of_one_slot_are_kept_apart),
        cmocka_unit_test(test_merged_sets_have_what_is_in_both_once),
        cmocka_unit_test(test_words_beyond_the_bound_are_counted_together),
        cmocka_unit_test(test_a_word_too_long_is_cut_and_found_again),
        cmocka_unit_test(test_failures_have_no_part_in_latencies),
        cmocka_unit_test(test_merged_tallies_add_up_second_by_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
