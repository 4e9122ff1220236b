/* SPDX-License-Identifier: Apache-2.0 */
/* Requests handed to a router as the server would, without a network. */
#ifndef MINTGATE_TESTS_HTTP_FIXTURE_H
#define MINTGATE_TESTS_HTTP_FIXTURE_H

#include <sqlite3.h>

#include "control/http/router.h"

#define FIXTURE_MAX_HEADERS 4
#define FIXTURE_START_NS (UINT64_C(1000000) * 1000000000)
#define FIXTURE_WALL_SECONDS INT64_C(1795247636)

struct ask {
    const char *method, *target;
    const char *headers[FIXTURE_MAX_HEADERS][2]; /* name, value */
    const char *body;
    bool is_local;          /* on the Unix socket */
    const char *address;    /* NULL: 192.0.2.1 */
    uint64_t after_seconds; /* since the start */
};

/* The last answer, until the next one; with its body and headers as texts. */
struct answer {
    unsigned status;
    char body[8192];
    char headers[4096]; /* "Name: value\n" each */
};
extern struct answer answer;

/* ask sends a request through |router| and fills |answer|. */
void ask(const struct router *router, const struct ask *what);

/* answer_has tells whether the body has |text|; header_has whether a header has. */
bool answer_has(const char *text);
bool header_has(const char *text);

/* fixture_database opens a database in memory with the tables of credentials.h. */
sqlite3 *fixture_database(void);

#endif
