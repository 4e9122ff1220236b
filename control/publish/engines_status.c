/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen from outside: engines, and how publications go and went. */
#include <string.h>

#include "base/clock.h"
#include "control/publish/engines_internal.h"

static const struct mg_histogram_shape duration_shape = {
    .bounds = {10, 30, 100, 300, 1000, 3000, 10000, 30000}, .unit = 1e-3, /* a value is milliseconds */
};

void engines_note(struct engines *engines, enum mg_status status, uint64_t began_ns)
{
    enum publication_end end = status == MG_OK       ? PUBLICATION_COMMITTED
                               : status == MG_AGAIN  ? PUBLICATION_UNCONFIRMED
                               : status == MG_DENIED ? PUBLICATION_REFUSED
                                                     : PUBLICATION_FAILED;
    mg_counter_add(&engines->ends[end], 1);
    mg_histogram_add(&engines->durations, &duration_shape, (mg_clock_monotonic_ns() - began_ns) / MG_NS_PER_MS);
}

void engines_progress(struct engines *engines, struct engines_progress *out)
{
    *out = (struct engines_progress){.under_way = false};
    pthread_mutex_lock(&engines->lock);
    if (engines->next != NULL) {
        out->under_way = true;
        out->epoch = engines->next_epoch;
        for (size_t i = 0; i < ENGINES_MAX; i++) {
            out->num_done += engines->engines[i].num_done;
            out->num_all += engines->engines[i].num_all;
        }
    }
    pthread_mutex_unlock(&engines->lock);
}

size_t engines_list(struct engines *engines, struct engine_status *out, size_t max)
{
    size_t num = 0;
    pthread_mutex_lock(&engines->lock);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        const struct engine *engine = &engines->engines[i];
        if (engine->state == ENGINE_FREE || engine->state == ENGINE_GREETING) {
            continue;
        }
        if (num < max) {
            out[num] = (struct engine_status){.pid = engine->pid, .epoch = engine->epoch};
            memcpy(out[num].trouble, engine->trouble, sizeof(engine->trouble));
        }
        num++;
    }
    pthread_mutex_unlock(&engines->lock);
    return num;
}

void engines_count(struct engines *engines, struct engines_count *out)
{
    *out = (struct engines_count){.num_connected = 0};
    pthread_mutex_lock(&engines->lock);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        const struct engine *engine = &engines->engines[i];
        bool is_here = engine->state != ENGINE_FREE && engine->state != ENGINE_GREETING;
        out->num_connected += is_here;
        out->num_behind += is_here && engine->epoch != engines->present_epoch;
    }
    pthread_mutex_unlock(&engines->lock);
}

void engines_metrics(struct engines *engines, struct mg_buffer *out)
{
    static const char ends[] = "mintgate_control_publications_total",
                      seconds[] = "mintgate_control_publication_seconds";
    static const char *const labels[NUM_PUBLICATION_ENDS] = {[PUBLICATION_COMMITTED] = "end=\"committed\"",
                                                             [PUBLICATION_UNCONFIRMED] = "end=\"unconfirmed\"",
                                                             [PUBLICATION_REFUSED] = "end=\"refused\"",
                                                             [PUBLICATION_BUSY] = "end=\"busy\"",
                                                             [PUBLICATION_FAILED] = "end=\"failed\""};
    const struct mg_histogram *durations = &engines->durations;
    struct engines_count now;
    engines_count(engines, &now);
    pthread_mutex_lock(&engines->lock);
    mg_metrics_family(out, "mintgate_control_engines", "gauge", "Engines that are connected.");
    mg_metrics_sample(out, "mintgate_control_engines", "", now.num_connected);
    mg_metrics_family(out, "mintgate_control_engines_behind", "gauge", "Of these, those that serve an older epoch.");
    mg_metrics_sample(out, "mintgate_control_engines_behind", "", now.num_behind);
    mg_metrics_family(out, ends, "counter", "Publications to engines, by how they ended.");
    for (size_t i = 0; i < NUM_PUBLICATION_ENDS; i++) {
        mg_metrics_sample(out, ends, labels[i], mg_counter_get(&engines->ends[i]));
    }
    mg_metrics_family(out, seconds, "histogram", "Time that a publication took, with minting ahead.");
    mg_histogram_render(out, seconds, &duration_shape, &durations, 1);
    pthread_mutex_unlock(&engines->lock);
}

bool engines_serve_present(struct engines *engines)
{
    size_t num = 0, num_serving = 0;
    pthread_mutex_lock(&engines->lock);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        const struct engine *engine = &engines->engines[i];
        num += engine->state != ENGINE_FREE;
        num_serving += engine->state == ENGINE_SERVING && engine->epoch == engines->present_epoch;
    }
    pthread_mutex_unlock(&engines->lock);
    return num > 0 && num_serving == num;
}
