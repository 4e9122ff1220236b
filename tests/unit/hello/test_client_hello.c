/* SPDX-License-Identifier: Apache-2.0 */
#include "hello_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/hello/client_hello.h"
#include "dataplane/hello/hello_record.h"
#include "dataplane/hello/hello_stream.h"

#define NUM_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct client_hello parse_good(const struct hello_parts *parts)
{
    struct client_hello hello;
    assert_int_equal(client_hello_parse(&hello, fixture_message(parts)), MG_OK);
    assert_int_equal(hello.fault, CLIENT_HELLO_GOOD);
    return hello;
}

static struct client_hello parse_extensions(const char *extensions)
{
    return parse_good(&(struct hello_parts){.extensions = extensions});
}

/* A refused hello leaves nothing behind that could be taken for its content. */
static void assert_refused(CBS message, enum client_hello_fault fault)
{
    struct client_hello hello;
    struct client_hello nothing = {.fault = fault};
    assert_int_equal(client_hello_parse(&hello, message),
                     fault == CLIENT_HELLO_TOO_MANY_EXTENSIONS ? MG_LIMIT : MG_INVALID);
    assert_string_equal(client_hello_fault_name(hello.fault), client_hello_fault_name(fault));
    assert_memory_equal(&hello.ech, &nothing.ech, sizeof(hello) - offsetof(struct client_hello, ech));
}

static void assert_parts_refused(const struct hello_parts *parts, enum client_hello_fault fault)
{
    assert_refused(fixture_message(parts), fault);
}

static void assert_extensions_refused(const char *extensions, enum client_hello_fault fault)
{
    assert_parts_refused(&(struct hello_parts){.extensions = extensions}, fault);
}

static void assert_bytes(CBS got, const char *hex)
{
    fixture_assert_equal(got, fixture_hex(hex));
}

static void assert_text(CBS got, const char *text)
{
    assert_int_equal(CBS_len(&got), strlen(text));
    assert_memory_equal(CBS_data(&got), text, strlen(text));
}

static CBS captured_message(const char *name)
{
    static uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];
    struct hello_record record;
    assert_int_equal(hello_record_parse(&record, fixture_captured(name), scratch), HELLO_RECORD_COMPLETE);
    return record.message;
}

static void assert_chromium(const struct client_hello *hello)
{
    assert_int_equal(hello->legacy_version, CLIENT_HELLO_TLS1_2);
    assert_int_equal(hello->min_version, CLIENT_HELLO_TLS1_2);
    assert_int_equal(hello->max_version, CLIENT_HELLO_TLS1_3);
    assert_int_equal(CBS_len(&hello->random), 32);
    assert_int_equal(CBS_len(&hello->session_id), 32);
    assert_text(hello->server_name, "hello.lab.test");
    assert_bytes(hello->alpn, "02 6832 08 687474702f312e31");
    assert_true(client_hello_has_group(hello, 0x11ec)); /* X25519MLKEM768 */
    assert_true(client_hello_has_key_share(hello, 0x11ec));
    assert_true(client_hello_has_key_share(hello, 0x001d));
    assert_false(client_hello_has_key_share(hello, 0x0017));
    assert_true(client_hello_has_group(hello, 0x0017));
    assert_true(client_hello_has_sigalg(hello, 0x0403));
    assert_true(client_hello_offers_cipher(hello, 0x1301));
    assert_false(client_hello_offers_cipher(hello, 0x1304));
    assert_int_equal(hello->ech, CLIENT_HELLO_ECH_OUTER); /* GREASE, and looks the same */
    assert_int_equal(hello->num_extensions, 19);
    assert_true(client_hello_has_extension(hello, CLIENT_HELLO_EXT_EXTENDED_MASTER_SECRET));
    assert_true(client_hello_has_extension(hello, CLIENT_HELLO_EXT_RENEGOTIATION_INFO));
    assert_true(client_hello_has_extension(hello, CLIENT_HELLO_EXT_COMPRESS_CERTIFICATE));
    assert_false(client_hello_has_extension(hello, CLIENT_HELLO_EXT_PRE_SHARED_KEY));
    assert_false(client_hello_has_extension(hello, CLIENT_HELLO_EXT_EARLY_DATA));
    assert_true(client_hello_takes_ecdsa_p256(hello, CLIENT_HELLO_TLS1_3));
    assert_true(client_hello_takes_ecdsa_p256(hello, CLIENT_HELLO_TLS1_2));
}

