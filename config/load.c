/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/utf8.h"
#include "config/arena.h"
#include "config/schema.h"
#include "config/values.h"

#define MAX_FILE_SIZE (16 << 20)
#define MAX_KEY_PATH 128

/* One load: the document, where its values go, and what errors call it. */
struct loader {
    const char *path;
    yaml_document_t *document;
    struct config_arena *arena;
    struct mg_error *error;
};

/* ---- errors ---- */

static enum mg_status refuse_line(struct loader *loader, unsigned line, const char *key, const char *rule)
{
    return mg_error_set(loader->error, MG_INVALID, "%s:%u: %s: %s", loader->path, line, key, rule);
}

static unsigned line_of(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

static enum mg_status refuse(struct loader *loader, const yaml_node_t *node, const char *key, const char *rule)
{
    return refuse_line(loader, node == NULL ? 0 : line_of(node), key, rule);
}

/* scalar_text gives a scalar's text: NULL if |node| is no scalar or has a NUL inside. */
static const char *scalar_text(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || memchr(node->data.scalar.value, '\0', node->data.scalar.length) != NULL) {
        return NULL;
    }
    return (const char *)node->data.scalar.value;
}

/* ---- single values ---- */

static enum mg_status out_of_range(struct loader *loader, const yaml_node_t *node, const char *path,
                                   const struct config_key *key)
{
    char rule[160];
    if (key->kind == CONFIG_DURATION) {
        snprintf(rule, sizeof(rule), "must be from %.6gs to %.6gs", (double)key->min / 1e9, (double)key->max / 1e9);
    } else {
        snprintf(rule, sizeof(rule), "must be from %llu to %llu%s", (unsigned long long)key->min,
                 (unsigned long long)key->max, key->kind == CONFIG_SECONDS ? " seconds" : "");
    }
    return refuse(loader, node, path, rule);
}

static enum mg_status load_number(struct loader *loader, const yaml_node_t *node, const char *path,
                                  const struct config_key *key, const char *text, uint64_t *out)
{
    uint64_t value;
    switch (key->kind) {
    case CONFIG_COUNT:
        if (!config_value_count(text, &value)) {
            return refuse(loader, node, path, "must be a whole number");
        }
        break;
    case CONFIG_BYTES:
        if (!config_value_bytes(text, &value)) {
            return refuse(loader, node, path, "must be a size such as 65536, 64KiB, 256MiB or 1GiB");
        }
        break;
    default:
        if (!config_value_duration(text, &value)) {
            return refuse(loader, node, path, "must be a duration such as 50us, 10ms, 3s, 5m, 1h or 7d");
        }
        if (key->kind == CONFIG_SECONDS) {
            if (value % 1000000000 != 0) {
                return refuse(loader, node, path, "must be whole seconds");
            }
            value /= 1000000000;
        }
        break;
    }
    if (value < key->min || value > key->max) {
        return out_of_range(loader, node, path, key);
    }
    *out = value;
    return MG_OK;
}

static enum mg_status load_word(struct loader *loader, const yaml_node_t *node, const char *path,
                                const struct config_key *key, const char *text, int *out)
{
    char rule[200];
    size_t len = (size_t)snprintf(rule, sizeof(rule), "must be one of");
    for (const struct config_word *word = key->words; word->name != NULL; word++) {
        if (strcmp(word->name, text) == 0) {
            *out = word->value;
            return MG_OK;
        }
        len += (size_t)snprintf(rule + len, sizeof(rule) - len, "%s %s", word == key->words ? "" : ",", word->name);
    }
    return refuse(loader, node, path, rule);
}

static enum mg_status load_string(struct loader *loader, const yaml_node_t *node, const char *path,
                                  const struct config_key *key, const char *text, const char **out)
{
    size_t len = strlen(text);
    if (len < key->min || (key->max > 0 && len > key->max)) {
        char rule[80];
        snprintf(rule, sizeof(rule), "must have %llu to %llu characters", (unsigned long long)key->min,
                 (unsigned long long)key->max);
        return refuse(loader, node, path, key->max > 0 ? rule : "must not be empty");
    }
    *out = config_arena_text(loader->arena, text, len);
    return *out == NULL ? MG_MEMORY : MG_OK;
}

