/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/policy.h"

#define GENERATION 7

static struct policy *new_policy(const char *yaml)
{
    struct config *config;
    struct mg_error error = {""};
    enum mg_status status = config_parse(&config, "test.yaml", yaml, strlen(yaml), &error);
    if (status != MG_OK) {
        fail_msg("%s", error.text);
    }
    struct policy *policy;
    status = policy_new(&policy, config, GENERATION, &error);
    config_free(config); /* the snapshot keeps no pointer into it: a sanitizer would see */
    if (status != MG_OK) {
        fail_msg("%s", error.text);
    }
    return policy;
}

/* flow_of keeps up to four flows' addresses in turn. */
static struct policy_flow flow_of(const char *client, const char *server, uint16_t port)
{
    static uint8_t addresses[8][16];
    static unsigned next;
    struct policy_flow flow = {addresses[next], addresses[next + 1], strchr(client, ':') != NULL, port};
    int family = flow.is_ipv6 ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(family, client, addresses[next]), 1);
    assert_int_equal(inet_pton(family, server, addresses[next + 1]), 1);
    next = (next + 2) % 8;
    return flow;
}

static const char *rule_of(const struct policy *policy, struct policy_flow flow, const char *sni)
{
    struct policy_verdict verdict;
    policy_decide(policy, &flow, mg_slice_of_text(sni), &verdict);
    return verdict.rule_name;
}

/* ---- conditions ---- */

static void test_without_rules_the_default_decides_for_all(void **state)
{
    (void)state;
    static const char *const actions[] = {"intercept", "bypass", "block"};
    for (int action = 0; action < 3; action++) {
        char yaml[100];
        snprintf(yaml, sizeof(yaml), "policy: {default: %s, block_with: reset}\n", actions[action]);
        struct policy *policy = new_policy(yaml);
        struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
        struct policy_verdict verdict;
        policy_decide(policy, &flow, mg_slice_of_text("a.example"), &verdict);
        assert_int_equal(verdict.action, action);
        assert_int_equal(verdict.rule, POLICY_NO_RULE);
        assert_string_equal(verdict.rule_name, "default");
        assert_int_equal(verdict.block_with, CONFIG_BLOCK_RESET);
        assert_int_equal(policy_may_touch(policy, &flow), action != CONFIG_ACTION_BYPASS);
        assert_int_equal(policy_may_touch_addresses(policy, &flow), action != CONFIG_ACTION_BYPASS);
        assert_false(policy_names_matter(policy, &flow));
        assert_int_equal(policy_generation(policy), GENERATION);
        policy_free(policy);
    }
}

static void test_an_empty_configuration_touches_nothing(void **state)
{
    (void)state;
    struct policy *policy = new_policy("");
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
    assert_false(policy_may_touch(policy, &flow));
    assert_string_equal(rule_of(policy, flow, "a.example"), "default");
    policy_free(policy);
}

static void test_each_condition_alone(void **state)
{
    (void)state;
    struct policy *policy =
        new_policy("policy:\n"
                   "  rules:\n"
                   "    - {name: exact, sni: bank.example, action: bypass}\n"
                   "    - {name: suffix, sni: '*.bank.example', action: bypass}\n"
                   "    - {name: nameless, sni: none, port: 993, action: block}\n"
                   "    - {name: client, client: [10.1.0.0/16, '2001:db8:1::/48'], action: bypass}\n"
                   "    - {name: server, server: 192.0.2.7, action: bypass}\n"
                   "    - {name: port, port: [25, 8000-8999], action: bypass}\n");
    struct policy_flow any = flow_of("10.0.0.1", "192.0.2.1", 443);
    assert_string_equal(rule_of(policy, any, "bank.example"), "exact");
    assert_string_equal(rule_of(policy, any, "a.b.bank.example"), "suffix");
    assert_string_equal(rule_of(policy, any, "example"), "default");
    assert_string_equal(rule_of(policy, any, ""), "default");
    assert_string_equal(rule_of(policy, flow_of("10.0.0.1", "192.0.2.1", 993), ""), "nameless");
    assert_string_equal(rule_of(policy, flow_of("10.0.0.1", "192.0.2.1", 993), "none"), "default");
    assert_string_equal(rule_of(policy, flow_of("10.1.255.255", "192.0.2.1", 443), ""), "client");
    assert_string_equal(rule_of(policy, flow_of("10.2.0.0", "192.0.2.1", 443), ""), "default");
    assert_string_equal(rule_of(policy, flow_of("2001:db8:1:ffff::1", "2001:db8::1", 443), ""), "client");
    assert_string_equal(rule_of(policy, flow_of("2001:db8:2::", "2001:db8::1", 443), ""), "default");
    assert_string_equal(rule_of(policy, flow_of("10.0.0.1", "192.0.2.7", 443), ""), "server");
    assert_string_equal(rule_of(policy, flow_of("10.0.0.1", "192.0.2.6", 443), ""), "default");
    static const struct {
        uint16_t port;
        const char *rule;
    } ports[] = {{24, "default"}, {25, "port"},   {26, "default"},   {7999, "default"}, {8000, "port"},
                 {8500, "port"},  {8999, "port"}, {9000, "default"}, {65535, "default"}};
    for (size_t i = 0; i < MG_ARRAY_LEN(ports); i++) {
        assert_string_equal(rule_of(policy, flow_of("10.0.0.1", "192.0.2.1", ports[i].port), ""), ports[i].rule);
    }
    policy_free(policy);
}