/* A scar of others: their buffer held 1 KiB, and the hello of a post-quantum client has 1.9, in two segments, sometimes
 * the second one first. */
static void test_scar_1_kib_buffer_lost_post_quantum_clients(void **state)
{
    (void)state;
    static uint8_t memory[4096];
    static uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];
    CBS sent = fixture_captured("chromium");
    CBS second = sent;
    CBS first;
    assert_true(CBS_len(&sent) > 1800);
    assert_true(CBS_get_bytes(&second, &first, 1448));

    struct hello_stream stream;
    struct hello_record record;
    struct client_hello hello;
    hello_stream_init(&stream, memory, sizeof(memory));
    assert_int_equal(hello_stream_add(&stream, 1448, CBS_data(&second), CBS_len(&second)), HELLO_STREAM_OK);
    assert_int_equal(hello_record_parse(&record, hello_stream_prefix(&stream), scratch), HELLO_RECORD_NEED_MORE);
    assert_int_equal(hello_stream_add(&stream, 0, CBS_data(&first), CBS_len(&first)), HELLO_STREAM_OK);
    assert_int_equal(hello_record_parse(&record, hello_stream_prefix(&stream), scratch), HELLO_RECORD_COMPLETE);
    assert_int_equal(client_hello_parse(&hello, record.message), MG_OK);
    assert_chromium(&hello);
}

static void test_captured_hellos_of_other_clients(void **state)
{
    (void)state;
    struct client_hello hello;
    assert_int_equal(client_hello_parse(&hello, captured_message("openssl-tls10")), MG_OK);
    assert_int_equal(hello.max_version, CLIENT_HELLO_TLS1_0);
    assert_int_equal(CBS_len(&hello.server_name), 0);
    assert_true(client_hello_has_extension(&hello, CLIENT_HELLO_EXT_ENCRYPT_THEN_MAC));
    assert_true(client_hello_has_extension(&hello, CLIENT_HELLO_EXT_SESSION_TICKET));

    assert_int_equal(client_hello_parse(&hello, captured_message("gnutls-ecdsa")), MG_OK);
    assert_bytes(hello.signature_algorithms, "0403 0503");
    assert_true(client_hello_has_extension(&hello, CLIENT_HELLO_EXT_STATUS_REQUEST));

    assert_int_equal(client_hello_parse(&hello, captured_message("curl-tls12")), MG_OK);
    assert_int_equal(hello.max_version, CLIENT_HELLO_TLS1_2);
    assert_int_equal(hello.min_version, CLIENT_HELLO_SSL3);
    assert_text(hello.server_name, "hello.lab.test");
}

