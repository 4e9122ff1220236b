/* SPDX-License-Identifier: Apache-2.0 */
/* The question of GET /policy/explain: four texts, one a line, an empty one not given. What is taken can be explained.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct policy *make_policy(void)
{
    static const char yaml[] = "policy:\n  rules:\n"
                               "    - {name: a, sni: '*.a.example', client: 10.0.0.0/8, action: bypass}\n"
                               "    - {name: b, server: 2001:db8::/32, port: 443, action: block}\n";
    struct config *config;
    struct policy *policy;
    if (config_parse(&config, "fuzz", yaml, sizeof(yaml) - 1, NULL) != MG_OK ||
        policy_new(&policy, config, 1, NULL) != MG_OK) {
        abort();
    }
    config_free(config);
    return policy;
}

static void explain(const struct explain_question *question)
{
    static struct policy *policy;
    static const struct decision decision = {.action = CONFIG_ACTION_INTERCEPT, .reason = "rule", .rule = "a"};
    struct mg_buffer out;
    if (policy == NULL) {
        policy = make_policy();
    }
    mg_buffer_init(&out, 1 << 20);
    explain_write(question, policy, &decision, "issuer", &out);
    if (!mg_buffer_ok(&out) || question->port == 0) {
        abort();
    }
    mg_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *texts[4] = {NULL}, *copy = malloc(size + 1), *rest = copy;
    struct explain_question question;
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    for (size_t i = 0; i < MG_ARRAY_LEN(texts); i++) {
        char *line = strsep(&rest, "\n");
        texts[i] = line == NULL || line[0] == '\0' ? NULL : line;
    }
    const struct explain_texts asked = {.client = texts[0], .server = texts[1], .port = texts[2], .sni = texts[3]};
    if (explain_parse(&question, &asked, NULL) == MG_OK) {
        explain(&question);
    }
    free(copy);
    return 0;
}
