/* SPDX-License-Identifier: Apache-2.0 */
/* Raw bytes between a client and a port on the loopback, with half-close and back-pressure kept. One thread. */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_RELAY_H
#define MINTGATE_TESTS_LAB_ORIGIN_RELAY_H

#include "base/slice.h"
#include "tests/lab/origin/worker.h"

/* relay_start takes the descriptor of |client| and connects it with 127.0.0.1:|port|, where a PROXY protocol header
 * (version 1, haproxy.org "The PROXY protocol") names the client first, then |received|, the bytes already read from
 * it. If it cannot, the client's connection is closed. */
void relay_start(struct worker *worker, struct loop_source *client, uint16_t port, struct mg_slice received);

#endif
