/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token_metrics.h"

#include <stdio.h>

#include "hsm/backend_pkcs11.h"

#define MAX_LABEL 160

static void write_label(char out[MAX_LABEL], const struct signer_metrics *metrics, size_t place)
{
    snprintf(out, MAX_LABEL, "token=\"%s\"", metrics->token_configs[place].name);
}

/* sum_at adds up a counter of the token at |place| over the sessions. */
static uint64_t sum_at(const struct signer_metrics *metrics, size_t place, size_t offset)
{
    const struct token_counters *counters;
    uint64_t sum = 0;
    for (size_t i = 0; (counters = backend_pkcs11_counters(metrics->pkcs11, i, place)) != NULL; i++) {
        sum += mg_counter_get((const struct mg_counter *)(const void *)((const char *)counters + offset));
    }
    return sum;
}

static void render_results(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const char name[] = "mintgate_hsm_token_results_total";
    char label[MAX_LABEL], with_status[MAX_LABEL + 64];
    mg_metrics_family(out, name, "counter", "Results of signatures asked of each token, by status.");
    for (size_t place = 0; place < metrics->num_tokens; place++) {
        write_label(label, metrics, place);
        for (int status = 0; status <= WIRE_TOKEN_FAILED; status++) {
            size_t offset = offsetof(struct token_counters, results) + (size_t)status * sizeof(struct mg_counter);
            snprintf(with_status, sizeof(with_status), "%s,status=\"%s\"", label,
                     wire_token_status_name((enum wire_token_status)status));
            mg_metrics_sample(out, name, with_status, sum_at(metrics, place, offset));
        }
    }
}

#define AT(field) offsetof(struct token_counters, field)

static void render_work(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
        {"mintgate_hsm_token_wrong_signatures_total", "RSA signatures that did not verify, and were not given out.",
         AT(wrong_signatures)},
        {"mintgate_hsm_token_unknown_results_total", "Results that nobody waited for.", AT(unknown_results)},
        {"mintgate_hsm_token_moved_total", "Signatures asked of its partner instead.", AT(moved)},
        {"mintgate_hsm_token_lost_total", "Signatures under way when its process ended.", AT(lost)},
        {"mintgate_hsm_token_turned_away_total", "Signatures not asked of it, since it was not up.", AT(turned_away)},
    };
    char label[MAX_LABEL];
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        mg_metrics_family(out, rows[i].name, "counter", rows[i].help);
        for (size_t place = 0; place < metrics->num_tokens; place++) {
            write_label(label, metrics, place);
            mg_metrics_sample(out, rows[i].name, label, sum_at(metrics, place, rows[i].offset));
        }
    }
}

#undef AT

static void render_latency(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const char name[] = "mintgate_hsm_token_latency_seconds";
    const struct mg_histogram *histograms[WIRE_TOKEN_MAX_LANES];
    const struct token_counters *counters;
    char label[MAX_LABEL];
    mg_metrics_family(out, name, "histogram", "Time from asking a token for a signature to its result.");
    for (size_t place = 0; place < metrics->num_tokens; place++) {
        size_t count = 0;
        while (count < WIRE_TOKEN_MAX_LANES &&
               (counters = backend_pkcs11_counters(metrics->pkcs11, count, place)) != NULL) {
            histograms[count++] = &counters->latency;
        }
        write_label(label, metrics, place);
        mg_histogram_render_for(out, name, label, &token_latency_shape, histograms, count);
    }
}

#define AT(field) offsetof(struct token_supervisor_counters, field)

static void render_processes(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } rows[] = {
        {"mintgate_hsm_token_starts_total", "counter", "Processes started for it.", AT(starts)},
        {"mintgate_hsm_token_kills_total", "counter", "Processes killed, since a deadline had passed.", AT(kills)},
        {"mintgate_hsm_token_exits_total", "counter", "Processes that have ended.", AT(exits)},
        {"mintgate_hsm_token_refused_pins_total", "counter", "Openings that ended at the PIN.", AT(refused_pins)},
        {"mintgate_hsm_token_failed_openings_total", "counter", "Openings that failed otherwise.", AT(failed_openings)},
        {"mintgate_hsm_token_calls_total", "counter", "Management calls made to it.", AT(calls)},
        {"mintgate_hsm_token_failed_calls_total", "counter", "Management calls without an answer.", AT(failed_calls)},
        {"mintgate_hsm_token_mode", "gauge", "0: up; 1: being restarted, work may be tried again; 2: work fails.",
         AT(mode)},
        {"mintgate_hsm_token_sessions", "gauge", "Sessions that it signs on; 0: not up.", AT(num_sessions)},
        {"mintgate_hsm_token_calibrated_signatures", "gauge", "P-256 signatures a second that its calibration found.",
         AT(rate)},
    };
    char label[MAX_LABEL];
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        mg_metrics_family(out, rows[i].name, rows[i].type, rows[i].help);
        for (size_t place = 0; place < metrics->num_tokens; place++) {
            const char *counters = (const char *)token_supervisor_counters(metrics->tokens, place);
            write_label(label, metrics, place);
            mg_metrics_sample(out, rows[i].name, label,
                              mg_counter_get((const struct mg_counter *)(const void *)(counters + rows[i].offset)));
        }
    }
}

#undef AT

void token_metrics_render(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    render_results(metrics, out);
    render_work(metrics, out);
    render_latency(metrics, out);
    render_processes(metrics, out);
}
