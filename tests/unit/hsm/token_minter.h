/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the signer's program with tokens: control's side of it, and keys on tokens made into issuers, certified
 * by a CA of the test's own. Everything fails the test where it does not say otherwise.
 */
#ifndef MINTGATE_TESTS_TOKEN_MINTER_H
#define MINTGATE_TESTS_TOKEN_MINTER_H

#include "hsm/leaf_policy.h"
#include "wire/signer_control.h"

#define PATIENCE_SECONDS 120

/* The last answer, and what it borrows from. */
extern struct control {
    uint8_t in[WIRE_CONTROL_MAX_PACKET];
    struct wire_control_reply reply;
} control;

/* ask makes one call on a connection of its own, and returns its status; ask_well wants that to be OK. */
enum wire_control_status ask(const struct wire_control_request *request);
void ask_well(const struct wire_control_request *request);

/* wish_of is the wish for a minting key of |type| on the token |holder|; |seed| makes it another wish. */
struct wire_control_request wish_of(const char *holder, enum wire_key_type type, uint8_t seed);

/* wait_until_up waits until the token |holder| takes calls; it has it make a key. */
void wait_until_up(const char *holder);

/* struct minter is a key on a token, installed as an issuer. */
struct minter {
    struct wire_key_id id;
    uint8_t certificate[4096];
    size_t certificate_len;
    struct leaf_issuer facts; /* borrows from |certificate| */
};

/* make_minter makes the key of a wish and takes it by way of a certification request, which is verified, to an issuer;
 * the caller frees it. */
struct minter *make_minter(const char *holder, enum wire_key_type type, uint8_t seed);

#endif