static void test_a_hello_may_end_without_extensions(void **state)
{
    (void)state;
    struct client_hello hello = parse_good(
        &(struct hello_parts){.legacy_version = "0301", .session_id = "02 abcd", .cipher_suites = "0004 000a 002f"});
    assert_int_equal(hello.legacy_version, CLIENT_HELLO_TLS1_0);
    assert_int_equal(hello.max_version, CLIENT_HELLO_TLS1_0);
    assert_bytes(hello.session_id, "abcd");
    assert_bytes(hello.cipher_suites, "000a 002f");
    assert_bytes(hello.compression_methods, "00");
    assert_bytes(hello.random, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    assert_int_equal(hello.num_extensions, 0);
    assert_int_equal(parse_extensions("").num_extensions, 0);
}

static void test_every_cut_of_a_message_is_refused(void **state)
{
    (void)state;
    static uint8_t cut[4096];
    CBS whole = captured_message("chromium");
    for (size_t len = 0; len < CBS_len(&whole); len++) {
        CBS message;
        struct client_hello hello;
        memcpy(cut, CBS_data(&whole), len);
        CBS_init(&message, cut, len);
        assert_refused(message, CLIENT_HELLO_BAD_MESSAGE);
        if (len < 4) {
            continue;
        }
        /* With a header that says so, only the place where no extensions begin is a good end. */
        cut[2] = (uint8_t)((len - 4) >> 8);
        cut[3] = (uint8_t)(len - 4);
        bool good = client_hello_parse(&hello, message) == MG_OK;
        size_t before_extensions = 4 + 2 + 32 + 33 + 2 + 16 * 2 + 2;
        assert_int_equal(good, len == before_extensions);
    }
}

static void test_a_message_that_is_not_one_client_hello_is_refused(void **state)
{
    (void)state;
    assert_refused(fixture_hex(""), CLIENT_HELLO_BAD_MESSAGE);
    assert_refused(fixture_hex("01 000000"), CLIENT_HELLO_BAD_MESSAGE);
    assert_refused(fixture_hex("01 000002 0303"), CLIENT_HELLO_BAD_MESSAGE);
    assert_refused(fixture_hex("01 ffffff 0303"), CLIENT_HELLO_BAD_MESSAGE);
    static uint8_t changed[256];
    CBS message = fixture_message(&(struct hello_parts){.extensions = ""});
    memcpy(changed, CBS_data(&message), CBS_len(&message));
    changed[0] = 2; /* a ServerHello */
    CBS_init(&message, changed, CBS_len(&message));
    assert_refused(message, CLIENT_HELLO_BAD_MESSAGE);
    changed[0] = 1;
    CBS_init(&message, changed, CBS_len(&message) + 1); /* a byte behind it */
    assert_refused(message, CLIENT_HELLO_BAD_MESSAGE);
}

static void test_session_id_bounds(void **state)
{
    (void)state;
    static const char id32[] = "20 0000000000000000 0000000000000000 0000000000000000 0000000000000000";
    static const char id33[] = "21 0000000000000000 0000000000000000 0000000000000000 0000000000000000 00";
    struct client_hello hello = parse_good(&(struct hello_parts){.session_id = id32});
    assert_int_equal(CBS_len(&hello.session_id), 32);
    assert_parts_refused(&(struct hello_parts){.session_id = id33}, CLIENT_HELLO_BAD_SESSION_ID);
    assert_parts_refused(&(struct hello_parts){.session_id = "ff"}, CLIENT_HELLO_BAD_SESSION_ID);
}

static void test_cipher_suite_list_must_be_whole(void **state)
{
    (void)state;
    static const char *const bad[] = {"0000", "0001 13", "0003 1301 13", "ffff 1301"};
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_parts_refused(&(struct hello_parts){.cipher_suites = bad[i]}, CLIENT_HELLO_BAD_CIPHER_SUITES);
    }
}

/* RFC 5246 section 7.4.1.2 */
static void test_compression_methods_must_have_null(void **state)
{
    (void)state;
    static const char *const bad[] = {"00", "01 01", "02 0140", "05 00"};
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_parts_refused(&(struct hello_parts){.compression_methods = bad[i]}, CLIENT_HELLO_BAD_COMPRESSION);
    }
    assert_bytes(parse_good(&(struct hello_parts){.compression_methods = "02 0100"}).compression_methods, "0100");
}

static void test_extension_lengths_must_add_up(void **state)
{
    (void)state;
    static const char *const bad[] = {"00",           "0017",         "0017 00",     "0017 0001",
                                      "0017 0000 ff", "5a5a 0002 00", "5a5a ffff 00"};
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_extensions_refused(bad[i], CLIENT_HELLO_BAD_EXTENSIONS);
    }
    static const char *const behind[] = {"00", "0001", "0004 0017 00", "0004 0017 0000 00", "ffff 0017 0000"};
    for (size_t i = 0; i < NUM_OF(behind); i++) {
        assert_parts_refused(&(struct hello_parts){.behind = behind[i]}, CLIENT_HELLO_BAD_EXTENSIONS);
    }
}

