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
    assert_refused(&message, "name of an issuer of 0 bytes");
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
    assert_non_null(strstr(why.text, "revoked 2"));
    message = prepare();
    message.epoch = 0;
    assert_refused(&message, "at least 1");
    message = prepare();
    message.num_issuers = 0;
    assert_refused(&message, "number of issuers 0");
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

/* ---- stores ---- */

static struct wire_store_id id_of(enum wire_store_kind kind, const char *name)
{
    return (struct wire_store_id){kind, mg_slice_of_text(name)};
}

static struct wire_publish wants(void)
{
    return (struct wire_publish){
        .type = WIRE_PUBLISH_WANT,
        .store.wants = {.ids = {id_of(WIRE_STORE_TRUST, "servers"), id_of(WIRE_STORE_KEYS, "servers")}, .num_ids = 2},
    };
}

static struct wire_publish trust_part(void)
{
    return (struct wire_publish){
        .type = WIRE_PUBLISH_STORE,
        .epoch = 9,
        .store.part = {.id = id_of(WIRE_STORE_TRUST, "servers"),
                       .first = 3,
                       .num_all = 6,
                       .items = {{.certificates = {mg_slice_of_text("a CA")}, .num_certificates = 1, .is_anchor = true},
                                 {.certificates = {mg_slice_of_text("a server")}, .num_certificates = 1}},
                       .num_items = 2},
    };
}

static struct wire_publish keys_part(void)
{
    return (struct wire_publish){
        .type = WIRE_PUBLISH_STORE,
        .epoch = 10,
        .store.part = {.id = id_of(WIRE_STORE_KEYS, "partner"),
                       .num_all = 1,
                       .items = {{.certificates = {mg_slice_of_text("own"), mg_slice_of_text("above")},
                                  .num_certificates = 2,
                                  .name = mg_slice_of_text("entry"),
                                  .key_id = {{7, 8, 9}}}},
                       .num_items = 1},
    };
}

static struct wire_publish taken(void)
{
    return (struct wire_publish){
        .type = WIRE_PUBLISH_STORE_TAKEN,
        .epoch = 9,
        .store.taken = {.id = id_of(WIRE_STORE_TRUST, "servers"), .num_taken = 5, .reason = mg_slice_of_text("full")},
    };
}

static void test_what_an_engine_wants_and_has_taken_says_what_was_meant(void **state)
{
    (void)state;
    struct wire_publish message = wants();
    round_trip(&message);
    assert_int_equal(decoded.store.wants.num_ids, 2);
    assert_int_equal(decoded.store.wants.ids[1].kind, WIRE_STORE_KEYS);
    assert_slice(decoded.store.wants.ids[0].name, "servers");
    assert_whole_or_nothing(&message);
    message = taken();
    round_trip(&message);
    assert_int_equal(decoded.store.taken.num_taken, 5);
    assert_slice(decoded.store.taken.reason, "full");
    assert_whole_or_nothing(&message);
}

static void test_a_part_of_a_store_says_what_was_meant(void **state)
{
    (void)state;
    struct wire_publish message = trust_part();
    round_trip(&message);
    const struct wire_store_part *part = &decoded.store.part;
    assert_true(part->first == 3 && part->num_all == 6 && part->num_items == 2 && part->missing.len == 0);
    assert_true(part->items[0].is_anchor && !part->items[1].is_anchor);
    assert_slice(part->items[1].certificates[0], "a server");
    assert_whole_or_nothing(&message);
    message = keys_part();
    round_trip(&message);
    assert_slice(part->items[0].name, "entry");
    assert_slice(part->items[0].certificates[1], "above");
    assert_int_equal(part->items[0].num_certificates, 2);
    assert_int_equal(part->items[0].key_id.bytes[2], 9);
    assert_whole_or_nothing(&message);
    message.store.part = (struct wire_store_part){.id = message.store.part.id, .missing = mg_slice_of_text("none")};
    round_trip(&message);
    assert_slice(part->missing, "none");
}

/* What an item adds to a packet is what it is said to add: control cuts stores by it. */
static void test_the_size_of_an_item_is_what_it_takes(void **state)
{
    (void)state;
    struct wire_publish messages[] = {trust_part(), keys_part()};
    for (size_t i = 0; i < MG_ARRAY_LEN(messages); i++) {
        struct wire_store_part *part = &messages[i].store.part;
        part->num_all = WIRE_STORE_MAX_ITEMS;
        mg_buffer_clear(&packet);
        wire_publish_encode(&packet, &messages[i]);
        size_t len = packet.len;
        part->items[part->num_items++] = part->items[0];
        mg_buffer_clear(&packet);
        wire_publish_encode(&packet, &messages[i]);
        assert_int_equal(packet.len - len, wire_store_item_size(part->id.kind, &part->items[0]));
    }
}

static void test_stores_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static char long_name[WIRE_STORE_MAX_NAME + 1];
    struct wire_publish message = wants();
    message.store.wants.ids[1].kind = WIRE_STORE_TRUST;
    assert_refused(&message, "store 2 is store 1 again");
    message.store.wants.ids[1].kind = (enum wire_store_kind)3;
    assert_refused(&message, "kind of store 3");
    message.store.wants.ids[1] = id_of(WIRE_STORE_KEYS, "");
    assert_refused(&message, "name of 0 bytes");
    message.store.wants.ids[1].name = mg_slice_of(long_name, sizeof(long_name));
    assert_refused(&message, "name of 65 bytes");
    message = trust_part();
    message.store.part.first = 5;
    assert_refused(&message, "2 items from 5 of 6");
    message.store.part.num_all = WIRE_STORE_MAX_ITEMS + 1;
    assert_refused(&message, "of 2049 items");
    message = trust_part();
    message.store.part.num_items = 0;
    assert_refused(&message, "0 items from 3 of 6");
    message = trust_part();
    message.store.part.missing = mg_slice_of_text("none");
    assert_refused(&message, "missing has items");
    message = trust_part();
    message.store.part.items[1].certificates[0].len = 0;
    assert_refused(&message, "certificate of 0 bytes");
    message = keys_part();
    message.store.part.items[0].num_certificates = 0;
    assert_refused(&message, "number of certificates 0");
    message = trust_part();
    round_trip(&message);
    /* type, epoch, kind, "servers" and no reason behind their lengths, first, all, count: then is_anchor */
    packet.data[1 + 8 + 1 + 8 + 1 + 2 + 2 + 1] = 2;
    assert_int_equal(decode(), MG_INVALID);
    assert_non_null(strstr(why.text, "anchor 2"));
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
        TEST(test_what_an_engine_wants_and_has_taken_says_what_was_meant),
        TEST(test_a_part_of_a_store_says_what_was_meant),
        TEST(test_the_size_of_an_item_is_what_it_takes),
        TEST(test_stores_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