static void test_conditions_of_one_rule_are_all_required(void **state)
{
    (void)state;
    struct policy *policy = new_policy("policy:\n"
                                       "  rules:\n"
                                       "    - name: all\n"
                                       "      sni: ['*.example', none]\n"
                                       "      client: 10.0.0.0/8\n"
                                       "      server: 192.0.2.0/24\n"
                                       "      port: 443\n"
                                       "      action: intercept\n");
    assert_string_equal(rule_of(policy, flow_of("10.9.9.9", "192.0.2.200", 443), "a.example"), "all");
    assert_string_equal(rule_of(policy, flow_of("10.9.9.9", "192.0.2.200", 443), ""), "all");
    assert_string_equal(rule_of(policy, flow_of("11.9.9.9", "192.0.2.200", 443), "a.example"), "default");
    assert_string_equal(rule_of(policy, flow_of("10.9.9.9", "192.0.3.200", 443), "a.example"), "default");
    assert_string_equal(rule_of(policy, flow_of("10.9.9.9", "192.0.2.200", 444), "a.example"), "default");
    assert_string_equal(rule_of(policy, flow_of("10.9.9.9", "192.0.2.200", 443), "a.test"), "default");
    policy_free(policy);
}

static void test_prefixes_of_every_length_match_to_the_bit(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        unsigned size = is_ipv6 ? 16 : 4;
        for (unsigned len = 0; len <= 8 * size; len++) {
            struct config_prefix prefix = {.len = (uint8_t)len, .is_ipv6 = is_ipv6};
            for (unsigned bit = 0; bit < len; bit++) {
                prefix.address[bit / 8] |= (uint8_t)(0x80 >> bit % 8 & 0xa5);
            }
            struct config_rule rule = {.name = "r", .client = {&prefix, 1}, .action = CONFIG_ACTION_BLOCK};
            struct config config = {.path = "", .policy = {.rules = {&rule, 1}}};
            struct policy *policy;
            assert_int_equal(policy_new(&policy, &config, 1, NULL), MG_OK);
            uint8_t *client = frame_exact(prefix.address, size), server[16] = {0};
            for (unsigned bit = 0; bit < 8 * size; bit++) {
                client[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
                struct policy_flow flow = {client, server, is_ipv6, 443};
                assert_string_equal(rule_of(policy, flow, ""), bit < len ? "default" : "r");
                client[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            }
            struct policy_flow other = {server, server, !is_ipv6, 443};
            assert_string_equal(rule_of(policy, other, ""), "default"); /* 0.0.0.0/0 is no IPv6 address */
            free(client);
            policy_free(policy);
        }
    }
}

static void test_the_first_rule_that_matches_wins(void **state)
{
    (void)state;
    struct policy *policy = new_policy("policy:\n"
                                       "  default: intercept\n"
                                       "  block_with: alert\n"
                                       "  rules:\n"
                                       "    - {name: one, sni: a.example, action: intercept}\n"
                                       "    - {name: two, sni: '*.example', action: block, block_with: reset}\n"
                                       "    - {name: three, action: bypass}\n"
                                       "    - {name: never, sni: b.test, action: block}\n");
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
    struct policy_verdict verdict;
    policy_decide(policy, &flow, mg_slice_of_text("a.example"), &verdict);
    assert_int_equal(verdict.action, CONFIG_ACTION_INTERCEPT);
    assert_int_equal(verdict.rule, 0);
    policy_decide(policy, &flow, mg_slice_of_text("b.example"), &verdict);
    assert_int_equal(verdict.action, CONFIG_ACTION_BLOCK);
    assert_int_equal(verdict.block_with, CONFIG_BLOCK_RESET);
    assert_int_equal(verdict.rule, 1);
    policy_decide(policy, &flow, mg_slice_of_text("b.test"), &verdict);
    assert_int_equal(verdict.action, CONFIG_ACTION_BYPASS);
    assert_int_equal(verdict.rule, 2);
    assert_string_equal(verdict.rule_name, "three");
    policy_free(policy);
}

/* ---- what a flow may become ---- */

static bool may_touch(const char *yaml, uint16_t port)
{
    struct policy *policy = new_policy(yaml);
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", port);
    bool may = policy_may_touch(policy, &flow);
    policy_free(policy);
    return may;
}

#define BYPASS_ALL "    - {name: bypass, action: bypass}\n"
#define BYPASS_NAME "    - {name: bypass, sni: a.example, action: bypass}\n"
#define BLOCK_PORT "    - {name: port, port: 443, action: block}\n"
#define BLOCK_NAME "    - {name: block, sni: b.example, action: block}\n"
#define INTERCEPT_NAME "    - {name: name, sni: b.example, action: intercept}\n"
#define INTERCEPT_OTHER "    - {name: other, client: 10.9.0.0/16, action: intercept}\n"
#define RULES "policy:\n  rules:\n"
#define BUT_INTERCEPT "policy:\n  default: intercept\n  rules:\n"

static void test_a_flow_is_watched_if_any_name_could_have_it_intercepted_or_blocked(void **state)
{
    (void)state;
    assert_true(may_touch(RULES INTERCEPT_NAME, 443));
    assert_true(may_touch(RULES BYPASS_NAME INTERCEPT_NAME, 443));
    assert_true(may_touch(RULES INTERCEPT_NAME BYPASS_ALL, 443));
    assert_false(may_touch(RULES BYPASS_ALL INTERCEPT_NAME, 443));
    assert_false(may_touch(RULES BYPASS_ALL BLOCK_PORT, 443));
    assert_true(may_touch(RULES BLOCK_PORT, 443));
    assert_false(may_touch(RULES BLOCK_PORT, 444));
    assert_true(may_touch(RULES BYPASS_NAME BLOCK_NAME, 444));
    assert_true(may_touch(RULES BLOCK_PORT INTERCEPT_NAME, 444));
    assert_false(may_touch(RULES INTERCEPT_OTHER, 443));
    assert_true(may_touch(BUT_INTERCEPT BYPASS_NAME, 443));
    assert_false(may_touch(BUT_INTERCEPT BYPASS_ALL, 443));
    assert_true(may_touch("policy: {default: block}\n", 443));
}

static void test_addresses_are_watched_if_any_port_is(void **state)
{
    (void)state;
    struct policy *policy = new_policy("policy:\n"
                                       "  rules:\n"
                                       "    - {name: one, port: 443, action: bypass}\n"
                                       "    - {name: two, port: 8443, client: 10.0.0.0/8, action: intercept}\n"
                                       "    - {name: three, client: 10.0.0.0/8, action: bypass}\n"
                                       "    - {name: four, port: 9443, action: intercept}\n"
                                       "    - {name: five, sni: '*.example', client: 11.0.0.0/8, action: bypass}\n"
                                       "    - {name: six, client: 11.0.0.0/8, action: bypass}\n");
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
    assert_true(policy_may_touch_addresses(policy, &flow)); /* rule two, on another port */
    assert_false(policy_may_touch(policy, &flow));
    flow = flow_of("11.0.0.1", "192.0.2.1", 443);
    assert_true(policy_may_touch_addresses(policy, &flow)); /* rule four */
    policy_free(policy);

    policy = new_policy("policy:\n"
                        "  default: intercept\n"
                        "  rules:\n"
                        "    - {name: one, client: 10.0.0.0/8, action: bypass}\n"
                        "    - {name: two, port: 443, action: bypass}\n");
    assert_false(policy_may_touch_addresses(policy, (struct policy_flow[]){flow_of("10.0.0.1", "192.0.2.1", 443)}));
    assert_true(policy_may_touch_addresses(policy, (struct policy_flow[]){flow_of("11.0.0.1", "192.0.2.1", 443)}));
    policy_free(policy);
}

/* ---- issuers ---- */

static void test_a_rule_names_the_issuer_and_the_default_serves_the_rest(void **state)
{
    (void)state;
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
    struct policy_verdict verdict;
    struct policy *policy = new_policy("policy:\n"
                                       "  rules:\n"
                                       "    - {name: lab, sni: ['*.lab.test'], action: intercept, issuer: Lab CA}\n"
                                       "    - {name: rest, action: intercept}\n");
    policy_decide(policy, &flow, mg_slice_of_text("a.lab.test"), &verdict);
    assert_string_equal(verdict.issuer, "Lab CA");
    policy_decide(policy, &flow, mg_slice_of_text("a.example"), &verdict);
    assert_string_equal(verdict.issuer, "");
    /* A name that another issuer signs for is another verdict. */
    assert_false(policy_same_for(policy, &flow, mg_slice_of_text("a.lab.test"), &verdict));
    assert_false(policy_same_for(policy, &flow, mg_slice_of_text("*.lab.test"), &verdict));
    assert_true(policy_same_for(policy, &flow, mg_slice_of_text("*.test"), &verdict)); /* no name below lab.test */
    assert_true(policy_same_for(policy, &flow, mg_slice_of_text("*.example"), &verdict));
    verdict.issuer = "Lab CA";
    assert_true(policy_same_for(policy, &flow, mg_slice_of_text("*.lab.test"), &verdict));
    assert_false(policy_same_for(policy, &flow, mg_slice_of_text("lab.test"), &verdict));
    policy_free(policy);
}

static void test_a_rule_names_the_key_store_that_answers_servers_which_ask(void **state)
{
    (void)state;
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
    struct policy_verdict verdict;
    struct policy *policy =
        new_policy("policy:\n"
                   "  rules:\n"
                   "    - {name: a, sni: a.lab.test, action: intercept, client_certificate: partner}\n"
                   "    - {name: b, sni: b.lab.test, action: intercept, client_certificate: partner}\n"
                   "    - {name: c, sni: c.lab.test, action: intercept, client_certificate: bank}\n"
                   "    - {name: rest, action: intercept}\n");
    policy_decide(policy, &flow, mg_slice_of_text("c.lab.test"), &verdict);
    assert_string_equal(verdict.client_certificate, "bank");
    policy_decide(policy, &flow, mg_slice_of_text("d.lab.test"), &verdict);
    assert_string_equal(verdict.client_certificate, "");
    /* What one client's certificate opened must not serve requests for a name that has another one, or none. */
    assert_false(policy_same_for(policy, &flow, mg_slice_of_text("a.lab.test"), &verdict));
    assert_false(policy_same_for(policy, &flow, mg_slice_of_text("*.lab.test"), &verdict));
    policy_decide(policy, &flow, mg_slice_of_text("a.lab.test"), &verdict);
    assert_true(policy_same_for(policy, &flow, mg_slice_of_text("b.lab.test"), &verdict));
    assert_false(policy_same_for(policy, &flow, mg_slice_of_text("c.lab.test"), &verdict));
    assert_int_equal(policy_num_key_stores(policy), 2);
    assert_string_equal(policy_key_store(policy, 0), "partner");
    assert_string_equal(policy_key_store(policy, 1), "bank");
    policy_free(policy);
}

static void test_more_key_stores_than_an_engine_takes_are_refused(void **state)
{
    (void)state;
    for (int num = POLICY_MAX_KEY_STORES; num <= POLICY_MAX_KEY_STORES + 1; num++) {
        struct mg_buffer yaml;
        struct config *config;
        struct policy *policy;
        mg_buffer_init(&yaml, 65536);
        mg_buffer_append_text(&yaml, "policy:\n  rules:\n");
        for (int i = 0; i < num; i++) {
            mg_buffer_append_format(&yaml, "    - {name: r%d, action: intercept, client_certificate: s%d}\n", i, i);
        }
        assert_int_equal(config_parse(&config, "test.yaml", yaml.data, yaml.len, NULL), MG_OK);
        assert_int_equal(policy_new(&policy, config, GENERATION, NULL), num > POLICY_MAX_KEY_STORES ? MG_LIMIT : MG_OK);
        if (num <= POLICY_MAX_KEY_STORES) {
            policy_free(policy);
        }
        config_free(config);
        mg_buffer_free(&yaml);
    }
}

/* ---- names of one certificate ---- */

static bool same_for(const struct policy *policy, const char *name, enum config_action action)
{
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
    const struct policy_verdict like = {.action = action, .issuer = "", .client_certificate = ""};
    return policy_same_for(policy, &flow, mg_slice_of_text(name), &like);
}

static void test_names_whose_verdict_differs_are_told_apart(void **state)
{
    (void)state;
    struct policy *policy = new_policy("policy:\n"
                                       "  default: intercept\n"
                                       "  rules:\n"
                                       "    - {name: one, sni: [login.shop.example, bank.example], action: bypass}\n"
                                       "    - {name: two, sni: '*.bad.example', action: block}\n"
                                       "    - {name: three, sni: '*.bank.example', action: intercept}\n");
    enum config_action intercept = CONFIG_ACTION_INTERCEPT;
    assert_true(same_for(policy, "shop.example", intercept));
    assert_false(same_for(policy, "login.shop.example", intercept));
    assert_true(same_for(policy, "login.shop.example", CONFIG_ACTION_BYPASS));
    assert_true(same_for(policy, "*.test", intercept));          /* no rule knows any of them */
    assert_false(same_for(policy, "*.shop.example", intercept)); /* one of them is bypassed */
    assert_false(same_for(policy, "*.bad.example", intercept));
    assert_true(same_for(policy, "*.bad.example", CONFIG_ACTION_BLOCK));
    assert_false(same_for(policy, "*.deep.bad.example", intercept));
    assert_true(same_for(policy, "*.bank.example", intercept));
    assert_false(same_for(policy, "*.example", intercept)); /* bank.example is one of them */
    assert_false(same_for(policy, "*.test", CONFIG_ACTION_BYPASS));
    policy_free(policy);
}

static void test_only_rules_that_the_flow_can_meet_count_for_names(void **state)
{
    (void)state;
    struct policy *policy = new_policy("policy:\n"
                                       "  default: intercept\n"
                                       "  rules:\n"
                                       "    - {name: port, sni: '*.example', port: 993, action: bypass}\n"
                                       "    - {name: client, sni: a.test, client: 10.5.0.0/16, action: bypass}\n"
                                       "    - {name: six, sni: none, client: '2001:db8::/32', action: bypass}\n");
    assert_true(same_for(policy, "*.example", CONFIG_ACTION_INTERCEPT));
    assert_true(same_for(policy, "*.test", CONFIG_ACTION_INTERCEPT));
    assert_false(policy_names_matter(policy, (struct policy_flow[]){flow_of("10.0.0.1", "192.0.2.1", 443)}));
    assert_true(policy_names_matter(policy, (struct policy_flow[]){flow_of("10.0.0.1", "192.0.2.1", 993)}));
    assert_true(policy_names_matter(policy, (struct policy_flow[]){flow_of("10.5.0.1", "192.0.2.1", 443)}));
    assert_true(policy_names_matter(policy, (struct policy_flow[]){flow_of("2001:db8::1", "2001:db8::2", 443)}));
    policy_free(policy);
}

static void test_names_do_not_matter_behind_a_rule_for_all_of_them(void **state)
{
    (void)state;
    struct policy *policy =
        new_policy(RULES "    - {name: all, server: 192.0.2.0/24, action: intercept}\n" BYPASS_NAME);
    assert_false(policy_names_matter(policy, (struct policy_flow[]){flow_of("10.0.0.1", "192.0.2.1", 443)}));
    assert_true(policy_names_matter(policy, (struct policy_flow[]){flow_of("10.0.0.1", "198.51.100.1", 443)}));
    policy_free(policy);
}

/* ---- for people ---- */

static void assert_explains(const struct policy *policy, struct policy_flow flow, const char *sni, const char *expected)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 10000);
    policy_explain(policy, &flow, mg_slice_of_text(sni), &text);
    mg_buffer_append_u8(&text, 0);
    assert_true(mg_buffer_ok(&text));
    assert_string_equal((const char *)text.data, expected);
    mg_buffer_free(&text);
}

