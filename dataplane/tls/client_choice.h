/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificate of a key store answers a server that asks for one. Pure: any thread, under RCU for as long as the
 * store is looked at.
 */
#ifndef MINTGATE_DATAPLANE_TLS_CLIENT_CHOICE_H
#define MINTGATE_DATAPLANE_TLS_CLIENT_CHOICE_H

#include <openssl/ssl.h>

#include "dataplane/tls/client_keys.h"

/* What a server accepts, by its CertificateRequest (RFC 8446 section 4.3.2, RFC 5246 section 7.4.4). All borrowed. */
struct client_request {
    bool is_tls13;
    const uint16_t *schemes; /* SignatureScheme */
    size_t num_schemes;
    const uint8_t *types; /* ClientCertificateType; of TLS 1.2 alone */
    size_t num_types;
    const STACK_OF(CRYPTO_BUFFER) * authorities; /* names in DER; NULL or empty: any */
};

/* client_schemes are those that the signer signs with, in the order of preference; for
 * SSL_set_signing_algorithm_prefs. */
#define CLIENT_NUM_SCHEMES 8
extern const uint16_t client_schemes[CLIENT_NUM_SCHEMES];

/*
 * client_choose returns the entry of |store| by which a client may prove itself at |now| (seconds since 1970): its own
 * certificate is valid, and its key signs with a scheme that the server takes, in this version, and is of a type that
 * it takes. Of several it is the first, by name, with a certificate in its chain that one of the server's authorities
 * issued; if there is none the first. A server's list need not be complete (RFC 5246: "may specify ... a desired
 * authorization space"), so that the list alone refuses nothing. NULL: nothing suits. */
const struct client_key *client_choose(const struct client_key_store *store, const struct client_request *request,
                                       int64_t now);

#endif
