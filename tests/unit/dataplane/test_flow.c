/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table stands on DPDK's hash table, so this program runs an EAL: without hugepages, devices or privileges. */
#include "frames.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include "dataplane/flow/flow.h"

static const struct mg_siphash_key siphash = {{1, 2}};

static int start_eal(void **state)
{
    (void)state;
    cpu_set_t cpus;
    char lcores[16], prefix[64];
    int cpu = 0;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) {
        return -1;
    }
    while (!CPU_ISSET(cpu, &cpus)) {
        cpu++;
    }
    snprintf(lcores, sizeof(lcores), "%d", cpu);
    snprintf(prefix, sizeof(prefix), "--file-prefix=test_flow_%d", (int)getpid());
    char *arguments[] = {(char[]){"test_flow"},
                         (char[]){"--no-huge"},
                         (char[]){"-m"},
                         (char[]){"64"},
                         (char[]){"--no-pci"},
                         (char[]){"--no-telemetry"},
                         (char[]){"-l"},
                         lcores,
                         (char[]){"--log-level=error"},
                         prefix};
    return rte_eal_init(MG_ARRAY_LEN(arguments), arguments) < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
    (void)state;
    return rte_eal_cleanup();
}

static struct flow_table *new_table(uint32_t capacity)
{
    struct flow_table *table;
    assert_int_equal(flow_table_new(&table, "test", capacity), MG_OK);
    assert_int_equal(flow_count(table), 0);
    return table;
}

static struct flow_key key_number(uint32_t n)
{
    struct flow_key key = {.client_port = (uint16_t)n, .server_port = 443, .vlan = {PACKET_NO_VLAN, PACKET_NO_VLAN}};
    memcpy(key.client, &n, sizeof(n));
    return key;
}

static struct flow *add(struct flow_table *table, const struct flow_key *key)
{
    return flow_add(table, key, flow_hash(&siphash, key));
}

static struct flow *find(struct flow_table *table, const struct flow_key *key)
{
    return flow_find(table, key, flow_hash(&siphash, key));
}

static struct flow_key stack_key(const struct flow_key *key)
{
    struct flow_key stack = *key;
    stack.vlan[0] = stack.vlan[1] = FLOW_VLAN_STACK;
    return stack;
}

/* ---- keys ---- */

static struct packet packet_of(const struct frame_ip *ip, uint16_t source_port, uint16_t destination_port)
{
    static uint8_t frame[4][FRAME_SIZE];
    static unsigned next;
    uint8_t *bytes = frame[next++ % 4];
    size_t len =
        frame_tcp(bytes, ip, &(struct frame_tcp){.source_port = source_port, .destination_port = destination_port});
    struct packet packet;
    packet_parse(&packet, mg_slice_of(bytes, len));
    assert_int_equal(packet.kind, PACKET_TCP);
    return packet;
}

static void test_both_directions_have_one_key(void **state)
{
    (void)state;
    static const uint8_t zeros[16];
    for (int i = 0; i < 2; i++) {
        bool is_ipv6 = i == 1;
        const uint8_t *client = is_ipv6 ? frame_client6 : frame_client4;
        const uint8_t *server = is_ipv6 ? frame_server6 : frame_server4;
        const char *tags = "88a8 0005 8100 0006";
        struct packet there = packet_of(&(struct frame_ip){.is_ipv6 = is_ipv6, .tags = tags}, 40000, 443);
        struct packet back = packet_of(
            &(struct frame_ip){.is_ipv6 = is_ipv6, .tags = tags, .source = server, .destination = client}, 443, 40000);
        struct flow_key key, back_key;
        memset(&key, 0xee, sizeof(key));
        flow_key_of(&key, &there, SIDE_CLIENT);
        flow_key_of(&back_key, &back, SIDE_SERVER);
        assert_memory_equal(&key, &back_key, sizeof(key));
        size_t len = is_ipv6 ? 16 : 4;
        assert_memory_equal(key.client, client, len);
        assert_memory_equal(key.client + len, zeros, 16 - len);
        assert_memory_equal(key.server, server, len);
        assert_memory_equal(key.server + len, zeros, 16 - len);
        assert_int_equal(key.client_port, 40000);
        assert_int_equal(key.server_port, 443);
        assert_int_equal(key.vlan[0], 5);
        assert_int_equal(key.vlan[1], 6);
        assert_int_equal(key.is_ipv6, is_ipv6);
        assert_memory_equal(key.zero, zeros, sizeof(key.zero));
        /* The side names the ends, not who sends first. */
        flow_key_of(&back_key, &there, SIDE_SERVER);
        assert_memory_equal(back_key.server, client, len);
        assert_int_equal(back_key.server_port, 40000);
    }
}

