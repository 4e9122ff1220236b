/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network namespace in which the adopted sockets live: a TUN device, a route for what they send, and one that
 * makes every address that comes in from the TUN a local one. Set up by the engine itself, so that nobody can forget a
 * part of it. Main thread, at start.
 */
#ifndef MINTGATE_DATAPLANE_TAKEOVER_STACK_H
#define MINTGATE_DATAPLANE_TAKEOVER_STACK_H

#include "base/status.h"
#include "config/config.h"

struct stack {
    int namespace_fd;
    unsigned num_queues;
    int *tun_fds; /* one for each worker */
};

/* stack_start enters the configured namespace, sets it up, and comes back. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. */
MG_MUST_USE enum mg_status stack_start(struct stack *out, const struct config *config, struct mg_error *error);

/* stack_enter moves the calling thread into the namespace for good: its sockets are made there. */
MG_MUST_USE enum mg_status stack_enter(const struct stack *stack, struct mg_error *error);

void stack_stop(struct stack *stack);

#endif
