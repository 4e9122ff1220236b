/* SPDX-License-Identifier: Apache-2.0 */
#include "hello_fixture.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/hello/hello_record.h"
#include "dataplane/hello/hello_stream.h"

static uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];

static CBS first_bytes(CBS bytes, size_t len)
{
    CBS first;
    assert_true(CBS_get_bytes(&bytes, &first, len));
    return first;
}

static CBS without_record_header(CBS stream)
{
    assert_true(CBS_skip(&stream, 5));
    return stream;
}

static enum hello_record_result parse(struct hello_record *record, CBS stream)
{
    return hello_record_parse(record, stream, scratch);
}

static enum hello_record_result parse_hex(const char *hex)
{
    struct hello_record record;
    return parse(&record, fixture_hex(hex));
}

static void assert_complete(CBS stream, CBS message)
{
    struct hello_record record;
    assert_int_equal(parse(&record, stream), HELLO_RECORD_COMPLETE);
    fixture_assert_equal(record.message, message);
}

static void test_a_message_in_one_record_is_not_copied(void **state)
{
    (void)state;
    CBS stream = fixture_captured("chromium");
    struct hello_record record;
    assert_int_equal(hello_record_parse(&record, stream, NULL), HELLO_RECORD_COMPLETE);
    CBS message = without_record_header(stream);
    assert_ptr_equal(CBS_data(&record.message), CBS_data(&message));
    assert_int_equal(CBS_len(&record.message), CBS_len(&message));
    assert_int_equal(record.num_records, 1);
    assert_int_equal(record.stream_len, CBS_len(&stream));
}

static void test_every_capture_is_complete_at_its_last_byte_only(void **state)
{
    (void)state;
    static const char *const names[] = {"chromium", "curl", "openssl-tls10", "gnutls"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CBS stream = fixture_captured(names[i]);
        for (size_t len = 0; len < CBS_len(&stream); len++) {
            struct hello_record record;
            assert_int_equal(parse(&record, first_bytes(stream, len)), HELLO_RECORD_NEED_MORE);
            assert_true(record.needed_len > len && record.needed_len <= CBS_len(&stream));
            if (len >= 9) { /* both headers are there: exact */
                assert_int_equal(record.needed_len, CBS_len(&stream));
            }
        }
        assert_complete(stream, without_record_header(stream));
    }
}

static void test_records_of_every_size_give_the_same_message(void **state)
{
    (void)state;
    CBS message = without_record_header(fixture_captured("chromium"));
    for (size_t record_len = 1; record_len <= CBS_len(&message); record_len++) {
        CBS stream = fixture_records(message, record_len);
        struct hello_record record;
        assert_int_equal(parse(&record, stream), HELLO_RECORD_COMPLETE);
        fixture_assert_equal(record.message, message);
        assert_int_equal(record.num_records, (CBS_len(&message) + record_len - 1) / record_len);
        assert_int_equal(record.stream_len, CBS_len(&stream));
    }
}

static void test_a_prefix_of_many_records_never_asks_for_too_much(void **state)
{
    (void)state;
    CBS message = without_record_header(fixture_captured("chromium"));
    for (size_t record_len = 1; record_len < 40; record_len++) {
        CBS stream = fixture_records(message, record_len);
        for (size_t len = 0; len < CBS_len(&stream); len++) {
            struct hello_record record;
            assert_int_equal(parse(&record, first_bytes(stream, len)), HELLO_RECORD_NEED_MORE);
            assert_true(record.needed_len > len && record.needed_len <= CBS_len(&stream));
        }
    }
}

static void test_needed_len_counts_what_must_still_come(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        size_t missing_len;
    } cases[] = {
        {"", 1}, /* before the message's length is known: the next byte */
        {"16 0301 0010 01 0000", 1},
        {"16 0301 0010 01 00000c", 12}, /* the rest of the record */
        {"16 0301 0010 01 00000c aabb", 10},
        {"16 0301 0006 01 00000c aa", 1 + 5 + 10}, /* its rest, a header and the rest of the message */
        {"16 0301 0006 01 00000c aabb", 5 + 10},   /* a header and the rest of the message */
        {"16 0301 0006 01 00000c aabb 16", 4 + 10},
        {"16 0301 0006 01 00000c aabb 16 0301 00", 1 + 10},
        {"16 0301 0006 01 00000c aabb 16 0301 000a", 10},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CBS stream = fixture_hex(cases[i].hex);
        struct hello_record record;
        assert_int_equal(parse(&record, stream), HELLO_RECORD_NEED_MORE);
        assert_int_equal(record.needed_len, CBS_len(&stream) + cases[i].missing_len);
    }
}

