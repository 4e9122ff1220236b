/* SPDX-License-Identifier: Apache-2.0 */
#include "hello_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What fixture_message_of_len returns if the extension is empty. */
#define SHORTEST_MESSAGE 51

static void begin(CBB *cbb, uint8_t *buffer)
{
    assert_true(CBB_init_fixed(cbb, buffer, FIXTURE_SIZE));
}

static CBS end(CBB *cbb)
{
    CBS bytes;
    assert_true(CBB_flush(cbb));
    CBS_init(&bytes, CBB_data(cbb), CBB_len(cbb));
    CBB_cleanup(cbb);
    return bytes;
}

CBS fixture_captured(const char *name)
{
    static uint8_t buffer[FIXTURE_SIZE];
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", HELLO_CORPUS, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(buffer, 1, FIXTURE_SIZE, file);
    fclose(file);
    assert_true(len > 0);
    CBS bytes;
    CBS_init(&bytes, buffer, len);
    return bytes;
}

static uint8_t digit_of(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = strchr(digits, digit);
    assert_non_null(found);
    return (uint8_t)(found - digits);
}

static void add_hex(CBB *cbb, const char *hex)
{
    bool half = false;
    uint8_t byte = 0;
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ') {
            continue;
        }
        byte = (uint8_t)(byte << 4 | digit_of(*hex));
        half = !half;
        if (!half) {
            assert_true(CBB_add_u8(cbb, byte));
        }
    }
    assert_false(half);
}

CBS fixture_hex(const char *hex)
{
    static uint8_t buffer[FIXTURE_SIZE];
    CBB cbb;
    begin(&cbb, buffer);
    add_hex(&cbb, hex);
    return end(&cbb);
}

static void begin_message(CBB *cbb, CBB *body)
{
    static uint8_t buffer[FIXTURE_SIZE];
    begin(cbb, buffer);
    assert_true(CBB_add_u8(cbb, 1));
    assert_true(CBB_add_u24_length_prefixed(cbb, body));
}

static void add_random(CBB *body)
{
    for (uint8_t i = 0; i < 32; i++) {
        assert_true(CBB_add_u8(body, i));
    }
}

static const char *given_or(const char *part, const char *usual)
{
    return part == NULL ? usual : part;
}

CBS fixture_message(const struct hello_parts *parts)
{
    CBB cbb, body, extensions;
    begin_message(&cbb, &body);
    add_hex(&body, given_or(parts->legacy_version, "0303"));
    add_random(&body);
    add_hex(&body, given_or(parts->session_id, "00"));
    add_hex(&body, given_or(parts->cipher_suites, "0004 1301 c02b"));
    add_hex(&body, given_or(parts->compression_methods, "0100"));
    if (parts->extensions != NULL) {
        assert_true(CBB_add_u16_length_prefixed(&body, &extensions));
        add_hex(&extensions, parts->extensions);
        assert_true(CBB_flush(&body));
    }
    add_hex(&body, given_or(parts->behind, ""));
    return end(&cbb);
}

CBS fixture_message_of_len(size_t len)
{
    CBB cbb, body, extensions, extension;
    begin_message(&cbb, &body);
    add_hex(&body, "0303");
    add_random(&body);
    add_hex(&body, "00 0002 1301 0100");
    assert_true(CBB_add_u16_length_prefixed(&body, &extensions));
    add_hex(&extensions, "5a5b");
    assert_true(CBB_add_u16_length_prefixed(&extensions, &extension));
    uint8_t *content;
    assert_true(CBB_add_space(&extension, &content, len - SHORTEST_MESSAGE));
    for (size_t i = 0; i < len - SHORTEST_MESSAGE; i++) {
        content[i] = (uint8_t)(i * 31 >> 3);
    }
    CBS message = end(&cbb);
    assert_int_equal(CBS_len(&message), len);
    return message;
}

CBS fixture_records(CBS message, size_t record_len)
{
    static uint8_t buffer[FIXTURE_SIZE];
    CBB cbb, record;
    begin(&cbb, buffer);
    while (CBS_len(&message) > 0) {
        CBS fragment;
        size_t len = CBS_len(&message) < record_len ? CBS_len(&message) : record_len;
        assert_true(CBS_get_bytes(&message, &fragment, len));
        add_hex(&cbb, "16 0301");
        assert_true(CBB_add_u16_length_prefixed(&cbb, &record));
        assert_true(CBB_add_bytes(&record, CBS_data(&fragment), len));
        assert_true(CBB_flush(&cbb));
    }
    return end(&cbb);
}

uint32_t fixture_random(uint64_t *state)
{
    /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(*state * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

void fixture_assert_equal(CBS got, CBS expected)
{
    assert_int_equal(CBS_len(&got), CBS_len(&expected));
    assert_memory_equal(CBS_data(&got), CBS_data(&expected), CBS_len(&expected));
}
