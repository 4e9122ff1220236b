/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of engines.h share: engines.c (the thread, and publishing), engines_stores.c (what engines are fed of
 * stores) and engines_status.c (what can be seen from outside). */
#ifndef MINTGATE_CONTROL_PUBLISH_ENGINES_INTERNAL_H
#define MINTGATE_CONTROL_PUBLISH_ENGINES_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/histogram.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "control/publish/engines.h"
#include "control/publish/store_feed.h"
#include "wire/publish.h"

/* What an engine is doing. */
enum engine_state {
    ENGINE_FREE,
    ENGINE_GREETING,   /* has dialled, and not said hello yet */
    ENGINE_SERVING,    /* what its epoch says */
    ENGINE_PREPARING,  /* was told to */
    ENGINE_READY,      /* has prepared, and waits for the word */
    ENGINE_COMMITTING, /* was given the word */
};

struct engine {
    enum engine_state state;
    int fd;
    pid_t pid;
    uint64_t epoch;     /* that it serves */
    uint64_t preparing; /* that it was told to prepare */
    uint32_t num_done, num_all;
    char trouble[256];
    uint64_t serial;         /* of the connection: no other ever has it */
    uint16_t version;        /* that it speaks */
    struct store_feed *feed; /* owned; NULL: it has not said what it wants */
};

/* How publications ended. */
enum publication_end {
    PUBLICATION_COMMITTED,
    PUBLICATION_UNCONFIRMED,
    PUBLICATION_REFUSED,
    PUBLICATION_BUSY,
    PUBLICATION_FAILED,
    NUM_PUBLICATION_ENDS
};

struct engines {
    char *socket_path;
    int listen_fd;
    int stop_fd;
    int wake_fd; /* an eventfd: stores have changed */
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct engine engines[ENGINES_MAX];
    struct mg_buffer present; /* the PREPARE of what the database holds, without minting ahead; empty: none yet */
    uint64_t present_epoch;
    const struct mg_buffer *next; /* the PREPARE that is under way, or NULL */
    uint64_t next_epoch;
    uint8_t *in;
    uint64_t last_serial;
    struct store_source source; /* its functions are NULL before engines_set_stores */
    struct mg_counter ends[NUM_PUBLICATION_ENDS];
    struct mg_histogram durations; /* of those that did not end in PUBLICATION_BUSY */
};

/* engines_send_packet sends |packet|, or hangs up: then |engine| is free, and false is returned. The lock is held. */
bool engines_send_packet(struct engines *engines, struct engine *engine, struct mg_slice packet);

/* ---- stores ---- */

/* engines_handle_of_stores takes a WANT or a STORE_TAKEN; false for what an engine must not say now. The lock is held.
 */
bool engines_handle_of_stores(struct engines *engines, struct engine *engine, const struct wire_publish *message);

/* engines_feed_all offers each engine the first store that is not what it was offered last. The engines' thread,
 * without the lock. */
void engines_feed_all(struct engines *engines);

/* engines_are_feeding tells whether any engine wants a store. The lock is held. */
bool engines_are_feeding(const struct engines *engines);

/* engines_forget_feed frees what is known of what |engine| wants. The lock is held. */
void engines_forget_feed(struct engine *engine);

/* ---- status ---- */

/* engines_note counts a publication that began at |began_ns| (base/clock.h) and ended with |status|. The lock is held.
 */
void engines_note(struct engines *engines, enum mg_status status, uint64_t began_ns);

#endif
