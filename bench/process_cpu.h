/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time of other processes, to the nanosecond (/proc has hundredths of a second). */
#ifndef MINTGATE_BENCH_PROCESS_CPU_H
#define MINTGATE_BENCH_PROCESS_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* process_tree_cpu_ns adds up what |pid| and the processes below it that still run have used, all threads. False: |pid|
 * does not run. A process that ends between two calls takes its time with it. */
MG_MUST_USE bool process_tree_cpu_ns(pid_t pid, uint64_t *out);

#endif
