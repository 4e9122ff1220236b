/* SPDX-License-Identifier: Apache-2.0 */
/* What the signer knows of a configured token. Plain data. */
#ifndef MINTGATE_HSM_TOKEN_CONFIG_H
#define MINTGATE_HSM_TOKEN_CONFIG_H

#include "wire/token.h"

#define TOKEN_MAX_NAME 32
#define TOKEN_NO_PARTNER WIRE_TOKEN_MAX_PLACES

enum token_pin_source {
    TOKEN_PIN_FILE,       /* of this user, 0600 */
    TOKEN_PIN_CREDENTIAL, /* systemd has made the file, and it is as private as that makes it */
    TOKEN_PIN_DESCRIPTOR, /* inherited */
};

/* struct token_config is self-contained. |name| is what keys, calls and metrics call the token. */
struct token_config {
    char name[TOKEN_MAX_NAME + 1];
    char module[WIRE_TOKEN_MAX_PATH + 1];
    char token[WIRE_TOKEN_MAX_PATH + 1];    /* label or URI */
    char pin_file[WIRE_TOKEN_MAX_PATH + 1]; /* of TOKEN_PIN_DESCRIPTOR: what errors call it */
    enum token_pin_source pin_source;
    int pin_descriptor; /* of TOKEN_PIN_DESCRIPTOR: of a regular file */
    char region[16];
    unsigned num_sessions; /* 0: calibrate */
    size_t partner;        /* the place of the token that takes over its work; TOKEN_NO_PARTNER */
    uint64_t deadline_ns;  /* work that takes longer than this means that it hangs */
};

#endif
