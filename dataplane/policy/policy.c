/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/name_set.h"

struct rule {
    char *name; /* owned, as the lists and |issuer| below */
    struct name_set names;
    struct config_prefixes client;
    struct config_prefixes server;
    struct config_port_ranges port;
    enum config_action action;
    enum config_block_with block_with;
    char *issuer;
    char *client_certificate;
};

struct policy {
    uint64_t generation;
    struct config_policy settings; /* its |rules| is empty: they are compiled below */
    enum config_issuer_expiry on_issuer_expiry;
    enum config_way_out revoked_default;
    struct rule *rules;
    size_t num_rules;
    const char *key_stores[POLICY_MAX_KEY_STORES]; /* the rules' own */
    size_t num_key_stores;
};

/* ---- building ---- */

static MG_MUST_USE bool copy_list(void *place, const void *items, size_t num_items, size_t item_size)
{
    if (num_items == 0) {
        return true;
    }
    void *copy = malloc(num_items * item_size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, items, num_items * item_size);
    memcpy(place, &copy, sizeof(copy));
    return true;
}

static enum mg_status compile_rule(struct rule *rule, const struct config_rule *source, const char *path,
                                   struct mg_error *error)
{
    struct mg_error cause;
    enum mg_status status = name_set_build(&rule->names, &source->sni, &cause);
    if (status == MG_INVALID) {
        return mg_error_set(error, MG_INVALID, "%s:%u: rule %.64s: sni: %.300s", path, source->line, source->name,
                            cause.text);
    }
    rule->name = strdup(source->name);
    rule->issuer = strdup(source->issuer == NULL ? "" : source->issuer);
    rule->client_certificate = strdup(source->client_certificate == NULL ? "" : source->client_certificate);
    rule->client.num_items = source->client.num_items;
    rule->server.num_items = source->server.num_items;
    rule->port.num_items = source->port.num_items;
    rule->action = source->action;
    rule->block_with = source->block_with;
    bool copied =
        rule->name != NULL && rule->issuer != NULL && rule->client_certificate != NULL &&
        copy_list(&rule->client.items, source->client.items, source->client.num_items, sizeof(struct config_prefix)) &&
        copy_list(&rule->server.items, source->server.items, source->server.num_items, sizeof(struct config_prefix)) &&
        copy_list(&rule->port.items, source->port.items, source->port.num_items, sizeof(struct config_port_range));
    return status == MG_OK && copied ? MG_OK : mg_error_set(error, MG_MEMORY, "%s: out of memory", path);
}

/* note_key_store adds the one that |rule| names, if it is not there yet. */
static enum mg_status note_key_store(struct policy *policy, const struct rule *rule, const char *path,
                                     struct mg_error *error)
{
    if (rule->client_certificate[0] == '\0') {
        return MG_OK;
    }
    for (size_t i = 0; i < policy->num_key_stores; i++) {
        if (strcmp(policy->key_stores[i], rule->client_certificate) == 0) {
            return MG_OK;
        }
    }
    if (policy->num_key_stores == POLICY_MAX_KEY_STORES) {
        return mg_error_set(error, MG_LIMIT, "%s: policy.rules: client_certificate: more than %d key stores", path,
                            POLICY_MAX_KEY_STORES);
    }
    policy->key_stores[policy->num_key_stores++] = rule->client_certificate;
    return MG_OK;
}

enum mg_status policy_new(struct policy **out, const struct config *config, uint64_t generation, struct mg_error *error)
{
    const struct config_rules *source = &config->policy.rules;
    if (source->num_items > POLICY_MAX_RULES) {
        return mg_error_set(error, MG_LIMIT, "%s: policy.rules: more than %d rules", config->path, POLICY_MAX_RULES);
    }
    struct policy *policy = calloc(1, sizeof(*policy));
    struct rule *rules = calloc(source->num_items + 1, sizeof(*rules));
    if (policy == NULL || rules == NULL) {
        free(policy);
        free(rules);
        return mg_error_set(error, MG_MEMORY, "%s: out of memory", config->path);
    }
    policy->generation = generation;
    policy->settings = config->policy;
    policy->settings.rules = (struct config_rules){0};
    policy->on_issuer_expiry = config->control.on_issuer_expiry;
    policy->revoked_default = config->ccadb.revoked_default;
    policy->rules = rules;
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < source->num_items && status == MG_OK; i++) {
        policy->num_rules = i + 1;
        status = compile_rule(&rules[i], &source->items[i], config->path, error);
        if (status == MG_OK) {
            status = note_key_store(policy, &rules[i], config->path, error);
        }
    }
    if (status != MG_OK) {
        policy_free(policy);
        return status;
    }
    *out = policy;
    return MG_OK;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL) {
        return;
    }
    for (size_t i = 0; i < policy->num_rules; i++) {
        struct rule *rule = &policy->rules[i];
        name_set_clear(&rule->names);
        free(rule->name);
        free(rule->issuer);
        free(rule->client_certificate);
        free(rule->client.items);
        free(rule->server.items);
        free(rule->port.items);
    }
    free(policy->rules);
    free(policy);
}

