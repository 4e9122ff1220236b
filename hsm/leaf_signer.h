/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request through the signer, without its sockets and queues: admitted (parsed, judged, hashed), then,
 * in a batch of one issuer, recorded in the journal and signed. One struct leaf_signer per signing thread; nothing
 * here is shared but the journal and the keys.
 */
#ifndef MINTGATE_HSM_LEAF_SIGNER_H
#define MINTGATE_HSM_LEAF_SIGNER_H

#include "hsm/issuer.h"
#include "hsm/journal.h"

struct leaf_signer;

/* struct leaf_request is one certificate on its way. Owned by the caller; not moved from admission until done. */
struct leaf_request {
    struct backend_job job; /* signature and signature_len are the result; 0: it could not be signed */
    const struct issuer *issuer;
    struct journal_record record; /* borrows from the TBSCertificate that was admitted */

    /* The caller's own. */
    uint64_t id;
    uint64_t received_ns, deadline_ns; /* monotonic; deadline 0: none */
    struct connection *connection;
    struct packet *packet;
    struct leaf_request *next;
};

#define LEAF_SIGNER_MAX_BACKENDS 2

struct leaf_signer_config {
    const struct backend *backends[LEAF_SIGNER_MAX_BACKENDS]; /* of all keys that there may be */
    size_t num_backends;
    struct journal *journal;
    int64_t max_validity_seconds;
};

/* leaf_signer_new makes one for the calling thread; what |config| points to outlives it. */
MG_MUST_USE enum mg_status leaf_signer_new(struct leaf_signer **out, const struct leaf_signer_config *config,
                                           struct mg_error *error);
void leaf_signer_free(struct leaf_signer *signer);

/* leaf_signer_admit judges |tbs| for |issuer| at |now| (seconds since 1970) and prepares |request|, all but |job.done|.
 * |tbs| must stay until the request is done. Any status but WIRE_SIGN_OK is the answer, and |error| says why. */
enum wire_sign_status leaf_signer_admit(struct leaf_signer *signer, const struct issuer *issuer, struct mg_slice tbs,
                                        int64_t now, struct leaf_request *request, struct mg_error *error);

/* leaf_signer_sign records and signs 1 to BACKEND_MAX_BATCH admitted requests of one issuer. job.done is called for
 * each exactly once, as struct backend_ops says. If the journal cannot be written, |error| says so, nothing is signed,
 * every request is done with no signature, and the result is MG_IO. */
MG_MUST_USE enum mg_status leaf_signer_sign(struct leaf_signer *signer, struct leaf_request *const *requests,
                                            size_t num_requests, int64_t now_us, struct mg_error *error);

/* leaf_signer_has_room tells whether requests of |issuer| are better signed now than kept waiting (struct backend_ops).
 */
bool leaf_signer_has_room(struct leaf_signer *signer, const struct issuer *issuer);

/* leaf_signer_poll_fd returns the descriptor of the backend at |index|, below LEAF_SIGNER_MAX_BACKENDS, at which
 * leaf_signer_ready is to be called when it is readable; -1: none. */
int leaf_signer_poll_fd(const struct leaf_signer *signer, size_t index);
void leaf_signer_ready(struct leaf_signer *signer, size_t index);

/* leaf_signer_forget drops what is kept for signing with |issuer|, with which nothing is under way and nothing will be
 * signed any more: before |issuer| is freed. */
void leaf_signer_forget(struct leaf_signer *signer, const struct issuer *issuer);

#endif
