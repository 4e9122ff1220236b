/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-packets null|ring FILE: for mintgate-bench, what a packet costs a worker of the engine without what it
 * costs a port: its main loop between two ports of net_null, which make empty frames up and forget them, or of
 * net_ring, between which real packets go round (packet_sets.h). FILE has a ClientHello. "bare" is the same without
 * Mintgate: what is received at one port is sent by the other. The probes' parameter is an enum set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "base/file.h"
#include "bench/probe.h"
#include "bench/probes/packet_sets.h"
#include "tests/unit/dataplane/worker_fixture.h"

#define TURNS_A_STEP 64
#define FEW_FLOWS 1024
#define MANY_FLOWS 32768
#define FLOWS_AT_ONCE 4096 /* that are opened */

/* What goes round; bench_hello.c knows these numbers. */
enum set {
    SET_NONE,         /* net_null makes its own */
    SET_UDP,          /* FEW_FLOWS; looked at, no more */
    SET_NO_RULE,      /* FEW_FLOWS to a port that no rule is about: looked up, and found not to be watched */
    SET_DECIDED,      /* FEW_FLOWS to port 443 whose ClientHello had them pass */
    SET_DECIDED_MANY, /* MANY_FLOWS */
    SET_NEW,          /* connections to port 443 from their SYN to the first answer, decided by ClientHello */
};

static struct worker_fixture engine;
static struct packet_sets sets;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-packets: %s\n", what);
    exit(1);
}

/* ---- probes ---- */

static uint64_t counted(enum counter counter)
{
    return worker_fixture_counted(&engine, counter);
}

static uint64_t received(void)
{
    return counted(COUNT_RX_CLIENT) + counted(COUNT_RX_SERVER);
}

/* open_flows has the worker see the beginnings of flows and decide about them, unless it has. */
static void open_flows(unsigned first, unsigned end)
{
    while (first < end) {
        unsigned num = end - first < FLOWS_AT_ONCE ? end - first : FLOWS_AT_ONCE;
        uint64_t before = received();
        packet_sets_add_hellos(&sets, first, num, 0);
        while (received() < before + 4 * (uint64_t)num) {
            (void)worker_turn(engine.worker);
        }
        worker_fixture_empty(&engine);
        first += num;
    }
}

static void open_many_flows(void)
{
    static bool open;
    if (!open) {
        open_flows(FEW_FLOWS, MANY_FLOWS);
        open = true;
    }
}

static void fill(enum set set)
{
    open_flows(0, set >= SET_DECIDED ? FEW_FLOWS : 0);
    switch (set) {
    case SET_NONE:
        break;
    case SET_UDP:
        packet_sets_add_udp(&sets, FEW_FLOWS);
        break;
    case SET_NO_RULE:
        packet_sets_add_tcp(&sets, FEW_FLOWS, 8080);
        break;
    case SET_DECIDED:
        packet_sets_add_tcp(&sets, FEW_FLOWS, 443);
        break;
    case SET_DECIDED_MANY:
        open_many_flows();
        packet_sets_add_tcp(&sets, MANY_FLOWS, 443);
        break;
    case SET_NEW: /* other connections with the ports of those that are open, and then these again */
        packet_sets_add_hellos(&sets, 0, FEW_FLOWS, 1);
        packet_sets_add_hellos(&sets, 0, FEW_FLOWS, 0);
        break;
    }
}

struct run {
    enum set set;
    uint64_t decided, received;
};

static void *setup(unsigned thread, unsigned num_threads, unsigned long set)
{
    struct run *run = calloc(1, sizeof(*run));
    (void)thread;
    if (run == NULL || num_threads != 1 || set > SET_NEW || (set == SET_NONE) != (sets.received[0] == NULL)) {
        die("there are no such packets");
    }
    worker_fixture_enter();
    run->set = (enum set)set;
    fill(run->set);
    run->received = received();
    run->decided = counted(COUNT_DECIDED_BYPASS);
    return run;
}

/* check_worker ends the program if the packets did not do what they were to. */
static void check_worker(const struct run *run)
{
    uint64_t packets = received() - run->received, decided = counted(COUNT_DECIDED_BYPASS) - run->decided;
    bool all = run->set == SET_NEW ? decided + PACKET_SETS_BURST >= packets / 4 : decided == 0;
    if (!all || counted(COUNT_DROP_TX_FULL) > 0 || counted(COUNT_WAY_OUT_MIDSTREAM) > 0) {
        die("packets were lost, or flows were not decided by their ClientHello");
    }
}

static void teardown(void *state)
{
    check_worker(state);
    worker_fixture_empty(&engine);
    worker_fixture_leave();
    free(state);
}

static size_t worker_step(void *state)
{
    uint64_t before = received();
    (void)state;
    for (int i = 0; i < TURNS_A_STEP; i++) {
        (void)worker_turn(engine.worker);
    }
    return received() - before;
}

static uint16_t pass(enum side from)
{
    struct rte_mbuf *mbufs[PACKET_SETS_BURST];
    uint16_t num = rte_eth_rx_burst(engine.dataplane.ports.id[from], 0, mbufs, PACKET_SETS_BURST);
    if (rte_eth_tx_burst(engine.dataplane.ports.id[side_other(from)], 0, mbufs, num) != num) {
        die("a port takes no packets");
    }
    return num;
}

static size_t bare_step(void *state)
{
    size_t num = 0;
    (void)state;
    for (int i = 0; i < TURNS_A_STEP; i++) {
        num += pass(SIDE_CLIENT);
        num += pass(SIDE_SERVER);
    }
    return num;
}

static const struct probe probes[] = {
    {.name = "bare", .setup = setup, .step = bare_step, .teardown = teardown},
    {.name = "worker", .setup = setup, .step = worker_step, .teardown = teardown},
};

int main(int argc, char **argv)
{
    struct mg_error error;
    struct mg_buffer hello;
    if (argc != 3 || (strcmp(argv[1], "null") != 0 && strcmp(argv[1], "ring") != 0)) {
        fprintf(stderr, "usage: mintgate-bench-packets null|ring FILE\nA helper of mintgate-bench, which starts it.\n");
        return 2;
    }
    mg_buffer_init(&hello, PACKET_SETS_MAX_HELLO);
    if (mg_file_read(argv[2], &hello, &error) != MG_OK) {
        die(error.text);
    }
    worker_fixture_start(&engine, strcmp(argv[1], "null") == 0 ? WORKER_FIXTURE_NULL : WORKER_FIXTURE_RING);
    sets = (struct packet_sets){.pool = engine.dataplane.ports.pool,
                                .received = {engine.received[SIDE_CLIENT], engine.received[SIDE_SERVER]},
                                .hello = mg_buffer_slice(&hello)};
    int status = probe_serve(&(struct probe_helper){.probes = probes, .num_probes = MG_ARRAY_LEN(probes)});
    worker_fixture_stop(&engine);
    mg_buffer_free(&hello);
    return status;
}
