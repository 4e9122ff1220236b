/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Prometheus text (exposition format 0.0.4) for single samples. Pure: any thread. */
#ifndef MINTGATE_CONTROL_CTL_SAMPLES_H
#define MINTGATE_CONTROL_CTL_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

/* samples_find reads the sample that is called |name|, with its labels as they stand or none, from |text|, which ends
 * with a NUL. False: there is none, or its value is no whole number from 0 to INT64_MAX. */
bool samples_find(const char *text, const char *name, int64_t *out);

/* samples_sum adds up all samples of the family |name|, whatever their labels. False: there is none, or one is no such
 * number, or the sum is none. */
bool samples_sum(const char *text, const char *name, int64_t *out);

#endif
