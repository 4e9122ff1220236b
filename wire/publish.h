/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages between an engine and the control plane, over a SOCK_SEQPACKET Unix socket that the engine dials: how
 * issuers are published and the default is swapped (design.md section 5). One message per packet, encoded and decoded
 * face to face in publish.c. Integers are big-endian.
 *
 *   engine                                          control
 *     HELLO      the epoch that it serves      ──►
 *                                              ◄──  PREPARE    epoch and issuers; how long to mint ahead
 *     PROGRESS   leaves minted ahead, of how many ──►          any number of times
 *     PREPARED   ready, or why not             ──►
 *                                              ◄──  COMMIT     serve them from now on; or ABORT: forget them
 *     COMMITTED                                ──►             also for an epoch that is served already
 *
 * WANT, STORE and STORE_TAKEN bring what stores hold, beside all that: wire/publish_store.h. Their epoch is the store's
 * own, WANT's is 0. An engine of version 2 does not know them.
 *
 * An epoch is a state of the control plane's database, at least 1, and only grows. PREPARE while another is being
 * prepared replaces it. A packet that does not decode is fatal to the connection. Pure encode and decode, no I/O: any
 * thread.
 */
#ifndef MINTGATE_WIRE_PUBLISH_H
#define MINTGATE_WIRE_PUBLISH_H

#include "wire/publish_store.h"
#include "wire/signer.h"

#define WIRE_PUBLISH_VERSION 3
/* The oldest that control still speaks with. */
#define WIRE_PUBLISH_OLDEST_VERSION 2
#define WIRE_PUBLISH_VERSION_OF_STORES 3
#define WIRE_PUBLISH_MAX_PACKET WIRE_SIGNER_MAX_PACKET
#define WIRE_PUBLISH_MAX_ISSUERS 16
/* Of a name, a reason; UTF-8, not checked here. */
#define WIRE_PUBLISH_MAX_TEXT 255
#define WIRE_PUBLISH_MAX_URL 1024

enum wire_publish_type {
    WIRE_PUBLISH_HELLO = 1,
    WIRE_PUBLISH_PREPARE = 2,
    WIRE_PUBLISH_PROGRESS = 3,
    WIRE_PUBLISH_PREPARED = 4,
    WIRE_PUBLISH_COMMIT = 5,
    WIRE_PUBLISH_COMMITTED = 6,
    WIRE_PUBLISH_ABORT = 7,
    WIRE_PUBLISH_WANT = 8,
    WIRE_PUBLISH_STORE = 9,
    WIRE_PUBLISH_STORE_TAKEN = 10,
};

/* An issuer by the name that policy rules know it by. The first of a PREPARE is the default. One that has expired is
 * published all the same: an engine must know what not to sign with. */
struct wire_published_issuer {
    struct mg_slice name;      /* 1 to WIRE_PUBLISH_MAX_TEXT bytes; borrowed */
    uint8_t successor;         /* who signs in its place once it has expired: a place in the list, from 1; 0: nobody */
    bool is_reserve;           /* there only to succeed another: rules cannot name it, and it is not the first */
    bool is_revoked;           /* it signs nothing: there only so that an engine knows it as what must not be used */
    struct mg_slice crl_url;   /* of the list of what it revokes, for its leaves; up to WIRE_PUBLISH_MAX_URL bytes;
                                  empty: what the engine's configuration says */
    struct wire_issuer issuer; /* role WIRE_ISSUER_DEFAULT */
};

/* struct wire_publish is any of the messages; what is not of its type is not looked at, and 0 after decoding. */
struct wire_publish {
    enum wire_publish_type type;
    uint64_t epoch;
    uint16_t version;    /* HELLO */
    uint32_t premint_ms; /* PREPARE: the longest time for minting ahead; 0: none */
    struct wire_published_issuer issuers[WIRE_PUBLISH_MAX_ISSUERS]; /* PREPARE */
    size_t num_issuers;                                             /* at least 1 */
    uint32_t num_done, num_all;                                     /* PROGRESS */
    bool ready;                                                     /* PREPARED */
    struct mg_slice reason;                                         /* PREPARED, not ready: for people; borrowed */
    union {
        struct wire_store_wants wants; /* WANT */
        struct wire_store_part part;   /* STORE */
        struct wire_store_taken taken; /* STORE_TAKEN */
    } store;
};

/* wire_publish_encode appends the packet of |message| to |out|, which the caller has initialised with
 * WIRE_PUBLISH_MAX_PACKET as its limit and cleared; check mg_buffer_ok. */
void wire_publish_encode(struct mg_buffer *out, const struct wire_publish *message);

/* wire_publish_decode checks every size, range and count, and that nothing is left over. What it returns borrows from
 * |packet|. MG_INVALID, with a text that says what was wrong. */
MG_MUST_USE enum mg_status wire_publish_decode(struct wire_publish *out, struct mg_slice packet,
                                               struct mg_error *error);

#endif