static void test_explain_says_of_each_rule_why(void **state)
{
    (void)state;
    struct policy *policy = new_policy("policy:\n"
                                       "  rules:\n"
                                       "    - {name: one, client: 10.0.0.0/8, action: bypass}\n"
                                       "    - {name: two, server: 198.51.100.0/24, action: bypass}\n"
                                       "    - {name: three, port: 8443, action: bypass}\n"
                                       "    - {name: four, sni: '*.bank.example', action: block}\n"
                                       "    - {name: five, action: intercept}\n"
                                       "    - {name: six, action: block}\n");
#define TO_THREE                                                                                                       \
    "rule 1 one: no: the client is in none of its prefixes\n"                                                          \
    "rule 2 two: no: the server is in none of its prefixes\n"                                                          \
    "rule 3 three: no: the port is none of its ports\n"
    struct policy_flow flow = flow_of("11.0.0.1", "192.0.2.1", 443);
    assert_explains(policy, flow, "a.example",
                    TO_THREE "rule 4 four: no: the SNI is none of its names\nrule 5 five: matches: intercept\n");
    assert_explains(policy, flow, "", TO_THREE "rule 4 four: no: there is no SNI\nrule 5 five: matches: intercept\n");
    assert_explains(policy, flow, "a.bank.example", TO_THREE "rule 4 four: matches: block\n");
    assert_explains(policy, flow_of("10.0.0.1", "192.0.2.1", 443), "a.bank.example", "rule 1 one: matches: bypass\n");
    policy_free(policy);
    policy = new_policy(RULES "    - {name: one, port: 25, action: block}\n");
    assert_explains(policy, flow, "a.example",
                    "rule 1 one: no: the port is none of its ports\nno rule matches: policy.default: bypass\n");
    policy_free(policy);
}

