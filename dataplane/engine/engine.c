/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/engine/engine.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/log.h"
#include "cache/cache.h"
#include "cache/rcu.h"
#include "dataplane/engine/engine_pages.h"
#include "dataplane/publish/publisher.h"
#include "dataplane/session/issuer_watch.h"
#include "dataplane/session/session_internal.h"
#include "dataplane/tls/chain_memory.h"
#include "dataplane/tls/client_keys.h"
#include "dataplane/tls/server_trust.h"
#include "dataplane/tls/tls_settings.h"
#include "dataplane/worker/worker.h"

/* Descriptors beside those of sessions: ports, queues, logs, sockets of libraries. */
#define SPARE_DESCRIPTORS 128
/* What workers are given to send the last segments of ended sessions. */
#define LAST_SEGMENTS_US 200000

struct engine {
    struct config *config; /* as started */
    struct dataplane dataplane;
    struct intermediates *intermediates;
    struct metrics_http *metrics;
    uint64_t generation; /* of policy and TLS settings */
    struct issuer_watch issuer_watch;
    cpu_set_t cpus; /* before the EAL pinned the main thread */
};

/* ---- parts ---- */

/* raise_descriptor_limit makes room for two sockets per session, as far as the hard limit allows. */
static void raise_descriptor_limit(const struct config *config)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    uint64_t room = limit.rlim_cur < SPARE_DESCRIPTORS ? 0 : (limit.rlim_cur - SPARE_DESCRIPTORS) / 2;
    if (room < config->sessions.max) {
        mg_log_warning("sessions.max is %llu, but %llu descriptors are enough for %llu sessions only",
                       (unsigned long long)config->sessions.max, (unsigned long long)limit.rlim_cur,
                       (unsigned long long)room);
    }
}

/* make_snapshots makes what is published next, and, once all else is there, has the new trust in force. */
static enum mg_status make_snapshots(struct engine *engine, const struct config *config, struct policy **policy,
                                     struct tls_settings **tls, struct mg_error *error)
{
    uint64_t generation = engine->generation + 1;
    enum mg_status status = policy_new(policy, config, generation, error);
    if (status != MG_OK) {
        return status;
    }
    status = tls_settings_new(tls, &config->tls, generation, &session_tls_callbacks, error);
    if (status != MG_OK) {
        policy_free(*policy);
        return status;
    }
    status = server_trust_configure(engine->dataplane.trust, &config->tls, error);
    if (status != MG_OK) {
        policy_free(*policy);
        tls_settings_unref(*tls);
        return status;
    }
    engine->generation = generation;
    return MG_OK;
}

static enum mg_status make_leaves(struct engine *engine)
{
    const struct config_cache *config = &engine->config->cache;
    const struct cache_config cache_config = {
        .max_entries = config->entries,
        .max_bytes = config->bytes,
        .max_pending = engine->config->minting.pending * engine->config->sessions.threads,
        .max_waiters = config->waiters,
        .free_value = leaf_free_value,
    };
    return cache_new(&engine->dataplane.leaves, &cache_config);
}

static enum mg_status make_leaf_keys(struct engine *engine, struct mg_error *error)
{
    const struct config_minting *config = &engine->config->minting;
    const struct leaf_keys_config keys_config = {
        .num_keys = {[LEAF_KEY_EC_P256] = config->ec_keys, [LEAF_KEY_RSA_2048] = config->rsa_keys},
        .lifetime_seconds = (int64_t)(config->key_rotation_ns / MG_NS_PER_SECOND),
    };
    return leaf_keys_new(&engine->dataplane.leaf_keys, &keys_config,
                         (int64_t)(mg_clock_monotonic_ns() / MG_NS_PER_SECOND), error);
}

static const char *url_or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

