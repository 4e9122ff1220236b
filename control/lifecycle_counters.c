/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lifecycle_counters.h"

#include <stdio.h>

#include "base/metrics.h"

static enum lifecycle_end end_of(enum mg_status status)
{
    switch (status) {
    case MG_OK:
        return LIFECYCLE_DONE;
    case MG_AGAIN:
    case MG_IO:
    case MG_MEMORY:
    case MG_INTERNAL:
        return LIFECYCLE_FAILED;
    case MG_INVALID:
    case MG_LIMIT:
    case MG_NOT_FOUND:
    case MG_EXISTS:
    case MG_DENIED:
        break;
    }
    return LIFECYCLE_REFUSED;
}

void lifecycle_count(const struct lifecycle *lifecycle, enum lifecycle_operation operation, enum mg_status status)
{
    if (lifecycle->counters != NULL) {
        atomic_fetch_add_explicit(&lifecycle->counters->ends[operation][end_of(status)], 1, memory_order_relaxed);
    }
}

void lifecycle_counters_metrics(const struct lifecycle_counters *counters, struct mg_buffer *out)
{
    static const char name[] = "mintgate_control_lifecycle_steps_total";
    static const char *const ends[LIFECYCLE_NUM_ENDS] = {
        [LIFECYCLE_DONE] = "done", [LIFECYCLE_REFUSED] = "refused", [LIFECYCLE_FAILED] = "failed"};
    char label[96];
    mg_metrics_family(out, name, "counter", "Steps in the life of intermediates, by step and by how they ended.");
    for (int operation = 0; operation < LIFECYCLE_NUM_OPERATIONS; operation++) {
        for (int end = 0; end < LIFECYCLE_NUM_ENDS; end++) {
            snprintf(label, sizeof(label), "step=\"%s\",end=\"%s\"",
                     lifecycle_operation_name((enum lifecycle_operation)operation), ends[end]);
            mg_metrics_sample(out, name, label,
                              atomic_load_explicit(&counters->ends[operation][end], memory_order_relaxed));
        }
    }
}
