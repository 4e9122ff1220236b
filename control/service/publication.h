/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What engines are to serve, from what the database holds: the default first, then every other intermediate that is
 * ready to use, for rules that name it, whether expired or not; then, as reserves, whoever succeeds one of them and is
 * not there yet. One that is revoked is left out, unless it is the default still: then engines are told so.
 */
#ifndef MINTGATE_CONTROL_SERVICE_PUBLICATION_H
#define MINTGATE_CONTROL_SERVICE_PUBLICATION_H

#include "control/lifecycle.h"
#include "control/service/pem.h"
#include "wire/publish.h"

/* publication_load_all loads every intermediate, in a transaction of its own. */
MG_MUST_USE enum mg_status publication_load_all(struct store *store, struct intermediate_list *out,
                                                struct mg_error *error);

struct publication {
    struct wire_publish message;                                  /* a PREPARE; borrows from below */
    const struct intermediate *records[WIRE_PUBLISH_MAX_ISSUERS]; /* of its issuers */
    struct intermediate_list list;
    struct der_chain chains[WIRE_PUBLISH_MAX_ISSUERS];
};

/* publication_load makes the PREPARE of |epoch| with |default_id| as the default, which must be ready, whether it is
 * enabled or not. Where the subscription has one custom intermediate enabled at a time, the others are left out, as
 * they will be disabled. MG_LIMIT: more than an engine takes. Free it in any case. */
MG_MUST_USE enum mg_status publication_load(struct publication *out, const struct lifecycle *lifecycle,
                                            int64_t default_id, uint64_t epoch, uint32_t premint_ms,
                                            struct mg_error *error);
void publication_free(struct publication *publication);

#endif
