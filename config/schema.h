/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind config.h: every key of the file, where its value goes, its default and its rules. */
#ifndef MINTGATE_CONFIG_SCHEMA_H
#define MINTGATE_CONFIG_SCHEMA_H

#include "config/config.h"

enum config_kind {
    CONFIG_STRING,   /* const char *; "" where the default is "" */
    CONFIG_BOOL,     /* bool */
    CONFIG_COUNT,    /* uint64_t */
    CONFIG_BYTES,    /* uint64_t; suffix KiB, MiB, GiB */
    CONFIG_DURATION, /* uint64_t nanoseconds; suffix us, ms, s, m, h, d */
    CONFIG_SECONDS,  /* uint64_t seconds; same suffixes, whole seconds */
    CONFIG_WORD,     /* an enum, as int: one of |words| */
    CONFIG_STRINGS,  /* struct config_strings: one scalar or a sequence */
    CONFIG_PREFIXES, /* struct config_prefixes */
    CONFIG_PORTS,    /* struct config_port_ranges: 443 or 8000-8999 */
    CONFIG_RULES,    /* struct config_rules: a sequence of maps of |config_rule_keys| */
    CONFIG_TOKENS,   /* struct config_tokens: likewise, of |config_token_keys| */
};

struct config_word {
    const char *name;
    int value;
};

struct config_key {
    const char *name;
    enum config_kind kind;
    size_t offset;                   /* of the value in struct config, config_rule or config_token */
    const char *fallback;            /* the default as it would be written; NULL: required */
    uint64_t min, max;               /* CONFIG_COUNT to CONFIG_SECONDS, in the unit of the value */
    const struct config_word *words; /* CONFIG_WORD; ended by a NULL name */
    bool reload;                     /* a running program takes a change over on SIGHUP */
    const char *help;
};

struct config_section {
    const char *name;
    const char *help;
    const struct config_key *keys;
    size_t num_keys;
};

extern const struct config_section config_sections[];
extern const size_t config_num_sections;
extern const struct config_key config_rule_keys[];
extern const size_t config_num_rule_keys;
extern const struct config_key config_token_keys[];
extern const size_t config_num_token_keys;

/* config_kind_name returns a word for documentation and errors, such as "duration". */
const char *config_kind_name(enum config_kind kind);

#endif
