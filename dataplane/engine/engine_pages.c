/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/engine/engine_pages.h"

#include "base/clock.h"
#include "base/json.h"
#include "cache/cache.h"
#include "cache/rcu.h"
#include "dataplane/engine/engine_metrics.h"
#include "dataplane/policy/explain.h"
#include "dataplane/tls/client_keys.h"
#include "dataplane/tls/server_trust.h"
#include "minting/mint_key.h"

/* Issuers of which leaves are told apart; more are summed up. */
#define MAX_GENERATIONS 64

/* Each page is rendered by a thread of the server's, which is a reader of RCU for as long. */

static void render_metrics(void *arg, struct mg_buffer *out)
{
    if (mg_rcu_thread_start() == MG_OK) {
        engine_metrics_write(arg, out);
        mg_rcu_thread_stop();
    }
}

static void render_bypasses(void *arg, struct mg_buffer *out)
{
    const struct dataplane *dataplane = arg;
    if (mg_rcu_thread_start() == MG_OK) {
        learned_list(dataplane->learned, (int64_t)(mg_clock_monotonic_ns() / MG_NS_PER_SECOND), out);
        mg_rcu_thread_stop();
    }
}

static void render_health(void *arg, struct mg_buffer *out)
{
    struct issuer_health health;
    if (mg_rcu_thread_start() == MG_OK) {
        engine_issuer_health(arg, &health);
        issuer_health_write(&health, out);
        mg_rcu_thread_stop();
    }
}

static void render_trust(void *arg, struct mg_buffer *out)
{
    const struct dataplane *dataplane = arg;
    if (mg_rcu_thread_start() != MG_OK) {
        return;
    }
    mg_json_begin_object(out, NULL);
    server_trust_write(dataplane->trust, out);
    mg_json_begin_array(out, "keyStores");
    client_keys_write(dataplane->client_keys, out);
    mg_json_end_array(out);
    mg_json_end_object(out);
    mg_buffer_append_u8(out, '\n');
    mg_rcu_thread_stop();
}

/* ---- the cache ---- */

struct tally {
    struct {
        uint64_t generation, num_leaves;
    } generations[MAX_GENERATIONS];
    size_t num_generations;
    uint64_t num_others;
};

static bool tally_leaf(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg)
{
    struct tally *tally = arg;
    uint64_t generation = mint_key_generation(key);
    (void)value;
    (void)recently_used;
    size_t i = 0;
    while (i < tally->num_generations && tally->generations[i].generation != generation) {
        i++;
    }
    if (i == MAX_GENERATIONS) {
        tally->num_others++;
        return true;
    }
    if (i == tally->num_generations) {
        tally->generations[tally->num_generations++].generation = generation;
    }
    tally->generations[i].num_leaves++;
    return true;
}

static void write_stats(const struct cache_stats *stats, struct mg_buffer *out)
{
    mg_json_uint(out, "entries", stats->entries);
    mg_json_uint(out, "bytes", stats->bytes);
    mg_json_uint(out, "pending", stats->pending);
    mg_json_uint(out, "hits", stats->hits);
    mg_json_uint(out, "misses", stats->misses);
    mg_json_uint(out, "negativeHits", stats->negative_hits);
    mg_json_uint(out, "published", stats->published);
    mg_json_uint(out, "failed", stats->failed);
    mg_json_uint(out, "evicted", stats->evicted);
    mg_json_uint(out, "expired", stats->expired);
    mg_json_uint(out, "removed", stats->removed);
}

static void write_generations(const struct dataplane *dataplane, const struct tally *tally, struct mg_buffer *out)
{
    mg_json_begin_array(out, "generations");
    for (size_t i = 0; i < tally->num_generations; i++) {
        uint64_t generation = tally->generations[i].generation;
        mg_json_begin_object(out, NULL);
        mg_json_uint(out, "generation", generation);
        mg_json_string(out, "issuer", issuers_name_of(dataplane->issuers, generation));
        mg_json_uint(out, "entries", tally->generations[i].num_leaves);
        mg_json_end_object(out);
    }
    mg_json_end_array(out);
    mg_json_uint(out, "otherEntries", tally->num_others);
}