/* RFC 8446 section 4.2: there must be no more than one extension of the same type, known or not. */
static void test_duplicate_extensions_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0017 0000 0017 0000",
        "003f 0000 0017 0000 003f 0001 00",
        "0040 0000 0040 0000",
        "ff01 0001 00 0017 0000 ff01 0001 00",
        "0a0a 0000 0017 0000 0a0a 0001 00", /* two GREASE ones must differ too (RFC 8701 section 3.1) */
        "0000 0006 0004 00 0001 61 0000 0006 0004 00 0001 62",
    };
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_extensions_refused(bad[i], CLIENT_HELLO_DUPLICATE_EXTENSION);
    }
    /* No wrap-around of the bits that the low types are noted in. */
    assert_int_equal(parse_extensions("0017 0000 0057 0000 0117 0000 1700 0000").num_extensions, 4);
}

static CBS message_with_extensions(size_t num_extensions)
{
    static char hex[CLIENT_HELLO_MAX_EXTENSIONS * 16];
    char *end = hex;
    for (size_t i = 0; i < num_extensions; i++) {
        end += snprintf(end, 9, "%04zx0000", 0x0100 + i);
    }
    return fixture_message(&(struct hello_parts){.extensions = hex});
}

static void test_the_bound_on_extensions_is_filled_exactly_and_never_passed(void **state)
{
    (void)state;
    struct client_hello hello;
    assert_int_equal(client_hello_parse(&hello, message_with_extensions(CLIENT_HELLO_MAX_EXTENSIONS)), MG_OK);
    assert_int_equal(hello.num_extensions, CLIENT_HELLO_MAX_EXTENSIONS);
    assert_refused(message_with_extensions(CLIENT_HELLO_MAX_EXTENSIONS + 1), CLIENT_HELLO_TOO_MANY_EXTENSIONS);
}

/* RFC 8446 section 4.2.11 */
static void test_pre_shared_key_must_be_the_last_extension(void **state)
{
    (void)state;
    assert_extensions_refused("0029 0000 0017 0000", CLIENT_HELLO_PRE_SHARED_KEY_NOT_LAST);
    struct client_hello hello = parse_extensions("0017 0000 002a 0000 0029 0000");
    assert_true(client_hello_has_extension(&hello, CLIENT_HELLO_EXT_PRE_SHARED_KEY));
    assert_true(client_hello_has_extension(&hello, CLIENT_HELLO_EXT_EARLY_DATA));
}

/* RFC 6066 section 3 */
static void test_server_name_must_be_one_host_name(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0000 0000",                            /* no list */
        "0000 0002 0000",                       /* an empty one */
        "0000 0005 0003 00 0000",               /* an empty name */
        "0000 0006 0004 01 0001 61",            /* another type of name */
        "0000 000a 0008 00 0001 61 00 0001 62", /* two host names */
        "0000 000a 0008 01 0001 61 00 0001 62", /* another type and a host name */
        "0000 000a 0008 00 0001 61 01 0001 62", /* a host name and another type */
        "0000 0006 0004 00 0002 61",            /* lengths that do not fit */
        "0000 0006 0003 00 0001 61",
        "0000 0006 0005 00 0001 61",
        "0000 0007 0004 00 0001 61 00", /* a byte behind the list */
        "0000 0007 0005 00 0001 61 00", /* a byte behind the name */
        "0000 0006 ffff 00 0001 61",
        "0000 0006 0004 00 ffff 61",
        "0000 0001 00",
    };
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_extensions_refused(bad[i], CLIENT_HELLO_BAD_SERVER_NAME);
    }
    /* Any bytes: what a name may hold is judged where names are canonicalised. */
    assert_bytes(parse_extensions("0000 0009 0007 00 0004 612c 00 ff").server_name, "612c00ff");
}

