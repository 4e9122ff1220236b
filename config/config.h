/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: YAML, one file for all programs, read into an immutable snapshot. Every key, its default,
 * its bounds and its meaning stand in one table (schema.c), from which docs/configuration.md is made. A file that
 * breaks any rule is refused whole, with file, line, key and rule.
 */
#ifndef MINTGATE_CONFIG_CONFIG_H
#define MINTGATE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/status.h"

/* Where programs look for the file when they are not told. */
#define CONFIG_DEFAULT_PATH "/etc/mintgate/mintgate.yaml"

struct config_strings {
    const char **items;
    size_t num_items;
};

/* An address prefix; IPv4 in the first four bytes of |address|. Bits beyond |len| are zero. */
struct config_prefix {
    uint8_t address[16];
    uint8_t len; /* bits */
    bool is_ipv6;
};

struct config_prefixes {
    struct config_prefix *items;
    size_t num_items;
};

struct config_port_range {
    uint16_t first, last;
};

struct config_port_ranges {
    struct config_port_range *items;
    size_t num_items;
};

enum config_action { CONFIG_ACTION_INTERCEPT, CONFIG_ACTION_BYPASS, CONFIG_ACTION_BLOCK };
/* A rule that does not say takes policy.block_with when it is loaded; no loaded configuration holds UNSET. */
enum config_block_with { CONFIG_BLOCK_UNSET, CONFIG_BLOCK_RESET, CONFIG_BLOCK_ALERT };
enum config_forward_or_drop { CONFIG_FORWARD, CONFIG_DROP };
/* What to do with a flow that cannot be judged or handled. */
enum config_way_out { CONFIG_WAY_OUT_BYPASS, CONFIG_WAY_OUT_BLOCK };
enum config_bad_upstream { CONFIG_BAD_UPSTREAM_BLOCK, CONFIG_BAD_UPSTREAM_FORWARD_UNTRUST };
enum config_ech { CONFIG_ECH_INTERCEPT, CONFIG_ECH_BYPASS, CONFIG_ECH_BLOCK };
enum config_weaker_upstream { CONFIG_WEAKER_REFUSE, CONFIG_WEAKER_ALLOW };
enum config_tls_version { CONFIG_TLS_1_2 = 0x0303, CONFIG_TLS_1_3 = 0x0304 };
enum config_key_type {
    CONFIG_KEY_EC_P256 = 1, /* the numbers are wire_key_type's */
    CONFIG_KEY_EC_P384 = 2,
    CONFIG_KEY_RSA_2048 = 3,
    CONFIG_KEY_RSA_3072 = 4,
    CONFIG_KEY_RSA_4096 = 5,
};
enum config_crypto_mb { CONFIG_CRYPTO_MB_AUTO, CONFIG_CRYPTO_MB_OFF };
enum config_subscription { CONFIG_SUBSCRIPTION_SOFTWARE, CONFIG_SUBSCRIPTION_HSM };
enum config_issuer_expiry {
    CONFIG_EXPIRY_SUCCESSOR, /* the configured successor; without one as BYPASS */
    CONFIG_EXPIRY_BYPASS,
    CONFIG_EXPIRY_BLOCK,
};

/* One policy rule. An empty list matches everything; conditions of one rule are all required. */
struct config_rule {
    const char *name;
    unsigned line;
    struct config_strings sni; /* "name", "*.suffix" or "none"; as written */
    struct config_prefixes client;
    struct config_prefixes server;
    struct config_port_ranges port; /* server's TCP port */
    enum config_action action;
    enum config_block_with block_with;
    const char *issuer;             /* name of an intermediate; NULL: the default */
    const char *client_certificate; /* name of a key store, or of a reference to one; NULL: none */
};

struct config_rules {
    struct config_rule *items;
    size_t num_items;
};

struct config_dataplane {
    struct config_strings eal;
    const char *client_port;
    const char *server_port;
    uint64_t workers;
    uint64_t mtu;
    uint64_t packet_buffers;
    uint64_t descriptors;
    uint64_t idle_sleep_ns;
    uint64_t flows;
    uint64_t flow_idle_timeout_ns;
    uint64_t flow_opening_timeout_ns;
    uint64_t hold_time_ns;
    uint64_t hold_packets;
    uint64_t hold_hellos;
    const char *kill_switch;
};

struct config_sessions {
    uint64_t threads;
    uint64_t max;
    const char *stack_namespace;
    const char *tun;
    uint64_t handshake_timeout_ns;
    uint64_t idle_timeout_ns;
    uint64_t linger_ns;
    uint64_t drain_ns;
    const char *log;
    uint64_t log_queue;
};

struct config_tls {
    const char *trust_store;
    const char *trust_store_name; /* of a trust store, or of a reference to one; "": the file alone */
    bool trust_store_and_file;    /* both, where there is a name */
    const char *intermediates;
    uint64_t learned_intermediates;
    enum config_tls_version min_version;
    struct config_strings alpn;
    bool client_resumption;
    uint64_t remember_chains;
    uint64_t remember_chain_ns;
    enum config_weaker_upstream weaker_upstream;
};

