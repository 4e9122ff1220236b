/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdio.h>
#include <string.h>

#include "cache/rcu.h"
#include "certs.h"
#include "dataplane/policy/decision.h"

#define NOW INT64_C(1000)

static const uint8_t client[16] = {10, 0, 0, 1}, server[16] = {192, 0, 2, 1};
static const struct policy_flow flow = {client, server, false, 443};

static struct learned *learned;
static struct issuers *issuers;
static int64_t now_wall;
static struct policy *policy; /* the last: a decision borrows the name of its rule */
static const char *on_expiry, *revoked_default;
static bool default_is_revoked; /* as it is published */

/* What a hello of a current client comes to, with the SNI |sni|. */
static struct hello_info hello_with(const char *sni)
{
    struct hello_info hello = {.min_version = 0x0303, .max_version = 0x0304};
    if (sni[0] != '\0') {
        assert_int_equal(dns_name_from_sni(&hello.sni, mg_slice_of_text(sni)), DNS_NAME_OK);
    }
    return hello;
}

/* decide decides by a policy that intercepts but for some names, and in which |settings| stand. */
static struct decision decide(const char *settings, const struct hello_info *hello, enum config_tls_version min_version)
{
    char yaml[1000];
    struct config *config;
    struct mg_error error = {""};
    policy_free(policy);
    snprintf(yaml, sizeof(yaml),
             "control: {on_issuer_expiry: %s}\n"
             "ccadb: {revoked_default: %s}\n"
             "policy:\n"
             "  %s\n"
             "  default: intercept\n"
             "  block_with: alert\n"
             "  rules:\n"
             "    - {name: banks, sni: bank.example, action: bypass}\n"
             "    - {name: bad, sni: bad.example, action: block, block_with: reset}\n"
             "    - {name: shops, sni: '*.shop.example', action: intercept}\n"
             "    - {name: corp, sni: '*.corp.example', action: intercept, issuer: Corp}\n"
             "    - {name: partner, sni: partner.example, action: intercept, client_certificate: clients}\n",
             on_expiry, revoked_default, settings);
    if (config_parse(&config, "test.yaml", yaml, strlen(yaml), &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(policy_new(&policy, config, 1, &error), MG_OK);
    config_free(config);
    struct decision decision;
    const struct decision_facts facts = {.policy = policy,
                                         .learned = learned,
                                         .issuers = issuers,
                                         .min_version = min_version,
                                         .now = NOW,
                                         .now_wall = now_wall};
    decision_of(&decision, &facts, &flow, hello);
    return decision;
}

static void assert_decision(struct decision decision, enum config_action action, enum counter counter,
                            const char *reason, const char *rule)
{
    assert_int_equal(decision.action, action);
    assert_int_equal(decision.counter, counter);
    assert_string_equal(decision.reason, reason);
    assert_string_equal(decision.rule, rule);
}

static void test_rules_decide_and_are_named(void **state)
{
    (void)state;
    struct hello_info hello = hello_with("a.shop.example");
    assert_decision(decide("", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_INTERCEPT, COUNT_DECIDED_INTERCEPT, "rule",
                    "shops");
    hello = hello_with("");
    assert_decision(decide("", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_INTERCEPT, COUNT_DECIDED_INTERCEPT, "rule",
                    "default");
    hello = hello_with("bank.example");
    assert_decision(decide("", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS, COUNT_DECIDED_BYPASS, "rule", "banks");
    hello = hello_with("bad.example");
    struct decision decision = decide("", &hello, CONFIG_TLS_1_2);
    assert_decision(decision, CONFIG_ACTION_BLOCK, COUNT_DECIDED_BLOCK, "rule", "bad");
    assert_int_equal(decision.block_with, CONFIG_BLOCK_RESET);
}

static void test_a_client_below_the_minimum_version_goes_its_way_out(void **state)
{
    (void)state;
    struct hello_info hello = hello_with("a.example");
    hello.max_version = 0x0302;
    assert_decision(decide("below_minimum: bypass", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS,
                    COUNT_WAY_OUT_BELOW_MINIMUM, "below_minimum", "");
    struct decision decision = decide("below_minimum: block", &hello, CONFIG_TLS_1_2);
    assert_decision(decision, CONFIG_ACTION_BLOCK, COUNT_WAY_OUT_BELOW_MINIMUM, "below_minimum", "");
    assert_int_equal(decision.block_with, CONFIG_BLOCK_ALERT);
    hello.max_version = 0; /* it lists no version that is known */
    assert_decision(decide("below_minimum: block", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BLOCK,
                    COUNT_WAY_OUT_BELOW_MINIMUM, "below_minimum", "");
    hello.max_version = 0x0303;
    assert_int_equal(decide("below_minimum: block", &hello, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
    assert_int_equal(decide("below_minimum: block", &hello, CONFIG_TLS_1_3).action, CONFIG_ACTION_BLOCK);
    hello.max_version = 0x0304;
    assert_int_equal(decide("below_minimum: block", &hello, CONFIG_TLS_1_3).action, CONFIG_ACTION_INTERCEPT);
}

static void test_encrypted_client_hello_goes_its_way_out(void **state)
{
    (void)state;
    struct hello_info hello = hello_with("public.example");
    hello.has_ech = true;
    assert_decision(decide("ech: intercept", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_INTERCEPT, COUNT_DECIDED_INTERCEPT,
                    "rule", "default");
    assert_decision(decide("ech: bypass", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS, COUNT_WAY_OUT_ECH, "ech", "");
    assert_decision(decide("ech: block", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BLOCK, COUNT_WAY_OUT_ECH, "ech", "");
    hello.has_ech = false;
    assert_int_equal(decide("ech: block", &hello, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
}

static void test_a_server_that_was_learned_passes_for_its_name_alone(void **state)
{
    (void)state;
    learned_add(learned, &flow, mg_slice_of_text("mtls.example"), "client_certificate", NOW, NOW + 1);
    struct hello_info hello = hello_with("mtls.example");
    assert_decision(decide("not_interceptable: bypass", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS,
                    COUNT_WAY_OUT_LEARNED, "learned_bypass", "");
    assert_decision(decide("minting_failed: bypass", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS,
                    COUNT_WAY_OUT_LEARNED, "learned_bypass", "");
    assert_int_equal(decide("", &hello, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT); /* nobody wants it any more */
    hello = hello_with("other.example");
    assert_int_equal(decide("not_interceptable: bypass", &hello, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
}

static void test_that_a_server_asks_for_a_certificate_counts_no_more_where_a_rule_has_one(void **state)
{
    (void)state;
    static const char settings[] = "not_interceptable: bypass";
    struct hello_info hello = hello_with("partner.example");
    learned_add(learned, &flow, mg_slice_of_text("partner.example"), LEARNED_CLIENT_CERTIFICATE, NOW, NOW + 1);
    assert_decision(decide(settings, &hello, CONFIG_TLS_1_2), CONFIG_ACTION_INTERCEPT, COUNT_DECIDED_INTERCEPT, "rule",
                    "partner");
    learned_add(learned, &flow, mg_slice_of_text("mtls.example"), LEARNED_CLIENT_CERTIFICATE, NOW, NOW + 1);
    hello = hello_with("mtls.example");
    assert_decision(decide(settings, &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS, COUNT_WAY_OUT_LEARNED,
                    "learned_bypass", "");
}

static void test_another_reason_counts_also_where_a_rule_has_a_certificate(void **state)
{
    (void)state;
    struct hello_info hello = hello_with("partner.example");
    learned_add(learned, &flow, mg_slice_of_text("partner.example"), "no_shared_parameters", NOW, NOW + 1);
    assert_decision(decide("not_interceptable: bypass", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS,
                    COUNT_WAY_OUT_LEARNED, "learned_bypass", "");
}

/* What no rule intercepts is bypassed or blocked by its rule: no way out lets a blocked name pass. */
static void test_a_way_out_is_asked_only_about_what_a_rule_would_intercept(void **state)
{
    (void)state;
    static const char *const names[] = {"bank.example", "bad.example"};
    static const enum counter counters[] = {COUNT_DECIDED_BYPASS, COUNT_DECIDED_BLOCK};
    for (size_t i = 0; i < 2; i++) {
        struct hello_info hello = hello_with(names[i]);
        learned_add(learned, &flow, mg_slice_of_text(names[i]), "client_certificate", NOW, NOW + 1);
        hello.has_ech = true;
        hello.max_version = 0x0301;
        struct decision decision =
            decide(i == 0 ? "below_minimum: block" : "below_minimum: bypass", &hello, CONFIG_TLS_1_2);
        assert_int_equal(decision.counter, counters[i]);
        assert_string_equal(decision.reason, "rule");
    }
}

static void test_the_version_is_judged_before_ech_and_both_before_what_was_learned(void **state)
{
    (void)state;
    learned_add(learned, &flow, mg_slice_of_text("a.example"), "client_certificate", NOW, NOW + 1);
    struct hello_info hello = hello_with("a.example");
    hello.has_ech = true;
    assert_decision(decide("ech: block", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BLOCK, COUNT_WAY_OUT_ECH, "ech", "");
    assert_decision(decide("ech: intercept\n  not_interceptable: bypass", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS,
                    COUNT_WAY_OUT_LEARNED, "learned_bypass", "");
    hello.max_version = 0x0302;
    assert_decision(decide("ech: block\n  below_minimum: bypass", &hello, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS,
                    COUNT_WAY_OUT_BELOW_MINIMUM, "below_minimum", "");
}

/* publish publishes a default that lives until |default_end| and "Corp" until |corp_end|. */
static void publish(int64_t default_end, int64_t corp_end)
{
    struct certs_pki first, second;
    certs_pki_init_at(&first, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT, default_end - 800 * CERTS_DAY);
    certs_pki_init_at(&second, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT, corp_end - 800 * CERTS_DAY);
    struct wire_publish message = {
        .type = WIRE_PUBLISH_PREPARE,
        .epoch = 1,
        .issuers = {{.name = mg_slice_of_text("Default"), .is_revoked = default_is_revoked, .issuer = first.wire},
                    {.name = mg_slice_of_text("Corp"), .issuer = second.wire}},
        .num_issuers = 2,
    };
    struct issuer_set *set;
    struct mg_error error = {""};
    if (issuers_prepare(issuers, &message, CERTS_NOW, &set, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    issuers_commit(issuers, set);
    certs_pki_free(&first);
    certs_pki_free(&second);
}

static void test_what_an_expired_issuer_would_sign_goes_as_configured(void **state)
{
    (void)state;
    struct hello_info other = hello_with("a.example"), corp = hello_with("a.corp.example");
    publish(CERTS_NOW + 100, CERTS_NOW + 50);
    now_wall = CERTS_NOW;
    assert_int_equal(decide("", &other, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
    assert_int_equal(decide("", &corp, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
    now_wall = CERTS_NOW + 60; /* "Corp" has expired, the default has not */
    assert_int_equal(decide("", &other, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
    assert_decision(decide("", &corp, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS, COUNT_WAY_OUT_ISSUER_EXPIRED,
                    "issuer_expired", "");
    now_wall = CERTS_NOW + 101;
    on_expiry = "bypass";
    assert_decision(decide("", &other, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS, COUNT_WAY_OUT_ISSUER_EXPIRED,
                    "issuer_expired", "");
    on_expiry = "block";
    struct decision decision = decide("", &other, CONFIG_TLS_1_2);
    assert_decision(decision, CONFIG_ACTION_BLOCK, COUNT_WAY_OUT_ISSUER_EXPIRED, "issuer_expired", "");
    assert_int_equal(decision.block_with, CONFIG_BLOCK_ALERT);
}

static void test_what_a_revoked_default_would_sign_goes_as_configured(void **state)
{
    (void)state;
    struct hello_info other = hello_with("a.example"), corp = hello_with("a.corp.example");
    default_is_revoked = true;
    publish(CERTS_NOW + 100, CERTS_NOW + 100);
    assert_decision(decide("", &other, CONFIG_TLS_1_2), CONFIG_ACTION_BYPASS, COUNT_WAY_OUT_ISSUER_REVOKED,
                    "issuer_revoked", "");
    assert_int_equal(decide("", &corp, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
    revoked_default = "block";
    assert_decision(decide("", &other, CONFIG_TLS_1_2), CONFIG_ACTION_BLOCK, COUNT_WAY_OUT_ISSUER_REVOKED,
                    "issuer_revoked", "");
    default_is_revoked = false;
    publish(CERTS_NOW + 100, CERTS_NOW + 100);
    assert_int_equal(decide("", &other, CONFIG_TLS_1_2).action, CONFIG_ACTION_INTERCEPT);
}

static void test_expiry_concerns_only_what_a_rule_would_intercept(void **state)
{
    (void)state;
    publish(CERTS_NOW + 100, CERTS_NOW + 100);
    now_wall = CERTS_NOW + 101;
    on_expiry = "block";
    struct hello_info hello = hello_with("bank.example");
    assert_int_equal(decide("", &hello, CONFIG_TLS_1_2).counter, COUNT_DECIDED_BYPASS);
    on_expiry = "bypass";
    hello = hello_with("bad.example");
    assert_int_equal(decide("", &hello, CONFIG_TLS_1_2).counter, COUNT_DECIDED_BLOCK);
}

static void test_every_action_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(decision_action_name(CONFIG_ACTION_INTERCEPT), "intercept");
    assert_string_equal(decision_action_name(CONFIG_ACTION_BYPASS), "bypass");
    assert_string_equal(decision_action_name(CONFIG_ACTION_BLOCK), "block");
}

static int start(void **state)
{
    (void)state;
    const struct issuer_options options = {NULL, NULL, NULL};
    on_expiry = "successor";
    revoked_default = "bypass";
    default_is_revoked = false;
    now_wall = CERTS_NOW;
    assert_int_equal(issuers_new(&issuers, &options), MG_OK);
    return learned_new(&learned, 100) == MG_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    learned_free(learned);
    issuers_free(issuers);
    policy_free(policy);
    policy = NULL;
    return 0;
}

static int start_rcu(void **state)
{
    (void)state;
    return mg_rcu_thread_start() == MG_OK ? 0 : -1;
}

static int stop_rcu(void **state)
{
    (void)state;
    mg_rcu_thread_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rules_decide_and_are_named),
        TEST(test_a_client_below_the_minimum_version_goes_its_way_out),
        TEST(test_encrypted_client_hello_goes_its_way_out),
        TEST(test_a_server_that_was_learned_passes_for_its_name_alone),
        TEST(test_that_a_server_asks_for_a_certificate_counts_no_more_where_a_rule_has_one),
        TEST(test_another_reason_counts_also_where_a_rule_has_a_certificate),
        TEST(test_a_way_out_is_asked_only_about_what_a_rule_would_intercept),
        TEST(test_the_version_is_judged_before_ech_and_both_before_what_was_learned),
        TEST(test_what_an_expired_issuer_would_sign_goes_as_configured),
        TEST(test_what_a_revoked_default_would_sign_goes_as_configured),
        TEST(test_expiry_concerns_only_what_a_rule_would_intercept),
        TEST(test_every_action_has_its_name),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