static void test_what_follows_the_last_record_is_left_alone(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    CBS hello = fixture_captured("curl");
    memcpy(bytes, CBS_data(&hello), CBS_len(&hello));
    memcpy(bytes + CBS_len(&hello), "\x17\x03\x03 early data, or anything", 28);
    CBS stream;
    CBS_init(&stream, bytes, CBS_len(&hello) + 28);
    struct hello_record record;
    assert_int_equal(parse(&record, stream), HELLO_RECORD_COMPLETE);
    assert_int_equal(record.stream_len, CBS_len(&hello));
    fixture_assert_equal(record.message, without_record_header(hello));
}

/* Each of these is decided by its last byte: one byte less is still fine. */
static void test_the_verdict_falls_on_the_first_byte_that_decides_it(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum hello_record_result expected;
    } cases[] = {
        {"47", HELLO_RECORD_NOT_TLS},    /* HTTP */
        {"53", HELLO_RECORD_NOT_TLS},    /* SSH */
        {"80", HELLO_RECORD_NOT_TLS},    /* a ClientHello in SSL 2.0 format (RFC 5246 appendix E.2) */
        {"15", HELLO_RECORD_NOT_TLS},    /* an alert */
        {"17", HELLO_RECORD_NOT_TLS},    /* application data */
        {"16 02", HELLO_RECORD_NOT_TLS}, /* major version */
        {"16 04", HELLO_RECORD_NOT_TLS},
        {"16 fe", HELLO_RECORD_NOT_TLS},                    /* DTLS */
        {"16 0301 41", HELLO_RECORD_NOT_TLS},               /* over 2^14 bytes */
        {"16 0301 4001", HELLO_RECORD_NOT_TLS},             /* over 2^14 bytes by one */
        {"16 0301 0000", HELLO_RECORD_NOT_TLS},             /* empty */
        {"16 0301 0200 02", HELLO_RECORD_NOT_TLS},          /* a ServerHello */
        {"16 0301 0200 00", HELLO_RECORD_NOT_TLS},          /* a HelloRequest */
        {"16 0301 0200 01 01", HELLO_RECORD_TOO_LARGE},     /* 65536 bytes or more behind the header */
        {"16 0301 0200 01 00fffd", HELLO_RECORD_TOO_LARGE}, /* 65533 behind the header */
        {"16 0301 0005 01 000000", HELLO_RECORD_MALFORMED}, /* one byte more in the record than in the message */
        {"16 0301 4000 01 003ffb", HELLO_RECORD_MALFORMED},
        {"16 0301 0001 01 15", HELLO_RECORD_MALFORMED}, /* an alert in between (RFC 8446 section 5.1) */
        {"16 0301 0001 01 14", HELLO_RECORD_MALFORMED},
        {"16 0301 0001 01 16 02", HELLO_RECORD_MALFORMED},
        {"16 0301 0001 01 16 0301 0000", HELLO_RECORD_MALFORMED},
        {"16 0301 0001 01 16 0301 4001", HELLO_RECORD_MALFORMED},
        {"16 0301 0001 01 16 0301 0001 01", HELLO_RECORD_TOO_LARGE},
        {"16 0301 0006 01 000004 0000 16 0301 0003", HELLO_RECORD_MALFORMED}, /* one byte too many in the second */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CBS stream = fixture_hex(cases[i].hex);
        struct hello_record record;
        for (size_t len = 0; len < CBS_len(&stream); len++) {
            assert_int_equal(parse(&record, first_bytes(stream, len)), HELLO_RECORD_NEED_MORE);
            assert_true(record.needed_len <= CBS_len(&stream) || cases[i].expected == HELLO_RECORD_MALFORMED);
        }
        assert_int_equal(parse(&record, stream), cases[i].expected);
    }
}