/* make_shared makes what workers and session threads share, and what needs no privilege. */
static enum mg_status make_shared(struct engine *engine, struct mg_error *error)
{
    struct dataplane *dataplane = &engine->dataplane;
    const struct config *config = engine->config;
    const struct issuer_options issuer_options = {
        .ca_issuers_url = url_or_null(config->minting.aia_url),
        .crl_url = url_or_null(config->minting.crl_url),
    };
    mg_siphash_key_random(&dataplane->siphash);
    dataplane->config = config;
    dataplane->num_workers = (unsigned)config->dataplane.workers;
    dataplane->num_session_threads = (unsigned)config->sessions.threads;
    dataplane->workers = calloc(dataplane->num_workers, sizeof(*dataplane->workers));
    dataplane->session_threads = calloc(dataplane->num_session_threads, sizeof(*dataplane->session_threads));
    if (dataplane->workers == NULL || dataplane->session_threads == NULL ||
        intermediates_new(&engine->intermediates, config->tls.learned_intermediates) != MG_OK ||
        server_trust_new(&dataplane->trust, engine->intermediates) != MG_OK ||
        client_keys_new(&dataplane->client_keys) != MG_OK ||
        learned_new(&dataplane->learned, config->policy.not_interceptable_entries) != MG_OK ||
        chain_memory_new(&dataplane->chains, config->tls.remember_chains) != MG_OK || make_leaves(engine) != MG_OK ||
        issuers_new(&dataplane->issuers, &issuer_options) != MG_OK) {
        return mg_error_set(error, MG_MEMORY, "out of memory: caches and tables as configured do not fit");
    }
    enum mg_status status = make_leaf_keys(engine, error);
    if (status == MG_OK) {
        status = make_snapshots(engine, config, &dataplane->policy, &dataplane->tls, error);
    }
    if (status == MG_OK) {
        status = session_log_new(&dataplane->log, config->sessions.log,
                                 dataplane->num_workers + dataplane->num_session_threads,
                                 (unsigned)config->sessions.log_queue, error);
    }
    return status;
}

static enum mg_status make_threads(struct engine *engine, struct mg_error *error)
{
    struct dataplane *dataplane = &engine->dataplane;
    for (unsigned i = 0; i < dataplane->num_workers; i++) {
        if (worker_new(&dataplane->workers[i], dataplane, i) != MG_OK) {
            return mg_error_set(error, MG_MEMORY, "worker %u: no memory for flows, packets and rings as configured", i);
        }
    }
    for (unsigned i = 0; i < dataplane->num_session_threads; i++) {
        enum mg_status status = session_thread_new(&dataplane->session_threads[i], dataplane, i, error);
        if (status != MG_OK) {
            return status;
        }
    }
    return publisher_new(&dataplane->publisher, dataplane, error);
}

static enum mg_status start_threads(struct engine *engine, struct mg_error *error)
{
    struct dataplane *dataplane = &engine->dataplane;
    enum mg_status started = publisher_start(dataplane->publisher, error);
    if (started != MG_OK) {
        return started;
    }
    for (unsigned i = 0; i < dataplane->num_session_threads; i++) {
        enum mg_status status = session_thread_start(dataplane->session_threads[i], error);
        if (status != MG_OK) {
            return status;
        }
    }
    unsigned index = 0, lcore;
    RTE_LCORE_FOREACH_WORKER(lcore)
    {
        if (index < dataplane->num_workers &&
            rte_eal_remote_launch(worker_run, dataplane->workers[index++], lcore) != 0) {
            return mg_error_set(error, MG_INTERNAL, "worker %u does not start on lcore %u", index - 1, lcore);
        }
    }
    return MG_OK;
}

/* ---- start ---- */

static void *start_rcu_helpers(void *arg)
{
    enum mg_status *status = arg;
    *status = mg_confine_thread(NULL);
    if (*status == MG_OK && (*status = mg_rcu_thread_start()) == MG_OK) {
        mg_rcu_thread_stop();
    }
    return NULL;
}

