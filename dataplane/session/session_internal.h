/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a session thread:
 *
 *   session_thread.c  life, event loop, timers
 *   session.c         one session from takeover to end: its state machine
 *   session_tls.c     what the TLS objects ask: the server's chain, the client's certificate
 *   session_proof.c   proving the appliance to a server that asks for a client certificate
 *   session_leaf.c    getting the leaf: cache, waiting, minting
 *   relay.c           plaintext between the two halves
 *
 * All of it runs on the session thread itself, registered and online with RCU but for the wait in epoll.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_SESSION_INTERNAL_H
#define MINTGATE_DATAPLANE_SESSION_SESSION_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>

#include <openssl/ssl.h>
#include <rte_cycles.h>
#include <rte_ring.h>

#include "base/clock.h"
#include "cache/rcu.h"
#include "dataplane/flow/wheel.h"
#include "dataplane/session/issuers.h"
#include "dataplane/session/mailbox.h"
#include "dataplane/session/session_record.h"
#include "dataplane/session/session_thread.h"
#include "dataplane/session/stage_cpu.h"
#include "dataplane/tls/chain_memory.h"
#include "dataplane/tls/server_trust.h"
#include "dataplane/tls/socket_bio.h"
#include "dataplane/tls/tls_settings.h"
#include "dataplane/worker/doorbell.h"
#include "dataplane/worker/takeover.h"
#include "minting/leaf.h"

/* Plaintext moved in one go: one record. */
#define RELAY_CHUNK 16384
/* Bytes moved for a session before the others get their turn. */
#define RELAY_BUDGET (512 * 1024)
/* A ClientHello read by the session itself (forced adoption), with its records' headers. */
#define SESSION_HELLO_MAX (72 * 1024)

enum session_state {
    SESSION_FREE,
    SESSION_HELLO,    /* adopted before the ClientHello was complete: read it from the client's socket */
    SESSION_UPSTREAM, /* TLS handshake with the server */
    SESSION_LEAF,     /* the leaf is being minted */
    SESSION_CLIENT,   /* TLS handshake with the client */
    SESSION_RELAY,    /* plaintext, or, for a flow that is not inspected, bytes as they are */
    SESSION_FAILING,  /* an alert was sent; waiting for the client to take it and to end */
    SESSION_ENDED,    /* freed after this turn of the loop */
};

/* Why a server that asks for a client certificate is not proved anything. */
enum proof_fault {
    PROOF_FAULT_NONE,           /* it is */
    PROOF_FAULT_NOT_CONFIGURED, /* the rule names no key store */
    PROOF_FAULT_BAD_UPSTREAM,   /* the server did not prove itself */
    PROOF_FAULT_NO_STORE,       /* the control plane has not sent the store, or has none of that name */
    PROOF_FAULT_NONE_SUITS,     /* it holds nothing that is valid and that the server accepts */
    PROOF_FAULT_NOT_SIGNED,     /* the signer refused, or too many are under way, or the handshake is too long */
    PROOF_FAULT_TIMED_OUT,      /* no answer, or no signer, in time */
};

/* Bytes on their way from one half to the other, when that one does not take them. */
struct relay_rest {
    uint8_t *bytes; /* RELAY_CHUNK; NULL: none */
    size_t start, end;
};

struct session_half {
    struct session *session; /* epoll's word is about a half */
    struct socket_bio bio;
    SSL *ssl;               /* NULL: bytes as they are */
    bool wants_write_event; /* EPOLLOUT is watched */
    bool read_closed;       /* its peer has ended what it sends, cleanly */
    bool write_closed;      /* we have ended what we send */
    bool fin_passed_on;     /* its TCP end was passed to the other half */
    struct relay_rest rest; /* to be written to it */
};

struct session {
    struct session_thread *thread;
    uint32_t index;
    uint32_t generation; /* of this place */
    enum session_state state;
    bool raw;    /* relayed uninspected */
    bool queued; /* in the thread's list of sessions with more to do */
    bool asked_client_certificate;
    enum proof_fault proof_fault;
    bool upstream_verified; /* or failed verification and let through for the untrust issuer */
    uint8_t leaf_attempts;
    uint64_t leaf_since_ns;       /* first attempt */
    struct leaf_mail *leaf_mail;  /* NULL, or it waits to be woken by this */
    struct wire_key_id proof_key; /* that of the certificate which the server is given */
    struct session_proof *proof;  /* NULL, or its signature is under way, or there and not taken yet */
    enum trust_verdict verdict;
    uint16_t worker;
    struct flow_handle flow;
    struct session_half half[2]; /* by enum side */
    struct adopt_flow adopt;
    struct hello_info hello;
    struct tls_settings *settings; /* one reference, until the handshakes are over */
    struct mimic *mimic;           /* one reference, likewise */
    struct leaf *leaf;             /* one reference, likewise */
    struct wheel_timer timer;
    uint64_t deadline_ns;
    uint64_t stage_start_ns;
    uint64_t last_byte_ns;
    struct session *next; /* in whichever list it is */
    struct session_record record;
};

/* A session waiting for a leaf: woken from any thread, possibly after it has left or its place has another session. */
struct leaf_mail {
    struct cache_waiter waiter;
    struct mail mail;
    struct session_thread *thread;
    uint32_t session;
};

