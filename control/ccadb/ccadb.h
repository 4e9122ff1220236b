/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CCADB family (docs/api/ccadb.md, contracts.md section 2):
 *
 *   GET  /services/oauth2/authorize                 the page on which a person allows a client
 *   POST /services/oauth2/authorize                 its form; ends at the client's address with a code
 *   POST /services/oauth2/token                     a code or a refresh token for tokens
 *   POST /services/apexrest/get/recordid            GetCertificateId
 *   POST /services/apexrest/create/intermediatecert AddUpdateIntermediateCert
 *   GET  /                                          where the code lands, if the client's address is ours
 *
 * and for administrators, under /mintgate/v1/ccadb, what it works with (admin_routes.c).
 */
#ifndef MINTGATE_CONTROL_CCADB_CCADB_H
#define MINTGATE_CONTROL_CCADB_CCADB_H

#include <stdatomic.h>

#include "control/ccadb/same_call.h"
#include "control/http/authenticator.h"
#include "control/http/router.h"
#include "control/service/service.h"

/* All borrowed until router_free, but for what ccadb_init makes. */
struct ccadb {
    struct service *service;
    const struct lifecycle *lifecycle;
    struct authenticator *authenticator; /* of the persons who allow clients, and of administrators */
    http_problem_renderer render;        /* of the administrators' routes */
    /* denied is told of token requests that are refused, as in authenticator.h; may be NULL. */
    void (*denied)(void *arg, const struct http_caller *caller, const char *who);
    void *denied_arg;
    struct same_calls *same_calls; /* owned */
    _Atomic uint64_t same_call_ns; /* main: wo, others: ro */
    uint8_t form_key[32];          /* of the forms' tokens; set once */
};

/* ccadb_init makes what |ccadb| owns; ccadb_release frees it, also of a zero state. */
MG_MUST_USE enum mg_status ccadb_init(struct ccadb *ccadb, struct mg_error *error);
void ccadb_release(struct ccadb *ccadb);

/* ccadb_set_same_call changes for how long the same call is refused; 0: never. */
void ccadb_set_same_call(struct ccadb *ccadb, uint64_t span_ns);

/* ccadb_add adds the routes. */
MG_MUST_USE enum mg_status ccadb_add(struct router *router, struct ccadb *ccadb, struct mg_error *error);

/* ccadb_finalizing is for struct lifecycle_hooks: an intermediate that becomes ready gets its record, if its issuer has
 * one. Its |arg| is not used. */
enum mg_status ccadb_finalizing(void *arg, struct lifecycle_call *call, struct store_tx *tx,
                                const struct intermediate *record, struct mg_error *error);

#endif