/* ---- bad policies, and large ones ---- */

static void test_a_name_that_is_none_is_refused_with_file_line_and_rule(void **state)
{
    (void)state;
    static const char yaml[] = "policy:\n"
                               "  rules:\n"
                               "    - {name: good, sni: a.example, action: bypass}\n"
                               "    - name: second\n"
                               "      sni: [b.example, 'c,d.example']\n"
                               "      action: bypass\n"
                               "    - {name: third, sni: c.example, action: bypass}\n";
    struct config *config;
    struct mg_error error;
    struct policy *policy = NULL;
    assert_int_equal(config_parse(&config, "dir/test.yaml", yaml, strlen(yaml), &error), MG_OK);
    assert_int_equal(policy_new(&policy, config, 1, &error), MG_INVALID);
    assert_null(policy);
    assert_string_equal(error.text, "dir/test.yaml:4: rule second: sni: 'c,d.example' is no host name: bad_character");
    config_free(config);
}

static struct config_rule *numbered_rules(char (*names)[16], size_t num)
{
    struct config_rule *rules = calloc(num, sizeof(*rules));
    for (size_t i = 0; i < num; i++) {
        snprintf(names[i], sizeof(names[i]), "r%zu", i);
        rules[i] = (struct config_rule){.name = names[i], .action = CONFIG_ACTION_BLOCK};
        rules[i].sni = (struct config_strings){calloc(1, sizeof(char *)), 1};
        rules[i].sni.items[0] = names[i];
    }
    return rules;
}

