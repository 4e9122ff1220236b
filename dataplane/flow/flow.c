/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/flow.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_hash.h>
#include <rte_lcore.h>
#include <rte_prefetch.h>

struct flow_table {
    struct rte_hash *by_key; /* a flow has one or two keys in it */
    void *memory;            /* that |flows| are in: calloc leaves pages that no flow has used yet to the machine */
    struct flow *flows;      /* each at the beginning of a cache line */
    uint32_t *free_places;   /* a stack */
    uint32_t num_free;
    uint32_t capacity;
    uint64_t changes;
};

enum mg_status flow_table_new(struct flow_table **out, const char *name, uint32_t capacity)
{
    struct flow_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return MG_MEMORY;
    }
    const struct rte_hash_parameters parameters = {
        .name = name,
        .entries = capacity * 2 < 8 ? 8 : capacity * 2,
        .key_len = sizeof(struct flow_key),
        .socket_id = (int)rte_socket_id(),
        /* Without overflow buckets an insertion may fail long before the table is full. */
        .extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
    };
    table->capacity = table->num_free = capacity;
    table->by_key = rte_hash_create(&parameters);
    table->memory = calloc((size_t)capacity + 1, sizeof(*table->flows));
    table->flows = RTE_PTR_ALIGN_CEIL(table->memory, _Alignof(struct flow));
    table->free_places = calloc(capacity, sizeof(*table->free_places));
    if (table->by_key == NULL || table->memory == NULL || table->free_places == NULL) {
        flow_table_free(table);
        return MG_MEMORY;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        table->free_places[i] = capacity - 1 - i;
    }
    *out = table;
    return MG_OK;
}

void flow_table_free(struct flow_table *table)
{
    if (table == NULL) {
        return;
    }
    rte_hash_free(table->by_key);
    free(table->memory);
    free(table->free_places);
    free(table);
}

void flow_key_of(struct flow_key *out, const struct packet *packet, enum side side)
{
    *out = (struct flow_key){.vlan = {packet->vlan[0], packet->vlan[1]}, .is_ipv6 = packet->is_ipv6};
    size_t len = packet_address_len(packet);
    bool from_client = side == SIDE_CLIENT;
    memcpy(out->client, from_client ? packet->source : packet->destination, len);
    memcpy(out->server, from_client ? packet->destination : packet->source, len);
    out->client_port = from_client ? packet->source_port : packet->destination_port;
    out->server_port = from_client ? packet->destination_port : packet->source_port;
}

uint64_t flow_hash(const struct mg_siphash_key *siphash, const struct flow_key *key)
{
    if (key->is_ipv6) {
        return mg_siphash(siphash, key, offsetof(struct flow_key, vlan));
    }
    uint8_t short_key[12]; /* without the zeros behind addresses, for half the time */
    memcpy(short_key, key->client, 4);
    memcpy(short_key + 4, key->server, 4);
    memcpy(short_key + 8, &key->client_port, 2);
    memcpy(short_key + 10, &key->server_port, 2);
    return mg_siphash(siphash, short_key, sizeof(short_key));
}

struct flow *flow_find(struct flow_table *table, const struct flow_key *key, uint64_t hash)
{
    void *flow;
    int found = rte_hash_lookup_with_hash_data(table->by_key, key, (hash_sig_t)hash, &flow);
    return found < 0 ? NULL : flow;
}

void flow_find_many(struct flow_table *table, struct flow_lookup *const *lookups, unsigned num)
{
    const void *keys[FLOW_MAX_FIND];
    hash_sig_t hashes[FLOW_MAX_FIND];
    void *flows[FLOW_MAX_FIND];
    uint64_t found = 0;
    for (unsigned i = 0; i < num; i++) {
        keys[i] = &lookups[i]->key;
        hashes[i] = (hash_sig_t)lookups[i]->hash;
    }
    rte_hash_lookup_with_hash_bulk_data(table->by_key, keys, hashes, num, &found, flows);
    for (unsigned i = 0; i < num; i++) {
        lookups[i]->flow = (found >> i & 1) != 0 ? flows[i] : NULL;
        rte_prefetch0(lookups[i]->flow); /* of nowhere it does nothing */
    }
}

uint64_t flow_changes(const struct flow_table *table)
{
    return table->changes;
}

struct flow *flow_add(struct flow_table *table, const struct flow_key *key, uint64_t hash)
{
    if (table->num_free == 0) {
        return NULL;
    }
    struct flow *flow = &table->flows[table->free_places[table->num_free - 1]];
    if (rte_hash_add_key_with_hash_data(table->by_key, key, (hash_sig_t)hash, flow) != 0) {
        return NULL;
    }
    table->num_free--;
    table->changes++;
    *flow = (struct flow){.key = *key, .hash = hash, .generation = flow->generation + 1};
    return flow;
}

static struct flow_key stack_key_of(const struct flow *flow)
{
    struct flow_key key = flow->key;
    key.vlan[0] = key.vlan[1] = FLOW_VLAN_STACK;
    return key;
}

bool flow_add_stack_key(struct flow_table *table, struct flow *flow)
{
    struct flow_key key = stack_key_of(flow);
    if (flow_find(table, &key, flow->hash) != NULL ||
        rte_hash_add_key_with_hash_data(table->by_key, &key, (hash_sig_t)flow->hash, flow) != 0) {
        return false;
    }
    flow->stack_key = true;
    return true;
}

void flow_remove(struct flow_table *table, struct flow *flow)
{
    rte_hash_del_key_with_hash(table->by_key, &flow->key, (hash_sig_t)flow->hash);
    if (flow->stack_key) {
        struct flow_key key = stack_key_of(flow);
        rte_hash_del_key_with_hash(table->by_key, &key, (hash_sig_t)flow->hash);
    }
    flow->generation++;
    table->changes++;
    table->free_places[table->num_free++] = (uint32_t)(flow - table->flows);
}

struct flow_handle flow_handle_of(const struct flow_table *table, const struct flow *flow)
{
    return (struct flow_handle){(uint32_t)(flow - table->flows), flow->generation};
}

struct flow *flow_by_handle(struct flow_table *table, struct flow_handle handle)
{
    struct flow *flow = &table->flows[handle.index];
    bool taken = flow->generation % 2 == 1;
    return taken && flow->generation == handle.generation ? flow : NULL;
}

uint32_t flow_count(const struct flow_table *table)
{
    return table->capacity - table->num_free;
}
