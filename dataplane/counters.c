/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/counters.h"

#include <string.h>

static const struct {
    const char *name, *labels, *help;
} descriptions[NUM_COUNTERS] = {
#define COUNTER_DESCRIPTION(identifier, name, labels, help) {name, labels, help},
    COUNTERS(COUNTER_DESCRIPTION)
#undef COUNTER_DESCRIPTION
};

void counters_write(struct mg_buffer *out, const struct counters *const *counters, size_t num)
{
    for (size_t i = 0; i < NUM_COUNTERS; i++) {
        uint64_t sum = 0;
        for (size_t thread = 0; thread < num; thread++) {
            sum += mg_counter_get(&counters[thread]->values[i]);
        }
        if (i == 0 || strcmp(descriptions[i].name, descriptions[i - 1].name) != 0) {
            mg_metrics_family(out, descriptions[i].name, "counter", descriptions[i].help);
        }
        mg_metrics_sample(out, descriptions[i].name, descriptions[i].labels, sum);
    }
}
