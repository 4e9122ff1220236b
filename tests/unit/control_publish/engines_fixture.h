/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's end of publishing at a socket of the test's, and engines that are the test's own sockets. Nothing
 * here takes an answer for granted: what does not come within PATIENCE_MS fails the test. */
#ifndef MINTGATE_TESTS_ENGINES_FIXTURE_H
#define MINTGATE_TESTS_ENGINES_FIXTURE_H

#include <sys/types.h>

#include "control/publish/engines.h"

#define PATIENCE_MS 20000

/* The one that is tested, and where it listens. */
extern struct engines *engines;
extern char path[];

/* A group's setup and teardown: the socket's directory. */
int make_directory(void **state);
int remove_directory(void **state);
/* A test's teardown. */
int stop(void **state);

/* connect_engine connects and says nothing; dial_as says hello too. */
int connect_engine(void);
int dial_as(uint16_t version, uint64_t epoch);
void say(int engine, const struct wire_publish *message);

/* hear_any waits for a message, which is borrowed until the next call. */
const struct wire_publish *hear_any(int engine);
void hear_nothing(int engine);
/* hear_end waits for |engine| to be hung up on, and closes it. */
void hear_end(int engine);

/* wait_for_engines waits until |num| have said hello. */
void wait_for_engines(size_t num);

#endif
