/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what stands on keys: an issuer of a key type of one's choice, and leaves for it, without a keystore's
 * files. And a signer's client: one socket, requests out, results in.
 */
#ifndef MINTGATE_TESTS_SIGNER_FIXTURE_H
#define MINTGATE_TESTS_SIGNER_FIXTURE_H

#include "hsm/client_keys.h"
#include "hsm/issuer_publisher.h"
#include "leaf_builder.h"

/* A keystore in the test's temporary directory with the built-in CAs, and its issuers in a software backend. */
struct issuers_fixture {
    struct kek kek;
    struct keystore *store;
    struct backend *backend;
    struct backends backends;   /* that one alone */
    struct issuer_set *issuers; /* a reference to what was there at the beginning */
    struct issuer_publisher *publisher;
    struct client_keys *client_keys;
};

void issuers_open(struct issuers_fixture *fixture, enum wire_key_type type, bool use_lanes);
void issuers_close(struct issuers_fixture *fixture);

/* issuers_offer makes a key of |type| with role OFFERED and an issuer for it, certified by the built-in root as
 * |common_name|; the keystore is not told of the certificate. The caller frees the issuer. */
struct issuer *issuers_offer(struct issuers_fixture *fixture, enum wire_key_type type, const char *common_name);
/* issuers_certify does the second half for a key that is there. */
struct issuer *issuers_certify(struct issuers_fixture *fixture, const struct keystore_key *key,
                               const char *common_name);

/* issuers_with_role returns the one issuer with |role|. */
const struct issuer *issuers_with_role(const struct issuers_fixture *fixture, enum wire_issuer_role role);

/* fixture_write_leaf appends the TBSCertificate of a good leaf of |issuer| for |name| to |out|; |serial| makes it
 * differ. */
void fixture_write_leaf(struct mg_buffer *out, const struct leaf_issuer *issuer, const char *name, uint64_t serial);

/* fixture_verify tells whether |signature| is over |tbs| by the key in |certificate| (DER). */
bool fixture_verify(struct mg_slice certificate, struct mg_slice tbs, struct mg_slice signature);

/* A client of the signer on a blocking socket. All of its functions fail the test on an I/O error. */
struct client {
    int fd;
    struct mg_buffer out;
    uint8_t in[WIRE_SIGNER_MAX_PACKET];
    struct wire_sign_result results[WIRE_SIGNER_MAX_BATCH]; /* borrow from |in| */
    size_t num_results;
};

/* client_open takes a connected socket over. client_hello sends HELLO and reads ISSUERS into |issuers|, which borrows
 * from |client->in|. */
void client_open(struct client *client, int fd);
void client_close(struct client *client);
void client_hello(struct client *client, struct wire_issuers *issuers);
/* client_issuers reads an ISSUERS packet that the signer sends on its own. */
void client_issuers(struct client *client, struct wire_issuers *issuers);

/* client_begin, client_add, client_send make and send a SIGN packet. */
void client_begin(struct client *client);
void client_add(struct client *client, uint64_t id, const struct wire_key_id *key, struct mg_slice tbs,
                uint32_t timeout_ms);
void client_send(struct client *client);
void client_send_bytes(struct client *client, struct mg_slice packet);

/* client_packet reads one packet, whatever it is. */
struct mg_slice client_packet(struct client *client);
/* client_receive reads one SIGNED packet into results. client_is_closed tells whether the signer closes the
 * connection (it waits for the next event). */
void client_receive(struct client *client);
bool client_is_closed(struct client *client);

/* client_ask sends one request and returns its result. */
struct wire_sign_result client_ask(struct client *client, uint64_t id, const struct wire_key_id *key,
                                   struct mg_slice tbs, uint32_t timeout_ms);

#endif
