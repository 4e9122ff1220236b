/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One PKCS#11 token (v2.40), opened and logged in to: its module loaded, the token found, a session to manage it with.
 *
 * The module is initialised for use by many threads before libp11 gets it, since libp11 would not ask for that; libp11
 * finds the tokens and says how their PINs stand. The login and all that follows are the module's own functions:
 * libp11 would keep a copy of the PIN, and its lists of objects grow stale (docs/adr/0025-tokens.md).
 */
#ifndef MINTGATE_HSM_TOKEN_TOKEN_H
#define MINTGATE_HSM_TOKEN_TOKEN_H

#include "hsm/token/token_error.h"

#define TOKEN_MAX_PIN 255

struct token {
    CK_FUNCTION_LIST *functions;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;           /* read-write; the managing thread's */
    unsigned long max_sessions;          /* that the token allows, as far as it says */
    struct wire_token_identity identity; /* borrows from |texts| */
    char texts[6][WIRE_TOKEN_MAX_LABEL + 1];
};

/* token_open opens the token that |name| (a label, or a URI of RFC 7512) means in the module at |module|, and logs in
 * with |pin|, a text that the caller wipes. A URI must not carry a PIN. There is no closing: the process ends.
 * WIRE_TOKEN_NO_MODULE, NO_TOKEN, PIN_WRONG, PIN_LAST_TRY, PIN_LOCKED, FAILED. */
enum wire_token_status token_open(struct token *token, const char *module, const char *name, const char *pin,
                                  struct token_error *error);

/* token_new_session opens one more session, which the login holds for too. */
enum wire_token_status token_new_session(const struct token *token, CK_SESSION_HANDLE *out, struct token_error *error);

/* token_check asks the token whether it is there and logged in. */
enum wire_token_status token_check(const struct token *token, struct token_error *error);

#endif
