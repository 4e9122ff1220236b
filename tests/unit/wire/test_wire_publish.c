/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "wire/publish.h"

static struct mg_buffer packet;
static struct wire_publish decoded;
static struct mg_error why;

static int new_packet(void **state)
{
    (void)state;
    mg_buffer_init(&packet, WIRE_PUBLISH_MAX_PACKET);
    return 0;
}

static int free_packet(void **state)
{
    (void)state;
    mg_buffer_free(&packet);
    return 0;
}

static enum mg_status decode(void)
{
    return wire_publish_decode(&decoded, mg_buffer_slice(&packet), &why);
}

/* round_trip encodes |message| and decodes it. */
static void round_trip(const struct wire_publish *message)
{
    mg_buffer_clear(&packet);
    wire_publish_encode(&packet, message);
    assert_true(mg_buffer_ok(&packet));
    if (decode() != MG_OK) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(decoded.type, message->type);
    assert_true(decoded.epoch == message->epoch);
}

static void assert_slice(struct mg_slice got, const char *expected)
{
    assert_true(mg_slice_equal(got, mg_slice_of_text(expected)));
}

static struct wire_published_issuer issuer_of(const char *name, const char *certificate)
{
    return (struct wire_published_issuer){
        .name = mg_slice_of_text(name),
        .issuer = {.key_id = {{1, 2, 3}},
                   .role = WIRE_ISSUER_DEFAULT,
                   .key_type = WIRE_KEY_EC_P384,
                   .chain = {mg_slice_of_text(certificate), mg_slice_of_text("root")},
                   .num_chain = 2},
    };
}

static struct wire_publish prepare(void)
{
    return (struct wire_publish){
        .type = WIRE_PUBLISH_PREPARE,
        .epoch = 7,
        .premint_ms = 10000,
        .issuers = {issuer_of("corp", "first"), issuer_of("lab", "second")},
        .num_issuers = 2,
    };
}

static const struct wire_publish short_ones[] = {
    {.type = WIRE_PUBLISH_HELLO, .epoch = UINT64_MAX, .version = WIRE_PUBLISH_VERSION},
    {.type = WIRE_PUBLISH_PROGRESS, .epoch = 3, .num_done = 5, .num_all = 6},
    {.type = WIRE_PUBLISH_PREPARED, .epoch = 3, .ready = true},
    {.type = WIRE_PUBLISH_PREPARED, .epoch = 3, .reason = {(const uint8_t *)"no", 2}},
    {.type = WIRE_PUBLISH_COMMIT, .epoch = 4},
    {.type = WIRE_PUBLISH_COMMITTED, .epoch = 4},
    {.type = WIRE_PUBLISH_ABORT, .epoch = 4},
};

static void test_every_message_says_what_was_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < MG_ARRAY_LEN(short_ones); i++) {
        round_trip(&short_ones[i]);
        assert_int_equal(decoded.version, short_ones[i].version);
        assert_int_equal(decoded.num_done, short_ones[i].num_done);
        assert_int_equal(decoded.num_all, short_ones[i].num_all);
        assert_int_equal(decoded.ready, short_ones[i].ready);
        assert_true(mg_slice_equal(decoded.reason, short_ones[i].reason));
    }
    struct wire_publish message = prepare();
    message.issuers[0].successor = 2;
    message.issuers[1].is_reserve = true;
    message.issuers[0].is_revoked = true;
    message.issuers[1].crl_url = mg_slice_of_text("http://a/");
    round_trip(&message);
    assert_int_equal(decoded.premint_ms, 10000);
    assert_int_equal(decoded.issuers[0].successor, 2);
    assert_int_equal(decoded.issuers[1].successor, 0);
    assert_true(!decoded.issuers[0].is_reserve && decoded.issuers[1].is_reserve);
    assert_true(decoded.issuers[0].is_revoked && !decoded.issuers[1].is_revoked);
    assert_true(decoded.issuers[0].crl_url.len == 0);
    assert_slice(decoded.issuers[1].crl_url, "http://a/");
    assert_int_equal(decoded.num_issuers, 2);
    assert_slice(decoded.issuers[0].name, "corp");
    assert_slice(decoded.issuers[1].name, "lab");
    assert_slice(decoded.issuers[1].issuer.chain[0], "second");
    assert_slice(decoded.issuers[1].issuer.chain[1], "root");
    assert_int_equal(decoded.issuers[1].issuer.num_chain, 2);
    assert_int_equal(decoded.issuers[0].issuer.key_type, WIRE_KEY_EC_P384);
    assert_memory_equal(decoded.issuers[0].issuer.key_id.bytes, message.issuers[0].issuer.key_id.bytes, 16);
}

