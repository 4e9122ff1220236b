/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/learned.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cache/cache.h"
#include "minting/names.h"

#define BYTES_PER_ENTRY 1024
#define MAX_PENDING 64

/* Family, port, address, name. */
struct learned_key {
    uint8_t bytes[1 + 2 + 16 + DNS_NAME_MAX_LEN];
    size_t len;
};

struct learned_entry {
    struct cache_value value;
    const char *reason;
    int64_t until;
    uint8_t server[16];
    bool is_ipv6;
    uint16_t port;
    char sni[DNS_NAME_MAX_LEN + 1];
};

struct learned {
    struct cache *cache;
};

static void free_entry(struct cache_value *value)
{
    free(MG_CONTAINER_OF(value, struct learned_entry, value));
}

enum mg_status learned_new(struct learned **out, size_t max_entries)
{
    struct learned *learned = calloc(1, sizeof(*learned));
    if (learned == NULL) {
        return MG_MEMORY;
    }
    const struct cache_config config = {
        .max_entries = max_entries,
        .max_bytes = max_entries * BYTES_PER_ENTRY,
        .max_pending = MAX_PENDING,
        .max_waiters = 1,
        .free_value = free_entry,
    };
    enum mg_status status = cache_new(&learned->cache, &config);
    if (status != MG_OK) {
        free(learned);
        return status;
    }
    *out = learned;
    return MG_OK;
}

void learned_free(struct learned *learned)
{
    if (learned != NULL) {
        cache_free(learned->cache);
        free(learned);
    }
}

static struct mg_slice make_key(struct learned_key *key, const struct policy_flow *flow, struct mg_slice sni)
{
    struct mg_buffer buffer;
    mg_buffer_wrap(&buffer, key->bytes, sizeof(key->bytes));
    mg_buffer_append_u8(&buffer, flow->is_ipv6);
    mg_buffer_append_u16(&buffer, flow->port);
    mg_buffer_append(&buffer, flow->server, flow->is_ipv6 ? 16 : 4);
    mg_buffer_append_slice(&buffer, sni);
    return mg_buffer_slice(&buffer);
}

const char *learned_reason(struct learned *learned, const struct policy_flow *flow, struct mg_slice sni, int64_t now)
{
    struct learned_key key;
    struct cache_value *value;
    if (cache_lookup(learned->cache, make_key(&key, flow, sni), now, &value) != CACHE_HIT) {
        return NULL;
    }
    return MG_CONTAINER_OF(value, struct learned_entry, value)->reason;
}

void learned_add(struct learned *learned, const struct policy_flow *flow, struct mg_slice sni, const char *reason,
                 int64_t now, int64_t until)
{
    struct learned_key key;
    struct cache_value *found;
    struct cache_pending *pending;
    if (sni.len > DNS_NAME_MAX_LEN ||
        cache_claim(learned->cache, make_key(&key, flow, sni), now, NULL, &found, &pending) != CACHE_CLAIM_ELECTED) {
        return; /* known already, or no room: the next failure says it again */
    }
    struct learned_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        cache_fail(pending, 0);
        return;
    }
    entry->value.references = 1;
    entry->reason = reason;
    entry->until = until;
    entry->is_ipv6 = flow->is_ipv6;
    entry->port = flow->port;
    memcpy(entry->server, flow->server, flow->is_ipv6 ? 16 : 4);
    if (sni.len > 0) {
        memcpy(entry->sni, sni.data, sni.len);
    }
    cache_publish(pending, &entry->value, sizeof(*entry), until);
}

struct listing {
    int64_t now;
    struct mg_buffer *out;
};

static bool list_entry(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg)
{
    (void)key;
    (void)recently_used;
    struct listing *listing = arg;
    const struct learned_entry *entry = MG_CONTAINER_OF(value, struct learned_entry, value);
    char address[INET6_ADDRSTRLEN];
    if (entry->until > listing->now &&
        inet_ntop(entry->is_ipv6 ? AF_INET6 : AF_INET, entry->server, address, sizeof(address)) != NULL) {
        mg_json_begin_object(listing->out, NULL);
        mg_json_string(listing->out, "server", address);
        mg_json_uint(listing->out, "port", entry->port);
        mg_json_string(listing->out, "sni", entry->sni);
        mg_json_string(listing->out, "reason", entry->reason);
        mg_json_uint(listing->out, "seconds_left", (uint64_t)(entry->until - listing->now));
        mg_json_end_object(listing->out);
    }
    return true;
}

void learned_list(struct learned *learned, int64_t now, struct mg_buffer *out)
{
    struct listing listing = {.now = now, .out = out};
    mg_json_begin_array(out, NULL);
    cache_for_each(learned->cache, list_entry, &listing);
    mg_json_end_array(out);
    mg_buffer_append_u8(out, '\n');
}

void learned_stats(struct learned *learned, struct cache_stats *out)
{
    cache_stats(learned->cache, out);
}
