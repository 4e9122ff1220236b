/* SPDX-License-Identifier: Apache-2.0 */
/* The Securosys family's words for failures (contracts.md section 4.5). Pure: any thread. */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_ERROR_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_ERROR_H

#include "base/status.h"

/* The vendor's numbers. */
enum ska_code {
    SKA_NO_CODE = 0, /* a failure that has none: ska_code_of chooses by its class */
    SKA_MISSING_APPROVAL = 401,
    SKA_INVALID_CERTIFICATE = 402,
    SKA_INVALID_SIGNATURE = 403,
    SKA_TIMESTAMP_OFF = 404,
    SKA_SIGNER_NOT_ALLOWED = 405,
    SKA_PARSING_KEY = 407,
    SKA_PARSING_CERTIFICATE = 409,
    SKA_INVALID_REQUEST = 411,
    SKA_CLIENT = 450,
    SKA_NOT_LICENSED = 451,
    SKA_INVALID_ENUM = 501,
    SKA_INPUT = 600,
    SKA_KEY_SIZE = 603,
    SKA_ATTRIBUTES = 606,
    SKA_ALGORITHM_OF_KEY = 607,
    SKA_KEY_EXISTS = 608,
    SKA_KEY_NAME = 610,
    SKA_UNSUPPORTED = 611,
    SKA_PAYLOAD = 612,
    SKA_KEY_TYPE = 613,
    SKA_FORBIDDEN_FOR_KEY = 614,
    SKA_PASSWORD = 620,
    SKA_JSON = 621,
    SKA_CERTIFICATE_ENCODING = 626,
    SKA_CSR_FORMAT = 628,
    SKA_API_KEY = 631,
    SKA_NO_KEY = 650,
    SKA_NO_REQUEST = 651,
    SKA_NO_TASK = 652,
    SKA_NO_APPROVER = 654,
    SKA_IN_HSM = 701,
};

/* ska_code_reason returns the vendor's word, such as "res.error.key.not.existent". */
const char *ska_code_reason(enum ska_code code);

/* ska_code_http_status returns the status of HTTP that goes with it: 45x 403, 65x 404, 631 401, other 4xx and 6xx 400,
 * the rest 500; 501, the enum, is 400 here, since it is the client's fault. */
unsigned ska_code_http_status(enum ska_code code);

/* What failed: zero state is nothing. */
struct ska_error {
    enum ska_code code;
    struct mg_error why;
};

/* ska_fail notes |code| and a text that names field and rule, and returns the class: MG_NOT_FOUND for 65x, MG_EXISTS
 * for 608, MG_DENIED for 45x and 631, MG_INVALID else. */
enum mg_status ska_fail(struct ska_error *error, enum ska_code code, const char *format, ...) MG_PRINTF(3, 4);

/* ska_fail_unless notes |code| for a step that failed with MG_INVALID and has said why in error->why. */
MG_MUST_USE enum mg_status ska_fail_unless(struct ska_error *error, enum mg_status status, enum ska_code code);

/* ska_code_of returns what to answer for |status|: error->code, or by the class. */
enum ska_code ska_code_of(const struct ska_error *error, enum mg_status status);

#endif
