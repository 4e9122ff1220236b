/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/metrics.h"

static void assert_text(const struct mg_buffer *out, const char *expected)
{
    assert_true(mg_buffer_ok(out));
    assert_int_equal(out->len, strlen(expected));
    assert_memory_equal(out->data, expected, out->len);
}

static void test_a_counter_counts_up_from_its_zero_state(void **state)
{
    (void)state;
    struct mg_counter counter = {0};
    assert_int_equal(mg_counter_get(&counter), 0);
    mg_counter_add(&counter, 1);
    mg_counter_add(&counter, UINT64_C(1) << 40);
    assert_int_equal(mg_counter_get(&counter), (UINT64_C(1) << 40) + 1);
}

static void test_a_family_and_its_samples(void **state)
{
    (void)state;
    struct mg_buffer out;
    mg_buffer_init(&out, 1000);
    mg_metrics_family(&out, "mintgate_things_total", "counter", "Things seen.");
    mg_metrics_sample(&out, "mintgate_things_total", "", 7);
    mg_metrics_sample(&out, "mintgate_things_total", "kind=\"a\"", UINT64_MAX);
    mg_metrics_sample_seconds(&out, "mintgate_wait_seconds", "kind=\"b\"", 0.25);
    assert_text(&out, "# HELP mintgate_things_total Things seen.\n"
                      "# TYPE mintgate_things_total counter\n"
                      "mintgate_things_total 7\n"
                      "mintgate_things_total{kind=\"a\"} 18446744073709551615\n"
                      "mintgate_wait_seconds{kind=\"b\"} 0.25\n");
    mg_buffer_free(&out);
}

static void test_histograms_count_by_bound(void **state)
{
    (void)state;
    static const struct mg_histogram_shape shape = {.bounds = {1, 2, 4, 8, 16, 32, 64, 128}, .unit = 0.5};
    struct mg_histogram one = {.sum = {0}}, other = {.sum = {0}};
    static const uint64_t values[] = {0, 1, 2, 3, 128, 129, 1000};
    for (size_t i = 0; i < MG_ARRAY_LEN(values); i++) {
        mg_histogram_add(&one, &shape, values[i]);
    }
    mg_histogram_add(&other, &shape, 4);
    const struct mg_histogram *both[] = {&one, &other};
    struct mg_buffer out;
    mg_buffer_init(&out, 8192);
    mg_histogram_render(&out, "h", &shape, both, 2);
    mg_buffer_append_u8(&out, 0);
    assert_string_equal((const char *)out.data, "h_bucket{le=\"0.5\"} 2\n"
                                                "h_bucket{le=\"1\"} 3\n"
                                                "h_bucket{le=\"2\"} 5\n"
                                                "h_bucket{le=\"4\"} 5\n"
                                                "h_bucket{le=\"8\"} 5\n"
                                                "h_bucket{le=\"16\"} 5\n"
                                                "h_bucket{le=\"32\"} 5\n"
                                                "h_bucket{le=\"64\"} 6\n"
                                                "h_bucket{le=\"+Inf\"} 8\n"
                                                "h_sum 633.5\n"
                                                "h_count 8\n");
    mg_buffer_free(&out);
}

static void test_histograms_of_several_things_have_their_labels(void **state)
{
    (void)state;
    static const struct mg_histogram_shape shape = {.bounds = {1, 2, 3, 4, 5, 6, 7, 8}, .unit = 1};
    struct mg_histogram one = {.sum = {0}};
    const struct mg_histogram *histograms[] = {&one};
    struct mg_buffer out;
    mg_histogram_add(&one, &shape, 9);
    mg_buffer_init(&out, 8192);
    mg_histogram_render_for(&out, "h", "token=\"a\"", &shape, histograms, 1);
    mg_buffer_append_u8(&out, 0);
    assert_non_null(strstr((const char *)out.data, "h_bucket{token=\"a\",le=\"8\"} 0\n"
                                                   "h_bucket{token=\"a\",le=\"+Inf\"} 1\n"
                                                   "h_sum{token=\"a\"} 9\n"
                                                   "h_count{token=\"a\"} 1\n"));
    mg_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histograms_count_by_bound),
        cmocka_unit_test(test_histograms_of_several_things_have_their_labels),
        cmocka_unit_test(test_a_counter_counts_up_from_its_zero_state),
        cmocka_unit_test(test_a_family_and_its_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
