/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mintgate's own API, under /mintgate/v1: what no vendor's API has.
 *
 *   GET  /default                 the default intermediate, the one before it, and the epoch
 *   PUT  /default/{id}            swaps the default; ?force=true goes on although an engine cannot prepare
 *   PUT  /default/previous        goes back to the one before
 *   PUT  /successor/{id}/{id}     the second succeeds the first when that expires as the default; 0: none
 *   GET  /publication             how far minting ahead has come, and what each engine serves
 *   GET  /keys                    the signer's keys: which token holds each, and whose it is
 *   GET  /audit                   the audit record, from new to old: ?before=ID&max=N
 */
#ifndef MINTGATE_CONTROL_PROGRAM_MINTGATE_API_H
#define MINTGATE_CONTROL_PROGRAM_MINTGATE_API_H

#include "control/http/authenticator.h"
#include "control/http/router.h"
#include "control/service/service.h"

/* All borrowed until router_free. */
struct mintgate_api {
    struct service *service;
    struct signer_client *signer;
    struct engines *engines;
    const struct lifecycle *lifecycle;
    struct authenticator *authenticator;
};

/* mintgate_api_add: |api| is borrowed until router_free. */
MG_MUST_USE enum mg_status mintgate_api_add(struct router *router, struct mintgate_api *api, struct mg_error *error);

#endif
