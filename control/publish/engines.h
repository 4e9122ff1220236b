/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's end of publishing (wire/publish.h, design.md section 5): engines dial in, and are told of issuers
 * in two phases. Between the two the caller writes the database, whose epoch is the only truth:
 *
 *     everybody prepares ──► the caller commits its transaction ──► everybody commits
 *          │ one cannot                    │ it fails
 *          └──► ABORT to all ◄─────────────┘
 *
 * An engine that comes with another epoch than the present one, because it was away or the control plane was, is
 * brought up to it at once. Any thread may call, but for engines_new and engines_free.
 *
 * Beside that engines are told what the stores hold that they want (wire/publish_store.h): when they say so, and
 * whenever the store's epoch is another one.
 */
#ifndef MINTGATE_CONTROL_PUBLISH_ENGINES_H
#define MINTGATE_CONTROL_PUBLISH_ENGINES_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/status.h"
#include "control/publish/store_parts.h"
#include "wire/publish.h"

#define ENGINES_MAX 64
/* What an engine has, beyond the time for minting ahead, to prepare, and to commit. */
#define ENGINES_ANSWER_MS 10000

struct engines;

/* engines_new listens at |socket_path| (mode 0600; root and the own user are let in) and starts its thread. Nothing is
 * present yet: engines that dial in wait for engines_set_present. Main thread, before others. */
MG_MUST_USE enum mg_status engines_new(struct engines **out, const char *socket_path, struct mg_error *error);
/* engines_free hangs up on all engines, which go on serving what they have. No publication is under way. */
void engines_free(struct engines *engines);

/* engines_set_present says what the database holds, |present| being a PREPARE; copied. At start. */
MG_MUST_USE enum mg_status engines_set_present(struct engines *engines, const struct wire_publish *present,
                                               struct mg_error *error);

/* engines_set_stores says where stores come from; copied. Before that engines wait for theirs. */
void engines_set_stores(struct engines *engines, const struct store_source *source);

/* engines_stores_changed has the stores looked at now, not within a second. */
void engines_stores_changed(struct engines *engines);

struct engines_publication {
    const struct wire_publish *message; /* a PREPARE: its epoch is the next one, its premint_ms is kept to */
    bool force;                         /* go on although an engine cannot prepare: it keeps what it has */
    /* commit is called once everybody is ready, and makes the epoch the truth. On failure nothing has changed. */
    enum mg_status (*commit)(void *arg, struct mg_error *error);
    void *arg;
};

/*
 * engines_publish publishes, and returns when every engine serves it. One publication at a time.
 *
 * MG_EXISTS: another one is under way. MG_DENIED: an engine cannot prepare, |error| says which and why; nothing has
 * changed. MG_AGAIN: it is committed, but an engine that was ready did not confirm in time; it was hung up on, and is
 * brought up to it when it dials again. Or what |commit| returned; nothing has changed then.
 */
MG_MUST_USE enum mg_status engines_publish(struct engines *engines, const struct engines_publication *publication,
                                           struct mg_error *error);

/* How many engines are connected, and how many of them do not serve the present epoch. */
struct engines_count {
    uint32_t num_connected, num_behind;
};
void engines_count(struct engines *engines, struct engines_count *out);

/* engines_metrics appends the engines, and the publications by how they ended and how long they took. */
void engines_metrics(struct engines *engines, struct mg_buffer *out);

/* What minting ahead has come to, of all engines together; 0 of 0 while nothing is under way. */
struct engines_progress {
    bool under_way;
    uint64_t epoch;
    uint32_t num_done, num_all;
};
void engines_progress(struct engines *engines, struct engines_progress *out);

/* struct engine_status is one engine that is connected. */
struct engine_status {
    pid_t pid;
    uint64_t epoch;    /* that it serves */
    char trouble[256]; /* why it does not serve the present one; "": it does, or will in a moment */
};

/* engines_list copies the status of at most |max| engines and returns how many are connected. */
size_t engines_list(struct engines *engines, struct engine_status *out, size_t max);

/* engines_serve_present tells whether engines are connected and all of them serve what is present. */
bool engines_serve_present(struct engines *engines);

#endif
