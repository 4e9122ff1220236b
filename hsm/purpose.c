/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/purpose.h"

/* A bit for each purpose. */
#define ONE(purpose) (1U << (purpose))

/* A call that has the key sign accepts one purpose, since what it signs is judged by that purpose's rules; but
 * certification requests, which the signer puts together by itself. */
static const unsigned accepted[KEY_NUM_CALLS] = {
    [KEY_CALL_SIGN_LEAF] = ONE(KEY_MINTING),
    [KEY_CALL_SIGN_CA] = ONE(KEY_PRIVATE_CA),
    [KEY_CALL_SIGN_CSR] = ONE(KEY_MINTING) | ONE(KEY_PRIVATE_CA),
    [KEY_CALL_MAKE] = ONE(KEY_MINTING) | ONE(KEY_PRIVATE_CA) | ONE(KEY_SKA),
    [KEY_CALL_INSTALL] = ONE(KEY_MINTING) | ONE(KEY_PRIVATE_CA),
    [KEY_CALL_DESTROY] = ONE(KEY_MINTING) | ONE(KEY_PRIVATE_CA) | ONE(KEY_SKA) | ONE(KEY_TLS_CLIENT),
    [KEY_CALL_ATTEST] = ONE(KEY_MINTING),
    [KEY_CALL_SKA_SIGN] = ONE(KEY_SKA),
    [KEY_CALL_IMPORT] = ONE(KEY_MINTING) | ONE(KEY_TLS_CLIENT),
    [KEY_CALL_CLIENT_SIGN] = ONE(KEY_TLS_CLIENT),
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
    return (accepted[call] & ONE(purpose)) != 0;
}