static void test_any_minor_version_of_a_record_is_taken(void **state)
{
    (void)state;
    /* RFC 8446 section 5.1: legacy_record_version must be ignored. */
    assert_int_equal(parse_hex("16 0300 0004 01 000000"), HELLO_RECORD_COMPLETE);
    assert_int_equal(parse_hex("16 03ff 0004 01 000000"), HELLO_RECORD_COMPLETE);
    assert_int_equal(parse_hex("16 0301 0003 01 0000 16 0303 0001 00"), HELLO_RECORD_COMPLETE);
}

static void test_a_message_of_64_kib_is_read_and_one_byte_more_is_not(void **state)
{
    (void)state;
    static const size_t record_lens[] = {1, 2, 3, 4, 5, 1000, 16383, 16384};
    for (size_t i = 0; i < sizeof(record_lens) / sizeof(record_lens[0]); i++) {
        struct hello_record record;
        CBS largest = fixture_message_of_len(HELLO_RECORD_MAX_MESSAGE);
        assert_complete(fixture_records(largest, record_lens[i]), largest);
        CBS larger = fixture_message_of_len(HELLO_RECORD_MAX_MESSAGE + 1);
        assert_int_equal(parse(&record, fixture_records(larger, record_lens[i])), HELLO_RECORD_TOO_LARGE);
    }
}

static void test_a_dribble_costs_few_calls(void **state)
{
    (void)state;
    /* The worst there is: the largest message in records of one byte, byte after byte. */
    CBS stream = fixture_records(fixture_message_of_len(HELLO_RECORD_MAX_MESSAGE), 1);
    size_t needed = 0;
    unsigned num_calls = 0;
    for (size_t len = 0; len <= CBS_len(&stream); len++) {
        if (len < needed) {
            continue;
        }
        struct hello_record record;
        enum hello_record_result result = parse(&record, first_bytes(stream, len));
        num_calls++;
        if (len == CBS_len(&stream)) {
            assert_int_equal(result, HELLO_RECORD_COMPLETE);
            break;
        }
        assert_int_equal(result, HELLO_RECORD_NEED_MORE);
        needed = record.needed_len;
    }
    /* 25 to the end of the message's header, then log of 65536 to the base 6/5 */
    assert_in_range(num_calls, 2, 100);
}

/* Whatever the bytes: once there is a verdict, more bytes do not change it, and before it more are needed. */
static void test_a_verdict_once_given_stays(void **state)
{
    (void)state;
    uint64_t random = 7;
    unsigned seen[HELLO_RECORD_MALFORMED + 1] = {0};
    for (unsigned round = 0; round < 4000; round++) {
        static uint8_t bytes[1024];
        CBS stream = fixture_records(fixture_message_of_len(51 + fixture_random(&random) % 40),
                                     1 + fixture_random(&random) % 30);
        memcpy(bytes, CBS_data(&stream), CBS_len(&stream));
        bytes[fixture_random(&random) % CBS_len(&stream)] ^= (uint8_t)(1u << fixture_random(&random) % 8);
        CBS_init(&stream, bytes, CBS_len(&stream));
        enum hello_record_result verdict = HELLO_RECORD_NEED_MORE;
        for (size_t len = 0; len <= CBS_len(&stream); len++) {
            struct hello_record record;
            enum hello_record_result result = parse(&record, first_bytes(stream, len));
            assert_true(verdict == HELLO_RECORD_NEED_MORE || result == verdict);
            assert_true(result != HELLO_RECORD_NEED_MORE || record.needed_len > len);
            verdict = result;
        }
        seen[verdict]++;
    }
    for (size_t i = 0; i <= HELLO_RECORD_MALFORMED; i++) {
        assert_true(seen[i] > 0);
    }
}

static void add(struct hello_stream *stream, CBS bytes, size_t start, size_t end)
{
    assert_int_equal(hello_stream_add(stream, start, CBS_data(&bytes) + start, end - start), HELLO_STREAM_OK);
}

