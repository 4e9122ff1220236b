/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the life cycle, counted by operation and by how they ended. Any thread. */
#ifndef MINTGATE_CONTROL_LIFECYCLE_COUNTERS_H
#define MINTGATE_CONTROL_LIFECYCLE_COUNTERS_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "control/lifecycle.h"

enum lifecycle_end {
    LIFECYCLE_DONE,
    LIFECYCLE_REFUSED, /* by a rule */
    LIFECYCLE_FAILED,  /* by the database, or for want of memory */
    LIFECYCLE_NUM_ENDS
};

/* struct lifecycle_counters: zero state, nothing counted. */
struct lifecycle_counters {
    _Atomic uint64_t ends[LIFECYCLE_NUM_OPERATIONS][LIFECYCLE_NUM_ENDS];
};

/* lifecycle_count counts a step of |operation| that ended with |status|, where |lifecycle| has counters. */
void lifecycle_count(const struct lifecycle *lifecycle, enum lifecycle_operation operation, enum mg_status status);

/* lifecycle_counters_metrics appends them. */
void lifecycle_counters_metrics(const struct lifecycle_counters *counters, struct mg_buffer *out);

#endif