static void test_the_hash_is_keyed_and_covers_all_but_the_tags(void **state)
{
    (void)state;
    const struct mg_siphash_key other = {{1, 3}};
    for (uint8_t is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        struct flow_key key = key_number(7), changed;
        key.is_ipv6 = is_ipv6;
        uint64_t hash = flow_hash(&siphash, &key);
        assert_true(hash != flow_hash(&other, &key));
        for (size_t i = 0; i < offsetof(struct flow_key, vlan); i++) {
            bool is_zero = is_ipv6 == 0 && i < offsetof(struct flow_key, client_port) && i % 16 >= 4;
            changed = key;
            ((uint8_t *)&changed)[i] ^= 1;
            assert_true((flow_hash(&siphash, &changed) == hash) == is_zero);
        }
        changed = stack_key(&key);
        assert_true(flow_hash(&siphash, &changed) == hash);
    }
}

static void test_sequence_numbers_are_compared_across_their_wrap(void **state)
{
    (void)state;
    assert_true(seq_before(1, 2));
    assert_false(seq_before(2, 1));
    assert_false(seq_before(2, 2));
    assert_true(seq_before(0xffffffff, 0));
    assert_true(seq_before(0xfffffff0, 0x10));
    assert_false(seq_before(0x10, 0xfffffff0));
    assert_true(seq_before(0, 0x7fffffff));
    assert_false(seq_before(0x7fffffff, 0));
}

/* ---- the table ---- */

static void test_a_flow_is_found_by_its_whole_key(void **state)
{
    (void)state;
    struct flow_table *table = new_table(64);
    struct flow_key key = key_number(7);
    assert_null(find(table, &key));
    struct flow *flow = add(table, &key);
    assert_non_null(flow);
    assert_int_equal(flow_count(table), 1);
    assert_ptr_equal(find(table, &key), flow);
    for (size_t i = 0; i < sizeof(key); i++) { /* under the same hash, so that the keys are what is compared */
        struct flow_key changed = key;
        ((uint8_t *)&changed)[i] ^= 1;
        assert_null(flow_find(table, &changed, flow->hash));
    }
    flow_table_free(table);
}

static void test_many_flows_are_found_as_one_is(void **state)
{
    (void)state;
    static struct flow_lookup lookups[FLOW_MAX_FIND];
    struct flow_lookup *pointers[FLOW_MAX_FIND];
    struct flow_table *table = new_table(3000);
    for (uint32_t n = 0; n < 3000; n++) {
        struct flow_key key = key_number(2 * n);
        assert_non_null(add(table, &key));
    }
    for (unsigned num = 1; num <= FLOW_MAX_FIND; num++) {
        for (unsigned i = 0; i < num; i++) { /* every other one is not there, and one is asked for twice */
            lookups[i] = (struct flow_lookup){.key = key_number(i == num - 1 ? 0 : num * i), .flow = (void *)1};
            lookups[i].hash = flow_hash(&siphash, &lookups[i].key);
            pointers[i] = &lookups[i];
        }
        flow_find_many(table, pointers, num);
        for (unsigned i = 0; i < num; i++) {
            assert_ptr_equal(lookups[i].flow, find(table, &lookups[i].key));
        }
    }
    flow_table_free(table);
}

static void test_what_changes_an_answer_is_counted(void **state)
{
    (void)state;
    struct flow_table *table = new_table(1);
    struct flow_key key = key_number(7), other = key_number(8);
    uint64_t changes = flow_changes(table);
    struct flow *flow = add(table, &key);
    assert_int_equal(flow_changes(table), changes + 1);
    assert_null(add(table, &other));
    assert_ptr_equal(find(table, &key), flow);
    assert_int_equal(flow_changes(table), changes + 1);
    flow_remove(table, flow);
    assert_int_equal(flow_changes(table), changes + 2);
    flow_table_free(table);
}

static void test_a_flow_begins_with_a_cache_line(void **state)
{
    (void)state;
    struct flow_table *table = new_table(5);
    for (uint32_t n = 0; n < 5; n++) {
        struct flow_key key = key_number(n);
        assert_int_equal((uintptr_t)add(table, &key) % 64, 0);
    }
    assert_true(offsetof(struct flow, state) + sizeof(enum flow_state) <= 64);
    flow_table_free(table);
}