/* A real post-quantum hello cut in two at every place, both halves first, the later one by some bytes more. */
static void test_every_segmentation_point_of_a_post_quantum_hello(void **state)
{
    (void)state;
    static uint8_t memory[4096];
    CBS sent = fixture_captured("chromium");
    size_t len = CBS_len(&sent);
    for (size_t cut = 0; cut <= len; cut++) {
        for (size_t overlap = 0; overlap <= cut && overlap <= 600; overlap += 300) {
            for (unsigned reversed = 0; reversed < 2; reversed++) {
                struct hello_stream stream;
                hello_stream_init(&stream, memory, sizeof(memory));
                if (reversed) {
                    add(&stream, sent, cut - overlap, len);
                    add(&stream, sent, 0, cut);
                } else {
                    add(&stream, sent, 0, cut);
                    add(&stream, sent, cut - overlap, len);
                }
                assert_complete(hello_stream_prefix(&stream), without_record_header(sent));
            }
        }
    }
}

struct segment {
    size_t start;
    size_t end;
};

/* cut_at_random covers [0, len) with segments, some overlapping, and shuffles them. */
static size_t cut_at_random(uint64_t *random, size_t len, struct segment *out)
{
    size_t num_segments = 0;
    for (size_t start = 0; start < len;) {
        size_t end = start + 1 + fixture_random(random) % 700;
        end = end < len ? end : len;
        size_t back = fixture_random(random) % 3 == 0 ? fixture_random(random) % (start + 1) : 0;
        out[num_segments++] = (struct segment){start - back, end};
        start = end;
    }
    for (size_t i = num_segments; i > 1; i--) {
        size_t other = fixture_random(random) % i;
        struct segment swapped = out[i - 1];
        out[i - 1] = out[other];
        out[other] = swapped;
    }
    return num_segments;
}

static void test_random_segments_of_random_records(void **state)
{
    (void)state;
    static uint8_t memory[16384];
    static struct segment segments[16384];
    uint64_t random = 99;
    CBS message = without_record_header(fixture_captured("chromium"));
    for (unsigned round = 0; round < 3000; round++) {
        CBS sent = fixture_records(message, 1 + fixture_random(&random) % 2500);
        size_t num_segments = cut_at_random(&random, CBS_len(&sent), segments);
        struct hello_stream stream;
        hello_stream_init(&stream, memory, sizeof(memory));
        size_t needed = 0;
        for (size_t i = 0; i < num_segments; i++) {
            add(&stream, sent, segments[i].start, segments[i].end);
            CBS prefix = hello_stream_prefix(&stream);
            if (CBS_len(&prefix) == CBS_len(&sent)) {
                break;
            }
            assert_true(CBS_len(&prefix) < CBS_len(&sent));
            struct hello_record record;
            if (CBS_len(&prefix) >= needed) {
                assert_int_equal(parse(&record, prefix), HELLO_RECORD_NEED_MORE);
                needed = record.needed_len;
            }
        }
        assert_complete(hello_stream_prefix(&stream), message);
    }
}

static void test_results_have_names(void **state)
{
    (void)state;
    assert_string_equal(hello_record_result_name(HELLO_RECORD_COMPLETE), "complete");
    assert_string_equal(hello_record_result_name(HELLO_RECORD_NEED_MORE), "need_more");
    assert_string_equal(hello_record_result_name(HELLO_RECORD_NOT_TLS), "not_tls");
    assert_string_equal(hello_record_result_name(HELLO_RECORD_TOO_LARGE), "too_large");
    assert_string_equal(hello_record_result_name(HELLO_RECORD_MALFORMED), "malformed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_in_one_record_is_not_copied),
        cmocka_unit_test(test_every_capture_is_complete_at_its_last_byte_only),
        cmocka_unit_test(test_records_of_every_size_give_the_same_message),
        cmocka_unit_test(test_a_prefix_of_many_records_never_asks_for_too_much),
        cmocka_unit_test(test_needed_len_counts_what_must_still_come),
        cmocka_unit_test(test_what_follows_the_last_record_is_left_alone),
        cmocka_unit_test(test_the_verdict_falls_on_the_first_byte_that_decides_it),
        cmocka_unit_test(test_any_minor_version_of_a_record_is_taken),
        cmocka_unit_test(test_a_message_of_64_kib_is_read_and_one_byte_more_is_not),
        cmocka_unit_test(test_a_dribble_costs_few_calls),
        cmocka_unit_test(test_a_verdict_once_given_stays),
        cmocka_unit_test(test_every_segmentation_point_of_a_post_quantum_hello),
        cmocka_unit_test(test_random_segments_of_random_records),
        cmocka_unit_test(test_results_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