static void test_as_many_rules_as_the_bound_says_and_no_more(void **state)
{
    (void)state;
    static char names[POLICY_MAX_RULES + 1][16];
    struct config_rule *rules = numbered_rules(names, POLICY_MAX_RULES + 1);
    struct config config = {.path = "test.yaml",
                            .policy = {.rules = {rules, POLICY_MAX_RULES}, .default_action = CONFIG_ACTION_BYPASS}};
    struct policy_flow flow = flow_of("10.0.0.1", "192.0.2.1", 443);
    struct policy *policy;
    assert_int_equal(policy_new(&policy, &config, 1, NULL), MG_OK);
    assert_string_equal(rule_of(policy, flow, "r0"), "r0");
    assert_string_equal(rule_of(policy, flow, "r4095"), "r4095");
    assert_string_equal(rule_of(policy, flow, "r4096"), "default");
    policy_free(policy);

    struct mg_error error;
    config.policy.rules.num_items++;
    assert_int_equal(policy_new(&policy, &config, 1, &error), MG_LIMIT);
    assert_string_equal(error.text, "test.yaml: policy.rules: more than 4096 rules");
    for (size_t i = 0; i <= POLICY_MAX_RULES; i++) {
        free(rules[i].sni.items);
    }
    free(rules);
}

