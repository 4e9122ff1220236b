/* SPDX-License-Identifier: Apache-2.0 */
/* On what, and how busy, a measurement was made: without names of the machine or of its users. */
#ifndef MINTGATE_BENCH_MACHINE_H
#define MINTGATE_BENCH_MACHINE_H

#include <stdbool.h>

struct bench_machine {
    char cpu[128];    /* model name as the kernel has it */
    char kernel[128]; /* release */
    long num_cpus;    /* online */
    bool has_ifma;    /* AVX-512 IFMA, which crypto_mb needs */
    double load;      /* runnable threads, mean of the last minute */
    char commit[64];  /* of the source that was built, "-dirty" behind it if that was changed */
};

/* bench_machine_look fills |out|; what cannot be told stays empty. */
void bench_machine_look(struct bench_machine *out);

#endif
