/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms with fixed bounds, in the manner of base/metrics.h: one writer thread, any number of readers. */
#ifndef MINTGATE_BASE_HISTOGRAM_H
#define MINTGATE_BASE_HISTOGRAM_H

#include <stddef.h>

#include "base/metrics.h"

#define MG_HISTOGRAM_NUM_BOUNDS 8

/* struct mg_histogram counts values by the first bound that is not below them; the last place is for larger ones. Zero
 * state: empty. */
struct mg_histogram {
    struct mg_counter counts[MG_HISTOGRAM_NUM_BOUNDS + 1]; /* its one thread: rw, metrics: ro */
    struct mg_counter sum;
};

struct mg_histogram_shape {
    uint64_t bounds[MG_HISTOGRAM_NUM_BOUNDS]; /* rising */
    double unit;                              /* what a value of 1 is shown as */
};

/* mg_histogram_add counts |value|; for the histogram's one writer. */
void mg_histogram_add(struct mg_histogram *histogram, const struct mg_histogram_shape *shape, uint64_t value);

/* mg_histogram_render appends the Prometheus samples (not the family's head) of |num_histograms| histograms of one
 * shape, added up. */
void mg_histogram_render(struct mg_buffer *out, const char *name, const struct mg_histogram_shape *shape,
                         const struct mg_histogram *const *histograms, size_t num_histograms);

/* mg_histogram_render_for does so with |labels|, as base/metrics.h has them, in front of each sample's own. */
void mg_histogram_render_for(struct mg_buffer *out, const char *name, const char *labels,
                             const struct mg_histogram_shape *shape, const struct mg_histogram *const *histograms,
                             size_t num_histograms);

#endif
