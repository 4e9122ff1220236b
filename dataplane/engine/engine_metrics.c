/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/engine/engine_metrics.h"

#include <stdio.h>

#include "cache/cache.h"
#include "cache/rcu.h"
#include "dataplane/publish/publisher.h"
#include "dataplane/session/issuers.h"
#include "dataplane/session/session_thread.h"
#include "dataplane/tls/chain_memory.h"
#include "dataplane/tls/client_keys.h"
#include "dataplane/tls/server_trust.h"
#include "dataplane/tls/tls_settings.h"
#include "dataplane/worker/worker.h"

#define MAX_THREADS 96

static void gauge(struct mg_buffer *out, const char *name, const char *help, uint64_t value)
{
    mg_metrics_family(out, name, "gauge", help);
    mg_metrics_sample(out, name, "", value);
}

static void write_counters(const struct dataplane *dataplane, struct mg_buffer *out)
{
    const struct counters *counters[MAX_THREADS];
    size_t num = 0;
    for (unsigned i = 0; i < dataplane->num_workers; i++) {
        counters[num++] = worker_counters(dataplane->workers[i]);
    }
    for (unsigned i = 0; i < dataplane->num_session_threads; i++) {
        counters[num++] = session_thread_counters(dataplane->session_threads[i]);
    }
    counters_write(out, counters, num);
}

static void write_session_cpu(const struct dataplane *dataplane, struct mg_buffer *out)
{
    const struct stage_cpu *threads[MAX_THREADS];
    for (unsigned i = 0; i < dataplane->num_session_threads; i++) {
        threads[i] = session_thread_cpu(dataplane->session_threads[i]);
    }
    stage_cpu_write(out, threads, dataplane->num_session_threads);
}

static void counter(struct mg_buffer *out, const char *name, const char *help, uint64_t value)
{
    mg_metrics_family(out, name, "counter", help);
    mg_metrics_sample(out, name, "", value);
}

static void write_learned(const struct dataplane *dataplane, struct mg_buffer *out)
{
    struct cache_stats stats;
    learned_stats(dataplane->learned, &stats);
    gauge(out, "mintgate_dataplane_learned_bypasses",
          "Servers bypassed for a while because they cannot be intercepted.", stats.entries);
    counter(out, "mintgate_dataplane_learned_bypasses_evicted_total", "Of these, forgotten early for want of room.",
            stats.evicted);
}

void engine_issuer_health(const struct dataplane *dataplane, struct issuer_health *out)
{
    issuer_health_of(out, dataplane->issuers, policy_on_issuer_expiry(mg_rcu_load(&dataplane->policy)),
                     mg_clock_wall_seconds());
}

static void write_issuers(const struct dataplane *dataplane, struct mg_buffer *out)
{
    struct issuer_health health;
    engine_issuer_health(dataplane, &health);
    gauge(out, "mintgate_minting_issuer_generation",
          "Generation of the forward-trust issuer, or of who signs in its place; 0: none yet.", health.generation);
    gauge(out, "mintgate_minting_issuer_not_after_seconds", "End of its validity, seconds since 1970.",
          (uint64_t)health.not_after);
    gauge(out, "mintgate_minting_issuer_remaining_seconds", "How long it can be used yet; 0: nobody signs.",
          (uint64_t)health.remaining);
    gauge(out, "mintgate_minting_issuers_expired", "Issuers in use that have expired.", health.num_expired);
    gauge(out, "mintgate_minting_issuers_unserved",
          "Of these, that nobody signs in place of: alarm, their flows go as control.on_issuer_expiry says.",
          health.num_unserved);
    gauge(out, "mintgate_minting_issuers_revoked", "Issuers that are revoked and the default still.",
          health.num_revoked);
    gauge(out, "mintgate_minting_issuers_revoked_unserved",
          "Of these, that nobody signs in place of: alarm, their flows go as ccadb.revoked_default says.",
          health.num_unserved_revoked);
}

