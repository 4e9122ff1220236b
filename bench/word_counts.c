/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/word_counts.h"

#include <stdio.h>
#include <string.h>

static size_t find(const struct word_counts *counts, const char *word)
{
    size_t i = 0;
    while (i < counts->num_entries && strncmp(counts->entries[i].word, word, WORD_COUNTS_MAX_LEN) != 0) {
        i++;
    }
    return i;
}

void word_counts_add(struct word_counts *counts, const char *word, uint64_t n)
{
    size_t i = find(counts, word);
    if (i == WORD_COUNTS_MAX) {
        counts->num_others += n;
        return;
    }
    if (i == counts->num_entries) {
        snprintf(counts->entries[i].word, sizeof(counts->entries[i].word), "%s", word);
        counts->num_entries++;
    }
    counts->entries[i].count += n;
}

void word_counts_merge(struct word_counts *into, const struct word_counts *from)
{
    for (size_t i = 0; i < from->num_entries; i++) {
        word_counts_add(into, from->entries[i].word, from->entries[i].count);
    }
    into->num_others += from->num_others;
}

uint64_t word_counts_get(const struct word_counts *counts, const char *word)
{
    size_t i = find(counts, word);
    return i < counts->num_entries ? counts->entries[i].count : 0;
}
