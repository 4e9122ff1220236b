/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, with the built-in intermediate installed, and ways to bring others to a state. */
#ifndef MINTGATE_TESTS_LIFECYCLE_FIXTURE_H
#define MINTGATE_TESTS_LIFECYCLE_FIXTURE_H

#include "control/audit.h"
#include "control/lifecycle_default.h"

extern struct lifecycle lifecycle;  /* hsm, tokens in EUROPE and GLOBAL */
extern struct lifecycle_call call;  /* by an admin, at CA_NOW */
extern struct mg_error error;       /* of the last call */
extern struct mg_buffer public_key; /* PEM, of every key of the fixture */

/* cmocka setup and teardown; the former for the hsm subscription, or for software. */
int fixture_open(void **state);
int fixture_open_software(void **state);
int fixture_close(void **state);

/* fixture_reopen closes the store and opens it again. */
void fixture_reopen(void);

/* fixture_draft is a good draft; fixture_create creates from it and returns the id. */
struct lifecycle_draft fixture_draft(const char *name, enum intermediate_type type, enum intermediate_status status);
int64_t fixture_create(const char *name, enum intermediate_type type, enum intermediate_status status);

/* fixture_bring takes a new certificate through the steps to |state|. */
void fixture_bring(int64_t id, enum intermediate_state state);
/* fixture_ready is fixture_create and fixture_bring to CERT_READY. */
int64_t fixture_ready(const char *name, enum intermediate_type type, enum intermediate_status status);

/* fixture_certificate appends a certificate for the fixture's key that ends at |not_after|, 0: long after CA_NOW; and
 * fixture_chain what is above it. */
void fixture_certificate(struct mg_buffer *out, int64_t not_after);
void fixture_chain(struct mg_buffer *out);

/* fixture_load reads a record, fixture_default the default's row; they must be there. fixture_count runs a query of one
 * number. */
struct intermediate fixture_load(int64_t id);
struct default_issuer fixture_default(void);
int64_t fixture_count(const char *sql);

#endif