static void test_settings_are_those_of_the_file(void **state)
{
    (void)state;
    struct policy *policy = new_policy("policy: {not_tls: block, ech: bypass, quic: drop}\n");
    const struct config_policy *settings = policy_settings(policy);
    assert_int_equal(settings->not_tls, CONFIG_WAY_OUT_BLOCK);
    assert_int_equal(settings->ech, CONFIG_ECH_BYPASS);
    assert_int_equal(settings->quic, CONFIG_DROP);
    assert_int_equal(settings->rules.num_items, 0); /* they are compiled, and borrow nothing */
    policy_free(policy);
}

/* ---- random policies against the plainest evaluator ---- */

#define MAX_RULES 6
#define MAX_LIST 3
#define NUM_NAMES 9
/* Every name that random rules speak of, and some that none does. */
static const char *const universe[NUM_NAMES] = {"", "x", "a.x", "b.x", "fresh.x", "a.a.x", "b.a.x", "fresh.a.x", "y"};
#define NUM_PATTERNS 8
static const char *const pattern_universe[NUM_PATTERNS] = {"none", "x", "a.x", "b.x", "a.a.x", "b.a.x", "*.x", "*.a.x"};

struct random_policy {
    struct config config;
    struct config_rule rules[MAX_RULES];
    const char *sni[MAX_RULES][MAX_LIST];
    struct config_prefix client[MAX_RULES][MAX_LIST], server[MAX_RULES][MAX_LIST];
    struct config_port_range port[MAX_RULES][MAX_LIST];
};

/* Addresses differ in their first and last two bits, and so do prefixes. */
static void random_address(uint8_t out[16], bool is_ipv6, uint64_t *seed)
{
    memset(out, 0, 16);
    out[0] = (uint8_t)(test_random_below(seed, 2) << 7);
    out[is_ipv6 ? 15 : 3] = (uint8_t)test_random_below(seed, 3);
}