static void test_a_new_flow_is_in_its_zero_state(void **state)
{
    (void)state;
    struct flow_table *table = new_table(1);
    struct flow_key key = key_number(7), other = key_number(8);
    struct flow *flow = add(table, &key);
    const struct flow before = *flow;
    memset((char *)flow + sizeof(key), 0x55, sizeof(*flow) - sizeof(key));
    flow->hash = before.hash;
    flow->generation = before.generation;
    flow->stack_key = false;
    flow_remove(table, flow);
    assert_ptr_equal(add(table, &other), flow); /* the same place */
    struct flow expected;
    memset(&expected, 0, sizeof(expected));
    expected.key = other;
    expected.hash = flow_hash(&siphash, &other);
    expected.generation = flow->generation;
    assert_memory_equal(flow, &expected, sizeof(expected));
    flow_table_free(table);
}

/* Each flow has both its keys, and all of them fit: the bound is that of flows, and exact. */
static void test_the_table_holds_exactly_its_capacity(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 2, 3, 64, 1000, 5000};
    for (size_t i = 0; i < MG_ARRAY_LEN(capacities); i++) {
        uint32_t capacity = capacities[i];
        struct flow_table *table = new_table(capacity);
        for (int round = 0; round < 3; round++) {
            for (uint32_t n = 0; n < capacity; n++) {
                struct flow_key key = key_number(n);
                struct flow *flow = add(table, &key);
                assert_non_null(flow);
                assert_true(flow_add_stack_key(table, flow));
            }
            assert_int_equal(flow_count(table), capacity);
            struct flow_key one_more = key_number(capacity);
            assert_null(add(table, &one_more));
            assert_null(find(table, &one_more));
            for (uint32_t n = 0; n < capacity; n++) {
                struct flow_key key = key_number(n);
                flow_remove(table, find(table, &key));
            }
            assert_int_equal(flow_count(table), 0);
        }
        flow_table_free(table);
    }
}

/* Should somebody find keys that collide: the table gets slow, not full. */
static void test_flows_of_one_hash_all_fit(void **state)
{
    (void)state;
    struct flow_table *table = new_table(500);
    for (uint32_t n = 0; n < 500; n++) {
        struct flow_key key = key_number(n);
        assert_non_null(flow_add(table, &key, 42));
    }
    for (uint32_t n = 0; n < 500; n++) {
        struct flow_key key = key_number(n);
        struct flow *flow = flow_find(table, &key, 42);
        assert_non_null(flow);
        assert_memory_equal(&flow->key, &key, sizeof(key));
        flow_remove(table, flow);
        assert_null(flow_find(table, &key, 42));
    }
    flow_table_free(table);
}

/* ---- handles ---- */

static void test_a_handle_names_one_life_of_a_place(void **state)
{
    (void)state;
    struct flow_table *table = new_table(2);
    struct flow_key keys[] = {key_number(1), key_number(2), key_number(3)};
    struct flow *first = add(table, &keys[0]), *second = add(table, &keys[1]);
    struct flow_handle first_handle = flow_handle_of(table, first), second_handle = flow_handle_of(table, second);
    assert_ptr_equal(flow_by_handle(table, first_handle), first);
    assert_ptr_equal(flow_by_handle(table, second_handle), second);
    flow_remove(table, first);
    assert_null(flow_by_handle(table, first_handle)); /* gone */
    struct flow *third = add(table, &keys[2]);
    assert_ptr_equal(third, first);
    assert_null(flow_by_handle(table, first_handle)); /* the place has another */
    assert_ptr_equal(flow_by_handle(table, flow_handle_of(table, third)), third);
    assert_ptr_equal(flow_by_handle(table, second_handle), second);
    flow_table_free(table);
}

static void test_no_handle_names_a_free_place(void **state)
{
    (void)state;
    struct flow_table *table = new_table(2);
    for (uint32_t generation = 0; generation < 4; generation++) {
        for (uint32_t i = 0; i < 2; i++) {
            assert_null(flow_by_handle(table, (struct flow_handle){i, generation}));
        }
    }
    struct flow_key key = key_number(1);
    struct flow *flow = add(table, &key);
    flow_remove(table, flow);
    assert_null(flow_by_handle(table, flow_handle_of(table, flow)));
    flow_table_free(table);
}

/* ---- the stack's key ---- */

static void test_a_flow_can_be_found_by_what_comes_from_the_stack(void **state)
{
    (void)state;
    struct flow_table *table = new_table(4);
    struct flow_key key = key_number(1), stack = stack_key(&key);
    key.vlan[0] = 5;
    struct flow *flow = add(table, &key);
    assert_null(find(table, &stack));
    assert_false(flow->stack_key);
    assert_true(flow_add_stack_key(table, flow));
    assert_true(flow->stack_key);
    assert_ptr_equal(find(table, &stack), flow);
    assert_ptr_equal(find(table, &key), flow);
    assert_int_equal(flow_count(table), 1);
    flow_remove(table, flow);
    assert_null(find(table, &stack));
    assert_null(find(table, &key));
    flow_table_free(table);
}

