/* SPDX-License-Identifier: Apache-2.0 */
/* The rules and the vectors are those of FoxIO's JA4.md and of the test data beside it. */
#include "hello_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/hello/hello_record.h"
#include "dataplane/hello/ja4.h"

#define NUM_OF(array) (sizeof(array) / sizeof((array)[0]))

static void assert_ja4(CBS message, const char *expected)
{
    struct client_hello hello;
    struct ja4 ja4;
    assert_int_equal(client_hello_parse(&hello, message), MG_OK);
    assert_int_equal(ja4_of(&ja4, &hello), MG_OK);
    assert_string_equal(ja4.text, expected);
    assert_int_equal(strlen(ja4.text), JA4_LEN);
}

static void assert_parts_ja4(const struct hello_parts *parts, const char *expected)
{
    assert_ja4(fixture_message(parts), expected);
}

/* The other parts of a fingerprint are not of interest. */
static void assert_part(const struct hello_parts *parts, size_t start, const char *expected)
{
    struct client_hello hello;
    struct ja4 ja4;
    assert_int_equal(client_hello_parse(&hello, fixture_message(parts)), MG_OK);
    assert_int_equal(ja4_of(&ja4, &hello), MG_OK);
    assert_memory_equal(ja4.text + start, expected, strlen(expected));
}

/* A hello in the words of JA4's raw form: lists of hexadecimal numbers with commas. */
struct vector {
    const char *cipher_suites;
    const char *extensions; /* in any order */
    const char *signature_algorithms;
    const char *supported_versions;
    const char *alpn; /* one protocol */
    const char *ja4;
};

static size_t count_list(const char *list)
{
    return (strlen(list) + 1) / strlen("0000,");
}

/* append_list appends a list's numbers behind their length in hexadecimal digits of |num_digits|. */
static char *append_list(char *out, const char *list, int num_digits)
{
    out += sprintf(out, "%0*zx", num_digits, 2 * count_list(list));
    for (; *list != '\0'; list++) {
        if (*list != ',') {
            *out++ = *list;
        }
    }
    *out = '\0';
    return out;
}

static char *append_body(char *out, const struct vector *vector, const char *type)
{
    static char body[4096];
    char *end = body;
    *end = '\0';
    if (strncmp(type, "0000", 4) == 0) {
        end += sprintf(end, "0006 00 0003 782e79");
    } else if (strncmp(type, "0010", 4) == 0) {
        end += sprintf(end, "%04zx%02zx", strlen(vector->alpn) + 1, strlen(vector->alpn));
        for (const char *c = vector->alpn; *c != '\0'; c++) {
            end += sprintf(end, "%02x", (unsigned char)*c);
        }
    } else if (strncmp(type, "000d", 4) == 0) {
        end = append_list(end, vector->signature_algorithms, 4);
    } else if (strncmp(type, "002b", 4) == 0) {
        end = append_list(end, vector->supported_versions, 2);
    } else if (strncmp(type, "000a", 4) == 0) {
        end += sprintf(end, "0002 001d");
    } else if (strncmp(type, "0033", 4) == 0) {
        end += sprintf(end, "0000");
    } else if (strncmp(type, "fe0d", 4) == 0) {
        end += sprintf(end, "00 0001 0001 2a 0000 0001 bb");
    }
    size_t num_digits = 0;
    for (const char *c = body; c < end; c++) {
        num_digits += *c != ' ';
    }
    return out + sprintf(out, "%04zx%s", num_digits / 2, body);
}

static CBS message_of(const struct vector *vector)
{
    static char cipher_suites[4096], extensions[8192];
    append_list(cipher_suites, vector->cipher_suites, 4);
    char *end = extensions;
    *end = '\0';
    for (const char *type = vector->extensions; *type != '\0'; type += type[4] == ',' ? 5 : 4) {
        end += sprintf(end, "%.4s", type);
        end = append_body(end, vector, type);
    }
    return fixture_message(&(struct hello_parts){.cipher_suites = cipher_suites, .extensions = extensions});
}

#define CHROME_CIPHERS "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
#define CHROME_SIGALGS "0403,0804,0401,0503,0805,0501,0806,0601"