uint64_t policy_generation(const struct policy *policy)
{
    return policy->generation;
}

size_t policy_num_key_stores(const struct policy *policy)
{
    return policy->num_key_stores;
}

const char *policy_key_store(const struct policy *policy, size_t index)
{
    return policy->key_stores[index];
}

const struct config_policy *policy_settings(const struct policy *policy)
{
    return &policy->settings;
}

enum config_issuer_expiry policy_on_issuer_expiry(const struct policy *policy)
{
    return policy->on_issuer_expiry;
}

enum config_way_out policy_revoked_default(const struct policy *policy)
{
    return policy->revoked_default;
}

/* ---- matching ---- */

static bool prefix_matches(const struct config_prefix *prefix, const uint8_t *address, bool is_ipv6)
{
    if (prefix->is_ipv6 != is_ipv6) {
        return false;
    }
    size_t whole = prefix->len / 8;
    unsigned bits = prefix->len % 8;
    return memcmp(prefix->address, address, whole) == 0 &&
           (bits == 0 || ((prefix->address[whole] ^ address[whole]) & (0xff00 >> bits & 0xff)) == 0);
}

static bool prefixes_match(const struct config_prefixes *prefixes, const uint8_t *address, bool is_ipv6)
{
    for (size_t i = 0; i < prefixes->num_items; i++) {
        if (prefix_matches(&prefixes->items[i], address, is_ipv6)) {
            return true;
        }
    }
    return prefixes->num_items == 0;
}

static bool ports_match(const struct config_port_ranges *ranges, uint16_t port)
{
    for (size_t i = 0; i < ranges->num_items; i++) {
        if (port >= ranges->items[i].first && port <= ranges->items[i].last) {
            return true;
        }
    }
    return ranges->num_items == 0;
}

static bool addresses_match(const struct rule *rule, const struct policy_flow *flow)
{
    return prefixes_match(&rule->client, flow->client, flow->is_ipv6) &&
           prefixes_match(&rule->server, flow->server, flow->is_ipv6);
}

static bool flow_matches(const struct rule *rule, const struct policy_flow *flow)
{
    return ports_match(&rule->port, flow->port) && addresses_match(rule, flow);
}

/* may_touch walks the rules that |matches| until one decides for every name. */
static bool may_touch(const struct policy *policy, const struct policy_flow *flow,
                      bool (*matches)(const struct rule *rule, const struct policy_flow *flow))
{
    for (size_t i = 0; i < policy->num_rules; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!matches(rule, flow)) {
            continue;
        }
        if (rule->action != CONFIG_ACTION_BYPASS) {
            return true;
        }
        /* Without a condition on names the rule is the last word; for all ports only if it has none on ports too. */
        if (rule->names.any && (matches == flow_matches || rule->port.num_items == 0)) {
            return false;
        }
    }
    return policy->settings.default_action != CONFIG_ACTION_BYPASS;
}

bool policy_may_touch(const struct policy *policy, const struct policy_flow *flow)
{
    return may_touch(policy, flow, flow_matches);
}

bool policy_may_touch_addresses(const struct policy *policy, const struct policy_flow *flow)
{
    return may_touch(policy, flow, addresses_match);
}

