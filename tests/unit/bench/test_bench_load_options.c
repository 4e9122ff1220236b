/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ARGS 16

static struct mg_error last_error;

/* parse splits |line| at blanks and parses it. */
static enum mg_status parse(struct load_options *out, const char *line)
{
    static char copy[512];
    char *args[MAX_ARGS] = {copy}, *rest = NULL;
    static char program[] = "loadgen";
    int num_args = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    args[0] = program;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        args[num_args++] = word;
    }
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    return load_options_parse(out, num_args, args, &last_error);
}

static void accepted(struct load_options *out, const char *line)
{
    enum mg_status status = parse(out, line);
    if (status != MG_OK) {
        print_message("%s: %s\n", line, last_error.text);
    }
    assert_int_equal(status, MG_OK);
}

static void test_numbered_names_run_from_first_to_last_and_around(void **state)
{
    (void)state;
    struct load_options options;
    char name[LOAD_MAX_NAME + 1];
    accepted(&options, "--name n%d.lab.test --range 7-9 --connect 127.0.0.1");
    assert_int_equal(options.connections, 3);
    load_options_name(&options, load_options_name_index(&options, 0), name);
    assert_string_equal(name, "n7.lab.test");
    load_options_name(&options, load_options_name_index(&options, 5), name);
    assert_string_equal(name, "n9.lab.test");
}

static void test_a_fresh_name_comes_up_once_and_the_others_as_before(void **state)
{
    (void)state;
    struct load_options options;
    char name[LOAD_MAX_NAME + 1], fresh[LOAD_MAX_NAME + 1];
    unsigned num_fresh = 0;
    accepted(&options, "--name n%d.lab.test --range 7-9 --fresh f%d.lab.test --fresh-percent 30 --connect 127.0.0.1");
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t name_index = load_options_name_index(&options, i);
        load_options_name(&options, name_index, name);
        snprintf(fresh, sizeof(fresh), "f%u.lab.test", i);
        bool is_fresh = strcmp(name, fresh) == 0;
        num_fresh += is_fresh;
        assert_true(is_fresh == (name_index >= load_options_num_names(&options)));
        assert_true(is_fresh || name_index == i % 3);
    }
    assert_in_range(num_fresh, 200, 400);
    accepted(&options, "--name n.lab.test --fresh f%d.lab.test --connect 127.0.0.1");
    assert_int_equal(options.fresh_percent, 50);
}

static void test_a_plain_name_is_always_the_same(void **state)
{
    (void)state;
    struct load_options options;
    char name[LOAD_MAX_NAME + 1];
    accepted(&options, "--name www.lab.test --connect 127.0.0.1");
    assert_int_equal(options.connections, 1);
    load_options_name(&options, load_options_name_index(&options, 41), name);
    assert_string_equal(name, "www.lab.test");
}

static void test_the_longest_number_fits_into_the_longest_name(void **state)
{
    (void)state;
    struct load_options options;
    char line[512] = "--name ", name[LOAD_MAX_NAME + 1];
    memset(line + strlen(line), 'x', LOAD_MAX_NAME - 22);
    strcat(line, "%d --range 18446744073709551614-18446744073709551615 --connect 127.0.0.1");
    accepted(&options, line);
    load_options_name(&options, 1, name);
    assert_string_equal(name + LOAD_MAX_NAME - 22, "18446744073709551615");
}

static void test_zipf_has_the_first_name_most_often_and_all_of_them(void **state)
{
    (void)state;
    struct load_options options;
    unsigned counts[4] = {0};
    accepted(&options, "--name n%d.lab.test --range 7-10 --zipf 1 --connect 127.0.0.1");
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t name_index = load_options_name_index(&options, i);
        assert_in_range(name_index, 0, 3);
        assert_int_equal(name_index, load_options_name_index(&options, i));
        counts[name_index]++;
    }
    assert_in_range(counts[0], 430, 530); /* 1000 times 1 / (1 + 1/2 + 1/3 + 1/4) */
    assert_in_range(counts[3], 80, 160);
}

static unsigned count_resuming(const struct load_options *options)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 1000; i++) {
        count += load_options_may_resume(options, i);
    }
    return count;
}

static void test_as_many_may_resume_as_is_said(void **state)
{
    (void)state;
    struct load_options options;
    accepted(&options, "--name a.test --connect 127.0.0.1");
    assert_int_equal(count_resuming(&options), 0);
    accepted(&options, "--name a.test --connect 127.0.0.1 --resume");
    assert_int_equal(count_resuming(&options), 1000);
    accepted(&options, "--name a.test --connect 127.0.0.1 --resume-percent 30");
    assert_in_range(count_resuming(&options), 250, 350);
    accepted(&options, "--name a.test --connect 127.0.0.1 --resume-percent 0");
    assert_int_equal(count_resuming(&options), 0);
}

static void test_what_is_chosen_at_random_is_chosen_by_itself(void **state)
{
    (void)state;
    struct load_options options;
    unsigned num_both = 0;
    accepted(&options, "--name n%d.test --range 0-9 --fresh f%d.test --resume-percent 50 --connect 127.0.0.1");
    for (unsigned i = 0; i < 1000; i++) {
        bool is_fresh = load_options_name_index(&options, i) >= load_options_num_names(&options);
        num_both += is_fresh && load_options_may_resume(&options, i);
    }
    assert_in_range(num_both, 200, 300);
}