static struct config_prefix random_prefix(uint64_t *seed)
{
    static const uint8_t lens[] = {0, 1, 31, 32}, lens6[] = {0, 1, 127, 128};
    struct config_prefix prefix = {.is_ipv6 = test_random_below(seed, 2)};
    random_address(prefix.address, prefix.is_ipv6, seed);
    prefix.len = (prefix.is_ipv6 ? lens6 : lens)[test_random_below(seed, 4)];
    for (unsigned bit = prefix.len; bit < 128; bit++) {
        prefix.address[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    }
    return prefix;
}

static size_t random_len(uint64_t *seed)
{
    return test_random_below(seed, 2) == 0 ? 0 : 1 + test_random_below(seed, MAX_LIST);
}

static void random_policy(struct random_policy *out, uint64_t *seed)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < MAX_RULES; i++) {
        struct config_rule *rule = &out->rules[i];
        *rule = (struct config_rule){
            .name = "rule",
            .sni = {out->sni[i], random_len(seed)},
            .client = {out->client[i], random_len(seed)},
            .server = {out->server[i], random_len(seed)},
            .port = {out->port[i], random_len(seed)},
            .action = (enum config_action)test_random_below(seed, 3),
        };
        for (size_t j = 0; j < MAX_LIST; j++) {
            uint16_t first = (uint16_t)test_random_below(seed, 4);
            out->sni[i][j] = pattern_universe[test_random_below(seed, NUM_PATTERNS)];
            out->client[i][j] = random_prefix(seed);
            out->server[i][j] = random_prefix(seed);
            out->port[i][j] = (struct config_port_range){first, (uint16_t)(first + test_random_below(seed, 2))};
        }
    }
    out->config.path = "";
    out->config.policy.rules = (struct config_rules){out->rules, test_random_below(seed, MAX_RULES + 1)};
    out->config.policy.default_action = (enum config_action)test_random_below(seed, 3);
}

