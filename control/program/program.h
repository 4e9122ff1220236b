/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-control put together: store, credentials, signer's client, engines, service, APIs, servers. All from the
 * main thread.
 */
#ifndef MINTGATE_CONTROL_PROGRAM_PROGRAM_H
#define MINTGATE_CONTROL_PROGRAM_PROGRAM_H

#include "config/config.h"

struct program;

/* program_open makes or opens what lies on disk, and listens for engines. |config| is borrowed. What it made at a first
 * start stays when a later step fails. */
MG_MUST_USE enum mg_status program_open(struct program **out, const struct config *config, struct mg_error *error);

/* program_join brings store, signer and engines together (service_start). MG_IO: the signer is not there yet. */
MG_MUST_USE enum mg_status program_join(struct program *program, struct mg_error *error);

/* program_serve begins to serve the APIs, and to watch what expires. */
MG_MUST_USE enum mg_status program_serve(struct program *program, struct mg_error *error);

/* program_reload takes over what of a changed configuration can be while it runs: control.on_issuer_expiry. */
void program_reload(struct program *program, const struct config *config);

/* program_drain stops accepting requests and lets those that run end, within a bounded time. */
void program_drain(struct program *program);

void program_free(struct program *program);

#endif
