/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "config/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct mg_error last_error;

static struct config *parse(const char *text)
{
    struct config *config = NULL;
    enum mg_status status = config_parse(&config, "test.yaml", text, strlen(text), &last_error);
    if (status != MG_OK) {
        print_message("%s\n", last_error.text);
    }
    assert_int_equal(status, MG_OK);
    return config;
}

/* refused checks that |text| is refused with an error that contains |part| and names the line. */
static void refused(const char *text, const char *part)
{
    struct config *config = NULL;
    assert_int_equal(config_parse(&config, "test.yaml", text, strlen(text), &last_error), MG_INVALID);
    if (strstr(last_error.text, part) == NULL) {
        print_message("error was: %s, expected: %s\n", last_error.text, part);
    }
    assert_non_null(strstr(last_error.text, part));
}

static void test_an_empty_file_is_all_defaults_and_intercepts_nothing(void **state)
{
    (void)state;
    const char *const empty[] = {"", "# nothing\n", "---\n", "policy:\n"};
    for (size_t i = 0; i < MG_ARRAY_LEN(empty); i++) {
        struct config *config = parse(empty[i]);
        assert_int_equal(config->policy.default_action, CONFIG_ACTION_BYPASS);
        assert_int_equal(config->policy.rules.num_items, 0);
        assert_int_equal(config->dataplane.workers, 1);
        assert_int_equal(config->dataplane.hold_time_ns, UINT64_C(3000000000));
        assert_int_equal(config->minting.max_validity_seconds, 199 * 86400);
        assert_int_equal(config->cache.bytes, 256 << 20);
        assert_int_equal(config->tls.alpn.num_items, 2);
        assert_string_equal(config->signer.state_dir, "/var/lib/mintgate/signer");
        assert_string_equal(config->control.database, "/var/lib/mintgate/control/control.db");
        assert_string_equal(config->control.listen, "");
        assert_int_equal(config->control.subscription, CONFIG_SUBSCRIPTION_HSM);
        assert_int_equal(config->control.prepare_time_ns, UINT64_C(10000000000));
        assert_true(config->tls.client_resumption);
        config_free(config);
    }
}

static void test_values_are_read(void **state)
{
    (void)state;
    struct config *config = parse("log: {level: debug}\n"
                                  "dataplane:\n"
                                  "  eal: [--no-huge, \"-m\", \"512\"]\n"
                                  "  workers: 2\n"
                                  "  idle_sleep: 0\n"
                                  "tls: {min_version: \"1.3\", alpn: h2, client_resumption: false}\n"
                                  "cache: {bytes: 1GiB, negative: 0}\n"
                                  "control: {subscription: software, on_issuer_expiry: block, listen: '[::1]:8443'}\n"
                                  "policy:\n"
                                  "  block_with: reset\n"
                                  "  rules:\n"
                                  "    - {name: bank, sni: ['*.bank.test', bank.test], action: bypass}\n"
                                  "    - name: all\n"
                                  "      client: 10.0.0.0/8\n"
                                  "      server: [2001:db8::/32, 192.0.2.7]\n"
                                  "      port: [443, 8000-8999]\n"
                                  "      action: block\n");
    assert_int_equal(config->log_level, MG_LOG_DEBUG);
    assert_int_equal(config->dataplane.eal.num_items, 3);
    assert_string_equal(config->dataplane.eal.items[2], "512");
    assert_int_equal(config->dataplane.idle_sleep_ns, 0);
    assert_int_equal(config->tls.min_version, CONFIG_TLS_1_3);
    assert_int_equal(config->tls.alpn.num_items, 1);
    assert_false(config->tls.client_resumption);
    assert_int_equal(config->cache.bytes, 1 << 30);
    assert_int_equal(config->control.subscription, CONFIG_SUBSCRIPTION_SOFTWARE);
    assert_int_equal(config->control.on_issuer_expiry, CONFIG_EXPIRY_BLOCK);
    assert_string_equal(config->control.listen, "[::1]:8443");
    assert_int_equal(config->policy.rules.num_items, 2);
    const struct config_rule *bank = &config->policy.rules.items[0];
    const struct config_rule *all = &config->policy.rules.items[1];
    assert_string_equal(bank->sni.items[0], "*.bank.test");
    assert_int_equal(bank->line, 12);
    assert_int_equal(all->block_with, CONFIG_BLOCK_RESET);
    assert_int_equal(all->server.num_items, 2);
    assert_true(all->server.items[0].is_ipv6);
    assert_int_equal(all->server.items[0].len, 32);
    assert_int_equal(all->server.items[1].len, 32);
    assert_false(all->server.items[1].is_ipv6);
    assert_int_equal(all->port.items[1].first, 8000);
    config_free(config);
}

