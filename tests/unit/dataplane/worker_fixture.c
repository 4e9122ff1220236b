/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/worker_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "base/log.h"
#include "cache/rcu.h"
#include "dataplane/tls/tls_settings.h"

static const char config_text[] = "dataplane:\n"
                                  "  eal: [--no-huge, -m, '512', --no-pci, --no-shconf, --no-telemetry, '%s'%s]\n"
                                  "  client_port: %s\n"
                                  "  server_port: %s\n"
                                  "  packet_buffers: 65535\n"
                                  "  flows: 131072\n"
                                  "policy:\n"
                                  "  rules:\n"
                                  "    - {name: one, port: ['443'], sni: [one.test], action: intercept}\n";

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "worker fixture: %s\n", what);
    exit(1);
}

static void must(enum mg_status status, const struct mg_error *error)
{
    if (status != MG_OK) {
        die(error->text);
    }
}

static struct config *make_config(enum worker_fixture_ports ports)
{
    char lcores[32], text[sizeof(config_text) + 256];
    struct mg_error error;
    struct config *config;
    int cpu = sched_getcpu();
    /* The EAL must have one lcore more than there are workers; neither does anything here. */
    snprintf(lcores, sizeof(lcores), "--lcores=0@%d,1@%d", cpu, cpu);
    bool null = ports == WORKER_FIXTURE_NULL;
    int len = snprintf(text, sizeof(text), config_text, lcores, null ? ", --vdev=net_null0, --vdev=net_null1" : "",
                       null ? "net_null0" : "net_ring_client", null ? "net_null1" : "net_ring_server");
    must(config_parse(&config, "worker fixture", text, (size_t)len, &error), &error);
    return config;
}

static struct rte_ring *new_ring(const char *name)
{
    struct rte_ring *ring = rte_ring_create(name, WORKER_FIXTURE_PLACES, (int)rte_socket_id(),
                                            RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == NULL) {
        die("no memory for a ring");
    }
    return ring;
}

static void make_ring_ports(struct worker_fixture *fixture)
{
    struct rte_ring *client = new_ring("from_server"), *server = new_ring("from_client");
    if (rte_eth_from_rings("client", &client, 1, &server, 1, rte_socket_id()) < 0 ||
        rte_eth_from_rings("server", &server, 1, &client, 1, rte_socket_id()) < 0) {
        die("no ports made of rings");
    }
    fixture->received[SIDE_CLIENT] = client;
    fixture->received[SIDE_SERVER] = server;
}

static void start_ports(struct worker_fixture *fixture, enum worker_fixture_ports ports)
{
    struct dataplane *dataplane = &fixture->dataplane;
    struct mg_error error;
    cpu_set_t cpus;
    (void)sched_getaffinity(0, sizeof(cpus), &cpus);
    must(ports_eal_start(dataplane->config, &error), &error);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus); /* the EAL has changed it */
    if (ports == WORKER_FIXTURE_RING) {
        make_ring_ports(fixture);
    }
    must(ports_start(&dataplane->ports, dataplane->config, &error), &error);
}

static void start_worker(struct worker_fixture *fixture)
{
    static struct tls_settings tls = {.min_version = CONFIG_TLS_1_2};
    static int no_tun = -1;
    struct dataplane *dataplane = &fixture->dataplane;
    struct mg_error error;
    dataplane->tls = &tls;
    dataplane->stack.tun_fds = &no_tun;
    dataplane->num_workers = 1;
    dataplane->num_session_threads = (unsigned)dataplane->config->sessions.threads;
    mg_siphash_key_random(&dataplane->siphash);
    must(policy_new(&dataplane->policy, dataplane->config, 1, &error), &error);
    must(session_log_new(&dataplane->log, "", 1, 1024, &error), &error);
    if (worker_new(&fixture->worker, dataplane, 0) != MG_OK) {
        die("no memory for a worker");
    }
}

void worker_fixture_start(struct worker_fixture *out, enum worker_fixture_ports ports)
{
    mg_log_set_level(MG_LOG_WARNING);
    struct config *config = make_config(ports);
    *out = (struct worker_fixture){.config = config, .dataplane = {.config = config}};
    if (mg_rcu_thread_start() != MG_OK) {
        die("RCU does not start");
    }
    mg_rcu_thread_stop(); /* its helper threads stay */
    start_ports(out, ports);
    start_worker(out);
}

void worker_fixture_stop(struct worker_fixture *fixture)
{
    struct dataplane *dataplane = &fixture->dataplane;
    worker_free(fixture->worker);
    session_log_free(dataplane->log);
    policy_free(dataplane->policy);
    worker_fixture_empty(fixture);
    ports_stop(&dataplane->ports);
    config_free(fixture->config);
}

void worker_fixture_enter(void)
{
    if (rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() != 0) {
        die("no lcore for a thread");
    }
    if (mg_rcu_thread_start_poll_mode() != MG_OK) {
        die("no RCU for a thread");
    }
}

void worker_fixture_leave(void)
{
    mg_rcu_thread_stop();
    rte_thread_unregister(); /* but for the EAL's own */
}

void worker_fixture_empty(const struct worker_fixture *fixture)
{
    void *mbuf;
    for (int side = 0; side < 2; side++) {
        while (fixture->received[side] != NULL && rte_ring_dequeue(fixture->received[side], &mbuf) == 0) {
            rte_pktmbuf_free(mbuf);
        }
    }
}

uint64_t worker_fixture_counted(const struct worker_fixture *fixture, enum counter counter)
{
    return mg_counter_get(&worker_counters(fixture->worker)->values[counter]);
}
