/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/counters.h"

/* write_text returns what the metrics say of |num| threads' counters; free it. */
static char *write_text(const struct counters *const *counters, size_t num)
{
    struct mg_buffer out;
    mg_buffer_init(&out, 1 << 20);
    counters_write(&out, counters, num);
    mg_buffer_append_u8(&out, '\0');
    assert_true(mg_buffer_ok(&out));
    return (char *)out.data;
}

/* assert_line checks that |line| stands in |text| alone in its line. */
static void assert_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    assert_non_null(at);
    assert_true(at == text || at[-1] == '\n');
    assert_int_equal(at[strlen(line)], '\n');
}

static void test_threads_are_summed_up(void **state)
{
    (void)state;
    static struct counters threads[3];
    const struct counters *const all[] = {&threads[0], &threads[1], &threads[2]};
    memset(threads, 0, sizeof(threads));
    count(&threads[0], COUNT_RX_SERVER);
    count_n(&threads[2], COUNT_RX_SERVER, 41);
    count(&threads[1], COUNT_BYTES_FROM_SERVER); /* the last of the table */
    count_n(&threads[1], COUNT_BYTES_FROM_SERVER, UINT64_C(1) << 40);
    char *text = write_text(all, 3);
    assert_line(text, "mintgate_dataplane_port_rx_packets_total{port=\"client\"} 0");
    assert_line(text, "mintgate_dataplane_port_rx_packets_total{port=\"server\"} 42");
    assert_line(text, "mintgate_dataplane_session_plaintext_bytes_total{from=\"server\"} 1099511627777");
    free(text);
    text = write_text(all, 2);
    assert_line(text, "mintgate_dataplane_port_rx_packets_total{port=\"server\"} 1");
    free(text);
}

/* The exposition format: each family once, before its samples, and no sample twice. */
static void test_each_family_and_each_sample_is_there_once(void **state)
{
    (void)state;
    static const struct counters zero;
    const struct counters *const all[] = {&zero};
    char *text = write_text(all, 1), *rest = text, family[128] = "";
    char *seen[NUM_COUNTERS], families[NUM_COUNTERS][128];
    size_t num_samples = 0, num_families = 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0';) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            size_t len = strcspn(line + 7, " ");
            assert_true(len < sizeof(family) && line[7 + len + 1] != '\0'); /* a text stands behind it */
            snprintf(family, sizeof(family), "%.*s", (int)len, line + 7);
            assert_int_equal(strncmp(family, "mintgate_", 9), 0);
            assert_string_equal(family + len - 6, "_total");
            for (size_t i = 0; i < num_families; i++) {
                assert_string_not_equal(family, families[i]);
            }
            memcpy(families[num_families++], family, sizeof(family));
        } else if (line[0] == '#') {
            char expected[160];
            snprintf(expected, sizeof(expected), "# TYPE %s counter", family);
            assert_string_equal(line, expected);
        } else {
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
            assert_true(strchr("{ ", line[strlen(family)]) != NULL);
            for (size_t i = 0; i < num_samples; i++) {
                assert_string_not_equal(line, seen[i]);
            }
            seen[num_samples++] = line;
        }
    }
    assert_int_equal(num_samples, NUM_COUNTERS);
    assert_true(num_families > 10);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_are_summed_up),
        cmocka_unit_test(test_each_family_and_each_sample_is_there_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
