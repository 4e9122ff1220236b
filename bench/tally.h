/* SPDX-License-Identifier: Apache-2.0 */
/* What a run of the load generator saw: one tally per thread, merged at the end. One owner. */
#ifndef MINTGATE_BENCH_TALLY_H
#define MINTGATE_BENCH_TALLY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "bench/digest_set.h"
#include "bench/histogram.h"
#include "bench/word_counts.h"

#define TALLY_OK "ok"
/* Seconds that a timeline holds; what finishes later is counted in the last. */
#define TALLY_MAX_SECONDS 3600

struct tally_second {
    uint64_t ok, failed;
    struct histogram total_us;
};

struct tally {
    uint64_t connections;
    uint64_t not_started; /* due before the end, for which there was never room */
    uint64_t offered;     /* connections that offered a session */
    uint64_t resumed;
    uint64_t body_bytes;
    uint64_t unclean_closes; /* connections that went well until the peer ended without close_notify */
    struct word_counts results;
    struct word_counts issuers;    /* issuer's CN, and fingerprint of the first certificate behind the leaf */
    struct word_counts parameters; /* version, cipher, group, ALPN */
    struct digest_set leaves;      /* of the leaves' DER */
    struct digest_set serials;     /* of their serial numbers alone */
    /* Of connections that went well. |connect|: SYN to established; |handshake|: from there to its end; |total|: from
     * the *intended* start to the end of the answer, so that waiting for a late start counts. */
    struct histogram connect_us, handshake_us, total_us;
    struct histogram lag_us; /* of all, from the intended start to the real one, or to the end if it was not started */
    struct tally_second *timeline[TALLY_MAX_SECONDS]; /* owned; NULL: nothing finished in that second */
};

/* One finished connection. */
struct tally_record {
    const char *result; /* TALLY_OK, or "stage: reason" */
    double finished_at; /* seconds since the start of the run */
    uint64_t lag_us, connect_us, handshake_us, total_us;
    uint64_t body_bytes;
    bool offered;
    bool resumed;
    bool unclean_close;
};

void tally_add(struct tally *tally, const struct tally_record *record);
/* tally_add_not_started counts a connection that was due |waited_us| before the end and was not started. */
void tally_add_not_started(struct tally *tally, uint64_t waited_us);

void tally_merge(struct tally *into, const struct tally *from);
void tally_free(struct tally *tally);

static inline uint64_t tally_failed(const struct tally *tally)
{
    return tally->connections - word_counts_get(&tally->results, TALLY_OK);
}

/* What the report says beside the counts. */
struct tally_run {
    double started_at;  /* seconds of CLOCK_MONOTONIC, from which records count */
    double seconds;     /* from the first intended start to the last end */
    double cpu_seconds; /* of this process */
    bool timeline, distribution;
};

/* tally_report_text appends tables for people, tally_report_json one JSON object. */
void tally_report_text(const struct tally *tally, const struct tally_run *run, struct mg_buffer *out);
void tally_report_json(const struct tally *tally, const struct tally_run *run, struct mg_buffer *out);

#endif
