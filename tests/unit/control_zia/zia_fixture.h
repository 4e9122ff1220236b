/* SPDX-License-Identifier: Apache-2.0 */
/* The ZIA family's routes on a real store, with clients of each role, and a service that has no signer and no engines:
 * it takes the same steps of the life cycle at once. */
#ifndef MINTGATE_TESTS_ZIA_FIXTURE_H
#define MINTGATE_TESTS_ZIA_FIXTURE_H

#include "control/zia/zia.h"
#include "tests/unit/control/lifecycle_fixture.h"
#include "tests/unit/control_http/http_fixture.h"

/* What the service does instead of the next step, if |status| is not MG_OK. */
struct service {
    enum mg_status status;
    const char *code, *text;
};
extern struct service service;

/* cmocka setup and teardown: as fixture_open, but without tokens. */
int zia_fixture_open(void **state);
int zia_fixture_close(void **state);

const struct router *zia_router(void);

/* zia_ask sends a request as a client of |role|, HTTP_ROLE_ANONYMOUS being a stranger; |body|, which may be NULL, as
 * JSON. zia_admin does so as an administrator, on a target "/intermediateCaCertificate" and |format|. */
void zia_ask(enum http_role role, const char *method, const char *target, const char *body);
void zia_admin(const char *method, const char *body, const char *format, ...) MG_PRINTF(3, 4);

#define ZIA_BOUNDARY "9f2c" /* of the form */

/* zia_upload posts a form with |file| as a part with |name| and |file_name| to |word|/|id|. */
void zia_upload(const char *word, int64_t id, const char *name, const char *file_name, struct mg_slice file);

/* zia_upload_good posts a certificate that is accepted, or what is above it. */
void zia_upload_good(const char *word, int64_t id);

#endif
