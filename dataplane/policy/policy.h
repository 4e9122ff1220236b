/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a flow, by the operator's rules: an immutable snapshot compiled from the configuration, replaced
 * whole on reload (the engine publishes it by RCU). The dataplane and `mintgate --explain` ask the same functions.
 *
 * All but policy_new and policy_free are pure and allocate nothing: any thread.
 */
#ifndef MINTGATE_DATAPLANE_POLICY_POLICY_H
#define MINTGATE_DATAPLANE_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"
#include "config/config.h"

struct policy;

/* Who speaks to whom; addresses of 4 or 16 bytes, borrowed. */
struct policy_flow {
    const uint8_t *client;
    const uint8_t *server;
    bool is_ipv6;
    uint16_t port; /* the server's */
};

#define POLICY_NO_RULE UINT16_MAX
#define POLICY_MAX_RULES 4096
#define POLICY_MAX_KEY_STORES 63 /* and a trust store: WIRE_PUBLISH_MAX_STORES */

struct policy_verdict {
    enum config_action action;
    enum config_block_with block_with;
    uint16_t rule;         /* its index; POLICY_NO_RULE: the default */
    const char *rule_name; /* lives as long as the policy; "default" without a rule */
    const char *issuer;    /* lives likewise: the intermediate that signs; "": the default one */
    const char
        *client_certificate; /* lives likewise: the key store that servers which ask are answered from; "": none */
};

/* policy_new compiles |config|->policy; the snapshot keeps no pointer into |config|. |generation| counts policies.
 * MG_INVALID: a name that is none, with file, line and rule in |error|. MG_LIMIT: more than POLICY_MAX_RULES, or
 * POLICY_MAX_KEY_STORES. */
MG_MUST_USE enum mg_status policy_new(struct policy **out, const struct config *config, uint64_t generation,
                                      struct mg_error *error);
void policy_free(struct policy *policy);

uint64_t policy_generation(const struct policy *policy);

/* policy_num_key_stores and policy_key_store are the key stores that rules name, each once. They live as long as the
 * policy. */
size_t policy_num_key_stores(const struct policy *policy);
const char *policy_key_store(const struct policy *policy, size_t index);

/* policy_settings returns the ways out and their times, as configured. */
const struct config_policy *policy_settings(const struct policy *policy);

/* policy_on_issuer_expiry returns control.on_issuer_expiry, which is the engine's to carry out. */
enum config_issuer_expiry policy_on_issuer_expiry(const struct policy *policy);

/* policy_revoked_default returns ccadb.revoked_default likewise. */
enum config_way_out policy_revoked_default(const struct policy *policy);

/* policy_may_touch tells whether any name could make this flow intercepted or blocked. Where not, it need not be
 * watched at all. */
bool policy_may_touch(const struct policy *policy, const struct policy_flow *flow);

/* policy_may_touch_addresses is the same for any port, for QUIC, which would move a flow that is watched. */
bool policy_may_touch_addresses(const struct policy *policy, const struct policy_flow *flow);

/* policy_decide finds the first rule that matches; |sni| is canonical (minting/names.h), empty where there is none. */
void policy_decide(const struct policy *policy, const struct policy_flow *flow, struct mg_slice sni,
                   struct policy_verdict *out);

/* policy_explain appends, line by line, why each rule up to the one that decides does or does not match. */
void policy_explain(const struct policy *policy, const struct policy_flow *flow, struct mg_slice sni,
                    struct mg_buffer *out);

/* policy_same_for tells whether |name|, a canonical name or a "*." pattern of a certificate, would get the action,
 * issuer and client certificate of |like| too, for a pattern each name that it stands for. A name that would not must
 * not stand in a minted certificate: browsers send requests for it over this connection then (RFC 9113 section 9.1.1).
 */
bool policy_same_for(const struct policy *policy, const struct policy_flow *flow, struct mg_slice name,
                     const struct policy_verdict *like);

/* policy_names_matter tells whether policy_same_for can be false at all for this flow. */
bool policy_names_matter(const struct policy *policy, const struct policy_flow *flow);

#endif
