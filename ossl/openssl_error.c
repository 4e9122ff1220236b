/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/openssl_error.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

enum mg_status openssl_error_set(struct mg_error *error, const char *format, ...)
{
    char what[256], why[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    ERR_error_string_n(ERR_peek_last_error(), why, sizeof(why));
    ERR_clear_error();
    return mg_error_set(error, MG_INTERNAL, "%s: %s", what, why);
}