static enum mg_status load_scalar(struct loader *loader, const yaml_node_t *node, const char *path,
                                  const struct config_key *key, const char *text, void *place)
{
    switch (key->kind) {
    case CONFIG_STRING:
        return load_string(loader, node, path, key, text, place);
    case CONFIG_BOOL:
        return config_value_bool(text, place) ? MG_OK : refuse(loader, node, path, "must be true or false");
    case CONFIG_WORD:
        return load_word(loader, node, path, key, text, place);
    default:
        return load_number(loader, node, path, key, text, place);
    }
}

/* ---- lists ---- */

/* An element of a list: where it goes and how its text is read. */
static size_t element_size(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_STRINGS:
        return sizeof(const char *);
    case CONFIG_PREFIXES:
        return sizeof(struct config_prefix);
    default:
        return sizeof(struct config_port_range);
    }
}

static enum mg_status load_element(struct loader *loader, const yaml_node_t *node, const char *path,
                                   enum config_kind kind, void *place)
{
    const char *text = scalar_text(node);
    if (text == NULL) {
        return refuse(loader, node, path, "must be a list of plain values");
    }
    switch (kind) {
    case CONFIG_STRINGS: {
        const char **out = place;
        if (text[0] == '\0') {
            return refuse(loader, node, path, "must not hold an empty value");
        }
        *out = config_arena_text(loader->arena, text, strlen(text));
        return *out == NULL ? MG_MEMORY : MG_OK;
    }
    case CONFIG_PREFIXES:
        return config_value_prefix(text, place) ? MG_OK
                                                : refuse(loader, node, path,
                                                         "must be address prefixes such as 10.1.0.0/16 or "
                                                         "2001:db8::/32, with no bits beyond the length");
    default:
        return config_value_ports(text, place)
                   ? MG_OK
                   : refuse(loader, node, path, "must be ports from 1 to 65535, such as 443 or 8000-8999");
    }
}

/* The list structs all are a pointer and a count. */
struct any_list {
    void *items;
    size_t num_items;
};

static enum mg_status load_list(struct loader *loader, const yaml_node_t *node, const char *path, enum config_kind kind,
                                void *place)
{
    struct any_list list = {0};
    size_t size = element_size(kind);
    bool single = node->type == YAML_SCALAR_NODE;
    if (!single && node->type != YAML_SEQUENCE_NODE) {
        return refuse(loader, node, path, "must be a value or a list of values");
    }
    size_t num = single ? 1 : (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    char *items = config_arena_alloc(loader->arena, num * size);
    if (items == NULL) {
        return MG_MEMORY;
    }
    for (size_t i = 0; i < num; i++) {
        const yaml_node_t *element =
            single ? node : yaml_document_get_node(loader->document, node->data.sequence.items.start[i]);
        enum mg_status status = load_element(loader, element, path, kind, items + i * size);
        if (status != MG_OK) {
            return status;
        }
    }
    list.items = items;
    list.num_items = num;
    memcpy(place, &list, sizeof(list));
    return MG_OK;
}

/* ---- maps ---- */

static enum mg_status load_rules(struct loader *loader, const yaml_node_t *node, const char *path,
                                 struct config_rules *out);

static enum mg_status load_tokens(struct loader *loader, const yaml_node_t *node, const char *path,
                                  struct config_tokens *out);

static enum mg_status load_value(struct loader *loader, const yaml_node_t *node, const char *path,
                                 const struct config_key *key, void *base)
{
    void *place = (char *)base + key->offset;
    switch (key->kind) {
    case CONFIG_STRINGS:
    case CONFIG_PREFIXES:
    case CONFIG_PORTS:
        return load_list(loader, node, path, key->kind, place);
    case CONFIG_RULES:
        return load_rules(loader, node, path, place);
    case CONFIG_TOKENS:
        return load_tokens(loader, node, path, place);
    default:
        break;
    }
    const char *text = scalar_text(node);
    if (text == NULL) {
        char rule[64];
        snprintf(rule, sizeof(rule), "must be a plain value (%s)", config_kind_name(key->kind));
        return refuse(loader, node, path, rule);
    }
    return load_scalar(loader, node, path, key, text, place);
}

/* find_pair gives the value of |name| in the map |node|; NULL if it has none. */
static const yaml_node_t *find_pair(struct loader *loader, const yaml_node_t *node, const char *name)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const char *key = scalar_text(yaml_document_get_node(loader->document, pair->key));
        if (key != NULL && strcmp(key, name) == 0) {
            return yaml_document_get_node(loader->document, pair->value);
        }
    }
    return NULL;
}

