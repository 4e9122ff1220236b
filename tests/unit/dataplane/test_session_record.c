/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "dataplane/session/session_record.h"

static struct session_record record;

static int start(void **state)
{
    (void)state;
    const struct flow_key flow = {
        .client = {10, 0, 0, 1},
        .server = {192, 0, 2, 7},
        .client_port = 40000,
        .server_port = 443,
        .vlan = {PACKET_NO_VLAN, PACKET_NO_VLAN},
    };
    session_record_init(&record, &flow);
    return 0;
}

/* written returns the record's line as an object, having checked that it is one line of ASCII. */
static json_t *written(void)
{
    struct mg_buffer line;
    json_error_t error;
    mg_buffer_init(&line, 1 << 16);
    session_record_write(&line, &record);
    assert_true(mg_buffer_ok(&line));
    for (size_t i = 0; i < line.len; i++) {
        assert_int_equal(line.data[i] == '\n', i + 1 == line.len);
        assert_in_range(line.data[i], line.data[i] == '\n' ? '\n' : ' ', '~');
    }
    json_t *object = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        fail_msg("%.*s", (int)line.len, (const char *)line.data);
    }
    mg_buffer_free(&line);
    return object;
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || strcmp(text, expected) != 0) {
        fail_msg("%s is %s, not %s", key, text == NULL ? "missing" : text, expected);
    }
}

static void assert_number(const json_t *object, const char *key, json_int_t expected)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    assert_int_equal(json_integer_value(json_object_get(object, key)), expected);
}

static void test_what_is_not_known_has_no_key(void **state)
{
    (void)state;
    static const char *const keys[] = {"time",    "client", "server", "bytes_from_client", "bytes_from_server",
                                       "stage_us"};
    int64_t before = mg_clock_wall_us();
    assert_int_equal(start(NULL), 0);
    assert_in_range(record.time_us, before, mg_clock_wall_us());
    json_t *object = written();
    assert_int_equal(json_object_size(object), MG_ARRAY_LEN(keys));
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        assert_non_null(json_object_get(object, keys[i]));
    }
    assert_int_equal(json_object_size(json_object_get(object, "stage_us")), 0);
    json_decref(object);
}

