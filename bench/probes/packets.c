/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-packets null|ring FILE: for mintgate-bench, what a packet costs a worker of the engine without what it
 * costs a port: its main loop between two ports of net_null, which make empty frames up and forget them, or of
 * net_ring, between which real packets go round (packet_sets.h). FILE has a ClientHello. "bare" is the same without
 * Mintgate: what is received at one port is sent by the other. The probes' parameter is an enum set.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "base/file.h"
#include "base/log.h"
#include "bench/probe.h"
#include "bench/probes/packet_sets.h"
#include "cache/rcu.h"
#include "dataplane/dataplane.h"
#include "dataplane/tls/tls_settings.h"
#include "dataplane/worker/worker.h"

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

/* Names decide about flows to port 443, and all have them pass. */
static const char config_text[] = "dataplane:\n"
                                  "  eal: [--no-huge, -m, '512', --no-pci, --no-shconf, --no-telemetry, '%s', %s]\n"
                                  "  client_port: %s\n"
                                  "  server_port: %s\n"
                                  "  packet_buffers: 65535\n"
                                  "  flows: 131072\n"
                                  "policy:\n"
                                  "  rules:\n"
                                  "    - {name: few, port: ['443'], sni: [mintgate.test], action: intercept}\n";

static struct dataplane dataplane;
static struct worker *worker;
static struct packet_sets sets;
static struct mg_buffer hello;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-packets: %s\n", what);
    exit(1);
}

static void must(enum mg_status status, const struct mg_error *error)
{
    if (status != MG_OK) {
        die(error->text);
    }
}

/* ---- an engine with one worker, and nothing else ---- */

static void load_config(bool null_ports)
{
    char lcores[32], text[sizeof(config_text) + 256];
    struct mg_error error;
    struct config *config;
    int cpu = sched_getcpu();
    /* The EAL must have one lcore more than there are workers; neither does anything here. */
    snprintf(lcores, sizeof(lcores), "--lcores=0@%d,1@%d", cpu, cpu);
    int len = null_ports ? snprintf(text, sizeof(text), config_text, lcores, "--vdev=net_null0, --vdev=net_null1",
                                    "net_null0", "net_null1")
                         : snprintf(text, sizeof(text), config_text, lcores, "--no-hpet", "net_ring_client",
                                    "net_ring_server");
    must(config_parse(&config, "mintgate-bench-packets", text, (size_t)len, &error), &error);
    dataplane.config = config;
}

static struct rte_ring *new_ring(const char *name)
{
    struct rte_ring *ring = rte_ring_create(name, PACKET_SETS_PLACES, (int)rte_socket_id(),
                                            RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == NULL) {
        die("no memory for a ring");
    }
    return ring;
}

/* make_ring_ports: what one port sends the other receives. */
static void make_ring_ports(void)
{
    struct rte_ring *client = new_ring("from_server"), *server = new_ring("from_client");
    if (rte_eth_from_rings("client", &client, 1, &server, 1, rte_socket_id()) < 0 ||
        rte_eth_from_rings("server", &server, 1, &client, 1, rte_socket_id()) < 0) {
        die("no ports made of rings");
    }
    sets.received[SIDE_CLIENT] = client;
    sets.received[SIDE_SERVER] = server;
}

static void start_ports(bool null_ports)
{
    struct mg_error error;
    cpu_set_t cpus;
    (void)sched_getaffinity(0, sizeof(cpus), &cpus);
    must(ports_eal_start(dataplane.config, &error), &error);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus); /* the EAL has changed it */
    if (!null_ports) {
        make_ring_ports();
    }
    must(ports_start(&dataplane.ports, dataplane.config, &error), &error);
    sets.pool = dataplane.ports.pool;
}

static void start_worker(void)
{
    static struct tls_settings tls = {.min_version = CONFIG_TLS_1_2};
    static int no_tun = -1;
    struct mg_error error;
    dataplane.tls = &tls;
    dataplane.stack.tun_fds = &no_tun;
    dataplane.num_workers = 1;
    dataplane.num_session_threads = (unsigned)dataplane.config->sessions.threads;
    mg_siphash_key_random(&dataplane.siphash);
    must(policy_new(&dataplane.policy, dataplane.config, 1, &error), &error);
    must(session_log_new(&dataplane.log, "", 1, 1024, &error), &error);
    if (worker_new(&worker, &dataplane, 0) != MG_OK) {
        die("no memory for a worker");
    }
}

static void stop(void)
{
    worker_free(worker);
    session_log_free(dataplane.log);
    policy_free(dataplane.policy);
    if (sets.received[SIDE_CLIENT] != NULL) {
        packet_sets_empty(&sets);
    }
    ports_stop(&dataplane.ports);
    mg_buffer_free(&hello);
}

/* ---- probes ---- */

static uint64_t counted(enum counter counter)
{
    return mg_counter_get(&worker_counters(worker)->values[counter]);
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
            (void)worker_turn(worker);
        }
        packet_sets_empty(&sets);
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
    if (run == NULL || num_threads != 1 || set > SET_NEW || (set == SET_NONE) != (sets.received[0] == NULL) ||
        rte_thread_register() != 0 || mg_rcu_thread_start_poll_mode() != MG_OK) {
        die("no such packets, or no thread for them");
    }
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
    if (sets.received[0] != NULL) {
        packet_sets_empty(&sets);
    }
    mg_rcu_thread_stop();
    rte_thread_unregister();
    free(state);
}

static size_t worker_step(void *state)
{
    uint64_t before = received();
    (void)state;
    for (int i = 0; i < TURNS_A_STEP; i++) {
        (void)worker_turn(worker);
    }
    return received() - before;
}

static uint16_t pass(enum side from)
{
    struct rte_mbuf *mbufs[PACKET_SETS_BURST];
    uint16_t num = rte_eth_rx_burst(dataplane.ports.id[from], 0, mbufs, PACKET_SETS_BURST);
    if (rte_eth_tx_burst(dataplane.ports.id[side_other(from)], 0, mbufs, num) != num) {
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
    if (argc != 3 || (strcmp(argv[1], "null") != 0 && strcmp(argv[1], "ring") != 0)) {
        fprintf(stderr, "usage: mintgate-bench-packets null|ring FILE\nA helper of mintgate-bench, which starts it.\n");
        return 2;
    }
    bool null_ports = strcmp(argv[1], "null") == 0;
    mg_log_set_level(MG_LOG_WARNING);
    mg_buffer_init(&hello, PACKET_SETS_MAX_HELLO);
    must(mg_file_read(argv[2], &hello, &error), &error);
    sets.hello = mg_buffer_slice(&hello);
    load_config(null_ports);
    if (mg_rcu_thread_start() != MG_OK) {
        die("RCU does not start");
    }
    mg_rcu_offline(); /* the probes' threads do the work */
    start_ports(null_ports);
    start_worker();
    int status = probe_serve(&(struct probe_helper){.probes = probes, .num_probes = MG_ARRAY_LEN(probes)});
    stop();
    mg_rcu_online();
    mg_rcu_thread_stop();
    return status;
}