/* check_keys refuses keys that |is_known| does not know, and keys given twice. */
static enum mg_status check_keys(struct loader *loader, const yaml_node_t *node, const char *path,
                                 bool (*is_known)(const char *name, const void *arg), const void *arg)
{
    if (node->type != YAML_MAPPING_NODE) {
        return refuse(loader, node, path, "must be a map of keys and values");
    }
    yaml_node_pair_t *first = node->data.mapping.pairs.start;
    for (yaml_node_pair_t *pair = first; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key_node = yaml_document_get_node(loader->document, pair->key);
        const char *name = scalar_text(key_node);
        char rule[120];
        if (name == NULL || !is_known(name, arg)) {
            snprintf(rule, sizeof(rule), "there is no key %.60s here", name == NULL ? "of that form" : name);
            return refuse(loader, key_node, path, rule);
        }
        for (yaml_node_pair_t *earlier = first; earlier < pair; earlier++) {
            if (strcmp(scalar_text(yaml_document_get_node(loader->document, earlier->key)), name) == 0) {
                snprintf(rule, sizeof(rule), "%.60s is given twice", name);
                return refuse(loader, key_node, path, rule);
            }
        }
    }
    return MG_OK;
}

struct key_table {
    const struct config_key *keys;
    size_t num_keys;
};