/* start_rcu has RCU's helper threads made by a thread without capabilities, so that they have none either. */
static enum mg_status start_rcu(struct mg_error *error)
{
    pthread_t thread;
    enum mg_status status = MG_INTERNAL;
    if (pthread_create(&thread, NULL, start_rcu_helpers, &status) == 0) {
        pthread_join(thread, NULL);
    }
    if (status == MG_OK) {
        status = mg_rcu_thread_start();
    }
    return status == MG_OK ? MG_OK : mg_error_set(error, status, "RCU does not start");
}

static enum mg_status start_privileged(struct engine *engine, struct mg_error *error)
{
    struct dataplane *dataplane = &engine->dataplane;
    enum mg_status status = ports_eal_start(engine->config, error);
    /* The EAL pinned this thread to one core, which every thread made from now on would inherit. */
    (void)sched_setaffinity(0, sizeof(engine->cpus), &engine->cpus);
    if (status == MG_OK) {
        status = ports_start(&dataplane->ports, engine->config, error);
    }
    if (status == MG_OK) {
        status = stack_start(&dataplane->stack, engine->config, error);
    }
    return status;
}

static enum mg_status confine(struct mg_error *error)
{
    static const char *const allowed[] = {
        /* Adoption; the signer's socket. */
        "socket",
        "bind",
        "connect",
        /* Reload, the session log; sockets at the end. */
        "openat",
        "newfstatat",
        "statx",
        "unlink",
        "getdents64",
        /* Threads that start. */
        "epoll_create1",
        "ioctl",
        "sched_getaffinity",
        "sched_getscheduler",
        "sched_setscheduler",
        /* What was published. */
        "ftruncate",
        "flock",
        "rename",
        "fsync",
        "fchmod",
    };
    /* The XDP library looks after its programs at the end; the kernel does that too when the process is gone. */
    static const char *const refused[] = {"bpf", "statfs", "mount", "umount2", "mkdir", "mkdirat"};
    const struct mg_confine_calls calls = {
        .allowed = allowed,
        .num_allowed = MG_ARRAY_LEN(allowed),
        .refused = refused,
        .num_refused = MG_ARRAY_LEN(refused),
    };
    return mg_confine_syscalls(&calls, error);
}

static enum mg_status drop_privileges(struct mg_error *error)
{
    static const int keep[] = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE};
    enum mg_status status = mg_confine_no_dumps(error);
    return status == MG_OK ? mg_confine_capabilities(keep, MG_ARRAY_LEN(keep), error) : status;
}

enum mg_status engine_start(struct engine **out, struct config *config, struct mg_error *error)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    engine->config = config;
    (void)sched_getaffinity(0, sizeof(engine->cpus), &engine->cpus);
    raise_descriptor_limit(config);
    enum mg_status status = kill_switch_open(&engine->dataplane.kill_switch, config->dataplane.kill_switch, error);
    if (status == MG_OK) {
        status = start_rcu(error);
    }
    if (status == MG_OK) {
        status = make_shared(engine, error);
    }
    if (status == MG_OK) {
        status = start_privileged(engine, error);
    }
    if (status == MG_OK) {
        status = make_threads(engine, error);
    }
    if (status == MG_OK) {
        status = start_threads(engine, error);
    }
    if (status == MG_OK) {
        status = drop_privileges(error);
    }
    if (status == MG_OK) {
        status = engine_pages_start(&engine->metrics, &engine->dataplane, error);
    }
    if (status == MG_OK) {
        status = confine(error);
    }
    if (status != MG_OK) {
        return status; /* the process ends: nothing is worth undoing */
    }
    *out = engine;
    return MG_OK;
}

/* ---- while running ---- */

static void warn_of_restart(void *arg, const char *key)
{
    (void)arg;
    mg_log_warning("reload: %s has changed, which takes a restart", key);
}

