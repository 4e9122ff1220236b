/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms with fixed bounds, in the manner of base/metrics.h: one writer thread, any number of readers. */
#ifndef MINTGATE_HSM_HISTOGRAM_H
#define MINTGATE_HSM_HISTOGRAM_H

#include <stddef.h>

#include "base/metrics.h"

#define HISTOGRAM_NUM_BOUNDS 8

/* struct histogram counts values by the first bound that is not below them; the last place is for larger ones. Zero
 * state: empty. */
struct histogram {
    struct mg_counter counts[HISTOGRAM_NUM_BOUNDS + 1]; /* its one thread: rw, metrics: ro */
    struct mg_counter sum;
};

struct histogram_shape {
    uint64_t bounds[HISTOGRAM_NUM_BOUNDS]; /* rising */
    double unit;                           /* what a value of 1 is shown as */
};

/* histogram_add counts |value|; for the histogram's one writer. */
void histogram_add(struct histogram *histogram, const struct histogram_shape *shape, uint64_t value);

/* histogram_render appends the Prometheus samples (not the family's head) of |num_histograms| histograms of one shape,
 * added up. */
void histogram_render(struct mg_buffer *out, const char *name, const struct histogram_shape *shape,
                      const struct histogram *const *histograms, size_t num_histograms);

/* histogram_render_for does so with |labels|, as base/metrics.h has them, in front of each sample's own. */
void histogram_render_for(struct mg_buffer *out, const char *name, const char *labels,
                          const struct histogram_shape *shape, const struct histogram *const *histograms,
                          size_t num_histograms);

#endif
