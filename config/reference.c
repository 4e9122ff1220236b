/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "config/schema.h"

static bool strings_equal(const struct config_strings *a, const struct config_strings *b)
{
    if (a->num_items != b->num_items) {
        return false;
    }
    for (size_t i = 0; i < a->num_items; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool tokens_equal(const struct config_tokens *a, const struct config_tokens *b);

/* values_equal compares a value of two structs that |key| is of. */
static bool values_equal(const struct config_key *key, const void *a, const void *b)
{
    const void *in_a = (const char *)a + key->offset;
    const void *in_b = (const char *)b + key->offset;
    switch (key->kind) {
    case CONFIG_STRING:
        return strcmp(*(const char *const *)in_a, *(const char *const *)in_b) == 0;
    case CONFIG_BOOL:
        return *(const bool *)in_a == *(const bool *)in_b;
    case CONFIG_WORD:
        return *(const int *)in_a == *(const int *)in_b;
    case CONFIG_STRINGS:
        return strings_equal(in_a, in_b);
    case CONFIG_TOKENS:
        return tokens_equal(in_a, in_b);
    default:
        return *(const uint64_t *)in_a == *(const uint64_t *)in_b;
    }
}

static bool tokens_equal(const struct config_tokens *a, const struct config_tokens *b)
{
    if (a->num_items != b->num_items) {
        return false;
    }
    for (size_t i = 0; i < a->num_items; i++) {
        for (size_t k = 0; k < config_num_token_keys; k++) {
            if (!values_equal(&config_token_keys[k], &a->items[i], &b->items[i])) {
                return false;
            }
        }
    }
    return true;
}

void config_each_needing_restart(const struct config *a, const struct config *b, config_key_visitor *visit, void *arg)
{
    char name[64];
    for (size_t s = 0; s < config_num_sections; s++) {
        for (size_t k = 0; k < config_sections[s].num_keys; k++) {
            const struct config_key *key = &config_sections[s].keys[k];
            if (!key->reload && !values_equal(key, a, b)) {
                snprintf(name, sizeof(name), "%s.%s", config_sections[s].name, key->name);
                visit(arg, name);
            }
        }
    }
}

static void append_default(struct mg_buffer *out, const struct config_key *key)
{
    if (key->fallback == NULL) {
        mg_buffer_append_text(out, "required");
    } else if (key->fallback[0] == '\0') {
        mg_buffer_append_text(out, "none");
    } else {
        mg_buffer_append_format(out, "`%s`", key->fallback);
    }
}

static void append_type(struct mg_buffer *out, const struct config_key *key)
{
    if (key->kind == CONFIG_WORD) {
        for (const struct config_word *word = key->words; word->name != NULL; word++) {
            mg_buffer_append_format(out, "%s`%s`", word == key->words ? "" : ", ", word->name);
        }
        return;
    }
    mg_buffer_append_text(out, config_kind_name(key->kind));
    if (key->kind == CONFIG_COUNT) {
        mg_buffer_append_format(out, ", %llu to %llu", (unsigned long long)key->min, (unsigned long long)key->max);
    }
}

static void append_table(struct mg_buffer *out, const struct config_key *keys, size_t num_keys)
{
    mg_buffer_append_text(out, "| Key | Default | Value | Reload | Meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < num_keys; i++) {
        mg_buffer_append_format(out, "| `%s` | ", keys[i].name);
        append_default(out, &keys[i]);
        mg_buffer_append_text(out, " | ");
        append_type(out, &keys[i]);
        mg_buffer_append_format(out, " | %s | ", keys[i].reload ? "yes" : "no");
        mg_buffer_append_text(out, keys[i].help);
        mg_buffer_append_text(out, " |\n");
    }
    mg_buffer_append_text(out, "\n");
}

void config_write_reference(struct mg_buffer *out)
{
    for (size_t s = 0; s < config_num_sections; s++) {
        mg_buffer_append_format(out, "## %s\n\n%s\n\n", config_sections[s].name, config_sections[s].help);
        append_table(out, config_sections[s].keys, config_sections[s].num_keys);
        if (strcmp(config_sections[s].name, "policy") == 0) {
            mg_buffer_append_text(out, "### A rule of `policy.rules`\n\n");
            append_table(out, config_rule_keys, config_num_rule_keys);
        }
        if (strcmp(config_sections[s].name, "signer") == 0) {
            mg_buffer_append_text(out, "### A token of `signer.tokens`\n\n");
            append_table(out, config_token_keys, config_num_token_keys);
        }
    }
}
