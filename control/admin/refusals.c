/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/refusals.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/audit.h"

#define REFILL_NS (REFUSALS_SECONDS * MG_NS_PER_SECOND)

struct refusals {
    struct store *store;
    pthread_mutex_t lock; /* of what follows */
    unsigned num_left;    /* that may be written now */
    uint64_t refilled_ns; /* up to when |num_left| has grown with time; 0: not begun */
    uint64_t num_left_out;
};

enum mg_status refusals_new(struct refusals **out, struct store *store, struct mg_error *error)
{
    struct refusals *refusals = calloc(1, sizeof(*refusals));
    if (refusals == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for refused attempts");
    }
    refusals->store = store;
    refusals->num_left = REFUSALS_BURST;
    pthread_mutex_init(&refusals->lock, NULL);
    *out = refusals;
    return MG_OK;
}

void refusals_free(struct refusals *refusals)
{
    if (refusals != NULL) {
        pthread_mutex_destroy(&refusals->lock);
        free(refusals);
    }
}

static void refill(struct refusals *refusals, uint64_t now_ns)
{
    if (refusals->refilled_ns == 0) {
        refusals->refilled_ns = now_ns;
    }
    if (now_ns <= refusals->refilled_ns) {
        return; /* of two threads one may come with a time a little before the other's */
    }
    uint64_t num = (now_ns - refusals->refilled_ns) / REFILL_NS;
    refusals->refilled_ns += num * REFILL_NS;
    refusals->num_left =
        num >= REFUSALS_BURST - refusals->num_left ? REFUSALS_BURST : refusals->num_left + (unsigned)num;
}

/* take tells whether one may be written, and how many were left out since the last. */
static bool take(struct refusals *refusals, uint64_t now_ns, uint64_t *num_left_out)
{
    pthread_mutex_lock(&refusals->lock);
    refill(refusals, now_ns);
    bool allowed = refusals->num_left > 0;
    refusals->num_left -= allowed;
    *num_left_out = refusals->num_left_out;
    refusals->num_left_out = allowed ? 0 : refusals->num_left_out + 1;
    pthread_mutex_unlock(&refusals->lock);
    return allowed;
}

/* printable copies |text|, in which only ASCII that can be read stays as it is: a path is the sender's choice. */
static void printable(char out[REFUSALS_MAX_OBJECT + 1], const char *text)
{
    size_t len = 0;
    for (; text[len] != '\0' && len < REFUSALS_MAX_OBJECT; len++) {
        out[len] = '?';
        if (text[len] > ' ' && text[len] < 0x7f) {
            out[len] = text[len];
        }
    }
    out[len] = '\0';
}

static enum mg_status write_entry(struct store *store, const struct audit_entry *entry, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, audit_append(tx, entry, error), error) : status;
}

void refusals_record(struct refusals *refusals, const struct refusal *refusal)
{
    char object[REFUSALS_MAX_OBJECT + 1], detail[64];
    uint64_t num_left_out;
    struct mg_error error;
    if (!take(refusals, refusal->monotonic_ns, &num_left_out)) {
        return;
    }
    printable(object, refusal->object);
    snprintf(detail, sizeof(detail), "{\"leftOut\":%" PRIu64 "}", num_left_out);
    const struct audit_entry entry = {
        .time_us = refusal->wall_us,
        .actor = refusal->actor,
        .operation = refusal->operation,
        .object = object,
        .outcome = AUDIT_REFUSED,
        .detail = num_left_out == 0 ? "{}" : detail,
    };
    if (write_entry(refusals->store, &entry, &error) != MG_OK) {
        mg_log_error("a refused attempt is not in the audit record: %s", error.text);
    }
}
