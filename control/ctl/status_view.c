/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/status_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "control/ctl/api.h"
#include "control/ctl/certificate.h"
#include "control/ctl/engine.h"
#include "control/ctl/samples.h"
#include "control/ctl/status_stores.h"

/* ---- metrics ---- */

/* A number of the metrics: of one sample, or the sum of a family. */
struct sample {
    const char *name;
    const char *member; /* of the JSON */
    bool is_sum;
};

static const struct sample engine_samples[] = {
    {"mintgate_dataplane_kill_switch_seconds", "killSwitchSeconds", false},
    {"mintgate_dataplane_sessions", "sessions", false},
    {"mintgate_dataplane_flows", "flows", false},
    {"mintgate_dataplane_flows_opened_total", "connections", false},
    {"mintgate_dataplane_ways_out_total", "waysOut", true},
    {"mintgate_dataplane_control_connected", "controlConnected", false},
    {"mintgate_dataplane_published_epoch", "epoch", false},
    {"mintgate_dataplane_policy_generation", "policyGeneration", false},
    {"mintgate_minting_issuer_generation", "issuerGeneration", false},
    {"mintgate_minting_issuer_remaining_seconds", "issuerRemainingSeconds", false},
    {"mintgate_minting_issuers_expired", "issuersExpired", false},
    {"mintgate_minting_issuers_unserved", "issuersUnserved", false},
    {"mintgate_minting_minted_total", "minted", false},
    {"mintgate_cache_hits_total", "cacheHits", false},
    {"mintgate_cache_misses_total", "cacheMisses", false},
    {"mintgate_cache_entries", "cacheEntries", false},
    {"mintgate_cache_bytes", "cacheBytes", false},
};

static const struct sample signer_samples[] = {
    {"mintgate_hsm_results_total{status=\"ok\"}", "signatures", false},
    {"mintgate_hsm_results_total", "results", true},
    {"mintgate_hsm_queue_requests", "queue", false},
    {"mintgate_hsm_connections", "connections", false},
    {"mintgate_hsm_journal_writable", "journalWritable", false},
};

static json_t *numbers_of(const char *text, const struct sample *samples, size_t num_samples)
{
    json_t *out = json_object();
    for (size_t i = 0; out != NULL && i < num_samples; i++) {
        int64_t value;
        if (samples[i].is_sum ? samples_sum(text, samples[i].name, &value)
                              : samples_find(text, samples[i].name, &value)) {
            (void)json_object_set_new(out, samples[i].member, json_integer(value));
        }
    }
    return out;
}

/* add_numbers adds |member| with the numbers of |page|, or null and why |asked| failed. */
static void add_numbers(json_t *view, const char *member, const char *error_member, enum mg_status asked,
                        struct mg_buffer *page, const struct sample *samples, size_t num_samples,
                        const struct mg_error *error)
{
    if (asked == MG_OK) {
        (void)json_object_set_new(view, member, numbers_of((const char *)page->data, samples, num_samples));
        mg_buffer_free(page);
    } else {
        (void)json_object_set_new(view, member, json_null());
        (void)json_object_set_new(view, error_member, json_string(error->text));
    }
}

static void add_engine(struct ctl *ctl, json_t *view)
{
    struct mg_buffer page;
    struct mg_error error;
    enum mg_status status = engine_get(ctl, "/metrics", &page, &error);
    add_numbers(view, "metrics", "engineError", status, &page, engine_samples, MG_ARRAY_LEN(engine_samples), &error);
}

static void add_signer(struct ctl *ctl, json_t *view)
{
    const struct config *config;
    struct mg_buffer page;
    struct mg_error error;
    enum mg_status status = ctl_config(ctl, &config, &error);
    if (status == MG_OK) {
        status = page_get("signer", config->signer.metrics_socket, "/metrics", &page, &error);
    }
    add_numbers(view, "signer", "signerError", status, &page, signer_samples, MG_ARRAY_LEN(signer_samples), &error);
}

/* ---- rates ---- */

/* rate returns how fast |member| of |part| has grown; JSON null where that cannot be told. */
static json_t *rate(const json_t *before, const json_t *after, const char *part, const char *member, double seconds)
{
    const json_t *first = json_object_get(json_object_get(before, part), member);
    const json_t *second = json_object_get(json_object_get(after, part), member);
    json_int_t growth = json_integer_value(second) - json_integer_value(first);
    return first == NULL || second == NULL || growth < 0 ? json_null() : json_real((double)growth / seconds);
}