static const struct vector published[] = {
    /* the example of JA4.md */
    {CHROME_CIPHERS, "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015", CHROME_SIGALGS,
     "0304,0303", "h2", "t13d1516h2_8daaf6152771_e5627efa2ab1"},
    /* the same with GREASE wherever there may be some */
    {"dada," CHROME_CIPHERS,
     "3a3a,001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015,6a6a",
     CHROME_SIGALGS ",5a5a", "fafa,0304,0303", "h2", "t13d1516h2_8daaf6152771_e5627efa2ab1"},
    /* Chromium since 120 */
    {CHROME_CIPHERS, "4469,0010,000b,ff01,0012,001b,0017,0000,002d,0005,0033,fe0d,0023,000d,000a,002b", CHROME_SIGALGS,
     "0304,0303", "h2", "t13d1516h2_8daaf6152771_02713d6af862"},
    /* LibreSSL's nc, in tls-alpn-h2.pcap: unknown signature algorithms that look like GREASE, but are not */
    {"c030,c02c,c028,c024,c014,c00a,009f,006b,0039,cca9,cca8,ccaa,ff85,00c4,0088,0081,009d,003d,0035,00c0,0084,c02f,"
     "c02b,c027,c023,c013,c009,009e,0067,0033,00be,0045,009c,003c,002f,00ba,0041,c011,c007,0005,0004,c012,c008,0016,"
     "000a,00ff",
     "0000,000b,000a,000d,0010", "0601,0603,efef,0501,0503,0401,0403,eeee,eded,0301,0303,0201,0203", "", "h2",
     "t12d4605h2_85626a9a5f7f_aaf95bb78ec9"},
};

static void test_published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUM_OF(published); i++) {
        assert_ja4(message_of(&published[i]), published[i].ja4);
    }
}

/* What others have published for this browser: its signature algorithms begin with a GREASE value. */
static void test_captured_chromium(void **state)
{
    (void)state;
    static uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];
    struct hello_record record;
    assert_int_equal(hello_record_parse(&record, fixture_captured("chromium"), scratch), HELLO_RECORD_COMPLETE);
    assert_ja4(record.message, "t13d1517h2_8daaf6152771_cb7bf5808d99");
}

static void test_without_signature_algorithms_there_is_no_underscore(void **state)
{
    (void)state;
    /* The list that JA4.md hashes to 6d807ffa2a79 names signature_algorithms all the same: all GREASE, then. */
    struct vector vector = published[0];
    vector.signature_algorithms = "0a0a,fafa";
    assert_ja4(message_of(&vector), "t13d1516h2_8daaf6152771_6d807ffa2a79");
}

static void test_nothing_to_hash_is_zeros(void **state)
{
    (void)state;
    assert_parts_ja4(&(struct hello_parts){.cipher_suites = "0002 1a1a"}, "t12i000000_000000000000_000000000000");
    assert_parts_ja4(
        &(struct hello_parts){.cipher_suites = "0002 1a1a", .extensions = "0000 0006 0004 00 0001 61 5a5a 0000"},
        "t12d000100_000000000000_000000000000");
}

static void test_version(void **state)
{
    (void)state;
    static const struct {
        const char *legacy_version;
        const char *extensions;
        const char *expected;
    } cases[] = {
        {"0303", NULL, "12"},
        {"0302", NULL, "11"},
        {"0301", NULL, "10"},
        {"0300", NULL, "s3"},
        {"0002", NULL, "s2"},
        {"fefd", NULL, "d2"},
        {"feff", NULL, "d1"},
        {"fefc", NULL, "d3"},
        {"0304", NULL, "13"}, /* as the client calls it, unlike max_version */
        {"0305", NULL, "00"},
        {"0303", "002b 0005 04 0303 0304", "13"},
        {"0303", "002b 0005 04 fafa 0303", "12"},
        {"0303", "002b 0003 02 0302", "11"},
        {"0303", "002b 0005 04 7f1c 0303", "00"}, /* the highest is one that JA4 does not know */
        {"0303", "002b 0003 02 fafa", "00"},
    };
    for (size_t i = 0; i < NUM_OF(cases); i++) {
        struct hello_parts parts = {.legacy_version = cases[i].legacy_version, .extensions = cases[i].extensions};
        assert_part(&parts, 1, cases[i].expected);
    }
}