static void test_of_two_flows_that_differ_by_their_tags_one_has_the_stacks_key(void **state)
{
    (void)state;
    struct flow_table *table = new_table(4);
    struct flow_key keys[] = {key_number(1), key_number(1)}, stack = stack_key(&keys[0]);
    keys[0].vlan[0] = 5;
    keys[1].vlan[0] = 6;
    struct flow *flows[] = {add(table, &keys[0]), add(table, &keys[1])};
    assert_true(flow_add_stack_key(table, flows[0]));
    assert_false(flow_add_stack_key(table, flows[1]));
    assert_false(flows[1]->stack_key);
    assert_ptr_equal(find(table, &stack), flows[0]);
    flow_remove(table, flows[1]); /* which had none, and takes none away */
    assert_ptr_equal(find(table, &stack), flows[0]);
    flows[1] = add(table, &keys[1]);
    flow_remove(table, flows[0]);
    assert_null(find(table, &stack));
    assert_true(flow_add_stack_key(table, flows[1]));
    assert_ptr_equal(find(table, &stack), flows[1]);
    flow_table_free(table);
}

/* ---- against a model ---- */

#define MODEL_KEYS 400
#define MODEL_CAPACITY 100

static void test_a_long_random_life_agrees_with_a_simple_array(void **state)
{
    (void)state;
    static struct flow *model[MODEL_KEYS];
    static struct flow_handle handles[MODEL_KEYS]; /* the last one of each key */
    struct flow_table *table = new_table(MODEL_CAPACITY);
    uint64_t random = 3;
    uint32_t num = 0;
    memset(model, 0, sizeof(model));
    memset(handles, 0, sizeof(handles));
    for (int step = 0; step < 200000; step++) {
        uint32_t n = test_random_below(&random, MODEL_KEYS);
        struct flow_key key = key_number(n), stack = stack_key(&key);
        assert_ptr_equal(find(table, &key), model[n]);
        assert_ptr_equal(flow_by_handle(table, handles[n]), model[n]);
        if (model[n] == NULL) {
            struct flow *flow = add(table, &key);
            assert_int_equal(flow != NULL, num < MODEL_CAPACITY);
            if (flow != NULL) {
                model[n] = flow;
                handles[n] = flow_handle_of(table, flow);
                num++;
            }
        } else if (!model[n]->stack_key && test_random_below(&random, 2) == 0) {
            assert_true(flow_add_stack_key(table, model[n]));
            assert_ptr_equal(find(table, &stack), model[n]);
        } else {
            flow_remove(table, model[n]);
            model[n] = NULL;
            assert_null(find(table, &stack));
            num--;
        }
        assert_int_equal(flow_count(table), num);
    }
    flow_table_free(table);
}

static void test_a_table_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    struct flow_table *table = new_table(8), *second = NULL;
    assert_int_equal(flow_table_new(&second, "test", 8), MG_MEMORY); /* the name is taken */
    assert_null(second);
    flow_table_free(table);
    flow_table_free(new_table(8)); /* and free again */
    flow_table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions_have_one_key),
        cmocka_unit_test(test_the_hash_is_keyed_and_covers_all_but_the_tags),
        cmocka_unit_test(test_sequence_numbers_are_compared_across_their_wrap),
        cmocka_unit_test(test_a_flow_is_found_by_its_whole_key),
        cmocka_unit_test(test_many_flows_are_found_as_one_is),
        cmocka_unit_test(test_what_changes_an_answer_is_counted),
        cmocka_unit_test(test_a_flow_begins_with_a_cache_line),
        cmocka_unit_test(test_a_new_flow_is_in_its_zero_state),
        cmocka_unit_test(test_the_table_holds_exactly_its_capacity),
        cmocka_unit_test(test_flows_of_one_hash_all_fit),
        cmocka_unit_test(test_a_handle_names_one_life_of_a_place),
        cmocka_unit_test(test_no_handle_names_a_free_place),
        cmocka_unit_test(test_a_flow_can_be_found_by_what_comes_from_the_stack),
        cmocka_unit_test(test_of_two_flows_that_differ_by_their_tags_one_has_the_stacks_key),
        cmocka_unit_test(test_a_long_random_life_agrees_with_a_simple_array),
        cmocka_unit_test(test_a_table_that_cannot_be_made_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
