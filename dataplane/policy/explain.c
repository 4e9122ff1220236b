/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/explain.h"

#include <openssl/ssl.h>
#include <string.h>

#include "base/json.h"
#include "config/values.h"

#define MAX_RULES_TEXT (1U << 20)

static bool parse_address(const char *text, uint8_t out[16], bool *is_ipv6)
{
    struct config_prefix prefix;
    if (!config_value_prefix(text, &prefix) || prefix.len != (prefix.is_ipv6 ? 128 : 32)) {
        return false;
    }
    memcpy(out, prefix.address, sizeof(prefix.address));
    *is_ipv6 = prefix.is_ipv6;
    return true;
}

static enum mg_status parse_addresses(struct explain_question *out, const struct explain_texts *texts,
                                      struct mg_error *error)
{
    bool client_is_ipv6 = false, server_is_ipv6 = false;
    if (texts->client != NULL && !parse_address(texts->client, out->client, &client_is_ipv6)) {
        return mg_error_set(error, MG_INVALID, "client: must be an IP address");
    }
    if (texts->server != NULL && !parse_address(texts->server, out->server, &server_is_ipv6)) {
        return mg_error_set(error, MG_INVALID, "server: must be an IP address");
    }
    if (texts->client != NULL && texts->server != NULL && client_is_ipv6 != server_is_ipv6) {
        return mg_error_set(error, MG_INVALID, "server: must be of the client's family");
    }
    out->is_ipv6 = client_is_ipv6 || server_is_ipv6;
    return MG_OK;
}

enum mg_status explain_parse(struct explain_question *out, const struct explain_texts *texts, struct mg_error *error)
{
    struct config_port_range port = {.first = 443, .last = 443};
    *out = (struct explain_question){.hello = {.min_version = TLS1_2_VERSION, .max_version = TLS1_3_VERSION}};
    enum mg_status status = parse_addresses(out, texts, error);
    if (status != MG_OK) {
        return status;
    }
    if (texts->port != NULL && (!config_value_ports(texts->port, &port) || port.first != port.last)) {
        return mg_error_set(error, MG_INVALID, "port: must be a number from 1 to 65535");
    }
    if (texts->sni != NULL && dns_name_from_sni(&out->hello.sni, mg_slice_of_text(texts->sni)) != DNS_NAME_OK) {
        return mg_error_set(error, MG_INVALID, "sni: must be a host name");
    }
    out->port = port.first;
    return MG_OK;
}

void explain_flow(const struct explain_question *question, struct policy_flow *out)
{
    *out = (struct policy_flow){question->client, question->server, question->is_ipv6, question->port};
}

void explain_rules(const struct explain_question *question, const struct policy *policy, struct mg_buffer *out)
{
    struct policy_flow flow;
    explain_flow(question, &flow);
    policy_explain(policy, &flow, hello_info_sni(&question->hello), out);
}

/* write_lines writes each line of |text|, which it cuts up, as a string. */
static void write_lines(struct mg_buffer *out, char *text)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        mg_json_string(out, NULL, line);
    }
}

static void write_why(const struct explain_question *question, const struct policy *policy, struct mg_buffer *out)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_RULES_TEXT);
    explain_rules(question, policy, &text);
    mg_buffer_append_u8(&text, '\0');
    mg_json_begin_array(out, "why");
    if (mg_buffer_ok(&text)) {
        write_lines(out, (char *)text.data);
    } else {
        mg_json_string(out, NULL, "too many rules to say");
    }
    mg_json_end_array(out);
    mg_buffer_free(&text);
}

void explain_write(const struct explain_question *question, const struct policy *policy,
                   const struct decision *decision, const char *issuer, struct mg_buffer *out)
{
    mg_json_begin_object(out, NULL);
    mg_json_string(out, "action", decision_action_name(decision->action));
    if (decision->action == CONFIG_ACTION_BLOCK) {
        mg_json_string(out, "blockWith", decision->block_with == CONFIG_BLOCK_ALERT ? "alert" : "reset");
    }
    mg_json_string(out, "reason", decision->reason);
    mg_json_string(out, "rule", decision->rule);
    if (decision->action == CONFIG_ACTION_INTERCEPT) {
        mg_json_string(out, "issuer", issuer);
    }
    mg_json_uint(out, "policyGeneration", policy_generation(policy));
    write_why(question, policy, out);
    mg_json_end_object(out);
    mg_buffer_append_u8(out, '\n');
}