void policy_decide(const struct policy *policy, const struct policy_flow *flow, struct mg_slice sni,
                   struct policy_verdict *out)
{
    for (size_t i = 0; i < policy->num_rules; i++) {
        const struct rule *rule = &policy->rules[i];
        if (flow_matches(rule, flow) && name_set_matches(&rule->names, sni)) {
            *out = (struct policy_verdict){rule->action, rule->block_with, (uint16_t)i,
                                           rule->name,   rule->issuer,     rule->client_certificate};
            return;
        }
    }
    *out = (struct policy_verdict){
        policy->settings.default_action, policy->settings.block_with, POLICY_NO_RULE, "default", "", ""};
}

static const char *action_name(enum config_action action)
{
    static const char *const names[] = {
        [CONFIG_ACTION_INTERCEPT] = "intercept", [CONFIG_ACTION_BYPASS] = "bypass", [CONFIG_ACTION_BLOCK] = "block"};
    return names[action];
}

/* why_not names the first condition of |rule| that the flow does not meet; NULL: it meets all. */
static const char *why_not(const struct rule *rule, const struct policy_flow *flow, struct mg_slice sni)
{
    if (!prefixes_match(&rule->client, flow->client, flow->is_ipv6)) {
        return "the client is in none of its prefixes";
    }
    if (!prefixes_match(&rule->server, flow->server, flow->is_ipv6)) {
        return "the server is in none of its prefixes";
    }
    if (!ports_match(&rule->port, flow->port)) {
        return "the port is none of its ports";
    }
    if (!name_set_matches(&rule->names, sni)) {
        return sni.len == 0 ? "there is no SNI" : "the SNI is none of its names";
    }
    return NULL;
}

void policy_explain(const struct policy *policy, const struct policy_flow *flow, struct mg_slice sni,
                    struct mg_buffer *out)
{
    for (size_t i = 0; i < policy->num_rules; i++) {
        const struct rule *rule = &policy->rules[i];
        const char *reason = why_not(rule, flow, sni);
        mg_buffer_append_format(out, "rule %zu %s: ", i + 1, rule->name);
        if (reason == NULL) {
            mg_buffer_append_format(out, "matches: %s%s%s%s%s\n", action_name(rule->action),
                                    rule->issuer[0] == '\0' ? "" : ", issuer ", rule->issuer,
                                    rule->client_certificate[0] == '\0' ? "" : ", client certificate from ",
                                    rule->client_certificate);
            return;
        }
        mg_buffer_append_format(out, "no: %s\n", reason);
    }
    mg_buffer_append_format(out, "no rule matches: policy.default: %s\n", action_name(policy->settings.default_action));
}

static bool is_like(enum config_action action, const char *issuer, const char *client_certificate,
                    const struct policy_verdict *like)
{
    return action == like->action && strcmp(issuer, like->issuer) == 0 &&
           strcmp(client_certificate, like->client_certificate) == 0;
}

/* all_below_are tells whether every <label>.|domain| gets the same as |like|. */
static bool all_below_are(const struct policy *policy, const struct policy_flow *flow, struct mg_slice domain,
                          const struct policy_verdict *like)
{
    for (size_t i = 0; i < policy->num_rules; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!flow_matches(rule, flow)) {
            continue;
        }
        enum name_set_overlap overlap = name_set_overlap(&rule->names, domain);
        if (overlap != NAME_SET_DISJOINT && !is_like(rule->action, rule->issuer, rule->client_certificate, like)) {
            return false;
        }
        if (overlap == NAME_SET_ALL) {
            return true;
        }
    }
    return is_like(policy->settings.default_action, "", "", like);
}

bool policy_same_for(const struct policy *policy, const struct policy_flow *flow, struct mg_slice name,
                     const struct policy_verdict *like)
{
    struct mg_slice domain = name, star;
    if (name.len > 2 && name.data[0] == '*' && mg_slice_take(&domain, &star, 2)) {
        return all_below_are(policy, flow, domain, like);
    }
    struct policy_verdict verdict;
    policy_decide(policy, flow, name, &verdict);
    return is_like(verdict.action, verdict.issuer, verdict.client_certificate, like);
}

bool policy_names_matter(const struct policy *policy, const struct policy_flow *flow)
{
    for (size_t i = 0; i < policy->num_rules; i++) {
        if (flow_matches(&policy->rules[i], flow)) {
            return !policy->rules[i].names.any;
        }
    }
    return false;
}
