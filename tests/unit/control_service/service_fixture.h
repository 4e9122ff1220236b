/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service between the store of lifecycle_fixture.h, a signer and engines that are played: they note what they are
 * asked for, and answer as they are told to. Their functions are those of signer_client.h and engines.h, so that the
 * real ones are not linked.
 */
#ifndef MINTGATE_TESTS_SERVICE_FIXTURE_H
#define MINTGATE_TESTS_SERVICE_FIXTURE_H

#include "control/service/service.h"
#include "tests/unit/control/lifecycle_fixture.h"

#define FIXTURE_PREPARE_MS 1234

extern struct service *service;

/* The call that fails next, once, and how; NULL: none. For "publish", |after| says whether after the commit. */
extern struct fixture_failure {
    const char *call;
    enum mg_status status;
    bool after;
} failure;

/* The key that the signer made last; it is known by the name that it was asked for by. And the token that it was to be
 * made on. */
extern struct wire_key_id made_key;
extern char made_on[WIRE_CONTROL_MAX_HOLDER + 1];

/* The tokens that are configured: "basel" and "zurich", both in EUROPE, while num_items is 2. */
extern struct config_tokens fixture_tokens;

/* Called within signer_client_make_key, once; NULL: nothing. */
extern void (*while_key_is_made)(void);

/* What engines were told last: a publication, or what is present. */
extern struct fixture_told {
    uint64_t epoch;
    uint32_t premint_ms;
    bool force;
    size_t num_issuers;
    char names[16][64]; /* the default's first */
} told;

int service_fixture_open(void **state);
int service_fixture_open_software(void **state);
int service_fixture_close(void **state);

/* assert_asked compares what signer and engines were asked since the last time, such as "install publish". */
void assert_asked(const char *calls);

#endif
