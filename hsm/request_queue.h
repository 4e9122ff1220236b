/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait to be signed: a bounded pool, and in it one line per issuer. Issuers take turns, so that a slow
 * key never keeps the requests of a fast one waiting for longer than one turn. One thread.
 */
#ifndef MINTGATE_HSM_REQUEST_QUEUE_H
#define MINTGATE_HSM_REQUEST_QUEUE_H

#include "hsm/leaf_signer.h"

struct request_queue;

/* request_queue_new makes a queue of |capacity| requests, all memory at once (touched as it is used). */
MG_MUST_USE enum mg_status request_queue_new(struct request_queue **out, size_t capacity, struct mg_error *error);
void request_queue_free(struct request_queue *queue);

/* request_queue_get takes a request from the pool, NULL when it is empty; request_queue_release gives it back. */
struct leaf_request *request_queue_get(struct request_queue *queue);
void request_queue_release(struct request_queue *queue, struct leaf_request *request);

/* request_queue_put appends |request|, taken from the pool, to the line of its issuer. */
void request_queue_put(struct request_queue *queue, struct leaf_request *request);

/* request_queue_take takes the next issuer's turn: its oldest requests, at most as many as its key type's turn, into
 * |out|, which has room for BACKEND_MAX_BATCH. Returns how many: 0 when nothing waits. */
size_t request_queue_take(struct request_queue *queue, struct leaf_request **out);

/* request_queue_take_ready does so among the issuers that |is_ready| says can be worked on now; the others keep their
 * places. */
size_t request_queue_take_ready(struct request_queue *queue, struct leaf_request **out,
                                bool (*is_ready)(void *arg, const struct issuer *issuer), void *arg);

/* request_queue_remove_if takes the waiting requests for which |match| returns true out of their lines and gives each
 * to |removed|, which releases it. It walks all that wait. Returns how many. */
size_t request_queue_remove_if(struct request_queue *queue,
                               bool (*match)(void *arg, const struct leaf_request *request),
                               void (*removed)(void *arg, struct leaf_request *request), void *arg);

/* request_queue_share_is_used tells whether the line of |issuer| is so long that only a quarter of the pool is left to
 * all others: a key that does not get on must not keep the others' requests out. */
bool request_queue_share_is_used(const struct request_queue *queue, const struct issuer *issuer);

/* request_queue_waiting returns how many are in the lines. */
size_t request_queue_waiting(const struct request_queue *queue);
/* request_queue_in_use returns how many are out of the pool: waiting, or taken and not yet released. */
size_t request_queue_in_use(const struct request_queue *queue);

#endif
