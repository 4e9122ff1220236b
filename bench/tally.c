/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tally_second *second_of(struct tally *tally, size_t index)
{
    if (index >= TALLY_MAX_SECONDS) {
        index = TALLY_MAX_SECONDS - 1;
    }
    if (tally->timeline[index] == NULL) {
        tally->timeline[index] = calloc(1, sizeof(*tally->timeline[index]));
        if (tally->timeline[index] == NULL) {
            perror("timeline");
            abort();
        }
    }
    return tally->timeline[index];
}

void tally_add(struct tally *tally, const struct tally_record *record)
{
    struct tally_second *second = second_of(tally, (size_t)record->finished_at);
    tally->connections++;
    tally->body_bytes += record->body_bytes;
    word_counts_add(&tally->results, record->result, 1);
    histogram_add(&tally->lag_us, record->lag_us);
    if (strcmp(record->result, TALLY_OK) != 0) {
        second->failed++;
        return;
    }
    second->ok++;
    tally->offered += record->offered;
    tally->resumed += record->resumed;
    tally->unclean_closes += record->unclean_close;
    histogram_add(&second->total_us, record->total_us);
    histogram_add(&tally->connect_us, record->connect_us);
    histogram_add(&tally->handshake_us, record->handshake_us);
    histogram_add(&tally->total_us, record->total_us);
}

void tally_add_not_started(struct tally *tally, uint64_t waited_us)
{
    tally->not_started++;
    histogram_add(&tally->lag_us, waited_us);
}

static void merge_timeline(struct tally *into, const struct tally *from)
{
    for (size_t i = 0; i < TALLY_MAX_SECONDS; i++) {
        if (from->timeline[i] != NULL) {
            struct tally_second *second = second_of(into, i);
            second->ok += from->timeline[i]->ok;
            second->failed += from->timeline[i]->failed;
            histogram_merge(&second->total_us, &from->timeline[i]->total_us);
        }
    }
}

void tally_merge(struct tally *into, const struct tally *from)
{
    into->connections += from->connections;
    into->not_started += from->not_started;
    into->offered += from->offered;
    into->resumed += from->resumed;
    into->body_bytes += from->body_bytes;
    into->unclean_closes += from->unclean_closes;
    word_counts_merge(&into->results, &from->results);
    word_counts_merge(&into->issuers, &from->issuers);
    word_counts_merge(&into->parameters, &from->parameters);
    digest_set_merge(&into->leaves, &from->leaves);
    digest_set_merge(&into->serials, &from->serials);
    histogram_merge(&into->connect_us, &from->connect_us);
    histogram_merge(&into->handshake_us, &from->handshake_us);
    histogram_merge(&into->total_us, &from->total_us);
    histogram_merge(&into->lag_us, &from->lag_us);
    merge_timeline(into, from);
}

void tally_free(struct tally *tally)
{
    digest_set_free(&tally->leaves);
    digest_set_free(&tally->serials);
    for (size_t i = 0; i < TALLY_MAX_SECONDS; i++) {
        free(tally->timeline[i]);
        tally->timeline[i] = NULL;
    }
}