struct config_policy {
    struct config_rules rules;
    enum config_action default_action;
    enum config_forward_or_drop quic;
    enum config_way_out below_minimum;
    enum config_ech ech;
    enum config_way_out not_tls;
    enum config_way_out hold_exceeded;
    enum config_way_out hello_too_large;
    enum config_way_out fragmented;
    enum config_way_out midstream;
    enum config_way_out table_full;
    enum config_way_out adoption_failed;
    enum config_bad_upstream bad_upstream;
    enum config_way_out minting_failed;
    enum config_way_out not_interceptable;
    uint64_t not_interceptable_ns;
    uint64_t not_interceptable_entries;
    enum config_block_with block_with;
};

struct config_minting {
    uint64_t max_validity_seconds;
    uint64_t ec_keys;
    uint64_t rsa_keys;
    uint64_t key_rotation_ns;
    const char *aia_url;
    const char *crl_url;
    uint64_t timeout_ns;
    uint64_t pending;
    const char *published;
};

struct config_cache {
    uint64_t entries;
    uint64_t bytes;
    uint64_t waiters;
    uint64_t lifetime_seconds;
    uint64_t negative_seconds;
};

enum config_region { CONFIG_REGION_GLOBAL, CONFIG_REGION_ASIA, CONFIG_REGION_EUROPE, CONFIG_REGION_US };

/* One PKCS#11 token of the signer. Names are unique; a partner is the name of another token, which may name this one.
 * Exactly one of |pin_file|, |pin_credential| and |pin_descriptor| is not empty or 0. */
struct config_token {
    const char *name;
    const char *module;
    const char *token;
    const char *pin_file;
    const char *pin_credential;
    uint64_t pin_descriptor;
    enum config_region region;
    uint64_t sessions; /* 0: found by a calibration */
    const char *partner;
    uint64_t deadline_ns;
};

#define CONFIG_MAX_TOKENS 16 /* as many as the signer can hold */

struct config_tokens {
    struct config_token *items;
    size_t num_items;
};

struct config_signer {
    const char *engine_socket;
    const char *control_socket;
    const char *metrics_socket;
    const char *state_dir;
    const char *key_encryption_key;
    const char *key_encryption_credential;
    enum config_key_type builtin_key_type;
    uint64_t threads;
    uint64_t queue;
    enum config_crypto_mb crypto_mb;
    uint64_t journal_bytes;
    struct config_tokens tokens;
};

struct config_control {
    const char *database;
    enum config_subscription subscription;
    const char *socket;
    const char *engine_socket;
    const char *metrics_socket;
    const char *listen;
    const char *certificate;
    const char *key;
    const char *crl_listen;
    const char *crl_url;
    enum config_issuer_expiry on_issuer_expiry;
    uint64_t prepare_time_ns;
    const char *approve_default, *approve_csr, *approve_sub_ca; /* labels of SKA keys; "": none */
};

/* Requests of one credential over TLS; 0: no such limit. */
struct config_rate_limits {
    bool enabled;
    uint64_t get_per_second, get_per_hour;
    uint64_t change_per_second, change_per_hour;
    uint64_t delete_per_minute, delete_per_hour;
};

/* The CCADB family (docs/api/ccadb.md). */
struct config_ccadb {
    enum config_way_out revoked_default;
    bool crl_pointers;
    uint64_t calls_per_minute; /* 0: no limit */
    uint64_t same_call_ns;     /* 0: no limit */
};

struct config_metrics {
    const char *socket;
    const char *tcp;
};

struct config {
    const char *path;
    enum mg_log_level log_level;
    struct config_dataplane dataplane;
    struct config_sessions sessions;
    struct config_tls tls;
    struct config_policy policy;
    struct config_minting minting;
    struct config_cache cache;
    struct config_signer signer;
    struct config_control control;
    struct config_rate_limits rate_limits;
    struct config_ccadb ccadb;
    struct config_metrics metrics;
    struct config_arena *arena; /* owns all of the above */
};

/* config_load reads |path|. On success the caller frees *out with config_free. MG_INVALID: |error| names file, line,
 * key and rule; MG_NOT_FOUND, MG_LIMIT (larger than 16 MiB), MG_IO. Any thread but workers. */
MG_MUST_USE enum mg_status config_load(struct config **out, const char *path, struct mg_error *error);

/* config_parse is config_load for text in memory; |path| is what errors call it. */
MG_MUST_USE enum mg_status config_parse(struct config **out, const char *path, const void *text, size_t len,
                                        struct mg_error *error);

void config_free(struct config *config);

/* config_each_needing_restart calls |visit| with the name, as in "sessions.max", of each key that differs between |a|
 * and |b| and that a running program cannot take over (schema.c says which). */
typedef void config_key_visitor(void *arg, const char *key);
void config_each_needing_restart(const struct config *a, const struct config *b, config_key_visitor *visit, void *arg);

/* config_write_reference appends docs/configuration.md's tables: every key with type, default, bounds, meaning. */
void config_write_reference(struct mg_buffer *out);

#endif