static void test_errors_name_file_line_key_and_rule(void **state)
{
    (void)state;
    refused("log:\n  level: loud\n", "test.yaml:2: log.level: must be one of error, warning, info, debug");
    refused("dataplane:\n  workers: 0\n", "test.yaml:2: dataplane.workers: must be from 1 to 32");
    refused("dataplane:\n  workers: -1\n", "dataplane.workers: must be a whole number");
    refused("dataplane: {hold_time: 3}\n", "dataplane.hold_time: must be a duration");
    refused("minting: {max_validity: 90001ms}\n", "minting.max_validity: must be whole seconds");
    refused("cache: {bytes: 12MB}\n", "cache.bytes: must be a size");
    refused("tls: {client_resumption: yes please}\n", "must be true or false");
    refused("dataplane:\n  wokers: 1\n", "test.yaml:2: dataplane: there is no key wokers here");
    refused("dataplan: {}\n", "top level: there is no key dataplan here");
    refused("log: {level: info}\nlog: {level: info}\n", "test.yaml:2: top level: log is given twice");
    refused("log: [level]\n", "log: must be a map of keys and values");
    refused("log: {level: [info]}\n", "log.level: must be a plain value");
    refused("log: {level: info\n", "YAML");
    refused("log: {}\n---\nlog: {}\n", "there is a second document");
    refused("control: {subscription: gold}\n", "control.subscription: must be one of software, hsm");
    refused("control: {database: ''}\n", "control.database: must not be empty");
    refused("signer: {state_dir: ''}\n", "signer.state_dir: must not be empty");
    refused("sessions: {tun: a-name-that-is-too-long}\n", "sessions.tun: must have 1 to 15 characters");
}

static void test_a_rule_that_breaks_a_rule_is_named(void **state)
{
    (void)state;
    refused("policy:\n  rules:\n    - {name: a, action: bypass}\n    - {name: b, action: intercpt}\n",
            "test.yaml:4: policy.rules[2].action: must be one of intercept, bypass, block");
    refused("policy: {rules: [{action: bypass}]}\n", "policy.rules[1].name: is missing");
    refused("policy: {rules: [{name: a}]}\n", "policy.rules[1].action: is missing");
    refused("policy: {rules: [{name: a, action: block}, {name: a, action: block}]}\n",
            "policy.rules[2]: has the name of an earlier rule");
    refused("policy: {rules: [{name: a, action: block, client: 10.0.0.1/8}]}\n",
            "policy.rules[1].client: must be address");
    refused("policy: {rules: [{name: a, action: block, port: 70000}]}\n", "policy.rules[1].port: must be ports");
    refused("policy: {rules: [{name: a, action: block, port: 9-8}]}\n", "policy.rules[1].port: must be ports");
    refused("policy: {rules: [{name: a, action: block, sni: [[x]]}]}\n", "must be a list of plain values");
    refused("policy: {rules: {name: a}}\n", "policy.rules: must be a list of rules");
}

#define TOKEN "name: a, module: /m.so, token: one"

static void test_tokens_are_read(void **state)
{
    (void)state;
    struct config *config =
        parse("signer:\n  tokens:\n    - {" TOKEN ", pin_file: /pin}\n"
              "    - {name: b, module: /m.so, token: 'pkcs11:token=two', pin_credential: pin, region: EUROPE,\n"
              "       sessions: 8, partner: a, deadline: 250ms}\n");
    const struct config_tokens *tokens = &config->signer.tokens;
    assert_int_equal(tokens->num_items, 2);
    assert_string_equal(tokens->items[0].pin_file, "/pin");
    assert_true(tokens->items[0].sessions == 0 && tokens->items[0].deadline_ns == UINT64_C(2000000000));
    assert_true(tokens->items[0].region == CONFIG_REGION_GLOBAL && tokens->items[0].partner[0] == '\0');
    assert_true(tokens->items[1].sessions == 8 && tokens->items[1].deadline_ns == UINT64_C(250000000));
    assert_true(tokens->items[1].region == CONFIG_REGION_EUROPE);
    assert_string_equal(tokens->items[1].partner, "a");
    config_free(config);
}

static void test_a_token_that_breaks_a_rule_is_named(void **state)
{
    (void)state;
    refused("signer: {tokens: [{" TOKEN "}]}\n",
            "signer.tokens[1]: must have one of pin_file, pin_credential and pin_descriptor");
    refused("signer: {tokens: [{" TOKEN ", pin_file: p, pin_credential: q}]}\n", "must have one of pin_file");
    refused("signer: {tokens: [{" TOKEN ", pin_file: p, pin_descriptor: 3}]}\n", "must have one of pin_file");
    refused("signer: {tokens: [{" TOKEN ", pin_descriptor: 2}]}\n", "pin_descriptor: must be 3 or more");
    refused("signer: {tokens: [{name: a, token: one, pin_file: p}]}\n", "signer.tokens[1].module: is missing");
    refused("signer:\n  tokens:\n    - {" TOKEN ", pin_file: p}\n    - {" TOKEN ", pin_file: p}\n",
            "test.yaml:4: signer.tokens[2]: has the name of an earlier token");
    refused("signer: {tokens: [{" TOKEN ", pin_file: p, partner: a}]}\n", "partner: must be the name of another");
    refused("signer: {tokens: [{" TOKEN ", pin_file: p, partner: b}]}\n", "partner: must be the name of another");
    refused("signer: {tokens: [{name: 'a\"', module: /m, token: t, pin_file: p}]}\n", "name: must be letters");
    refused("signer: {tokens: [{name: a, module: \"/m\\n\", token: t, pin_file: p}]}\n", "control characters");
    refused("signer: {tokens: [{name: a, module: /m, token: 'pkcs11:token=x?pin-value=1', pin_file: p}]}\n",
            "a URI must not have a PIN");
    refused("signer: {tokens: {name: a}}\n", "signer.tokens: must be a list of at most 16 tokens");
    refused("signer: {tokens: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]}\n", "at most 16 tokens");
}