/* RFC 7301 section 3.1 */
static void test_alpn_must_be_a_list_of_names(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0010 0000",                /* no list */
        "0010 0002 0000",           /* an empty one */
        "0010 0003 0001 00",        /* an empty name */
        "0010 0006 0004 026832 00", /* an empty name behind a good one */
        "0010 0005 0003 036832",    /* a name longer than the list */
        "0010 0005 0002 026832",    /* a list shorter than the name */
        "0010 0006 0003 026832 00", /* a byte behind the list */
        "0010 0005 ffff 026832",
        "0010 0006 0004 026832 ff",
    };
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_extensions_refused(bad[i], CLIENT_HELLO_BAD_ALPN);
    }
}

static void test_alpn_is_read_in_order(void **state)
{
    (void)state;
    struct client_hello hello = parse_extensions("0010 0010 000e 02 6832 08 687474702f312e31 01 00");
    CBS rest = hello.alpn;
    CBS protocol;
    assert_true(client_hello_next_alpn(&rest, &protocol));
    assert_text(protocol, "h2");
    assert_true(client_hello_next_alpn(&rest, &protocol));
    assert_text(protocol, "http/1.1");
    assert_true(client_hello_next_alpn(&rest, &protocol));
    assert_bytes(protocol, "00");
    assert_false(client_hello_next_alpn(&rest, &protocol));
}

static void test_lists_of_16_bit_values_must_be_whole(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        enum client_hello_fault fault;
    } lists[] = {
        {"000a", CLIENT_HELLO_BAD_SUPPORTED_GROUPS},
        {"000d", CLIENT_HELLO_BAD_SIGNATURE_ALGORITHMS},
        {"0032", CLIENT_HELLO_BAD_SIGNATURE_ALGORITHMS},
    };
    static const char *const bad[] = {"0000",           "0001 00",           "0002 0000",         "0003 0001 04",
                                      "0004 0004 0403", "0005 0003 0403 04", "0005 0002 0403 04", "0004 ffff 0403"};
    for (size_t i = 0; i < NUM_OF(lists); i++) {
        for (size_t j = 0; j < NUM_OF(bad); j++) {
            char extension[64];
            snprintf(extension, sizeof(extension), "%s %s", lists[i].type, bad[j]);
            assert_extensions_refused(extension, lists[i].fault);
        }
    }
}

static void test_lists_are_views_on_the_message(void **state)
{
    (void)state;
    struct client_hello hello =
        parse_extensions("000a 0006 0004 001d 0017 000d 0004 0002 0403 0032 0006 0004 0804 0401");
    assert_bytes(hello.supported_groups, "001d 0017");
    assert_bytes(hello.signature_algorithms, "0403");
    assert_bytes(hello.signature_algorithms_cert, "0804 0401");
    assert_true(client_hello_has_group(&hello, 0x001d));
    assert_false(client_hello_has_group(&hello, 0x1d00)); /* not across two values */
    assert_true(client_hello_has_sigalg(&hello, 0x0403));
    assert_false(client_hello_has_sigalg(&hello, 0x0804)); /* that is for certificates */
}

/* RFC 8446 section 4.2.8 */
static void test_key_shares(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0033 0000",
        "0033 0002 0001",
        "0033 0004 0002 001d",            /* a group without a key */
        "0033 0006 0004 001d 0000",       /* an empty key */
        "0033 0007 0005 001d 0002 aa",    /* a key longer than the list */
        "0033 0007 0004 001d 0001 aa",    /* a list shorter than the key */
        "0033 0008 0005 001d 0001 aa 00", /* a byte behind the list */
        "0033 0008 0006 001d 0001 aa 00", /* half an entry behind a good one */
    };
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_extensions_refused(bad[i], CLIENT_HELLO_BAD_KEY_SHARE);
    }
    struct client_hello hello = parse_extensions("0033 000d 000b 0a0a 0001 00 001d 0002 aabb");
    CBS rest = hello.key_shares;
    CBS key;
    uint16_t group;
    assert_true(client_hello_next_key_share(&rest, &group, &key));
    assert_int_equal(group, 0x0a0a);
    assert_true(client_hello_next_key_share(&rest, &group, &key));
    assert_int_equal(group, 0x001d);
    assert_bytes(key, "aabb");
    assert_false(client_hello_next_key_share(&rest, &group, &key));
    assert_true(client_hello_has_key_share(&hello, 0x001d));
    assert_false(client_hello_has_key_share(&hello, 0xaabb));

    /* An empty list asks for a HelloRetryRequest. */
    hello = parse_extensions("0033 0002 0000");
    assert_true(client_hello_has_extension(&hello, CLIENT_HELLO_EXT_KEY_SHARE));
    assert_false(client_hello_has_key_share(&hello, 0x001d));
}

