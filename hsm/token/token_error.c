/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/token_error.h"

#include <p11-kit/p11-kit.h>
#include <stdarg.h>
#include <stdio.h>

enum wire_token_status token_error_set(struct token_error *error, enum wire_token_status status, CK_RV rv,
                                       const char *format, ...)
{
    va_list args;
    error->rv = rv;
    va_start(args, format);
    int len = vsnprintf(error->why.text, sizeof(error->why.text), format, args);
    va_end(args);
    if (rv != CKR_OK && len >= 0 && (size_t)len < sizeof(error->why.text)) {
        snprintf(error->why.text + len, sizeof(error->why.text) - (size_t)len, ": %s (CK_RV 0x%lx)",
                 p11_kit_strerror(rv), rv);
    }
    return status;
}

enum token_trouble token_trouble_of(CK_RV rv)
{
    static const struct {
        CK_RV rv;
        enum token_trouble trouble;
    } rows[] = {
        {CKR_DEVICE_REMOVED, TOKEN_TROUBLE_LOST},
        {CKR_DEVICE_ERROR, TOKEN_TROUBLE_LOST},
        {CKR_TOKEN_NOT_PRESENT, TOKEN_TROUBLE_LOST},
        {CKR_TOKEN_NOT_RECOGNIZED, TOKEN_TROUBLE_LOST},
        {CKR_SLOT_ID_INVALID, TOKEN_TROUBLE_LOST},
        {CKR_SESSION_HANDLE_INVALID, TOKEN_TROUBLE_LOST},
        {CKR_SESSION_CLOSED, TOKEN_TROUBLE_LOST},
        {CKR_USER_NOT_LOGGED_IN, TOKEN_TROUBLE_LOST},
        {CKR_CRYPTOKI_NOT_INITIALIZED, TOKEN_TROUBLE_LOST},
        {CKR_OPERATION_ACTIVE, TOKEN_TROUBLE_LOST},
        {CKR_GENERAL_ERROR, TOKEN_TROUBLE_SOME},
        {CKR_FUNCTION_FAILED, TOKEN_TROUBLE_SOME},
        {CKR_DEVICE_MEMORY, TOKEN_TROUBLE_SOME},
        {CKR_HOST_MEMORY, TOKEN_TROUBLE_SOME},
        {CKR_FUNCTION_CANCELED, TOKEN_TROUBLE_SOME},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        if (rows[i].rv == rv) {
            return rows[i].trouble;
        }
    }
    return TOKEN_TROUBLE_NONE;
}