/* Every beginning of a packet, and one with a byte more, is refused. */
static void assert_whole_or_nothing(const struct wire_publish *message)
{
    mg_buffer_clear(&packet);
    wire_publish_encode(&packet, message);
    struct mg_slice whole = mg_buffer_slice(&packet);
    for (size_t len = 0; len < whole.len; len++) {
        assert_int_equal(wire_publish_decode(&decoded, mg_slice_of(whole.data, len), &why), MG_INVALID);
    }
    mg_buffer_append_u8(&packet, 0);
    assert_int_equal(decode(), MG_INVALID);
}

static void test_a_packet_cut_short_or_too_long_is_refused(void **state)
{
    (void)state;
    const struct wire_publish message = prepare();
    assert_whole_or_nothing(&message);
    for (size_t i = 0; i < MG_ARRAY_LEN(short_ones); i++) {
        assert_whole_or_nothing(&short_ones[i]);
    }
}

/* refused tells whether |message|, which no encoder should be given, is refused with |text|. */
static void assert_refused(const struct wire_publish *message, const char *text)
{
    mg_buffer_clear(&packet);
    wire_publish_encode(&packet, message);
    assert_int_equal(decode(), MG_INVALID);
    if (strstr(why.text, text) == NULL) {
        fail_msg("%s, not %s", why.text, text);
    }
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct wire_publish message = prepare();
    message.issuers[1].name.len = 0;
    assert_refused(&message, "without a name");
    message = prepare();
    message.issuers[1].issuer.role = WIRE_ISSUER_UNTRUST;
    assert_refused(&message, "role 2");
    for (size_t i = 0; i < 2; i++) {
        const uint8_t successors[] = {3, 1};
        message = prepare();
        message.issuers[0].successor = successors[i]; /* not there, and itself */
        assert_refused(&message, "cannot be number");
    }
    message = prepare();
    message.issuers[0].is_reserve = true;
    assert_refused(&message, "reserve");
    static char long_url[WIRE_PUBLISH_MAX_URL + 1];
    memset(long_url, 'x', sizeof(long_url));
    message = prepare();
    message.issuers[1].crl_url = mg_slice_of(long_url, sizeof(long_url));
    assert_refused(&message, "CRL address of 1025 bytes");
    message.issuers[1].crl_url.len--;
    round_trip(&message);
    /* type, epoch, premint_ms, count, "corp" behind its length, successor, reserve: then revoked */
    packet.data[1 + 8 + 4 + 1 + 5 + 1 + 1] = 2;
    assert_int_equal(decode(), MG_INVALID);
    assert_non_null(strstr(why.text, "whether it is revoked"));
    message = prepare();
    message.epoch = 0;
    assert_refused(&message, "at least 1");
    message = prepare();
    message.num_issuers = 0;
    assert_refused(&message, "0 issuers");
    message = (struct wire_publish){.type = WIRE_PUBLISH_PROGRESS, .num_done = 2, .num_all = 1};
    assert_refused(&message, "2 done of 1");
    message = (struct wire_publish){.type = WIRE_PUBLISH_PREPARED, .ready = true, .reason = mg_slice_of_text("no")};
    assert_refused(&message, "reason");
    message = (struct wire_publish){.type = WIRE_PUBLISH_PREPARED};
    assert_refused(&message, "reason");
    message = (struct wire_publish){.type = (enum wire_publish_type)11};
    assert_refused(&message, "unknown type 11");
    message = (struct wire_publish){.type = (enum wire_publish_type)0};
    assert_refused(&message, "unknown type 0");
}

static void test_more_issuers_than_allowed_are_refused(void **state)
{
    (void)state;
    struct wire_publish message = prepare();
    for (size_t i = 0; i < WIRE_PUBLISH_MAX_ISSUERS; i++) {
        message.issuers[i] = issuer_of("name", "certificate");
    }
    message.num_issuers = WIRE_PUBLISH_MAX_ISSUERS;
    round_trip(&message);
    assert_int_equal(decoded.num_issuers, WIRE_PUBLISH_MAX_ISSUERS);
    packet.data[1 + 8 + 4]++;
    assert_int_equal(decode(), MG_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_packet, free_packet)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_message_says_what_was_meant),
        TEST(test_a_packet_cut_short_or_too_long_is_refused),
        TEST(test_what_makes_no_sense_is_refused),
        TEST(test_more_issuers_than_allowed_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
