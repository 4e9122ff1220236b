/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the load generator: TCP connect, TLS handshake with verification (RFC 5280 for the chain, RFC 9525
 * for the name), perhaps one GET, and a close that is clean on both sides. One thread.
 */
#ifndef MINTGATE_BENCH_LOAD_CONN_H
#define MINTGATE_BENCH_LOAD_CONN_H

#include <openssl/base.h>

#include "bench/load_options.h"
#include "bench/load_sessions.h"
#include "bench/load_tls.h"
#include "bench/loop.h"
#include "bench/tally.h"

#define LOAD_SCRATCH_SIZE (16 * 1024)
#define LOAD_MAX_HEAD 4096

struct load_conn;

/* What the connections of one thread share. */
struct load_shared {
    const struct load_options *options;
    struct loop *loop;
    struct tally *tally; /* connections add issuers, parameters and leaves; |finished| the rest */
    SSL_CTX *ctx;
    struct load_sessions sessions; /* of the names that come again; none unless options->resume */
    uint8_t *scratch;              /* LOAD_SCRATCH_SIZE bytes that nobody keeps between calls */
    /* Called once for each connection, whose memory is valid until it returns. |seen| in |conn| is set if a handshake
     * was completed. */
    void (*finished)(struct load_conn *conn, const struct tally_record *record);
};

enum load_stage { LOAD_CONNECT, LOAD_HANDSHAKE, LOAD_REQUEST, LOAD_RESPONSE, LOAD_CLOSE };

/* The owner of |shared| reads the first group, and uses the links as it likes. */
struct load_conn {
    struct load_shared *shared;
    struct load_conn *previous, *next;
    uint64_t index;      /* of the connection in the run */
    uint64_t name_index; /* of its server's name */
    uint64_t intended_ns, started_ns;
    struct load_tls_seen seen;

    struct loop_source source;
    struct loop_retired retired;
    enum load_stage stage;
    SSL *ssl;
    bool offered; /* a session */
    uint64_t connected_ns, handshaken_ns, answered_ns;
    bool head_complete;
    uint64_t body_left; /* once |head_complete| */
    uint64_t body_bytes;
    char problem[40]; /* with the answer, where that is not a fixed text */
    size_t head_len;
    uint8_t head[LOAD_MAX_HEAD];
};

/* load_conn_new makes a connection that should start at |intended_ns|; NULL if memory is short. */
struct load_conn *load_conn_new(struct load_shared *shared, uint64_t index, uint64_t name_index, uint64_t intended_ns);

/* load_conn_start starts it; |finished| may be called before this returns. */
void load_conn_start(struct load_conn *conn);

/* load_conn_expire ends it as timed out. */
void load_conn_expire(struct load_conn *conn);

/* load_conn_keep_session keeps |session| for the next connection to the same name; for SSL_CTX_sess_set_new_cb. */
int load_conn_keep_session(SSL *ssl, SSL_SESSION *session);

#endif