static void write_gauges(const struct dataplane *dataplane, struct mg_buffer *out)
{
    uint64_t flows = 0, sessions = 0;
    for (unsigned i = 0; i < dataplane->num_workers; i++) {
        flows += worker_flow_count(dataplane->workers[i]);
    }
    for (unsigned i = 0; i < dataplane->num_session_threads; i++) {
        sessions += session_thread_count(dataplane->session_threads[i]);
    }
    gauge(out, "mintgate_dataplane_flows", "TCP flows remembered now.", flows);
    gauge(out, "mintgate_dataplane_sessions", "Taken-over flows now.", sessions);
    uint64_t until_ns = atomic_load_explicit(&dataplane->kill_switch.until_ns, memory_order_relaxed);
    uint64_t now_ns = mg_clock_monotonic_ns();
    gauge(out, "mintgate_dataplane_kill_switch_seconds", "How long the kill switch will be on; 0: it is off.",
          until_ns > now_ns ? (until_ns - now_ns + MG_NS_PER_SECOND - 1) / MG_NS_PER_SECOND : 0);
    write_learned(dataplane, out);
    gauge(out, "mintgate_dataplane_session_log_queue", "Session records waiting to be written.",
          session_log_queue(dataplane->log));
    counter(out, "mintgate_dataplane_session_log_write_errors_total",
            "Writes to the session log that failed, with the records in them.",
            session_log_write_errors(dataplane->log));
    gauge(out, "mintgate_dataplane_policy_generation", "How often the policy was loaded.",
          policy_generation(mg_rcu_load(&dataplane->policy)));
    mg_metrics_family(out, "mintgate_cache_rcu_stall_seconds", "gauge", "Age of the oldest unfinished grace period.");
    mg_metrics_sample_seconds(out, "mintgate_cache_rcu_stall_seconds", "", (double)mg_rcu_stall_ns() / 1e9);
}

static void write_cache(const char *prefix, const char *what, const struct cache_stats *stats, struct mg_buffer *out)
{
    const struct {
        const char *suffix, *type, *help;
        uint64_t value;
    } samples[] = {
        {"hits_total", "counter", "Lookups that found", stats->hits},
        {"misses_total", "counter", "Lookups that did not find", stats->misses},
        {"pending_hits_total", "counter", "Lookups that met the making of", stats->pending_hits},
        {"negative_hits_total", "counter", "Lookups that met a remembered failure of", stats->negative_hits},
        {"published_total", "counter", "Made:", stats->published},
        {"failed_total", "counter", "Could not be made:", stats->failed},
        {"evicted_total", "counter", "Gave way to others:", stats->evicted},
        {"expired_total", "counter", "Expired:", stats->expired},
        {"removed_total", "counter", "Taken out:", stats->removed},
        {"entries", "gauge", "Kept now:", stats->entries},
        {"bytes", "gauge", "Memory of", stats->bytes},
        {"pending", "gauge", "Being made now:", stats->pending},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(samples); i++) {
        char name[96], help[128];
        snprintf(name, sizeof(name), "%s_%s", prefix, samples[i].suffix);
        snprintf(help, sizeof(help), "%s %s.", samples[i].help, what);
        mg_metrics_family(out, name, samples[i].type, help);
        mg_metrics_sample(out, name, "", samples[i].value);
    }
}

static void write_cache_bounds(const char *name, const char *help, const struct cache_stats *stats,
                               struct mg_buffer *out)
{
    mg_metrics_family(out, name, "counter", help);
    mg_metrics_sample(out, name, "bound=\"pending\"", stats->full_pending);
    mg_metrics_sample(out, name, "bound=\"waiters\"", stats->full_waiters);
    mg_metrics_sample(out, name, "bound=\"retired\"", stats->full_retired);
    mg_metrics_sample(out, name, "bound=\"memory\"", stats->full_memory);
}

