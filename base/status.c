/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *mg_status_name(enum mg_status status)
{
    switch (status) {
    case MG_OK:
        return "ok";
    case MG_AGAIN:
        return "again";
    case MG_INVALID:
        return "invalid";
    case MG_LIMIT:
        return "limit";
    case MG_NOT_FOUND:
        return "not_found";
    case MG_EXISTS:
        return "exists";
    case MG_DENIED:
        return "denied";
    case MG_IO:
        return "io";
    case MG_MEMORY:
        return "memory";
    case MG_INTERNAL:
        return "internal";
    }
    return "unknown";
}

enum mg_status mg_error_set(struct mg_error *error, enum mg_status status, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return status;
}

enum mg_status mg_error_errno(struct mg_error *error, const char *format, ...)
{
    int saved = errno;
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        int len = vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        if (len >= 0 && (size_t)len < sizeof(error->text)) {
            snprintf(error->text + len, sizeof(error->text) - (size_t)len, ": %s", strerror(saved));
        }
    }
    return MG_IO;
}
