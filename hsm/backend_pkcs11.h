/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend whose keys are on PKCS#11 tokens. It makes no signature itself: a session sends digests to the processes
 * of the tokens, each over a socket of its own (its link), and reads results as they come. Work that a token's process
 * dies with, and work that the token could not do, goes once to the token's partner, if that is up and the key has one;
 * else it fails, or is answered "try again" while the token is expected back at once (token_state.h).
 *
 * RSA signatures are verified with the public key before they leave.
 *
 * Who starts the processes and says how they are is the supervisor (token_supervisor.h), through the second half of
 * this interface.
 */
#ifndef MINTGATE_HSM_BACKEND_PKCS11_H
#define MINTGATE_HSM_BACKEND_PKCS11_H

#include "base/histogram.h"
#include "hsm/backend.h"
#include "hsm/token_config.h"
#include "hsm/token_state.h"

/* How much of one session's work a token has at one time: two turns, so that the next one is there when it is done with
 * the last, and never more than this. What is beyond waits in the queue, where turns and deadlines are kept. */
#define BACKEND_PKCS11_WINDOW (2 * BACKEND_MAX_BATCH)

/* What one session counts of one token. Session's thread: rw, metrics: ro. */
struct token_counters {
    struct mg_counter results[WIRE_TOKEN_NUM_STATUSES]; /* as the token's process gave them */
    struct mg_counter wrong_signatures;                 /* RSA signatures that did not verify */
    struct mg_counter unknown_results;                  /* of no work that is under way */
    struct mg_counter moved;                            /* to the partner */
    struct mg_counter lost;                             /* under way when the process died */
    struct mg_counter turned_away;                      /* while it was not up */
    struct mg_histogram latency;                        /* nanoseconds from sending to result */
};

extern const struct mg_histogram_shape token_latency_shape;

/* backend_pkcs11_new makes the backend of |tokens| (borrowed). Free it after its keys and sessions. */
MG_MUST_USE enum mg_status backend_pkcs11_new(struct backend **out, const struct token_config *tokens,
                                              size_t num_tokens, struct mg_error *error);
void backend_pkcs11_free(struct backend *backend);

/* backend_pkcs11_find_token tells the place of the token that is called |name|. Any thread. */
MG_MUST_USE bool backend_pkcs11_find_token(const struct backend *backend, const char *name, size_t *place);

/* backend_pkcs11_add_key makes the key with |id| on the token at |place|, whose public key is |pkey| (shared: a
 * reference is taken). The token is not asked. */
MG_MUST_USE enum mg_status backend_pkcs11_add_key(const struct backend *backend, size_t place,
                                                  const struct wire_key_id *id, EVP_PKEY *pkey,
                                                  struct backend_key **out, struct mg_error *error);

/* backend_pkcs11_key_ref writes what tokens call the key with |id| and |pkey|. */
MG_MUST_USE enum mg_status backend_pkcs11_key_ref(const struct wire_key_id *id, EVP_PKEY *pkey,
                                                  struct wire_token_key_ref *out, struct mg_error *error);

/* The supervisor's half. One thread, besides the sessions'. */

/* backend_pkcs11_num_sessions returns how many sessions there are: each needs a signing socket of every token. */
size_t backend_pkcs11_num_sessions(const struct backend *backend);

/* backend_pkcs11_set_mode tells every session how the token at |place| is. With TOKEN_MODE_UP come the sockets, one for
 * each session, which take them over; NULL otherwise. */
void backend_pkcs11_set_mode(const struct backend *backend, size_t place, enum token_mode mode, const int *lanes,
                             size_t num_sessions, unsigned num_threads);

/* backend_pkcs11_oldest_ns returns when the oldest work that the token at |place| has not answered was sent to it
 * (monotonic); 0: there is none. */
uint64_t backend_pkcs11_oldest_ns(const struct backend *backend, size_t place);

/* backend_pkcs11_counters returns what the session at |index| counts of the token at |place|. Any thread, while there
 * are sessions. */
const struct token_counters *backend_pkcs11_counters(const struct backend *backend, size_t index, size_t place);

#endif