static bool naive_prefixes(const struct config_prefixes *prefixes, const uint8_t *address, bool is_ipv6)
{
    for (size_t i = 0; i < prefixes->num_items; i++) {
        const struct config_prefix *prefix = &prefixes->items[i];
        bool same = prefix->is_ipv6 == is_ipv6;
        for (unsigned bit = 0; bit < prefix->len && same; bit++) {
            same = ((prefix->address[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) == 0;
        }
        if (same) {
            return true;
        }
    }
    return prefixes->num_items == 0;
}

static bool naive_names(const struct config_strings *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->num_items; i++) {
        const char *pattern = patterns->items[i];
        size_t len = strlen(name), end_len = strlen(pattern) - 1;
        if (pattern[0] == '*' ? len > end_len && strcmp(name + len - end_len, pattern + 1) == 0
                              : strcmp(pattern, name[0] == '\0' ? "none" : name) == 0) {
            return true;
        }
    }
    return patterns->num_items == 0;
}

static bool naive_ports(const struct config_port_ranges *ranges, uint16_t port)
{
    bool found = ranges->num_items == 0;
    for (size_t i = 0; i < ranges->num_items; i++) {
        found = found || (ranges->items[i].first <= port && port <= ranges->items[i].last);
    }
    return found;
}

static enum config_action naive_decide(const struct config_policy *policy, const struct policy_flow *flow,
                                       const char *name)
{
    for (size_t i = 0; i < policy->rules.num_items; i++) {
        const struct config_rule *rule = &policy->rules.items[i];
        if (naive_prefixes(&rule->client, flow->client, flow->is_ipv6) &&
            naive_prefixes(&rule->server, flow->server, flow->is_ipv6) && naive_ports(&rule->port, flow->port) &&
            naive_names(&rule->sni, name)) {
            return rule->action;
        }
    }
    return policy->default_action;
}

/* What is asked about all names at once must be true of each of them. */
static void check_sums(const struct config_policy *plain, const struct policy *policy, const struct policy_flow *flow)
{
    enum config_action actions[NUM_NAMES];
    bool touches = false, differs = false;
    for (size_t i = 0; i < NUM_NAMES; i++) {
        struct policy_verdict verdict;
        actions[i] = naive_decide(plain, flow, universe[i]);
        policy_decide(policy, flow, mg_slice_of_text(universe[i]), &verdict);
        assert_int_equal(verdict.action, actions[i]);
        touches = touches || actions[i] != CONFIG_ACTION_BYPASS;
        differs = differs || actions[i] != actions[0];
    }
    assert_true(policy_may_touch(policy, flow) || !touches);
    assert_true(policy_may_touch_addresses(policy, flow) || !touches);
    assert_true(policy_names_matter(policy, flow) || !differs);
    for (enum config_action action = CONFIG_ACTION_INTERCEPT; action <= CONFIG_ACTION_BLOCK; action++) {
        /* Below x stand a, b and any other; below a.x likewise; below y all are others. */
        const struct policy_verdict like = {.action = action, .issuer = "", .client_certificate = ""};
        bool x = policy_same_for(policy, flow, mg_slice_of_text("*.x"), &like);
        bool a = policy_same_for(policy, flow, mg_slice_of_text("*.a.x"), &like);
        bool y = policy_same_for(policy, flow, mg_slice_of_text("*.y"), &like);
        assert_true(!x || (actions[2] == action && actions[3] == action && actions[4] == action));
        assert_true(!a || (actions[5] == action && actions[6] == action && actions[7] == action));
        assert_int_equal(y, naive_decide(plain, flow, "fresh.y") == action);
    }
}

static void test_random_policies_decide_as_the_plainest_evaluator_does(void **state)
{
    (void)state;
    uint64_t seed = 443;
    const struct policy_verdict intercepted = {
        .action = CONFIG_ACTION_INTERCEPT, .issuer = "", .client_certificate = ""};
    unsigned may = 0, num = 0, all_below = 0;
    for (int round = 0; round < 3000; round++) {
        struct random_policy random;
        struct policy *policy;
        random_policy(&random, &seed);
        assert_int_equal(policy_new(&policy, &random.config, 1, NULL), MG_OK);
        for (int i = 0; i < 20; i++, num++) {
            uint8_t client[16], server[16];
            struct policy_flow flow = {client, server, test_random_below(&seed, 2),
                                       (uint16_t)test_random_below(&seed, 5)};
            random_address(client, flow.is_ipv6, &seed);
            random_address(server, flow.is_ipv6, &seed);
            check_sums(&random.config.policy, policy, &flow);
            may += policy_may_touch(policy, &flow);
            all_below += policy_same_for(policy, &flow, mg_slice_of_text("*.x"), &intercepted);
        }
        policy_free(policy);
    }
    /* Not by saying yes to everything, nor no. */
    assert_in_range(may, num / 5, num * 4 / 5);
    assert_in_range(all_below, num / 10, num / 2);
}

static void test_without_conditions_on_names_what_may_be_is_what_is_decided(void **state)
{
    (void)state;
    uint64_t seed = 8443;
    for (int round = 0; round < 20000; round++) {
        struct random_policy random;
        struct policy *policy;
        random_policy(&random, &seed);
        for (size_t i = 0; i < MAX_RULES; i++) {
            random.rules[i].sni.num_items = 0;
        }
        assert_int_equal(policy_new(&policy, &random.config, 1, NULL), MG_OK);
        uint8_t client[16], server[16];
        struct policy_flow flow = {client, server, test_random_below(&seed, 2), (uint16_t)test_random_below(&seed, 5)};
        random_address(client, flow.is_ipv6, &seed);
        random_address(server, flow.is_ipv6, &seed);
        enum config_action action = naive_decide(&random.config.policy, &flow, "a.x");
        assert_int_equal(policy_may_touch(policy, &flow), action != CONFIG_ACTION_BYPASS);
        const struct policy_verdict like = {.action = action, .issuer = "", .client_certificate = ""};
        assert_true(policy_same_for(policy, &flow, mg_slice_of_text("*.x"), &like));
        assert_false(policy_names_matter(policy, &flow));
        policy_free(policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_rules_the_default_decides_for_all),
        cmocka_unit_test(test_an_empty_configuration_touches_nothing),
        cmocka_unit_test(test_each_condition_alone),
        cmocka_unit_test(test_conditions_of_one_rule_are_all_required),
        cmocka_unit_test(test_prefixes_of_every_length_match_to_the_bit),
        cmocka_unit_test(test_the_first_rule_that_matches_wins),
        cmocka_unit_test(test_a_flow_is_watched_if_any_name_could_have_it_intercepted_or_blocked),
        cmocka_unit_test(test_addresses_are_watched_if_any_port_is),
        cmocka_unit_test(test_a_rule_names_the_issuer_and_the_default_serves_the_rest),
        cmocka_unit_test(test_a_rule_names_the_key_store_that_answers_servers_which_ask),
        cmocka_unit_test(test_more_key_stores_than_an_engine_takes_are_refused),
        cmocka_unit_test(test_names_whose_verdict_differs_are_told_apart),
        cmocka_unit_test(test_only_rules_that_the_flow_can_meet_count_for_names),
        cmocka_unit_test(test_names_do_not_matter_behind_a_rule_for_all_of_them),
        cmocka_unit_test(test_explain_says_of_each_rule_why),
        cmocka_unit_test(test_a_name_that_is_none_is_refused_with_file_line_and_rule),
        cmocka_unit_test(test_as_many_rules_as_the_bound_says_and_no_more),
        cmocka_unit_test(test_settings_are_those_of_the_file),
        cmocka_unit_test(test_random_policies_decide_as_the_plainest_evaluator_does),
        cmocka_unit_test(test_without_conditions_on_names_what_may_be_is_what_is_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
