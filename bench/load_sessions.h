/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions that a client keeps for names that come again: two of each, as browsers do, since servers send two
 * tickets of TLS 1.3 and each is used once (RFC 8446 appendix C.4). With their chains they take some 12 KB a name, once
 * it was asked for. One thread. */
#ifndef MINTGATE_BENCH_LOAD_SESSIONS_H
#define MINTGATE_BENCH_LOAD_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/base.h>

#include "base/status.h"

#define LOAD_SESSIONS_EACH 2

/* Zero state: no names, so nothing is kept. */
struct load_sessions {
    SSL_SESSION *(*of_name)[LOAD_SESSIONS_EACH]; /* owned, the newest first */
    uint64_t num_names;
};

/* load_sessions_init makes room for the names 0 to |num_names| - 1. False if memory is short. */
MG_MUST_USE bool load_sessions_init(struct load_sessions *sessions, uint64_t num_names);
void load_sessions_free(struct load_sessions *sessions);

/* load_sessions_take returns the newest session with |name|, a reference that the caller frees, or NULL. One that may
 * be used once is kept no longer. */
SSL_SESSION *load_sessions_take(struct load_sessions *sessions, uint64_t name);

/* load_sessions_keep takes the caller's reference to |session|, in place of the oldest one with |name|. False, and the
 * reference is the caller's still: nothing is kept of that name. */
bool load_sessions_keep(struct load_sessions *sessions, uint64_t name, SSL_SESSION *session);

#endif
