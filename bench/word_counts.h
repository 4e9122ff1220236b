/* SPDX-License-Identifier: Apache-2.0 */
/* How often each of a few texts came up. Bounded: what comes after the table is full is counted together. One owner. */
#ifndef MINTGATE_BENCH_WORD_COUNTS_H
#define MINTGATE_BENCH_WORD_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#define WORD_COUNTS_MAX 64
#define WORD_COUNTS_MAX_LEN 159

/* Zero state: empty. */
struct word_counts {
    struct {
        uint64_t count;
        char word[WORD_COUNTS_MAX_LEN + 1];
    } entries[WORD_COUNTS_MAX];
    size_t num_entries;
    uint64_t num_others;
};

/* word_counts_add adds |n| to |word|, which is cut to WORD_COUNTS_MAX_LEN bytes. */
void word_counts_add(struct word_counts *counts, const char *word, uint64_t n);

void word_counts_merge(struct word_counts *into, const struct word_counts *from);

/* word_counts_get returns 0 for a word that never came up. */
uint64_t word_counts_get(const struct word_counts *counts, const char *word);

#endif
