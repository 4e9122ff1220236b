/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Three rounds of a limit and of ours; ours has half its rate by its signer's CPU time, in each round another one. */
static struct bench_sample samples[] = {
    {.count = 1000, .wall_ns = 2000000000, .cpu_ns = 1000000000},
    {.count = 1000,
     .wall_ns = 4000000000,
     .cpu_ns = 500000000,
     .watched_ns = 2000000000,
     .p50_ns = 1500,
     .p99_ns = 9000},
    {.count = 3000, .wall_ns = 2000000000, .cpu_ns = 1000000000},
    {.count = 1500,
     .wall_ns = 2000000000,
     .cpu_ns = 500000000,
     .watched_ns = 1000000000,
     .p50_ns = 1700,
     .p99_ns = 9900},
    {.count = 1234567, .wall_ns = 1000000000, .cpu_ns = 1000000000},
    {.count = 1234567, .wall_ns = 1000000000, .cpu_ns = 1000000000, .watched_ns = 4000000000, .p50_ns = 1600},
};

static struct bench bench = {
    .options = {.rounds = 3, .milliseconds = 100},
    .groups = {{.title = "things",
                .num_rows = 2,
                .rows = {{.name = "the limit", .role = BENCH_LIMIT, .num_threads = 1},
                         {.name = "our way",
                          .key = "ours_vs_limit",
                          .ns_key = "ours_ns",
                          .role = BENCH_OURS,
                          .cpu = BENCH_CPU_WATCHED,
                          .num_threads = 2,
                          .parameter = 64,
                          .aim = 0.75}},
                .samples = samples}},
    .num_groups = 1,
};

/* One round of a group in which the last row is beside the second, not the limit. */
static struct bench_sample pair_samples[] = {
    {.count = 100, .wall_ns = 1000000000, .cpu_ns = 1000000000},
    {.count = 300, .wall_ns = 1000000000, .cpu_ns = 1000000000},
    {.count = 600, .wall_ns = 1000000000, .cpu_ns = 1000000000, .bytes = 60000},
};

static struct bench pair = {
    .options = {.rounds = 1, .milliseconds = 100},
    .groups = {{.title = "pairs",
                .num_rows = 3,
                .rows = {{.name = "the limit", .role = BENCH_LIMIT},
                         {.name = "one thread", .role = BENCH_OURS, .against = 1},
                         {.name = "two threads",
                          .role = BENCH_OURS,
                          .key = "two_vs_one",
                          .bytes_key = "bytes_each",
                          .size = 777,
                          .max_bytes = 120,
                          .against = 1}},
                .samples = pair_samples}},
    .num_groups = 1,
};

static const struct report_run run = {
    .subcommand = "test",
    .cpu = 1,
    .machine =
        {.cpu = "A CPU", .kernel = "6.1", .num_cpus = 2, .has_ifma = true, .load = 0.5, .commit = "0123456789abcdef"},
};

static void test_a_rate_is_by_the_cpu_time_that_counts(void **state)
{
    (void)state;
    const struct bench_sample sample = {
        .count = 100, .wall_ns = 4000000000, .cpu_ns = 1000000000, .watched_ns = 3000000000};
    struct bench_row row = {.cpu = BENCH_CPU_OWN};
    assert_float_equal(bench_value_of(&row, BENCH_PER_CPU, &sample), 100, 1e-5);
    assert_float_equal(bench_value_of(&row, BENCH_PER_SECOND, &sample), 25, 1e-5);
    assert_float_equal(bench_value_of(&row, BENCH_LATENCY, &sample), 0, 1e-5);
    row.cpu = BENCH_CPU_WATCHED;
    assert_float_equal(bench_value_of(&row, BENCH_PER_CPU, &sample), 100 / 3.0, 1e-5);
    row.cpu = BENCH_CPU_ALL;
    assert_float_equal(bench_value_of(&row, BENCH_PER_CPU, &sample), 25, 1e-5);
    assert_float_equal(bench_value_of(&row, BENCH_PER_SECOND, &sample), 25, 1e-5);
}

/* The ratios of the rounds are 0.5, 0.5 and 0.25: not that of the medians, 750 by 3000. */
static void test_a_ratio_is_the_median_of_the_ratios_of_the_rounds(void **state)
{
    (void)state;
    struct bench_spread spread = bench_ratio_of_row(&bench, &bench.groups[0], 1, BENCH_PER_CPU);
    assert_float_equal(spread.min, 0.25, 1e-5);
    assert_float_equal(spread.low, 0.375, 1e-5);
    assert_float_equal(spread.median, 0.5, 1e-5);
    assert_float_equal(spread.max, 0.5, 1e-5);
    assert_float_equal(bench_spread_of_row(&bench, &bench.groups[0], 1, BENCH_PER_CPU).median, 1500, 1e-5);
}

static void test_a_limit_without_latency_has_no_ratio_of_it(void **state)
{
    (void)state;
    assert_float_equal(bench_ratio_of_row(&bench, &bench.groups[0], 1, BENCH_LATENCY).max, 0, 1e-5);
}

