/* SPDX-License-Identifier: Apache-2.0 */
/* What goes between a worker and a session thread about a flow that is taken over. */
#ifndef MINTGATE_DATAPLANE_WORKER_TAKEOVER_H
#define MINTGATE_DATAPLANE_WORKER_TAKEOVER_H

#include "dataplane/flow/flow.h"
#include "dataplane/policy/hello_info.h"
#include "dataplane/session/session_record.h"
#include "dataplane/takeover/adopt.h"

/* Why a flow is taken over. Forced: the ClientHello is not known yet; the session reads it from the client's socket and
 * decides. */
enum takeover_cause {
    TAKEOVER_DECIDED,
    TAKEOVER_SENT_AGAIN,    /* forced: held bytes came again, so the client waits for an acknowledgement */
    TAKEOVER_MANY_SEGMENTS, /* forced: more segments are held than a worker keeps of one flow */
};

/* Made by the worker, lent to the session thread until it answers; the answer carries the pointer back. */
struct takeover {
    struct takeover *next_free; /* worker's list */
    uint16_t worker;
    struct flow_handle flow;
    struct flow_key key;
    struct adopt_flow adopt;
    enum takeover_cause cause;
    struct hello_info hello;    /* TAKEOVER_DECIDED */
    char rule[RECORD_RULE_LEN]; /* that said so */
    uint64_t hold_ns;           /* when the first byte was held */
    uint64_t sent_ns;           /* when the worker sent this */
};

enum takeover_answer_type {
    TAKEOVER_ADOPTED,  /* |takeover| comes back; the flow's packets go to the stack from now on */
    TAKEOVER_FAILED,   /* |takeover| comes back; no socket was made */
    TAKEOVER_FINISHED, /* the session has let go of both sockets; |takeover| is NULL */
};

struct takeover_answer {
    struct takeover *takeover;
    struct flow_handle flow;
    enum takeover_answer_type type;
    uint32_t zero;
};
_Static_assert(sizeof(struct takeover_answer) == 24, "goes by value through a ring");

#endif
