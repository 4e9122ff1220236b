/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/split_mix.h"

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

static int compare_values(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Latencies of four threads over seven orders of magnitude: a percentile of all is the exact one or at most 1 part in
 * 128 less. */
static void test_percentiles_of_merged_histograms_are_within_their_bound(void **state)
{
    (void)state;
    enum { NUM_THREADS = 4, NUM_VALUES = 40000 };
    static struct histogram of_thread[NUM_THREADS];
    static uint64_t values[NUM_VALUES];
    static const double percents[] = {0.01, 1, 50, 90, 99, 99.9, 99.99, 100};
    uint64_t random = 1;
    for (size_t i = 0; i < NUM_VALUES; i++) {
        values[i] = split_mix_next(&random) >> (40 + split_mix_next(&random) % 24);
        histogram_add(&of_thread[i % NUM_THREADS], values[i]);
    }
    for (size_t i = 1; i < NUM_THREADS; i++) {
        histogram_merge(&of_thread[0], &of_thread[i]);
    }
    qsort(values, NUM_VALUES, sizeof(*values), compare_values);
    for (size_t i = 0; i < MG_ARRAY_LEN(percents); i++) {
        size_t rank = (size_t)(NUM_VALUES * percents[i] / 100 + 0.9999) - 1;
        uint64_t exact = values[rank], seen = histogram_percentile(&of_thread[0], percents[i]);
        assert_true(seen <= exact && exact - seen <= exact / HISTOGRAM_SUB_BUCKETS);
    }
    assert_int_equal(of_thread[0].max, values[NUM_VALUES - 1]);
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

static void test_what_was_not_started_is_told_and_waited_for(void **state)
{
    (void)state;
    static struct tally a, b;
    add_record(&a, TALLY_OK, 0.1, 100);
    tally_add_not_started(&b, 5000);
    tally_merge(&a, &b);
    assert_int_equal(a.connections, 1);
    assert_int_equal(a.not_started, 1);
    assert_int_equal(tally_failed(&a), 0);
    assert_int_equal(a.total_us.count, 1);
    assert_int_equal(a.lag_us.count, 2);
    assert_int_equal(a.lag_us.max, 5000);
    tally_free(&a);
    tally_free(&b);
}

static void test_a_distribution_has_every_value_that_came_up(void **state)
{
    (void)state;
    static struct tally tally;
    struct tally_run run = {.seconds = 1, .distribution = true};
    struct mg_buffer text;
    add_record(&tally, TALLY_OK, 0.1, 7);
    add_record(&tally, TALLY_OK, 0.1, 7);
    add_record(&tally, TALLY_OK, 0.1, 1001); /* in a bucket of eight values */
    mg_buffer_init(&text, 1 << 16);
    tally_report_json(&tally, &run, &text);
    mg_buffer_append_u8(&text, '\0');
    assert_true(mg_buffer_ok(&text));
    assert_non_null(strstr((const char *)text.data, "\"max\": 1001, \"distribution\": [[7, 2], [1000, 1]]}"));
    mg_buffer_free(&text);
    run.distribution = false;
    mg_buffer_init(&text, 1 << 16);
    tally_report_json(&tally, &run, &text);
    mg_buffer_append_u8(&text, '\0');
    assert_null(strstr((const char *)text.data, "distribution"));
    mg_buffer_free(&text);
    tally_free(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles_of_small_values_are_exact),
        cmocka_unit_test(test_any_value_comes_back_within_one_part_in_128),
        cmocka_unit_test(test_a_value_beyond_the_last_bucket_is_counted_there),
        cmocka_unit_test(test_merged_histograms_are_as_one),
        cmocka_unit_test(test_percentiles_of_merged_histograms_are_within_their_bound),
        cmocka_unit_test(test_an_empty_histogram_has_percentile_zero),
        cmocka_unit_test(test_a_set_counts_each_digest_once_while_it_grows),
        cmocka_unit_test(test_digests_of_one_slot_are_kept_apart),
        cmocka_unit_test(test_merged_sets_have_what_is_in_both_once),
        cmocka_unit_test(test_words_beyond_the_bound_are_counted_together),
        cmocka_unit_test(test_a_word_too_long_is_cut_and_found_again),
        cmocka_unit_test(test_failures_have_no_part_in_latencies),
        cmocka_unit_test(test_merged_tallies_add_up_second_by_second),
        cmocka_unit_test(test_what_was_not_started_is_told_and_waited_for),
        cmocka_unit_test(test_a_distribution_has_every_value_that_came_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
