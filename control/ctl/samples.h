/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Prometheus text (exposition format 0.0.4) for single samples. Pure: any thread. */
#ifndef MINTGATE_CONTROL_CTL_SAMPLES_H
#define MINTGATE_CONTROL_CTL_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

/* samples_find reads the sample without labels that is called |name| from |text|, which ends with a NUL. False: there
 * is none, or its value is no whole number from 0 to INT64_MAX. */
bool samples_find(const char *text, const char *name, int64_t *out);

#endif
