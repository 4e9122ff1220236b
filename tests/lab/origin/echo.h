/* SPDX-License-Identifier: Apache-2.0 */
/* Echoes: lines on a TCP port where the server speaks first, as SMTP does, and datagrams. One thread. */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_ECHO_H
#define MINTGATE_TESTS_LAB_ORIGIN_ECHO_H

#include "tests/lab/origin/worker.h"

#define ECHO_BANNER "220 lab.test says hello first\r\n"

/* echo_serve takes the descriptor of |accepted|, sends the banner, and then what comes in, until the client is done. */
void echo_serve(struct worker *worker, struct loop_source *accepted);

/* echo_datagrams answers what waits on the UDP socket |fd|, each with itself. */
void echo_datagrams(struct worker *worker, int fd);

#endif