/* RFC 8446 section 4.2.1, RFC 8701 section 3.1 */
static void test_versions_by_supported_versions(void **state)
{
    (void)state;
    static const struct {
        const char *extension;
        uint16_t min_version;
        uint16_t max_version;
    } cases[] = {
        {"002b 0003 02 0304", 0x0304, 0x0304},
        {"002b 0005 04 0303 0304", 0x0303, 0x0304},
        {"002b 0007 06 fafa 0304 0303", 0x0303, 0x0304}, /* GREASE */
        {"002b 0007 06 0301 0304 0302", 0x0301, 0x0304}, /* any order, with holes */
        {"002b 0007 06 7f1c 0305 0303", 0x0303, 0x0303}, /* drafts and the future are not ours */
        {"002b 0003 02 0300", 0x0300, 0x0300},
        {"002b 0007 06 02ff 0303 0002", 0x0303, 0x0303},
        /* older than SSL 3.0 */ {"002b 0005 04 fafa 7f1c", 0, 0}, /* none that we know */
        {"002b 0007 06 fefd fefc 0304", 0x0304, 0x0304},           /* DTLS */
    };
    for (size_t i = 0; i < NUM_OF(cases); i++) {
        struct client_hello hello = parse_extensions(cases[i].extension);
        assert_int_equal(hello.min_version, cases[i].min_version);
        assert_int_equal(hello.max_version, cases[i].max_version);
    }
    struct client_hello hello = parse_extensions("002b 0005 04 0304 0302");
    assert_true(client_hello_offers_version(&hello, 0x0304));
    assert_false(client_hello_offers_version(&hello, 0x0303)); /* between the two, but not in the list */
    assert_true(client_hello_offers_version(&hello, 0x0302));

    static const char *const bad[] = {
        "002b 0000",        "002b 0001 00", "002b 0002 01 03", "002b 0004 03 0304 03", "002b 0004 02 0304 00",
        "002b 0003 04 0304"};
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_extensions_refused(bad[i], CLIENT_HELLO_BAD_SUPPORTED_VERSIONS);
    }
}

/* RFC 8446 section 4.2.1: without the extension TLS 1.2 at most, even if legacy_version says more. */
static void test_versions_by_legacy_version(void **state)
{
    (void)state;
    static const struct {
        const char *legacy_version;
        uint16_t min_version;
        uint16_t max_version;
    } cases[] = {
        {"0303", 0x0300, 0x0303}, {"0302", 0x0300, 0x0302}, {"0300", 0x0300, 0x0300}, {"0304", 0x0300, 0x0303},
        {"ffff", 0x0300, 0x0303}, {"02ff", 0, 0},           {"0000", 0, 0},
    };
    for (size_t i = 0; i < NUM_OF(cases); i++) {
        struct client_hello hello = parse_good(&(struct hello_parts){.legacy_version = cases[i].legacy_version});
        assert_int_equal(hello.min_version, cases[i].min_version);
        assert_int_equal(hello.max_version, cases[i].max_version);
        for (uint16_t version = 0x02ff; version <= 0x0305; version++) {
            assert_int_equal(client_hello_offers_version(&hello, version),
                             version >= 0x0300 && version <= cases[i].max_version);
        }
        assert_false(client_hello_offers_version(&hello, 0));
    }
}