static bool is_key(const char *name, const void *arg)
{
    const struct key_table *table = arg;
    for (size_t i = 0; i < table->num_keys; i++) {
        if (strcmp(table->keys[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_section(const char *name, const void *arg)
{
    (void)arg;
    for (size_t i = 0; i < config_num_sections; i++) {
        if (strcmp(config_sections[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_absent(const yaml_node_t *node)
{
    /* "key:" with nothing behind it, which YAML reads as null. */
    return node == NULL || (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
                            node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
}

static enum mg_status load_map(struct loader *loader, const yaml_node_t *node, const char *path,
                               const struct key_table *table, void *base)
{
    enum mg_status status = check_keys(loader, node, path, is_key, table);
    for (size_t i = 0; i < table->num_keys && status == MG_OK; i++) {
        const struct config_key *key = &table->keys[i];
        const yaml_node_t *value = find_pair(loader, node, key->name);
        char key_path[MAX_KEY_PATH];
        snprintf(key_path, sizeof(key_path), "%.80s.%s", path, key->name);
        if (!is_absent(value)) {
            status = load_value(loader, value, key_path, key, base);
        } else if (key->fallback == NULL) {
            status = refuse(loader, node, key_path, "is missing");
        }
    }
    return status;
}

static enum mg_status load_rules(struct loader *loader, const yaml_node_t *node, const char *path,
                                 struct config_rules *out)
{
    const struct key_table table = {config_rule_keys, config_num_rule_keys};
    if (node->type != YAML_SEQUENCE_NODE) {
        return refuse(loader, node, path, "must be a list of rules");
    }
    size_t num = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    struct config_rule *rules = config_arena_alloc(loader->arena, num * sizeof(*rules));
    if (rules == NULL) {
        return MG_MEMORY;
    }
    for (size_t i = 0; i < num; i++) {
        const yaml_node_t *rule_node = yaml_document_get_node(loader->document, node->data.sequence.items.start[i]);
        char rule_path[2 * MAX_KEY_PATH];
        snprintf(rule_path, sizeof(rule_path), "%s[%u]", path, (unsigned)i + 1);
        rules[i].line = line_of(rule_node);
        enum mg_status status = load_map(loader, rule_node, rule_path, &table, &rules[i]);
        if (status != MG_OK) {
            return status;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(rules[j].name, rules[i].name) == 0) {
                return refuse(loader, rule_node, rule_path, "has the name of an earlier rule");
            }
        }
    }
    out->items = rules;
    out->num_items = num;
    return MG_OK;
}

/* ---- tokens ---- */

static enum mg_status load_token_defaults(struct loader *loader, struct config_token *token)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < config_num_token_keys; i++) {
        const struct config_key *key = &config_token_keys[i];
        if (key->fallback != NULL) {
            status = load_scalar(loader, NULL, key->name, key, key->fallback, (char *)token + key->offset);
        }
    }
    return status;
}

static struct config_token *find_token(const struct config_tokens *tokens, size_t num, const char *name)
{
    for (size_t i = 0; i < num; i++) {
        if (strcmp(tokens->items[i].name, name) == 0) {
            return &tokens->items[i];
        }
    }
    return NULL;
}

/* is_token_name allows what stands as it is in metrics and file names. */
static bool is_token_name(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

/* check_token checks what one key alone cannot tell, of the token at |index|. */
static enum mg_status check_token(struct loader *loader, const yaml_node_t *node, const char *path,
                                  const struct config_tokens *tokens, size_t index)
{
    const struct config_token *token = &tokens->items[index];
    if (find_token(tokens, index, token->name) != NULL) {
        return refuse(loader, node, path, "has the name of an earlier token");
    }
    if (!is_token_name(token->name)) {
        return refuse(loader, node, path, "name: must be letters, digits, '.', '_' and '-'");
    }
    if (!mg_utf8_is_label(mg_slice_of_text(token->module)) || !mg_utf8_is_label(mg_slice_of_text(token->token))) {
        return refuse(loader, node, path, "module, token: must be UTF-8 without control characters");
    }
    int num_pins = (token->pin_file[0] != '\0') + (token->pin_credential[0] != '\0') + (token->pin_descriptor != 0);
    if (num_pins != 1) {
        return refuse(loader, node, path, "must have one of pin_file, pin_credential and pin_descriptor");
    }
    if (token->pin_descriptor == 1 || token->pin_descriptor == 2) {
        return refuse(loader, node, path, "pin_descriptor: must be 3 or more");
    }
    if (strstr(token->token, "pin-value") != NULL || strstr(token->token, "pin-source") != NULL) {
        return refuse(loader, node, path, "token: a URI must not have a PIN");
    }
    if (token->partner[0] != '\0' &&
        (strcmp(token->partner, token->name) == 0 || find_token(tokens, tokens->num_items, token->partner) == NULL)) {
        return refuse(loader, node, path, "partner: must be the name of another token");
    }
    return MG_OK;
}

static const yaml_node_t *element_of(const struct loader *loader, const yaml_node_t *node, size_t index)
{
    return yaml_document_get_node(loader->document, node->data.sequence.items.start[index]);
}

static enum mg_status load_tokens(struct loader *loader, const yaml_node_t *node, const char *path,
                                  struct config_tokens *out)
{
    const struct key_table table = {config_token_keys, config_num_token_keys};
    struct config_tokens tokens = {.items = NULL};
    char token_path[2 * MAX_KEY_PATH];
    if (node->type != YAML_SEQUENCE_NODE ||
        node->data.sequence.items.top - node->data.sequence.items.start > CONFIG_MAX_TOKENS) {
        return refuse(loader, node, path, "must be a list of at most 16 tokens");
    }
    tokens.num_items = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    tokens.items = config_arena_alloc(loader->arena, tokens.num_items * sizeof(*tokens.items));
    enum mg_status status = tokens.items == NULL ? MG_MEMORY : MG_OK;
    for (size_t i = 0; status == MG_OK && i < tokens.num_items; i++) {
        snprintf(token_path, sizeof(token_path), "%s[%u]", path, (unsigned)i + 1);
        status = load_token_defaults(loader, &tokens.items[i]);
        if (status == MG_OK) {
            status = load_map(loader, element_of(loader, node, i), token_path, &table, &tokens.items[i]);
        }
    }
    for (size_t i = 0; status == MG_OK && i < tokens.num_items; i++) {
        snprintf(token_path, sizeof(token_path), "%s[%u]", path, (unsigned)i + 1);
        status = check_token(loader, element_of(loader, node, i), token_path, &tokens, i);
    }
    *out = tokens;
    return status;
}

/* ---- the whole file ---- */

/* A scalar's default goes through the same readers as a value of the file; a list's is empty or the one given here. */
static enum mg_status load_defaults(struct loader *loader, struct config *config)
{
    for (size_t s = 0; s < config_num_sections; s++) {
        for (size_t k = 0; k < config_sections[s].num_keys; k++) {
            const struct config_key *key = &config_sections[s].keys[k];
            if (key->kind >= CONFIG_STRINGS) {
                continue;
            }
            void *place = (char *)config + key->offset;
            struct config_key unbounded = *key;
            unbounded.min = 0; /* an empty text may be the default of a key that may not be written empty */
            enum mg_status status = load_scalar(loader, NULL, key->name, &unbounded, key->fallback, place);
            if (status != MG_OK) {
                return status;
            }
        }
    }
    static const char *default_alpn[] = {"h2", "http/1.1"};
    config->tls.alpn = (struct config_strings){.items = default_alpn, .num_items = MG_ARRAY_LEN(default_alpn)};
    return MG_OK;
}

static enum mg_status load_sections(struct loader *loader, const yaml_node_t *root, struct config *config)
{
    enum mg_status status = check_keys(loader, root, "top level", is_section, NULL);
    for (size_t s = 0; s < config_num_sections && status == MG_OK; s++) {
        const struct config_section *section = &config_sections[s];
        const yaml_node_t *node = find_pair(loader, root, section->name);
        if (!is_absent(node)) {
            const struct key_table table = {section->keys, section->num_keys};
            status = load_map(loader, node, section->name, &table, config);
        }
    }
    for (size_t i = 0; i < config->policy.rules.num_items; i++) {
        struct config_rule *rule = &config->policy.rules.items[i];
        if (rule->block_with == CONFIG_BLOCK_UNSET) {
            rule->block_with = config->policy.block_with;
        }
    }
    return status;
}

static enum mg_status syntax_error(struct loader *loader, const yaml_parser_t *parser)
{
    return refuse_line(loader, (unsigned)parser->problem_mark.line + 1, "YAML",
                       parser->problem != NULL ? parser->problem : "cannot be read");
}

/* load_document reads the one document of the file; an empty file is all defaults. */
static enum mg_status load_document(struct loader *loader, yaml_parser_t *parser, struct config *config)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) {
        return syntax_error(loader, parser);
    }
    loader->document = &document;
    yaml_node_t *root = yaml_document_get_root_node(&document);
    enum mg_status status = root == NULL || is_absent(root) ? MG_OK : load_sections(loader, root, config);
    yaml_document_delete(&document);
    if (status != MG_OK || root == NULL) {
        return status;
    }

    yaml_document_t more;
    if (!yaml_parser_load(parser, &more)) {
        return syntax_error(loader, parser);
    }
    yaml_node_t *second = yaml_document_get_root_node(&more);
    if (second != NULL) {
        status = refuse(loader, second, "YAML", "there is a second document in the file");
    }
    yaml_document_delete(&more);
    return status;
}

enum mg_status config_parse(struct config **out, const char *path, const void *text, size_t len, struct mg_error *error)
{
    struct config_arena *arena = config_arena_new();
    struct config *config = arena == NULL ? NULL : config_arena_alloc(arena, sizeof(*config));
    yaml_parser_t parser;
    if (config == NULL || !yaml_parser_initialize(&parser)) {
        config_arena_free(arena);
        return mg_error_set(error, MG_MEMORY, "%s: out of memory", path);
    }
    yaml_parser_set_input_string(&parser, text, len);
    config->arena = arena;
    config->path = config_arena_text(arena, path, strlen(path));

    struct loader loader = {.path = path, .arena = arena, .error = error};
    enum mg_status status = load_defaults(&loader, config);
    if (status == MG_OK) {
        status = load_document(&loader, &parser, config);
    }
    yaml_parser_delete(&parser);
    if (status == MG_OK && config->path == NULL) {
        status = MG_MEMORY;
    }
    if (status == MG_MEMORY) {
        (void)mg_error_set(error, MG_MEMORY, "%s: out of memory", path);
    }
    if (status != MG_OK) {
        config_arena_free(arena);
        return status;
    }
    *out = config;
    return MG_OK;
}

enum mg_status config_load(struct config **out, const char *path, struct mg_error *error)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_FILE_SIZE);
    enum mg_status status = mg_file_read(path, &text, error);
    if (status == MG_OK) {
        status = config_parse(out, path, text.data, text.len, error);
    }
    mg_buffer_free(&text);
    return status;
}

void config_free(struct config *config)
{
    if (config != NULL) {
        config_arena_free(config->arena);
    }
}
