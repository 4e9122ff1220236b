/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/zipf.h"

#include <math.h>

#include "bench/split_mix.h"

#define NEAR_ZERO 1e-8 /* where the first terms of the series are better than the quotient */

/* The paper's h, its integral H from 1, and the inverse of that, written such that an exponent of 1 is no exception:
 * (x^(1-s) - 1) / (1-s) tends to log x. */

static double popularity(const struct zipf *zipf, double x)
{
    return exp(-zipf->exponent * log(x));
}

static double integral(const struct zipf *zipf, double x)
{
    double log_x = log(x), t = (1 - zipf->exponent) * log_x;
    return log_x * (fabs(t) > NEAR_ZERO ? expm1(t) / t : 1 + t / 2);
}

static double integral_inverse(const struct zipf *zipf, double area)
{
    double t = fmax(-1, (1 - zipf->exponent) * area); /* below -1 by rounding alone */
    return exp(area * (fabs(t) > NEAR_ZERO ? log1p(t) / t : 1 - t / 2));
}

void zipf_init(struct zipf *zipf, uint64_t num_ranks, double exponent)
{
    *zipf = (struct zipf){.num_ranks = (double)num_ranks, .exponent = exponent};
    zipf->lowest = integral(zipf, 1.5) - popularity(zipf, 1);
    zipf->highest = integral(zipf, zipf->num_ranks + 0.5);
    zipf->sure = 2 - integral_inverse(zipf, integral(zipf, 2.5) - popularity(zipf, 2));
}

/* A point of the area under h's continuous hat belongs to the rank next to it; it is taken if it lies in the part that
 * is as large as the rank's own popularity. */
uint64_t zipf_draw(const struct zipf *zipf, uint64_t *random)
{
    for (;;) {
        double area = zipf->highest + split_mix_unit(random) * (zipf->lowest - zipf->highest);
        double x = integral_inverse(zipf, area);
        double rank = fmin(fmax(floor(x + 0.5), 1), zipf->num_ranks);
        if (rank - x <= zipf->sure || area >= integral(zipf, rank + 0.5) - popularity(zipf, rank)) {
            return (uint64_t)rank - 1;
        }
    }
}