/* The examples of JA4.md. */
static void test_alpn(void **state)
{
    (void)state;
    static const struct {
        const char *extension;
        const char *expected;
    } cases[] = {
        {NULL, "00"},
        {"0010 0005 0003 026832", "h2"},
        {"0010 000b 0009 08 687474702f312e31", "h1"},
        {"0010 000e 000c 08 687474702f312e31 026832", "h1"}, /* the first one counts */
        {"0010 0004 0002 01 61", "aa"},
        {"0010 0004 0002 01 5a", "ZZ"},
        {"0010 0004 0002 01 39", "99"},
        {"0010 0004 0002 01 ab", "ab"},
        {"0010 0005 0003 02 abcd", "ad"},
        {"0010 0005 0003 02 30ab", "3b"},
        {"0010 0005 0003 02 ab30", "a0"},
        {"0010 0007 0005 04 3031abcd", "3d"},
        {"0010 0007 0005 04 30abcd31", "01"},
        {"0010 0004 0002 01 2f", "2f"}, /* the neighbours of letters and digits */
        {"0010 0004 0002 01 3a", "3a"},
        {"0010 0004 0002 01 40", "40"},
        {"0010 0004 0002 01 5b", "5b"},
        {"0010 0004 0002 01 60", "60"},
        {"0010 0004 0002 01 7b", "7b"},
    };
    for (size_t i = 0; i < NUM_OF(cases); i++) {
        assert_part(&(struct hello_parts){.extensions = cases[i].extension}, 8, cases[i].expected);
    }
}

/* numbers_from returns a list for cipher_suites with its length before it. */
static const char *numbers_from(unsigned first, size_t num_values)
{
    static char hex[8 * (JA4_MAX_VALUES + 2)];
    char *end = hex + sprintf(hex, "%04zx", 2 * num_values);
    for (size_t i = 0; i < num_values; i++) {
        end += sprintf(end, "%04zx", first + num_values - i);
    }
    return hex;
}

static void test_counts_end_at_99(void **state)
{
    (void)state;
    static const struct {
        size_t num_values;
        const char *expected;
    } cases[] = {{1, "01"}, {9, "09"}, {10, "10"}, {98, "98"}, {99, "99"}, {100, "99"}, {JA4_MAX_VALUES, "99"}};
    for (size_t i = 0; i < NUM_OF(cases); i++) {
        struct hello_parts parts = {.cipher_suites = numbers_from(0x0a0a, cases[i].num_values)};
        assert_part(&parts, 4, cases[i].expected);
    }
    char extensions[8 * 100 + 1];
    char *end = extensions;
    for (unsigned i = 0; i < 100; i++) {
        end += sprintf(end, "%04x0000", 0x0100 + i);
    }
    assert_part(&(struct hello_parts){.extensions = extensions}, 6, "99");
}

static void test_the_bound_on_values_is_filled_exactly_and_never_passed(void **state)
{
    (void)state;
    struct client_hello hello;
    struct ja4 ja4;
    char extension[8 * (JA4_MAX_VALUES + 4)];
    for (size_t num_values = JA4_MAX_VALUES; num_values <= JA4_MAX_VALUES + 1; num_values++) {
        enum mg_status expected = num_values > JA4_MAX_VALUES ? MG_LIMIT : MG_OK;
        struct hello_parts parts = {.cipher_suites = numbers_from(0x0b00, num_values)};
        assert_int_equal(client_hello_parse(&hello, fixture_message(&parts)), MG_OK);
        assert_int_equal(ja4_of(&ja4, &hello), expected);
        assert_int_equal(strlen(ja4.text), expected == MG_OK ? JA4_LEN : 0);

        snprintf(extension, sizeof(extension), "000d %04zx %s", 2 * num_values + 2, numbers_from(0x0b00, num_values));
        parts = (struct hello_parts){.extensions = extension};
        assert_int_equal(client_hello_parse(&hello, fixture_message(&parts)), MG_OK);
        assert_int_equal(ja4_of(&ja4, &hello), expected);
    }
    /* The longest text there can be: every list full. The GREASE value in the list does not count. */
    char extensions[8 * (CLIENT_HELLO_MAX_EXTENSIONS + JA4_MAX_VALUES)];
    char *end = extensions +
                sprintf(extensions, "000d %04x %s", 2 * JA4_MAX_VALUES + 4, numbers_from(0x0a09, JA4_MAX_VALUES + 1));
    for (unsigned i = 1; i < CLIENT_HELLO_MAX_EXTENSIONS; i++) {
        end += sprintf(end, "%04x0000", 0x0100 + i);
    }
    struct hello_parts parts = {.cipher_suites = numbers_from(0x0b00, JA4_MAX_VALUES), .extensions = extensions};
    assert_int_equal(client_hello_parse(&hello, fixture_message(&parts)), MG_OK);
    assert_int_equal(hello.num_extensions, CLIENT_HELLO_MAX_EXTENSIONS);
    assert_int_equal(ja4_of(&ja4, &hello), MG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_captured_chromium),
        cmocka_unit_test(test_without_signature_algorithms_there_is_no_underscore),
        cmocka_unit_test(test_nothing_to_hash_is_zeros),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_counts_end_at_99),
        cmocka_unit_test(test_the_bound_on_values_is_filled_exactly_and_never_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