enum mg_status engine_reload(struct engine *engine, struct mg_error *error)
{
    struct config *config;
    enum mg_status status = config_load(&config, engine->config->path, error);
    if (status != MG_OK) {
        return status;
    }
    struct policy *policy = NULL, *old_policy = engine->dataplane.policy;
    struct tls_settings *tls = NULL, *old_tls = engine->dataplane.tls;
    status = make_snapshots(engine, config, &policy, &tls, error);
    if (status == MG_OK) {
        config_each_needing_restart(engine->config, config, warn_of_restart, NULL);
        mg_log_set_level(config->log_level);
        mg_rcu_publish(&engine->dataplane.policy, policy);
        mg_rcu_publish(&engine->dataplane.tls, tls);
        mg_rcu_synchronize();
        policy_free(old_policy);
        tls_settings_unref(old_tls);
        session_log_reopen(engine->dataplane.log);
    }
    config_free(config);
    return status;
}

int engine_fd(const struct engine *engine)
{
    return engine->dataplane.kill_switch.fd;
}

void engine_tick(struct engine *engine)
{
    kill_switch_read(&engine->dataplane.kill_switch);
    int64_t now = (int64_t)(mg_clock_monotonic_ns() / MG_NS_PER_SECOND);
    if (leaf_keys_rotate(engine->dataplane.leaf_keys, now) != MG_OK) {
        mg_log_error("no new leaf key could be made; the old ones stay in use");
    }
    (void)issuer_watch_look(&engine->issuer_watch, engine->dataplane.issuers,
                            policy_on_issuer_expiry(engine->dataplane.policy), mg_clock_wall_seconds());
}

static uint32_t num_sessions(const struct engine *engine)
{
    uint32_t num = 0;
    for (unsigned i = 0; i < engine->dataplane.num_session_threads; i++) {
        num += session_thread_count(engine->dataplane.session_threads[i]);
    }
    return num;
}

void engine_drain(struct engine *engine)
{
    atomic_store_explicit(&engine->dataplane.draining, true, memory_order_relaxed);
    uint64_t until_ns = mg_clock_monotonic_ns() + engine->config->sessions.drain_ns;
    mg_log_info("draining: %u sessions are running", num_sessions(engine));
    mg_rcu_offline();
    while (num_sessions(engine) > 0 && mg_clock_monotonic_ns() < until_ns) {
        usleep(20000);
    }
    mg_rcu_online();
}

void engine_stop(struct engine *engine)
{
    struct dataplane *dataplane = &engine->dataplane;
    metrics_http_stop(engine->metrics);
    mg_rcu_offline();
    publisher_stop(dataplane->publisher);
    atomic_store_explicit(&dataplane->stop_sessions, true, memory_order_relaxed);
    for (unsigned i = 0; i < dataplane->num_session_threads; i++) {
        session_thread_ring(dataplane->session_threads[i]);
        session_thread_join(dataplane->session_threads[i]);
    }
    usleep(LAST_SEGMENTS_US);
    atomic_store_explicit(&dataplane->stop_workers, true, memory_order_relaxed);
    rte_eal_mp_wait_lcore();
    mg_rcu_online();

    kill_switch_close(&dataplane->kill_switch);
    session_log_free(dataplane->log);
    publisher_free(dataplane->publisher);
    for (unsigned i = 0; i < dataplane->num_session_threads; i++) {
        session_thread_free(dataplane->session_threads[i]);
    }
    for (unsigned i = 0; i < dataplane->num_workers; i++) {
        worker_free(dataplane->workers[i]);
    }
    ports_stop(&dataplane->ports);
    stack_stop(&dataplane->stack);
    cache_free(dataplane->leaves);
    chain_memory_free(dataplane->chains);
    learned_free(dataplane->learned);
    issuers_free(dataplane->issuers);
    leaf_keys_free(dataplane->leaf_keys);
    policy_free(dataplane->policy);
    tls_settings_unref(dataplane->tls);
    server_trust_free(dataplane->trust);
    client_keys_free(dataplane->client_keys);
    intermediates_free(engine->intermediates);
    mg_rcu_barrier();
    mg_rcu_thread_stop();
    rte_eal_cleanup();
    free(dataplane->workers);
    free(dataplane->session_threads);
    config_free(engine->config);
    free(engine);
}