struct session_thread {
    struct dataplane *dataplane;
    unsigned index;
    pthread_t thread;
    sem_t started; /* start_status and start_error are set */
    enum mg_status start_status;
    struct mg_error start_error;
    int epoll_fd;
    struct doorbell bell;
    struct mailbox mailbox;
    uint64_t now_ns;  /* read once per turn */
    int64_t now_wall; /* seconds */

    struct session *sessions;
    uint32_t num_places;
    struct session *free_sessions;
    struct session *ended; /* to be freed at the end of the turn */
    struct session *ready; /* with more to do */
    struct wheel wheel;
    struct socket_buffers buffers;
    uint8_t *chunk;       /* RELAY_CHUNK: plaintext in passing */
    uint8_t *hello_bytes; /* SESSION_HELLO_MAX */
    uint8_t *hello_scratch;

    struct mint_client *minter;
    size_t leaf_turn; /* spreads leaves over keys */
    struct session_log_channel *log;
    _Atomic uint32_t num_sessions; /* thread: wo */
    struct counters counters;
    struct stage_cpu cpu;
};

/* session_cpu_enter has the thread's CPU time counted for |stage| from now on, and returns the stage before. */
static inline enum cpu_stage session_cpu_enter(struct session_thread *thread, enum cpu_stage stage)
{
    return stage_cpu_enter(&thread->cpu, stage, rte_rdtsc());
}

/* ---- session.c ---- */

/* session_begin adopts the flow of |takeover| and answers the worker. */
void session_begin(struct session_thread *thread, struct takeover *takeover);
/* session_advance does whatever can be done now; called on every event of either half. */
void session_advance(struct session *session);
void session_timer(struct wheel_timer *timer, void *thread);
/* session_fail ends a session whose TLS cannot come about: an alert to the client, whatever stage it is in, and a
 * record with |reason|. */
void session_fail(struct session *session, enum counter counter, const char *reason, uint8_t alert);
/* session_fail_minting is session_fail for want of a leaf, with what policy says about later connections. */
void session_fail_minting(struct session *session);
/* session_fail_expired is session_fail where the issuer has expired since the flow was decided about: too late to let
 * it pass. Later flows go as control.on_issuer_expiry says. session_fail_revoked likewise, and ccadb.revoked_default.
 */
void session_fail_expired(struct session *session);
void session_fail_revoked(struct session *session);
/* session_client_closed ends a session whose client closed the connection before there was a leaf. */
void session_client_closed(struct session *session);
/* session_end closes both sockets and writes the record. |abort|: by reset. */
void session_end(struct session *session, bool abort);
/* session_free gives an ended session's place back. */
void session_free(struct session *session);
/* session_stage_done notes how long |stage| took. */
void session_stage_done(struct session *session, enum session_stage stage);
void session_policy_flow(const struct session *session, struct policy_flow *out);
/* session_leaf_ready goes on with the client's handshake. */
void session_leaf_ready(struct session *session, struct leaf *leaf);
/* session_half_open shortens the wait for the other end, now that one is finished. */
void session_half_open(struct session *session);
void session_watch_writes(struct session_half *half);
/* session_run_again has the session advanced once more in this turn or the next. */
void session_run_again(struct session *session);

/* ---- session_tls.c ---- */

extern const struct tls_callbacks session_tls_callbacks;
void session_note_tls(struct session_tls *out, const SSL *ssl);
/* session_note_protocol notes the application protocol that the client was given: one of the configured ones. */
void session_note_protocol(struct session *session);

/* ---- session_leaf.c ---- */

/* leaf_acquire gets the leaf for a verified upstream: calls session_leaf_ready or session_fail now or later. */
void leaf_acquire(struct session *session);
/* leaf_woken handles the mail of a leaf that was waited for. */
void leaf_woken(struct session_thread *thread, struct mail *mail);
/* leaf_not_for_me: the client has sent its FIN. If it was shutdown, not close, it still takes a leaf that comes at
 * once; but one is not made for it alone. */
void leaf_not_for_me(struct session *session);
/* leaf_leave: the session needs no leaf any more, if it waits for one. */
void leaf_leave(struct session *session);

/* ---- session_proof.c ---- */

/* proof_asked answers a server that asks for a client certificate: struct tls_callbacks. */
bool proof_asked(void *session, SSL *ssl);
/* proof_fault_reason returns the static word for the session's record. */
const char *proof_fault_reason(enum proof_fault fault);
/* The reason of a session whose server would not have the certificate that it was given. */
#define PROOF_REFUSED_REASON "client_certificate_refused"
/* proof_was_refused tells whether the server ended the connection because of the certificate that it was given; counts
 * it. Once for each session that its server ended by an alert. */
bool proof_was_refused(const struct session *session);
/* proof_leave: the session needs no signature any more. If it waits for one, or has not taken it, that is counted. */
void proof_leave(struct session *session);

/* ---- relay.c ---- */

/* relay_advance moves what can be moved in both directions, and ends the session when there is no more to come. */
void relay_advance(struct session *session);
void relay_free(struct session *session);

#endif