static void test_the_table_has_rates_ratios_and_aims(void **state)
{
    (void)state;
    struct mg_buffer out;
    mg_buffer_init(&out, 65536);
    report_text(&bench, &run, &out);
    mg_buffer_append_u8(&out, 0);
    assert_true(mg_buffer_ok(&out));
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "A CPU; 2 processors with AVX-512 IFMA, Linux 6.1; load 0.5; commit 0123456789ab\n"));
    assert_non_null(strstr(text, "3 rounds of 100 ms each"));
    assert_non_null(strstr(text, "all on processor 1\n"));
    assert_non_null(strstr(text, "things"));
    assert_non_null(strstr(text, "3,000"));
    assert_non_null(strstr(text, "1.60      9.00"));
    assert_non_null(strstr(text, "0.500 of CPU (0.375 to 0.500), aim 0.75; 0.500 of time\n"));
    mg_buffer_free(&out);
}

static void test_large_numbers_have_their_thousands_apart(void **state)
{
    (void)state;
    struct mg_buffer out;
    struct bench last = bench;
    last.options.rounds = 1;
    last.groups[0].samples = &samples[4];
    mg_buffer_init(&out, 65536);
    report_text(&last, &run, &out);
    mg_buffer_append_u8(&out, 0);
    assert_non_null(strstr((const char *)out.data, " 1,234,567 "));
    assert_non_null(strstr((const char *)out.data, " 308,642 "));
    mg_buffer_free(&out);
}

static double number_at(const json_t *object, const char *first, const char *second)
{
    const json_t *value = json_object_get(json_object_get(object, first), second);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void test_the_json_has_the_schema_the_machine_and_each_sample(void **state)
{
    (void)state;
    json_t *document = report_json(&bench, &run);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "schema")), "mintgate-bench/1");
    assert_string_equal(json_string_value(json_object_get(document, "commit")), "0123456789abcdef");
    assert_float_equal(number_at(document, "machine", "processors"), 2, 1e-5);
    assert_float_equal(number_at(document, "method", "rounds"), 3, 1e-5);
    assert_float_equal(number_at(document, "ratios", "ours_vs_limit"), 0.5, 1e-5);
    assert_float_equal(number_at(document, "ratios", "ours_ns"), 1e9 / 1500, 1);
    const json_t *group = json_array_get(json_object_get(document, "groups"), 0);
    const json_t *rows = json_object_get(group, "rows"), *limit = json_array_get(rows, 0),
                 *ours = json_array_get(rows, 1);
    assert_int_equal(json_array_size(rows), 2);
    assert_null(json_object_get(limit, "ratios"));
    assert_string_equal(json_string_value(json_object_get(ours, "key")), "ours_vs_limit");
    assert_string_equal(json_string_value(json_object_get(ours, "ns_key")), "ours_ns");
    assert_null(json_object_get(limit, "key"));
    assert_string_equal(json_string_value(json_object_get(ours, "role")), "ours");
    assert_float_equal(number_at(json_object_get(ours, "ratios"), "per_cpu_second", "median"), 0.5, 1e-5);
    assert_float_equal(number_at(json_object_get(ours, "values"), "p50_ns", "max"), 1700, 1e-5);
    assert_null(json_object_get(json_object_get(limit, "values"), "p50_ns"));
    assert_int_equal(json_array_size(json_object_get(ours, "samples")), 3);
    const json_t *second = json_array_get(json_object_get(ours, "samples"), 1);
    assert_int_equal(json_integer_value(json_object_get(second, "count")), 1500);
    json_decref(document);
}

static void test_a_ratio_may_be_to_another_row_and_memory_is_told(void **state)
{
    (void)state;
    json_t *document = report_json(&pair, &run);
    assert_float_equal(number_at(document, "ratios", "two_vs_one"), 2, 1e-5);
    assert_float_equal(number_at(document, "ratios", "bytes_each"), 100, 1e-5);
    const json_t *rows = json_object_get(json_array_get(json_object_get(document, "groups"), 0), "rows");
    const json_t *one = json_array_get(rows, 1), *two = json_array_get(rows, 2);
    assert_null(json_object_get(one, "ratios")); /* to itself */
    assert_string_equal(json_string_value(json_object_get(two, "against")), "one thread");
    assert_int_equal(json_integer_value(json_object_get(two, "size")), 777);
    assert_float_equal(number_at(json_object_get(two, "values"), "bytes", "median"), 100, 1e-5);
    json_decref(document);

    struct mg_buffer out;
    mg_buffer_init(&out, 65536);
    report_text(&pair, &run, &out);
    mg_buffer_append_u8(&out, 0);
    assert_non_null(
        strstr((const char *)out.data, "100 bytes each, aim 120  2.000 of CPU (2.000 to 2.000) to one thread"));
    mg_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rate_is_by_the_cpu_time_that_counts),
        cmocka_unit_test(test_a_ratio_is_the_median_of_the_ratios_of_the_rounds),
        cmocka_unit_test(test_a_limit_without_latency_has_no_ratio_of_it),
        cmocka_unit_test(test_the_table_has_rates_ratios_and_aims),
        cmocka_unit_test(test_large_numbers_have_their_thousands_apart),
        cmocka_unit_test(test_the_json_has_the_schema_the_machine_and_each_sample),
        cmocka_unit_test(test_a_ratio_may_be_to_another_row_and_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
