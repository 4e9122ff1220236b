/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a PKCS#11 token is a program or a device, as far as that can be told: no more than the module's word. Pure:
 * any thread.
 */
#ifndef MINTGATE_WIRE_TOKEN_KIND_H
#define MINTGATE_WIRE_TOKEN_KIND_H

#include "wire/token.h"

enum token_kind {
    TOKEN_KIND_UNKNOWN,  /* nothing says what it is */
    TOKEN_KIND_SOFTWARE, /* it is known to be a program, whatever it says of its slot */
    TOKEN_KIND_HARDWARE, /* it says that its slot is a hardware slot (CKF_HW_SLOT), and is not known to be a program */
};
#define TOKEN_NUM_KINDS 3

/* token_kind_of judges by name: of the module, its manufacturer, and the token's manufacturer and model. */
enum token_kind token_kind_of(const struct wire_token_identity *identity);

/* token_kind_name returns "unknown", "software" or "hardware". */
const char *token_kind_name(enum token_kind kind);

#endif
