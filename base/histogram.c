/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <stdio.h>

void mg_histogram_add(struct mg_histogram *histogram, const struct mg_histogram_shape *shape, uint64_t value)
{
    size_t place = 0;
    while (place < MG_HISTOGRAM_NUM_BOUNDS && value > shape->bounds[place]) {
        place++;
    }
    mg_counter_add(&histogram->counts[place], 1);
    mg_counter_add(&histogram->sum, value);
}

static uint64_t count_at(const struct mg_histogram *const *histograms, size_t num_histograms, size_t place)
{
    uint64_t count = 0;
    for (size_t i = 0; i < num_histograms; i++) {
        count += mg_counter_get(&histograms[i]->counts[place]);
    }
    return count;
}

void mg_histogram_render(struct mg_buffer *out, const char *name, const struct mg_histogram_shape *shape,
                         const struct mg_histogram *const *histograms, size_t num_histograms)
{
    mg_histogram_render_for(out, name, "", shape, histograms, num_histograms);
}

void mg_histogram_render_for(struct mg_buffer *out, const char *name, const char *labels,
                             const struct mg_histogram_shape *shape, const struct mg_histogram *const *histograms,
                             size_t num_histograms)
{
    char sample[128], label[256];
    const char *comma = labels[0] != '\0' ? "," : "";
    uint64_t count = 0, sum = 0;
    snprintf(sample, sizeof(sample), "%s_bucket", name);
    for (size_t place = 0; place < MG_HISTOGRAM_NUM_BOUNDS; place++) {
        count += count_at(histograms, num_histograms, place);
        snprintf(label, sizeof(label), "%s%sle=\"%.9g\"", labels, comma, (double)shape->bounds[place] * shape->unit);
        mg_metrics_sample(out, sample, label, count);
    }
    count += count_at(histograms, num_histograms, MG_HISTOGRAM_NUM_BOUNDS);
    snprintf(label, sizeof(label), "%s%sle=\"+Inf\"", labels, comma);
    mg_metrics_sample(out, sample, label, count);
    for (size_t i = 0; i < num_histograms; i++) {
        sum += mg_counter_get(&histograms[i]->sum);
    }
    snprintf(sample, sizeof(sample), "%s_sum", name);
    mg_metrics_sample_seconds(out, sample, labels, (double)sum * shape->unit);
    snprintf(sample, sizeof(sample), "%s_count", name);
    mg_metrics_sample(out, sample, labels, count);
}
