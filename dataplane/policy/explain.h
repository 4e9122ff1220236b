/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saying what would be decided about a flow, and why: what `mintgate --explain` and GET /policy/explain have in common.
 * The decision itself is the dataplane's own (decision.h, policy.h). Pure: any thread.
 */
#ifndef MINTGATE_DATAPLANE_POLICY_EXPLAIN_H
#define MINTGATE_DATAPLANE_POLICY_EXPLAIN_H

#include "dataplane/policy/decision.h"

/* A flow as people write it. NULL: not given. */
struct explain_texts {
    const char *client, *server; /* addresses; not given: the unspecified one, which only a prefix of length 0 has */
    const char *port;            /* of the server; not given: 443 */
    const char *sni;             /* Unicode or A-labels; not given: none */
};

struct explain_question {
    uint8_t client[16], server[16];
    bool is_ipv6;
    uint16_t port;
    struct hello_info hello; /* of a current client: TLS 1.3, without ECH */
};

/* explain_parse reads |texts|. MG_INVALID: |error| names which one, and what it must be. */
MG_MUST_USE enum mg_status explain_parse(struct explain_question *out, const struct explain_texts *texts,
                                         struct mg_error *error);

/* explain_flow: borrowed from |question|. */
void explain_flow(const struct explain_question *question, struct policy_flow *out);

/* explain_rules appends, line by line, why each rule up to the one that decides does or does not match. */
void explain_rules(const struct explain_question *question, const struct policy *policy, struct mg_buffer *out);

/* explain_write appends |decision| about |question|, and why, as a JSON object. |issuer| is the name of who would sign,
 * "" for nobody. */
void explain_write(const struct explain_question *question, const struct policy *policy,
                   const struct decision *decision, const char *issuer, struct mg_buffer *out);

#endif