static void assert_address(const union load_address *address, int family, const char *text, unsigned port)
{
    char seen[INET6_ADDRSTRLEN];
    assert_int_equal(address->any.sa_family, family);
    if (family == AF_INET) {
        inet_ntop(family, &address->v4.sin_addr, seen, sizeof(seen));
        assert_int_equal(ntohs(address->v4.sin_port), port);
    } else {
        inet_ntop(family, &address->v6.sin6_addr, seen, sizeof(seen));
        assert_int_equal(ntohs(address->v6.sin6_port), port);
    }
    assert_string_equal(seen, text);
}

static void test_addresses_are_read_in_all_their_forms(void **state)
{
    (void)state;
    union load_address address;
    assert_true(load_address_parse(&address, "198.18.0.1:8443"));
    assert_address(&address, AF_INET, "198.18.0.1", 8443);
    assert_true(load_address_parse(&address, "198.18.0.1"));
    assert_address(&address, AF_INET, "198.18.0.1", 0);
    assert_true(load_address_parse(&address, "[fd00::1]:443"));
    assert_address(&address, AF_INET6, "fd00::1", 443);
    assert_true(load_address_parse(&address, "fd00::1"));
    assert_address(&address, AF_INET6, "fd00::1", 0);
    const char *const bad[] = {"",         "www.lab.test", "1.2.3.4:",     "1.2.3.4:65536", "[1.2.3.4]:1",
                               "[fd00::1", "[fd00::1]x:1", "1.2.3.4:443:1"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(load_address_parse(&address, bad[i]));
    }
}

static void test_source_addresses_are_used_in_turn(void **state)
{
    (void)state;
    struct load_options options;
    accepted(&options, "--name a.test --connect 198.18.1.1 --source 198.18.0.250-252");
    assert_int_equal(options.num_sources, 3);
    union load_address source = load_options_source(&options, 2);
    assert_address(&source, AF_INET, "198.18.0.252", 0);
    source = load_options_source(&options, 3);
    assert_address(&source, AF_INET, "198.18.0.250", 0);
    accepted(&options, "--name a.test --connect [fd00::1]:443 --source fd00::c:9-a");
    source = load_options_source(&options, 1);
    assert_address(&source, AF_INET6, "fd00::c:a", 0);
}

static void test_the_port_is_443_unless_told(void **state)
{
    (void)state;
    struct load_options options;
    accepted(&options, "--name a.test --connect 198.18.1.1");
    assert_address(&options.target, AF_INET, "198.18.1.1", 443);
}

static void test_what_makes_no_sense_is_refused_with_the_option(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"--connect 127.0.0.1", "--name"},
        {"--name n%d --range 5-4 --connect 127.0.0.1", "--range"},
        {"--name n%d --range 5 --connect 127.0.0.1", "--range"},
        {"--name a --connect nowhere", "--connect"},
        {"--name a --connect 127.0.0.1 --source 127.0.0.9-3", "--source"},
        {"--name a --connect 127.0.0.1 --source 127.0.0.9-256", "--source"},
        {"--name a --connect 127.0.0.1 --source fd00::1", "--source"},
        {"--name a --connect 127.0.0.1 --fresh f", "--fresh"},
        {"--name a --connect 127.0.0.1 --fresh f%d --fresh-percent 101", "--fresh-percent"},
        {"--name a --connect 127.0.0.1 --fresh-percent 10", "--fresh-percent"},
        {"--name a --connect 127.0.0.1 --rate 0", "--rate"},
        {"--name a --connect 127.0.0.1 --rate 5x", "--rate"},
        {"--name a --connect 127.0.0.1 --poisson", "--poisson"},
        {"--name a --connect 127.0.0.1 --zipf -1", "--zipf"},
        {"--name a --connect 127.0.0.1 --zipf 11", "--zipf"},
        {"--name a --connect 127.0.0.1 --zipf nan", "--zipf"},
        {"--name a --connect 127.0.0.1 --zipf 1 --random-names", "--zipf"},
        {"--name n%d --range 1-4294967297 --connect 127.0.0.1 --zipf 1", "--zipf"},
        {"--name a --connect 127.0.0.1 --resume-percent 101", "--resume-percent"},
        {"--name a --connect 127.0.0.1 --tls 1.1", "--tls"},
        {"--name a --connect 127.0.0.1 --get nothing", "--get"},
        {"--name a --connect 127.0.0.1 --threads 4 --in-flight 3", "--in-flight"},
        {"--name a --connect 127.0.0.1 --connections 0", "--connections"},
        {"--name a --connect 127.0.0.1 more", "more"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(lines); i++) {
        struct load_options options;
        assert_int_equal(parse(&options, lines[i][0]), MG_INVALID);
        assert_non_null(strstr(last_error.text, lines[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbered_names_run_from_first_to_last_and_around),
        cmocka_unit_test(test_a_fresh_name_comes_up_once_and_the_others_as_before),
        cmocka_unit_test(test_a_plain_name_is_always_the_same),
        cmocka_unit_test(test_the_longest_number_fits_into_the_longest_name),
        cmocka_unit_test(test_zipf_has_the_first_name_most_often_and_all_of_them),
        cmocka_unit_test(test_as_many_may_resume_as_is_said),
        cmocka_unit_test(test_what_is_chosen_at_random_is_chosen_by_itself),
        cmocka_unit_test(test_addresses_are_read_in_all_their_forms),
        cmocka_unit_test(test_source_addresses_are_used_in_turn),
        cmocka_unit_test(test_the_port_is_443_unless_told),
        cmocka_unit_test(test_what_makes_no_sense_is_refused_with_the_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
