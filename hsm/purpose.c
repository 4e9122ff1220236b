/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/purpose.h"

#define ONLY(purpose) (1U << (purpose))

/* A call that uses the key accepts one purpose, since what it signs is judged by that purpose's rules. */
static const unsigned accepted[KEY_NUM_CALLS] = {
    [KEY_CALL_SIGN_LEAF] = ONLY(KEY_MINTING),
    [KEY_CALL_SIGN_CA] = ONLY(KEY_PRIVATE_CA),
    [KEY_CALL_SIGN_CSR] = ONLY(KEY_MINTING) | ONLY(KEY_PRIVATE_CA),
    [KEY_CALL_MAKE] = ONLY(KEY_MINTING) | ONLY(KEY_PRIVATE_CA),
    [KEY_CALL_INSTALL] = ONLY(KEY_MINTING) | ONLY(KEY_PRIVATE_CA),
    [KEY_CALL_DESTROY] = ONLY(KEY_MINTING) | ONLY(KEY_PRIVATE_CA),
    [KEY_CALL_ATTEST] = ONLY(KEY_MINTING),
};

bool key_purpose_is_known(uint8_t number)
{
    return number >= KEY_PURPOSE_FIRST && number <= KEY_PURPOSE_LAST;
}

const char *key_purpose_name(enum key_purpose purpose)
{
    switch (purpose) {
    case KEY_MINTING:
        return "minting";
    case KEY_PRIVATE_CA:
        return "private-ca";
    case KEY_SKA:
        return "ska";
    case KEY_TLS_CLIENT:
        return "tls-client";
    case KEY_SERVER_TLS:
        return "server-tls";
    }
    return "unknown";
}

bool key_purpose_allows(enum key_purpose purpose, enum key_call call)
{
    return (accepted[call] & ONLY(purpose)) != 0;
}
