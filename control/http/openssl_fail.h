/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's error queue, emptied into our one error dialect. */
#ifndef MINTGATE_CONTROL_HTTP_OPENSSL_FAIL_H
#define MINTGATE_CONTROL_HTTP_OPENSSL_FAIL_H

#include <openssl/err.h>

#include "base/status.h"

/* openssl_fail says that |what| failed, and the calling thread's last OpenSSL error; returns MG_INTERNAL. */
static inline enum mg_status openssl_fail(struct mg_error *error, const char *what)
{
    char why[160];
    ERR_error_string_n(ERR_peek_last_error(), why, sizeof(why));
    ERR_clear_error();
    return mg_error_set(error, MG_INTERNAL, "%s: %s", what, why);
}

#endif
