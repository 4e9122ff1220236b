/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and their Prometheus text. A counter has one writer thread (a room keeps an array of them per thread) and
 * any number of readers, so that counting is a plain add without a lock prefix.
 */
#ifndef MINTGATE_BASE_METRICS_H
#define MINTGATE_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buffer.h"

/* struct mg_counter counts up. Zero state: 0. */
struct mg_counter {
    _Atomic uint64_t value; /* its one thread: rw, metrics: ro */
};

/* mg_counter_add may be called by the counter's one writer only. */
static inline void mg_counter_add(struct mg_counter *counter, uint64_t n)
{
    uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, value + n, memory_order_relaxed);
}

static inline uint64_t mg_counter_get(const struct mg_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

/* The text exposition format, one family after the other (prometheus.io, "Exposition formats"): mg_metrics_family
 * starts one, |type| is "counter", "gauge" or "histogram"; then each sample. |labels| is "" or like
 * "reason=\"quic\"", with values that the program chose itself. */
void mg_metrics_family(struct mg_buffer *out, const char *name, const char *type, const char *help);
void mg_metrics_sample(struct mg_buffer *out, const char *name, const char *labels, uint64_t value);
void mg_metrics_sample_seconds(struct mg_buffer *out, const char *name, const char *labels, double seconds);

#endif
