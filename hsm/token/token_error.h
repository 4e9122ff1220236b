/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How things go wrong on a token: a status for the signer to act on, the module's own return value, a text for people.
 * And what a return value means for the whole process, in one table.
 */
#ifndef MINTGATE_HSM_TOKEN_TOKEN_ERROR_H
#define MINTGATE_HSM_TOKEN_TOKEN_ERROR_H

#include <p11-kit/pkcs11.h>

#include "wire/token.h"

/* struct token_error is the caller's; zero state: nothing went wrong. */
struct token_error {
    CK_RV rv; /* CKR_OK: no call of the module was behind it */
    struct mg_error why;
};

/* token_error_set fills |error| in, with the text of |rv| behind the message unless that is CKR_OK, and returns
 * |status|. */
enum wire_token_status token_error_set(struct token_error *error, enum wire_token_status status, CK_RV rv,
                                       const char *format, ...) MG_PRINTF(4, 5);

enum token_trouble {
    TOKEN_TROUBLE_NONE, /* this call, this key */
    TOKEN_TROUBLE_SOME, /* perhaps the token's: many in a row are */
    TOKEN_TROUBLE_LOST, /* token, session or login are gone: nothing helps but to begin again */
};

/* token_trouble_of says what |rv| means for the process. */
enum token_trouble token_trouble_of(CK_RV rv);

#endif
