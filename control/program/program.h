/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-control put together: store, credentials, signer's client, engines, service, APIs, servers. All from the
 * main thread.
 */
#ifndef MINTGATE_CONTROL_PROGRAM_PROGRAM_H
#define MINTGATE_CONTROL_PROGRAM_PROGRAM_H

#include <stdio.h>

#include "config/config.h"

struct program;

/* program_open makes or opens what lies on disk, and listens for engines. |config| is borrowed. What it made at a first
 * start stays when a later step fails. */
MG_MUST_USE enum mg_status program_open(struct program **out, const struct config *config, struct mg_error *error);

/* program_serve begins to serve the APIs and the metrics. Until the signer is there, requests that change something are
 * answered with 503. */
MG_MUST_USE enum mg_status program_serve(struct program *program, struct mg_error *error);

/* program_tick is called about every second: looks after the signer, and once that is there brings store, signer and
 * engines together (service_start). Anything but MG_OK: the program cannot go on. */
MG_MUST_USE enum mg_status program_tick(struct program *program, struct mg_error *error);

/* program_reload reads the configuration file again, and takes over what schema.c calls reloadable; what takes a
 * restart is logged. On failure nothing changes: MG_INVALID and others as of config_load, or the TLS certificate cannot
 * be used. */
MG_MUST_USE enum mg_status program_reload(struct program *program, struct mg_error *error);

/*
 * program_list_routes writes what is served to |out|, a line for each method and path (docs/api/openapi says what they
 * do): METHOD PATH ROLE WEIGHT BODY LIMIT, where BODY is what the body is read as and LIMIT its bytes. Needs neither
 * configuration nor files.
 */
MG_MUST_USE enum mg_status program_list_routes(FILE *out, struct mg_error *error);

/* program_drain stops accepting requests and lets those that run end, within a bounded time. */
void program_drain(struct program *program);

void program_free(struct program *program);

#endif
