/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that change the tables while mintgate-bench-cache looks things up in them; one at a time. */
#ifndef MINTGATE_BENCH_PROBES_WRITERS_H
#define MINTGATE_BENCH_PROBES_WRITERS_H

#include <stddef.h>

#include "bench/probes/tables.h"

/* About as many inserts a second as one core mints. */
enum writer_task {
    WRITER_INSERTS, /* into the cache, which evicts for each */
    WRITER_CHURNS,  /* liburcu's table: adds one, takes one out */
    WRITER_SWAPS,   /* writers_swapped: the entries under the next generation, then away with the former ones */
};

/* writers_start begins |task|, writers_stop ends it and puts the cache right again. Any thread that is registered. */
void writers_start(enum writer_task task, size_t num_entries);
void writers_stop(void);

/* writers_find_swapped looks |key| up under the generation that counts at this moment, in the cache that WRITER_SWAPS
 * changes. It sets the key's generation. */
bool writers_find_swapped(struct tables_key *key);

#endif
