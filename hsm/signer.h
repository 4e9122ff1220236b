/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer put together: its state directory, its keys and issuers, its journal, its sockets, its threads. The
 * process is a table of its peers:
 *
 *   engine socket (SEQPACKET, wire/signer.h)           HELLO, SIGN  ──►  signing threads  ──►  ISSUERS, SIGNED
 *   control socket (SEQPACKET, wire/signer_control.h)  requests     ──►  its own thread   ──►  replies
 *   metrics socket (HTTP)                              GET /metrics ──►  its own thread
 *   signals                                            SIGTERM, SIGINT drain; SIGHUP is the caller's
 *
 * Three steps, so that main can give up privileges between them: open (files, sockets), start (threads), run. All from
 * the main thread.
 */
#ifndef MINTGATE_HSM_SIGNER_H
#define MINTGATE_HSM_SIGNER_H

#include <signal.h>

#include "hsm/signer_config.h"

struct signer;

/* signer_open makes or loads everything that lies on disk, and binds both sockets. MG_EXISTS if another signer
 * has this state directory. What it made at a first start stays when a later step fails. */
MG_MUST_USE enum mg_status signer_open(struct signer **out, const struct signer_config *config, struct mg_error *error);

/* signer_start starts the signing threads, the control socket's and the metrics server's. SIGTERM, SIGINT and SIGHUP
 * must be blocked, so that signer_run gets them. */
MG_MUST_USE enum mg_status signer_start(struct signer *signer, struct mg_error *error);

/* signer_run accepts engines until SIGTERM or SIGINT, syncing the journal every second; then it drains and returns.
 * |on_hangup| is called at each SIGHUP. */
void signer_run(struct signer *signer, void (*on_hangup)(void *arg), void *arg);

/* signer_free releases everything, whatever of the above was done. */
void signer_free(struct signer *signer);

#endif
