/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <string.h>

#include "dataplane/policy/explain.h"

static struct explain_question question;
static struct mg_error why;

static enum mg_status parse(const struct explain_texts *texts)
{
    why = (struct mg_error){""};
    return explain_parse(&question, texts, &why);
}

static void test_what_is_not_given_has_a_default(void **state)
{
    (void)state;
    static const uint8_t zeros[16] = {0};
    assert_int_equal(parse(&(struct explain_texts){.sni = NULL}), MG_OK);
    assert_memory_equal(question.client, zeros, 16);
    assert_memory_equal(question.server, zeros, 16);
    assert_true(!question.is_ipv6 && question.port == 443 && hello_info_sni(&question.hello).len == 0);
    assert_int_equal(question.hello.max_version, 0x0304);
}

static void test_a_flow_is_read_as_it_is_written(void **state)
{
    (void)state;
    const struct explain_texts texts = {
        .client = "10.0.0.1", .server = "192.0.2.1", .port = "8443", .sni = "WWW.X.example"};
    assert_int_equal(parse(&texts), MG_OK);
    struct policy_flow flow;
    explain_flow(&question, &flow);
    assert_memory_equal(flow.client, "\x0a\0\0\1", 4);
    assert_memory_equal(flow.server, "\xc0\0\2\1", 4);
    assert_true(!flow.is_ipv6 && flow.port == 8443);
    assert_true(mg_slice_equal(hello_info_sni(&question.hello), mg_slice_of_text("www.x.example")));
    assert_int_equal(parse(&(struct explain_texts){.server = "2001:db8::1"}), MG_OK);
    assert_true(question.is_ipv6);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        struct explain_texts texts;
        const char *named;
    } cases[] = {
        {{.client = "10.0.0.0/8"}, "client: "},
        {{.client = ""}, "client: "},
        {{.server = "example.org"}, "server: "},
        {{.client = "10.0.0.1", .server = "::1"}, "server: "},
        {{.port = "0"}, "port: "},
        {{.port = "1-2"}, "port: "},
        {{.port = "65536"}, "port: "},
        {{.sni = "a b"}, "sni: "},
        {{.sni = "a..b"}, "sni: "},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        assert_int_equal(parse(&cases[i].texts), MG_INVALID);
        assert_true(strncmp(why.text, cases[i].named, strlen(cases[i].named)) == 0);
    }
}

/* explained returns the JSON of |decision|, in a buffer of its own. */
static const char *explained(const struct decision *decision)
{
    static const char yaml[] = "policy:\n  rules:\n    - {name: own, sni: a.example, action: intercept}\n";
    static char storage[2000];
    struct config *config;
    struct policy *policy;
    struct mg_buffer out;
    assert_int_equal(config_parse(&config, "test.yaml", yaml, strlen(yaml), &why), MG_OK);
    assert_int_equal(policy_new(&policy, config, 3, &why), MG_OK);
    config_free(config);
    mg_buffer_wrap(&out, storage, sizeof(storage) - 1);
    explain_write(&question, policy, decision, "Corp", &out);
    assert_true(mg_buffer_ok(&out));
    storage[out.len] = '\0';
    policy_free(policy);
    return storage;
}

static void test_the_answer_has_the_decision_and_each_rule(void **state)
{
    (void)state;
    assert_int_equal(parse(&(struct explain_texts){.sni = "b.example"}), MG_OK);
    struct decision decision = {.action = CONFIG_ACTION_INTERCEPT, .reason = "rule", .rule = "own"};
    const char *text = explained(&decision);
    assert_non_null(strstr(text, "{\"action\":\"intercept\",\"reason\":\"rule\",\"rule\":\"own\",\"issuer\":\"Corp\","
                                 "\"policyGeneration\":3,\"why\":[\""));
    assert_non_null(strstr(text, "own"));
    assert_non_null(strstr(text, "\"]}\n"));
    decision =
        (struct decision){.action = CONFIG_ACTION_BLOCK, .block_with = CONFIG_BLOCK_ALERT, .reason = "ech", .rule = ""};
    text = explained(&decision);
    assert_non_null(
        strstr(text, "{\"action\":\"block\",\"blockWith\":\"alert\",\"reason\":\"ech\",\"rule\":\"\",\"policy"));
    assert_null(strstr(text, "Corp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_given_has_a_default),
        cmocka_unit_test(test_a_flow_is_read_as_it_is_written),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_the_answer_has_the_decision_and_each_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