static void append_key(void *arg, const char *key)
{
    mg_buffer_append_format(arg, "%s ", key);
}

/* assert_restart compares what takes a restart with |keys|, each followed by a space. */
static void assert_restart(const struct config *a, const struct config *b, const char *keys)
{
    struct mg_buffer told;
    mg_buffer_init(&told, 4096);
    config_each_needing_restart(a, b, append_key, &told);
    mg_buffer_append_u8(&told, '\0');
    assert_string_equal((const char *)told.data, keys);
    mg_buffer_free(&told);
}

static void test_a_changed_token_needs_a_restart(void **state)
{
    (void)state;
    struct config *a = parse("signer: {tokens: [{" TOKEN ", pin_file: p}]}\n");
    struct config *same = parse("signer: {tokens: [{" TOKEN ", pin_file: p, sessions: 0}]}\n");
    struct config *other = parse("signer: {tokens: [{" TOKEN ", pin_file: q}]}\n");
    struct config *none = parse("");
    assert_restart(a, same, "");
    assert_restart(a, other, "signer.tokens ");
    assert_restart(a, none, "signer.tokens ");
    config_free(a);
    config_free(same);
    config_free(other);
    config_free(none);
}

static void test_an_alias_that_contains_itself_ends(void **state)
{
    (void)state;
    refused("policy: &p {rules: [*p]}\n", "policy.rules[1]");
}

static void test_values_at_their_edges(void **state)
{
    (void)state;
    uint64_t n;
    assert_true(config_value_count("18446744073709551615", &n));
    assert_int_equal(n, UINT64_MAX);
    assert_false(config_value_count("18446744073709551616", &n));
    assert_false(config_value_count("", &n));
    assert_false(config_value_bytes("17179869184GiB", &n));
    assert_true(config_value_duration("7d", &n));
    assert_int_equal(n, UINT64_C(604800000000000));
    assert_false(config_value_duration("s", &n));
    struct config_prefix prefix;
    assert_true(config_value_prefix("0.0.0.0/0", &prefix));
    assert_true(config_value_prefix("::/0", &prefix));
    assert_true(config_value_prefix("2001:db8::1", &prefix));
    assert_int_equal(prefix.len, 128);
    assert_false(config_value_prefix("10.0.0.0/33", &prefix));
    assert_false(config_value_prefix("10.0.0/8", &prefix));
    assert_false(config_value_prefix("10.0.0.0/", &prefix));
    assert_false(config_value_prefix("::1/129", &prefix));
    struct config_port_range ports;
    assert_true(config_value_ports("1-65535", &ports));
    assert_false(config_value_ports("0", &ports));
    assert_false(config_value_ports("80-", &ports));
}

static void test_changes_that_need_a_restart_are_told(void **state)
{
    (void)state;
    struct config *a = parse("dataplane: {workers: 2}\npolicy: {quic: forward}\n");
    struct config *b = parse("dataplane: {workers: 2}\npolicy: {quic: drop, rules: [{name: x, action: intercept}]}\n");
    struct config *c = parse("dataplane: {workers: 3}\n");
    struct config *d = parse("dataplane: {workers: 2, eal: [-l, '0']}\n");
    assert_restart(a, b, "");
    assert_restart(a, c, "dataplane.workers ");
    assert_restart(a, d, "dataplane.eal ");
    assert_restart(c, d, "dataplane.eal dataplane.workers ");
    config_free(a);
    config_free(b);
    config_free(c);
    config_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_file_is_all_defaults_and_intercepts_nothing),
        cmocka_unit_test(test_values_are_read),
        cmocka_unit_test(test_errors_name_file_line_key_and_rule),
        cmocka_unit_test(test_a_rule_that_breaks_a_rule_is_named),
        cmocka_unit_test(test_tokens_are_read),
        cmocka_unit_test(test_a_token_that_breaks_a_rule_is_named),
        cmocka_unit_test(test_a_changed_token_needs_a_restart),
        cmocka_unit_test(test_an_alias_that_contains_itself_ends),
        cmocka_unit_test(test_values_at_their_edges),
        cmocka_unit_test(test_changes_that_need_a_restart_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
