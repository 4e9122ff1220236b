/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions and bearer tokens: random texts that stand for a login, kept in memory alone and there as SHA-256 hashes, so
 * that neither a restart nor a core dump hands them on.
 *
 *   kind     random bits  idle for  in all   of one owner
 *   session  128          5 min     8 h      256
 *   token    256          -         1 h      512
 *
 * Bounded: an owner who has as many as allowed loses the oldest for a new one; TICKETS_MAX in all is MG_LIMIT. Any
 * thread; time is a parameter.
 */
#ifndef MINTGATE_CONTROL_HTTP_TICKETS_H
#define MINTGATE_CONTROL_HTTP_TICKETS_H

#include <stdint.h>

#include "base/slice.h"
#include "control/http/identity.h"

#define TICKETS_MAX 4096
#define TICKET_SESSION_IDLE_SECONDS 300
#define TICKET_SESSION_SECONDS (8 * 3600)
#define TICKET_TOKEN_SECONDS 3600

enum ticket_kind { TICKET_SESSION, TICKET_TOKEN, TICKET_NUM_KINDS };

#define TICKET_TEXT_LEN 65 /* hexadecimal and a NUL */

/* Whose login a ticket stands for. The stamp is the owner's at the time of the login (credentials.h): where it has
 * changed since, the login no longer counts. */
struct ticket_owner {
    char name[HTTP_MAX_NAME];
    bool is_client; /* an OAuth2 client, not a user */
    unsigned reach; /* the families in which it counts (reach.h) */
    int64_t stamp;
};

struct tickets;

MG_MUST_USE enum mg_status tickets_new(struct tickets **out, struct mg_error *error);
void tickets_free(struct tickets *tickets);

/* tickets_issue makes a ticket; the caller wipes |out|. MG_LIMIT: there are TICKETS_MAX. */
MG_MUST_USE enum mg_status tickets_issue(struct tickets *tickets, enum ticket_kind kind,
                                         const struct ticket_owner *owner, uint64_t now_ns, char out[TICKET_TEXT_LEN],
                                         struct mg_error *error);

/* tickets_use tells whose ticket |text| is, and that it was used now; false: of nobody, or no longer. */
MG_MUST_USE bool tickets_use(struct tickets *tickets, enum ticket_kind kind, struct mg_slice text, uint64_t now_ns,
                             struct ticket_owner *out);

/* tickets_end makes |text| count no longer; one that does not exist is no error. */
void tickets_end(struct tickets *tickets, enum ticket_kind kind, struct mg_slice text);

/* tickets_count returns how many count at |now_ns|; tickets_num_replaced how many their owner lost for a new one. */
size_t tickets_count(struct tickets *tickets, enum ticket_kind kind, uint64_t now_ns);
uint64_t tickets_num_replaced(struct tickets *tickets);

#endif