json_t *status_view_rates(const json_t *before, const json_t *after, double seconds)
{
    if (seconds <= 0) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o}", "connections", rate(before, after, "metrics", "connections", seconds), "minted",
                     rate(before, after, "metrics", "minted", seconds), "signatures",
                     rate(before, after, "signer", "signatures", seconds));
}

/* look_again asks a second time who answered the first; who did not would only be waited for again. */
static void look_again(struct ctl *ctl, json_t *view, json_t *before, const char *member, const char *error_member,
                       void (*add)(struct ctl *ctl, json_t *view))
{
    if (json_is_object(json_object_get(before, member))) {
        add(ctl, view);
    } else {
        (void)json_object_set(view, member, json_object_get(before, member));
        (void)json_object_set(view, error_member, json_object_get(before, error_member));
    }
}

/* add_metrics adds what is there of engine and signer, and the rates of a second. */
static void add_metrics(struct ctl *ctl, json_t *view)
{
    static const struct timespec second = {.tv_sec = 1};
    json_t *before = json_object();
    add_engine(ctl, before);
    add_signer(ctl, before);
    uint64_t start_ns = mg_clock_monotonic_ns();
    (void)nanosleep(&second, NULL);
    look_again(ctl, view, before, "metrics", "engineError", add_engine);
    look_again(ctl, view, before, "signer", "signerError", add_signer);
    double seconds = (double)(mg_clock_monotonic_ns() - start_ns) / MG_NS_PER_SECOND;
    (void)json_object_set_new(view, "rates", status_view_rates(before, view, seconds));
    json_decref(before);
}

/* add_alarms asks an engine that answers. */
static void add_alarms(struct ctl *ctl, json_t *view)
{
    json_t *health = NULL;
    const json_t *alarms = NULL;
    struct mg_error error;
    if (json_is_object(json_object_get(view, "metrics")) && engine_get_json(ctl, "/health", &health, &error) == MG_OK) {
        alarms = json_object_get(health, "alarms");
    }
    (void)json_object_set_new(view, "alarms", json_is_array(alarms) ? json_deep_copy(alarms) : json_array());
    json_decref(health);
}

/* ---- control ---- */

/* add_subject adds what the default's certificate is called; the built-in's name is its common name. */
static enum mg_status add_subject(struct ctl *ctl, json_t *view, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *info = NULL;
    int64_t id = ctl_number(json_object_get(view, "default"), "id");
    if (id <= 1) {
        (void)json_object_set_new(view, "subject", json_null());
        return MG_OK;
    }
    snprintf(path, sizeof(path), API_INTERMEDIATES "/showCert/%" PRId64, id);
    enum mg_status status = api_ask(ctl, "GET", path, NULL, &info, error);
    if (status == MG_OK) {
        (void)json_object_set_new(view, "subject", info);
    }
    return status;
}

static enum mg_status add_control(struct ctl *ctl, json_t *view, struct mg_error *error)
{
    static const struct {
        const char *member, *path;
    } parts[] = {
        {"default", API_MINTGATE "/default"},
        {"publication", API_MINTGATE "/publication"},
        {"intermediates", API_INTERMEDIATES},
    };
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < MG_ARRAY_LEN(parts); i++) {
        json_t *part = NULL;
        if (status == MG_OK) {
            status = api_ask(ctl, "GET", parts[i].path, NULL, &part, error);
        }
        (void)json_object_set_new(view, parts[i].member, status == MG_OK ? part : json_null());
    }
    if (status == MG_OK) {
        status = add_subject(ctl, view, error);
    }
    if (status != MG_OK) {
        (void)json_object_set_new(view, "controlError", json_string(error->text));
    }
    return status;
}

enum mg_status status_view_gather(struct ctl *ctl, json_t **out, struct mg_error *error)
{
    *out = json_object();
    if (*out == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = add_control(ctl, *out, error);
    add_metrics(ctl, *out);
    add_alarms(ctl, *out);
    status_stores_add(ctl, *out);
    return status;
}