/* RFC 9849 section 5 */
static void test_encrypted_client_hello(void **state)
{
    (void)state;
    assert_int_equal(parse_extensions("").ech, CLIENT_HELLO_ECH_NONE);
    assert_int_equal(parse_extensions("fe0d 0001 01").ech, CLIENT_HELLO_ECH_INNER);
    assert_int_equal(parse_extensions("fe0d 000d 00 0001 0001 2a 0001 aa 0002 bbcc").ech, CLIENT_HELLO_ECH_OUTER);
    assert_int_equal(parse_extensions("fe0d 000b 00 0001 0001 2a 0000 0001 bb").ech, CLIENT_HELLO_ECH_OUTER);
    static const char *const bad[] = {
        "fe0d 0000",
        "fe0d 0001 00",
        "fe0d 0002 01 00",                           /* a byte behind an inner one */
        "fe0d 000b 02 0001 0001 2a 0000 0001 bb",    /* a type that is not */
        "fe0d 000a 00 0001 0001 2a 0000 0000",       /* an empty payload */
        "fe0d 000c 00 0001 0001 2a 0000 0001 bb 00", /* a byte behind the payload */
        "fe0d 000b 00 0001 0001 2a 0000 0002 bb",
        "fe0d 0006 00 0001 0001 2a",
    };
    for (size_t i = 0; i < NUM_OF(bad); i++) {
        assert_extensions_refused(bad[i], CLIENT_HELLO_BAD_ENCRYPTED_CLIENT_HELLO);
    }
}

static void test_other_extensions_may_hold_anything(void **state)
{
    (void)state;
    struct client_hello hello = parse_extensions("0a0a 0000 0005 0001 ff 0023 0003 010203 ff01 0002 0000 dada 0001 00");
    assert_int_equal(hello.num_extensions, 5);
    assert_int_equal(hello.extension_types[0], 0x0a0a);
    assert_int_equal(hello.extension_types[4], 0xdada);
    assert_true(client_hello_has_extension(&hello, CLIENT_HELLO_EXT_SESSION_TICKET));
    assert_true(client_hello_has_extension(&hello, 0xdada));
    assert_false(client_hello_has_extension(&hello, 0xdadb));
    assert_false(client_hello_has_extension(&hello, 63));
    assert_false(client_hello_has_extension(&hello, 64 + 5)); /* no wrap-around of the bits */
}

static void test_who_takes_an_ecdsa_p256_leaf(void **state)
{
    (void)state;
#define GROUPS_P256 "000a 0006 0004 001d 0017 "
#define GROUPS_X25519 "000a 0004 0002 001d "
#define SIGALGS_P256 "000d 0006 0004 0804 0403 "
#define SIGALGS_RSA "000d 0004 0002 0804 "
    static const struct {
        const char *cipher_suites;
        const char *extensions;
        uint16_t version;
        bool expected;
    } cases[] = {
        /* TLS 1.3: the signature algorithm alone counts (RFC 8446 section 4.2.3). */
        {"0002 1301", SIGALGS_P256, 0x0304, true},
        {"0002 1301", SIGALGS_P256 GROUPS_X25519, 0x0304, true},
        {"0004 1301 c02b", SIGALGS_RSA GROUPS_P256, 0x0304, false},
        {"0004 1301 c02b", GROUPS_P256, 0x0304, false},
        /* TLS 1.2: cipher suite, group and signature algorithm. */
        {"0002 c02b", SIGALGS_P256 GROUPS_P256, 0x0303, true},
        {"0004 c02f c02c", SIGALGS_P256 GROUPS_P256, 0x0303, true},
        {"0002 cca9", SIGALGS_P256 GROUPS_P256, 0x0303, true},
        {"0002 c009", SIGALGS_P256 GROUPS_P256, 0x0303, true},
        {"0002 c00a", SIGALGS_P256 GROUPS_P256, 0x0303, true},
        {"0002 c02f", SIGALGS_P256 GROUPS_P256, 0x0303, false}, /* RSA */
        {"0002 c023", SIGALGS_P256 GROUPS_P256, 0x0303, false}, /* BoringSSL has it not */
        {"0002 1301", SIGALGS_P256 GROUPS_P256, 0x0303, false}, /* TLS 1.3 */
        {"0002 c02b", SIGALGS_P256 GROUPS_X25519, 0x0303, false},
        {"0002 c02b", SIGALGS_P256, 0x0303, true}, /* no word about groups (RFC 8422 section 4) */
        {"0002 c02b", SIGALGS_RSA GROUPS_P256, 0x0303, false},
        {"0002 c02b", GROUPS_P256, 0x0303, true}, /* no word about algorithms */
        {"0002 c02b", NULL, 0x0303, true},
        /* Older: signature algorithms mean nothing. */
        {"0002 c009", SIGALGS_RSA GROUPS_P256, 0x0302, true},
        {"0002 c009", NULL, 0x0301, true},
        {"0002 c013", NULL, 0x0301, false},
        {"0002 c009", GROUPS_X25519, 0x0301, false},
    };
    for (size_t i = 0; i < NUM_OF(cases); i++) {
        struct client_hello hello = parse_good(
            &(struct hello_parts){.cipher_suites = cases[i].cipher_suites, .extensions = cases[i].extensions});
        assert_int_equal(client_hello_takes_ecdsa_p256(&hello, cases[i].version), cases[i].expected);
    }
}