static void write_caches(const struct dataplane *dataplane, struct mg_buffer *out)
{
    struct cache_stats stats;
    cache_stats(dataplane->leaves, &stats);
    write_cache("mintgate_cache", "minted certificates", &stats, out);
    write_cache_bounds("mintgate_cache_full_total", "Certificates not asked for, by the bound that was full.", &stats,
                       out);
    chain_memory_stats(dataplane->chains, &stats);
    write_cache("mintgate_dataplane_chain_memory", "verified server chains", &stats, out);
}

/* minter_counters returns those of connection |i| to the signer: one of each session thread, and the publisher's. */
static const struct mint_client_counters *minter_counters(const struct dataplane *dataplane, unsigned i)
{
    return i < dataplane->num_session_threads ? session_thread_mint_counters(dataplane->session_threads[i])
                                              : publisher_mint_counters(dataplane->publisher);
}

static void write_minting(const struct dataplane *dataplane, struct mg_buffer *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } samples[] = {
#define MINT_COUNTER(member, help)                                                                                     \
    {"mintgate_minting_" #member "_total", help, offsetof(struct mint_client_counters, member)}
        MINT_COUNTER(requested, "Leaves asked for."),
        MINT_COUNTER(minted, "Leaves minted."),
        MINT_COUNTER(proofs_requested, "Signatures as a TLS client asked for."),
        MINT_COUNTER(proofs_signed, "Signatures as a TLS client made."),
        MINT_COUNTER(timed_out, "Leaves, and signatures as a TLS client, not signed in time."),
        MINT_COUNTER(bad_signatures, "Signatures that were not the issuer's."),
        MINT_COUNTER(cancelled, "Leaves and signatures that nobody waited for any more."),
        MINT_COUNTER(full, "Leaves and signatures not asked for because too many were under way."),
        MINT_COUNTER(connections, "Connections to the signer."),
        MINT_COUNTER(lost, "Connections to the signer that ended."),
        MINT_COUNTER(protocol_errors, "Of these, because of what the signer sent."),
        MINT_COUNTER(resent, "Requests sent again after a lost connection."),
        MINT_COUNTER(dropped_replies, "Replies that were late, repeated or unknown."),
        MINT_COUNTER(packets, "Batches sent to the signer."),
#undef MINT_COUNTER
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(samples); i++) {
        uint64_t sum = 0;
        for (unsigned m = 0; m <= dataplane->num_session_threads; m++) {
            const char *counters = (const char *)minter_counters(dataplane, m);
            sum += mg_counter_get((const struct mg_counter *)(const void *)(counters + samples[i].offset));
        }
        mg_metrics_family(out, samples[i].name, "counter", samples[i].help);
        mg_metrics_sample(out, samples[i].name, "", sum);
    }
    mg_metrics_family(out, "mintgate_minting_refused_total", "counter",
                      "Leaves and signatures that the signer refused, by reason.");
    for (unsigned status = 1; status < WIRE_SIGN_NUM_STATUSES; status++) {
        uint64_t sum = 0;
        for (unsigned m = 0; m <= dataplane->num_session_threads; m++) {
            sum += mg_counter_get(&minter_counters(dataplane, m)->refused[status]);
        }
        char labels[48];
        snprintf(labels, sizeof(labels), "reason=\"%s\"", wire_sign_status_name((enum wire_sign_status)status));
        mg_metrics_sample(out, "mintgate_minting_refused_total", labels, sum);
    }
}

void engine_metrics_write(const struct dataplane *dataplane, struct mg_buffer *out)
{
    write_counters(dataplane, out);
    write_session_cpu(dataplane, out);
    write_gauges(dataplane, out);
    write_issuers(dataplane, out);
    write_caches(dataplane, out);
    publisher_metrics_write(dataplane->publisher, out);
    server_trust_metrics(dataplane->trust, out);
    client_keys_metrics(dataplane->client_keys, out);
    write_minting(dataplane, out);
}
