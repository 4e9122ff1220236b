/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signer played by the test (wire/signer.h), step by step, in the test's own thread and at the test's own time: the
 * client never blocks, so that neither has to wait for the other. What fails ends the test.
 */
#ifndef MINTGATE_TESTS_PLAYED_SIGNER_H
#define MINTGATE_TESTS_PLAYED_SIGNER_H

#include <openssl/evp.h>

#include "wire/signer.h"

struct signer {
    char path[64];
    int listen_fd;
    int fd;
    uint8_t packet[WIRE_SIGNER_MAX_PACKET];
    struct wire_sign_request requests[WIRE_SIGNER_MAX_BATCH]; /* of the packet received last */
    size_t num_requests;
};

/* signer_init gives it a path of its own; signer_start listens there, signer_stop ends that. */
void signer_init(struct signer *signer);
void signer_start(struct signer *signer);
void signer_stop(struct signer *signer);

/* signer_accept takes the connection of a client, which has said hello; signer_hang_up closes it. */
void signer_accept(struct signer *signer);
void signer_hang_up(struct signer *signer);

void signer_send(struct signer *signer, struct mg_slice packet);
void signer_send_issuers(struct signer *signer, const struct wire_issuer *issuer);

/* signer_receive receives one SIGN packet, or returns false if there is none. */
bool signer_receive(struct signer *signer);

/* signer_receive_cancel receives one CANCEL packet. */
void signer_receive_cancel(struct signer *signer, struct wire_sign_cancel *out);

/* signer_receive_client_sign receives one CLIENT_SIGN packet, or returns false if there is none; |out| borrows from
 * |signer|->packet. */
bool signer_receive_client_sign(struct signer *signer, struct wire_client_sign *out);

void signer_reply(struct signer *signer, uint64_t id, enum wire_sign_status status, struct mg_slice signature);

/* signer_sign signs request |i| of the packet received last. */
void signer_sign(struct signer *signer, EVP_PKEY *key, size_t i);

#endif