/* RFC 8701 section 2: sixteen values, no more. */
static void test_grease_values(void **state)
{
    (void)state;
    unsigned num_values = 0;
    for (uint32_t value = 0; value <= UINT16_MAX; value++) {
        bool expected = value % 0x1010 == 0x0a0a;
        assert_int_equal(client_hello_is_grease((uint16_t)value), expected);
        num_values += expected;
    }
    assert_int_equal(num_values, 16);
}

static void test_every_fault_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENT_HELLO_NUM_FAULTS; i++) {
        assert_non_null(client_hello_fault_name(i));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(client_hello_fault_name(i), client_hello_fault_name(j));
        }
    }
    assert_string_equal(client_hello_fault_name(CLIENT_HELLO_NUM_FAULTS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scar_1_kib_buffer_lost_post_quantum_clients),
        cmocka_unit_test(test_captured_hellos_of_other_clients),
        cmocka_unit_test(test_a_hello_may_end_without_extensions),
        cmocka_unit_test(test_every_cut_of_a_message_is_refused),
        cmocka_unit_test(test_a_message_that_is_not_one_client_hello_is_refused),
        cmocka_unit_test(test_session_id_bounds),
        cmocka_unit_test(test_cipher_suite_list_must_be_whole),
        cmocka_unit_test(test_compression_methods_must_have_null),
        cmocka_unit_test(test_extension_lengths_must_add_up),
        cmocka_unit_test(test_duplicate_extensions_are_refused),
        cmocka_unit_test(test_the_bound_on_extensions_is_filled_exactly_and_never_passed),
        cmocka_unit_test(test_pre_shared_key_must_be_the_last_extension),
        cmocka_unit_test(test_server_name_must_be_one_host_name),
        cmocka_unit_test(test_alpn_must_be_a_list_of_names),
        cmocka_unit_test(test_alpn_is_read_in_order),
        cmocka_unit_test(test_lists_of_16_bit_values_must_be_whole),
        cmocka_unit_test(test_lists_are_views_on_the_message),
        cmocka_unit_test(test_key_shares),
        cmocka_unit_test(test_versions_by_supported_versions),
        cmocka_unit_test(test_versions_by_legacy_version),
        cmocka_unit_test(test_encrypted_client_hello),
        cmocka_unit_test(test_other_extensions_may_hold_anything),
        cmocka_unit_test(test_who_takes_an_ecdsa_p256_leaf),
        cmocka_unit_test(test_grease_values),
        cmocka_unit_test(test_every_fault_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