/* Readers of the log rely on these names: docs/operations.md. */
static void test_every_field_stands_under_its_stable_key(void **state)
{
    (void)state;
    record.time_us = INT64_C(1780000000123456);
    strcpy(record.sni.text, "www.example");
    record.sni.len = 11;
    strcpy(record.ja4.text, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    record.action = "intercept";
    record.reason = "rule";
    strcpy(record.rule, "all");
    record.client_tls = (struct session_tls){"TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519"};
    record.server_tls = (struct session_tls){"TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", "P-256"};
    strcpy(record.alpn, "h2");
    record.upstream_verdict = "ok";
    record.has_upstream_fingerprint = true;
    for (size_t i = 0; i < 32; i++) {
        record.upstream_fingerprint[i] = (uint8_t)(0xf0 + i);
    }
    strcpy(record.client_certificate, "clients/partner");
    memcpy(record.leaf_serial, "\x0a\xbc", 2);
    record.leaf_serial_len = 2;
    record.issuer_generation = 7;
    record.issuer_role = "trust";
    record.resumed = true;
    record.client_alert = 48;
    record.server_alert = 0;
    record.bytes_from_client = 123;
    record.bytes_from_server = UINT64_C(1) << 40;
    for (int i = 0; i < NUM_STAGES; i++) {
        record.stage_us[i] = (uint64_t)i + 1;
    }
    json_t *object = written();
    assert_text(object, "time", "2026-05-28T20:26:40.123456Z");
    assert_text(object, "client", "10.0.0.1:40000");
    assert_text(object, "server", "192.0.2.7:443");
    assert_text(object, "sni", "www.example");
    assert_text(object, "ja4", "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_text(object, "action", "intercept");
    assert_text(object, "reason", "rule");
    assert_text(object, "rule", "all");
    assert_text(object, "client_version", "TLSv1.3");
    assert_text(object, "client_cipher", "TLS_AES_128_GCM_SHA256");
    assert_text(object, "client_group", "X25519");
    assert_text(object, "server_version", "TLSv1.2");
    assert_text(object, "server_cipher", "ECDHE-RSA-AES128-GCM-SHA256");
    assert_text(object, "server_group", "P-256");
    assert_text(object, "alpn", "h2");
    assert_text(object, "upstream_verdict", "ok");
    assert_text(object, "upstream_sha256", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f");
    assert_text(object, "client_certificate", "clients/partner");
    assert_text(object, "leaf_serial", "0abc");
    assert_text(object, "issuer", "trust");
    assert_number(object, "issuer_generation", 7);
    assert_true(json_is_true(json_object_get(object, "resumed")));
    assert_number(object, "client_alert", 48);
    assert_number(object, "server_alert", 0); /* close_notify is one too */
    assert_number(object, "bytes_from_client", 123);
    assert_number(object, "bytes_from_server", INT64_C(1) << 40);
    static const char *const stages[] = {"hello", "takeover", "upstream", "leaf", "client", "relay"};
    const json_t *times = json_object_get(object, "stage_us");
    assert_int_equal(json_object_size(times), NUM_STAGES);
    for (int i = 0; i < NUM_STAGES; i++) {
        assert_number(times, stages[i], i + 1);
        assert_string_equal(session_stage_name((enum session_stage)i), stages[i]);
    }
    assert_int_equal(json_object_size(object), 27);
    json_decref(object);
}

static void test_resumed_is_said_of_handshakes_alone(void **state)
{
    (void)state;
    record.client_tls.version = "TLSv1.3";
    json_t *object = written();
    assert_true(json_is_false(json_object_get(object, "resumed")));
    json_decref(object);
    record.client_tls.version = NULL;
    record.resumed = true;
    object = written();
    assert_null(json_object_get(object, "resumed"));
    json_decref(object);
}

/* close_notify (0) is an alert; -1 is none. */
static void test_an_alert_of_zero_is_one(void **state)
{
    (void)state;
    record.client_alert = 0;
    json_t *object = written();
    assert_number(object, "client_alert", 0);
    assert_null(json_object_get(object, "server_alert"));
    json_decref(object);
}

static void test_ipv6_addresses_stand_in_brackets(void **state)
{
    (void)state;
    static const uint8_t client[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    record.flow.is_ipv6 = 1;
    memcpy(record.flow.client, client, 16);
    memset(record.flow.server, 0xff, 16);
    record.flow.server_port = 65535;
    json_t *object = written();
    assert_text(object, "client", "[2001:db8::1]:40000");
    assert_text(object, "server", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    json_decref(object);
}

static void test_vlan_tags_stand_in_their_order(void **state)
{
    (void)state;
    record.flow.vlan[0] = 100;
    json_t *object = written();
    const json_t *tags = json_object_get(object, "vlan");
    assert_int_equal(json_array_size(tags), 1);
    assert_int_equal(json_integer_value(json_array_get(tags, 0)), 100);
    json_decref(object);
    record.flow.vlan[1] = 0;
    object = written();
    tags = json_object_get(object, "vlan");
    assert_int_equal(json_array_size(tags), 2);
    assert_int_equal(json_integer_value(json_array_get(tags, 0)), 100);
    assert_int_equal(json_integer_value(json_array_get(tags, 1)), 0);
    json_decref(object);
}

/* A scar of others: text from outside that became structure. No byte that a client or server sends can end its string.
 */
static void test_hostile_text_stays_inside_its_string(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "\",\"action\":\"bypass", "a\nb", "\\\"}\n{\"sni\":\"x", "\x01\x1f", "</script><!--",
        "\xc3\xbc\xe2\x80\xa8", /* U+2028 ends lines in some readers */
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(hostile); i++) {
        snprintf(record.sni.text, sizeof(record.sni.text), "%s", hostile[i]);
        snprintf(record.rule, sizeof(record.rule), "%s", hostile[i]);
        snprintf(record.alpn, sizeof(record.alpn), "%s", hostile[i]);
        record.action = "block";
        json_t *object = written();
        assert_text(object, "sni", hostile[i]);
        assert_text(object, "rule", hostile[i]);
        assert_text(object, "alpn", hostile[i]);
        assert_text(object, "action", "block");
        json_decref(object);
    }
}

/* JSON has no bytes that are no characters: each is replaced, and the rest of the record stays. */
static void test_bytes_that_are_no_text_cost_no_other_field(void **state)
{
    (void)state;
    strcpy(record.alpn, "\xff\xfe");
    strcpy(record.rule, "cut \xc3");
    strcpy(record.sni.text, "www.example");
    json_t *object = written();
    assert_text(object, "alpn", "\xef\xbf\xbd\xef\xbf\xbd");
    assert_text(object, "rule", "cut \xef\xbf\xbd");
    assert_text(object, "sni", "www.example");
    json_decref(object);
}

static void test_the_longest_values_fit(void **state)
{
    (void)state;
    memset(record.sni.text, 'a', DNS_NAME_MAX_LEN);
    memset(record.rule, 'r', RECORD_RULE_LEN - 1);
    memset(record.alpn, 'p', RECORD_ALPN_LEN - 1);
    memset(record.leaf_serial, 0xff, RECORD_SERIAL_LEN);
    record.leaf_serial_len = RECORD_SERIAL_LEN;
    json_t *object = written();
    assert_int_equal(json_string_length(json_object_get(object, "sni")), DNS_NAME_MAX_LEN);
    assert_int_equal(json_string_length(json_object_get(object, "rule")), RECORD_RULE_LEN - 1);
    assert_int_equal(json_string_length(json_object_get(object, "alpn")), RECORD_ALPN_LEN - 1);
    assert_int_equal(json_string_length(json_object_get(object, "leaf_serial")), 2 * RECORD_SERIAL_LEN);
    json_decref(object);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_not_known_has_no_key),
        TEST(test_every_field_stands_under_its_stable_key),
        TEST(test_resumed_is_said_of_handshakes_alone),
        TEST(test_an_alert_of_zero_is_one),
        TEST(test_ipv6_addresses_stand_in_brackets),
        TEST(test_vlan_tags_stand_in_their_order),
        TEST(test_hostile_text_stays_inside_its_string),
        TEST(test_bytes_that_are_no_text_cost_no_other_field),
        TEST(test_the_longest_values_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
