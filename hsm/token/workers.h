/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that sign, each on a PKCS#11 session of its own, for all of the process's signing sockets (its lanes).
 *
 * The threads take turns in reading: one that finds less waiting than there are threads reads what the lanes have,
 * waiting if nothing is left to sign; the others sign. So a lone request is read, signed and answered by one thread,
 * without a hand-over, and under load the next batch is read before the last one is finished. Results are sent when a
 * thread has nothing more to sign, or has kept one for WORKERS_KEEP_NS.
 *
 * What cannot be gone on from ends the process, and the signer, which sees its sockets close, starts another one: a
 * packet that does not decode, a token that is lost (token_error.h), WORKERS_MAX_FAILURES failures in a row.
 */
#ifndef MINTGATE_HSM_TOKEN_WORKERS_H
#define MINTGATE_HSM_TOKEN_WORKERS_H

#include "hsm/token/keys.h"

#define WORKERS_KEEP_NS UINT64_C(1000000)
#define WORKERS_MAX_FAILURES 64

/* How the process ends; MG_EXIT_USAGE: wrong arguments. */
enum token_exit {
    TOKEN_EXIT_DONE = 0,    /* the signer closed its end */
    TOKEN_EXIT_CLOSED = 3,  /* the token did not open; READY said why */
    TOKEN_EXIT_LOST = 4,    /* the token is gone, or logged out */
    TOKEN_EXIT_FAILING = 5, /* it only returned errors */
    TOKEN_EXIT_BROKEN = 6,  /* the signer sent what is no packet, or the system failed */
};

struct workers;

struct workers_config {
    const struct token *token;
    struct token_keys *keys;
    const int *lanes; /* connected SEQPACKET sockets */
    size_t num_lanes;
    size_t num_sessions; /* as many threads; at least one */
};

/* workers_start opens the sessions and starts the threads; what |config| points to outlives the process. Sessions that
 * a token does not give any more are done without, if it gave one: *num_sessions says how many there are. */
enum wire_token_status workers_start(struct workers **out, const struct workers_config *config, size_t *num_sessions,
                                     struct token_error *error);

/* workers_health returns how many signatures were made and how many failed, so far. Any thread. */
struct wire_token_health workers_health(struct workers *workers);

/* token_end logs |why| and ends the process at once, whatever its threads are at: a module that is in trouble is not
 * asked to tidy up. */
_Noreturn void token_end(enum token_exit code, const char *why);

#endif
