/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/statistics.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* quantile_of is at |share|, 0 to 1, of the way through the sorted |values|. */
static double quantile_of(const double *values, size_t num_values, double share)
{
    double place = share * (double)(num_values - 1);
    size_t below = (size_t)place;
    if (below + 1 == num_values) {
        return values[below];
    }
    return values[below] + (place - (double)below) * (values[below + 1] - values[below]);
}

struct bench_spread bench_spread_of(const double *values, size_t num_values)
{
    double sorted[BENCH_MAX_ROUNDS];
    memcpy(sorted, values, num_values * sizeof(*values));
    qsort(sorted, num_values, sizeof(*sorted), compare);
    return (struct bench_spread){
        .min = sorted[0],
        .low = quantile_of(sorted, num_values, 0.25),
        .median = quantile_of(sorted, num_values, 0.5),
        .high = quantile_of(sorted, num_values, 0.75),
        .max = sorted[num_values - 1],
    };
}