static void render_cache(void *arg, struct mg_buffer *out)
{
    const struct dataplane *dataplane = arg;
    struct cache_stats stats;
    struct tally tally = {.num_generations = 0};
    if (mg_rcu_thread_start() != MG_OK) {
        return;
    }
    cache_stats(dataplane->leaves, &stats);
    cache_for_each(dataplane->leaves, tally_leaf, &tally);
    mg_json_begin_object(out, NULL);
    write_stats(&stats, out);
    mg_json_uint(out, "maxEntries", dataplane->config->cache.entries);
    mg_json_uint(out, "maxBytes", dataplane->config->cache.bytes);
    write_generations(dataplane, &tally, out);
    mg_json_end_object(out);
    mg_buffer_append_u8(out, '\n');
    mg_rcu_thread_stop();
}

/* ---- explaining ---- */

/* signer_of names who would sign for the flow; "": nobody yet. */
static const char *signer_of(const struct dataplane *dataplane, const struct policy *policy,
                             const struct explain_question *question, int64_t now_wall)
{
    struct policy_flow flow;
    struct policy_verdict verdict;
    struct issuer *issuer;
    explain_flow(question, &flow);
    policy_decide(policy, &flow, hello_info_sni(&question->hello), &verdict);
    return issuers_choose(dataplane->issuers, verdict.issuer, policy_on_issuer_expiry(policy), now_wall, &issuer) ==
                   ISSUERS_CHOSEN
               ? issuers_name_of(dataplane->issuers, issuer->generation)
               : "";
}

static void explain(const struct dataplane *dataplane, const struct explain_question *question, struct mg_buffer *out)
{
    const struct policy *policy = mg_rcu_load(&dataplane->policy);
    int64_t now_wall = mg_clock_wall_seconds();
    struct policy_flow flow;
    struct decision decision;
    explain_flow(question, &flow);
    dataplane_decide(&decision, dataplane, policy, &flow, &question->hello, mg_clock_monotonic_ns(), now_wall);
    explain_write(question, policy, &decision, signer_of(dataplane, policy, question, now_wall), out);
}

static bool answer_explain(void *arg, const struct metrics_http_request *request, struct mg_buffer *out)
{
    const struct explain_texts texts = {
        .client = metrics_http_argument(request, "client"),
        .server = metrics_http_argument(request, "server"),
        .port = metrics_http_argument(request, "port"),
        .sni = metrics_http_argument(request, "sni"),
    };
    struct explain_question question;
    struct mg_error error;
    if (explain_parse(&question, &texts, &error) != MG_OK) {
        mg_buffer_append_format(out, "%s\n", error.text);
        return false;
    }
    if (mg_rcu_thread_start() == MG_OK) {
        explain(arg, &question, out);
        mg_rcu_thread_stop();
    }
    return true;
}

enum mg_status engine_pages_start(struct metrics_http **out, struct dataplane *dataplane, struct mg_error *error)
{
    static const char json[] = "application/json";
    const struct metrics_http_route routes[] = {
        {.path = "/metrics", .content_type = METRICS_HTTP_PROMETHEUS, .render = render_metrics, .arg = dataplane},
        {.path = "/bypasses", .content_type = json, .render = render_bypasses, .arg = dataplane, .is_local = true},
        {.path = "/health", .content_type = json, .render = render_health, .arg = dataplane, .is_local = true},
        {.path = "/trust", .content_type = json, .render = render_trust, .arg = dataplane, .is_local = true},
        {.path = "/cache", .content_type = json, .render = render_cache, .arg = dataplane, .is_local = true},
        {.path = "/policy/explain", .content_type = json, .answer = answer_explain, .arg = dataplane, .is_local = true},
    };
    const struct metrics_http_config config = {
        .socket_path = dataplane->config->metrics.socket,
        .tcp_address = dataplane->config->metrics.tcp,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
    };
    return metrics_http_start(out, &config, error);
}
