/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP flow as the dataplane sees it, and the table of a worker's flows. A flow belongs to one worker, which alone
 * reads and writes it; other threads know it by its handle.
 */
#ifndef MINTGATE_DATAPLANE_FLOW_FLOW_H
#define MINTGATE_DATAPLANE_FLOW_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/siphash.h"
#include "base/status.h"
#include "dataplane/flow/wheel.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/tcp_options.h"

struct rte_mbuf;
struct hello_slot;

/* The endpoints are named by the port that they are behind, not by who opened the connection. IPv4 addresses stand in
 * the first four bytes, the rest zero. */
struct flow_key {
    uint8_t client[16];
    uint8_t server[16];
    uint16_t client_port;
    uint16_t server_port;
    uint16_t vlan[2];
    uint8_t is_ipv6;
    uint8_t zero[7]; /* 48 bytes in all: rte_hash compares such keys fast */
};
_Static_assert(sizeof(struct flow_key) == 48, "no padding in keys");

/* In both VLAN ids: the key under which packets that come out of the stack, which have no tags, find their flow. */
#define FLOW_VLAN_STACK 0xfffe

enum flow_state {
    FLOW_SYN,      /* the client's SYN was seen */
    FLOW_OPEN,     /* the server answered; no byte from the client yet */
    FLOW_HOLDING,  /* the client's first bytes are held until the ClientHello is complete */
    FLOW_ADOPTING, /* handed to a session thread; whatever comes is held */
    FLOW_ADOPTED,  /* what comes goes to the stack */
    FLOW_BYPASSED, /* forwarded, never looked at again */
    FLOW_BLOCKED,  /* answered with resets */
};

/* One endpoint of a flow. Sequence numbers are of what it sends. */
struct flow_end {
    struct tcp_options syn_options; /* of its SYN or SYN-ACK */
    uint32_t isn;
    uint32_t next_seq;  /* one past the last byte, SYN or FIN seen from it */
    uint32_t last_ack;  /* the highest acknowledgement it sent */
    uint32_t timestamp; /* its last TSval */
    uint32_t window;    /* its last, in bytes */
    bool seen;          /* its SYN was seen */
    bool fin_sent;      /* it sent a FIN, the last byte before next_seq */
    bool reset;         /* it sent a RST */
    uint8_t l2_len;
    uint8_t l2[PACKET_MAX_L2]; /* layer 2 of the last frame it sent: what frames of ours to the other end carry */
};

/* A half of an adopted flow: one endpoint against its socket. */
struct flow_half {
    uint32_t fin_seq;    /* of the socket's FIN */
    bool fin_sent;       /* the socket sent its FIN */
    bool fin_acked;      /* and the endpoint acknowledged it */
    bool peer_fin_acked; /* the socket acknowledged the endpoint's FIN */
    bool dead;           /* a RST passed either way */
};

struct flow {
    /* What every packet needs stands in one line of the processor's cache. */
    struct flow_key key MG_CACHE_ALIGNED;
    uint64_t last_packet_ns;
    enum flow_state state;
    uint32_t generation; /* of this place in the table: counts up when it is taken (odd) and given free (even) */
    uint64_t hash;
    bool stack_key;     /* also in the table under its key for the stack */
    bool first_data;    /* the client has sent a byte that counts as the beginning of TLS */
    bool retransmitted; /* a held segment came again: decide in the session */
    bool finished;      /* the session has let go of both sockets */
    bool ended;         /* and both halves are closed */
    uint8_t session_thread;
    struct flow_end end[2];      /* by enum side */
    struct flow_half half[2];    /* by enum side; ADOPTED */
    struct hello_slot *hello;    /* HOLDING, where more than one segment is needed */
    uint32_t hello_needed;       /* bytes; below that the ClientHello cannot be complete */
    struct rte_mbuf *held_first; /* HOLDING, ADOPTING: in order of arrival */
    struct rte_mbuf *held_last;
    uint32_t num_held;
    uint64_t opened_ns;
    struct wheel_timer timer;
};

/* struct flow_handle names a flow in messages: the place may have been given to another since. */
struct flow_handle {
    uint32_t index;
    uint32_t generation;
};

struct flow_table;

/* flow_table_new allocates everything for |capacity| flows, at least one, each with both its keys; EAL is up. |name| is
 * unique in the process. */
MG_MUST_USE enum mg_status flow_table_new(struct flow_table **out, const char *name, uint32_t capacity);
void flow_table_free(struct flow_table *table);

/* flow_hash is the keyed hash of a key without its VLAN ids, equal for both directions; it also chooses the worker. */
uint64_t flow_hash(const struct mg_siphash_key *siphash, const struct flow_key *key);

/* flow_key_of makes the key of a packet that came in on |side|. */
void flow_key_of(struct flow_key *out, const struct packet *packet, enum side side);

struct flow *flow_find(struct flow_table *table, const struct flow_key *key, uint64_t hash);

#define FLOW_MAX_FIND 32

/* struct flow_lookup asks for one flow. */
struct flow_lookup {
    struct flow_key key;
    uint64_t hash;
    struct flow *flow; /* the answer; NULL: there is none */
};

/* flow_find_many answers |num| lookups, up to FLOW_MAX_FIND, while the memory of all is being fetched at the same time:
 * in a large table a lookup waits for memory for most of its time. */
void flow_find_many(struct flow_table *table, struct flow_lookup *const *lookups, unsigned num);

/* flow_changes counts flows added and removed, after which an answer may be another one. */
uint64_t flow_changes(const struct flow_table *table);

/* flow_add makes a flow for |key|, which is not in the table, in its zero state but for key, hash and generation. NULL:
 * the table is full. */
struct flow *flow_add(struct flow_table *table, const struct flow_key *key, uint64_t hash);

/* flow_add_stack_key also enters |flow| under FLOW_VLAN_STACK. False: another flow with the same addresses and ports,
 * in another VLAN, has it already. */
MG_MUST_USE bool flow_add_stack_key(struct flow_table *table, struct flow *flow);

/* flow_remove takes |flow| out and gives its place free. Its timer is stopped, its mbufs are gone. */
void flow_remove(struct flow_table *table, struct flow *flow);

struct flow_handle flow_handle_of(const struct flow_table *table, const struct flow *flow);
/* flow_by_handle returns NULL where the flow is gone. */
struct flow *flow_by_handle(struct flow_table *table, struct flow_handle handle);

uint32_t flow_count(const struct flow_table *table);

/* Sequence number arithmetic, RFC 9293 section 3.4. */
static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

#endif
