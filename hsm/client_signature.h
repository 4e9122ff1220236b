/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures by which the appliance, as a TLS client, proves to a server that it has the key of its certificate
 * (CertificateVerify), with keys of the purpose tls-client. What is signed is judged here: it must have the form of
 * what a TLS client signs, which no certificate, request or list has; nor has a server's proof, unless, in TLS 1.2, its
 * client's random happens to begin as a ClientHello does (at most one in 2^31). Any thread.
 */
#ifndef MINTGATE_HSM_CLIENT_SIGNATURE_H
#define MINTGATE_HSM_CLIENT_SIGNATURE_H

#include "hsm/client_keys.h"

/*
 * client_signature_make signs what |request| has with its key, one of |keys|, into |out|, and returns WIRE_SIGN_OK;
 * anything else is the answer, and |error| says why. It takes as long as the signature: milliseconds with RSA_4K.
 *
 * WIRE_SIGN_BAD_CONTENT: the content is neither that of RFC 8446 section 4.4.3 for a client, with a hash of 32 or 48
 * bytes, nor the handshake messages of RFC 5246 section 7.4.8, from ClientHello and ServerHello, which are of TLS 1.2
 * and no shorter than can be, to ClientKeyExchange; or the scheme does not go with it or with the key: in TLS 1.3 no
 * PKCS#1 v1.5, and a curve with its own hash.
 */
enum wire_sign_status client_signature_make(struct client_keys *keys, const struct wire_client_sign *request,
                                            uint8_t out[WIRE_SIGNER_MAX_SIGNATURE], size_t *out_len,
                                            struct mg_error *error);

#endif
