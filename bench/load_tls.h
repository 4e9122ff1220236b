/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS side of a load generator's connection: what it demands, and what it saw. One thread for each SSL_CTX. */
#ifndef MINTGATE_BENCH_LOAD_TLS_H
#define MINTGATE_BENCH_LOAD_TLS_H

#include <stdbool.h>

#include <openssl/base.h>

#include "bench/load_options.h"
#include "bench/tally.h"

#define LOAD_TLS_MAX_REASON 128

/* load_tls_context_new makes the client context that |options| ask for, with the anchors loaded. NULL with a text. */
SSL_CTX *load_tls_context_new(const struct load_options *options, struct mg_error *error);

/* load_tls_require_name sets the SNI, unless |name| is an address, and what the certificate must be for: RFC 9525, so
 * without a look at the CN. False if memory is short. */
MG_MUST_USE bool load_tls_require_name(SSL *ssl, const char *name);

/* load_tls_describe_failure says why a call ended with SSL_ERROR_SSL: an alert, a failed verification, another
 * reason. */
void load_tls_describe_failure(const SSL *ssl, char out[LOAD_TLS_MAX_REASON]);

/* Of a resumed session, what its first handshake showed. */
struct load_tls_seen {
    struct digest leaf;   /* beginning of its SHA-256 */
    struct digest issuer; /* likewise, of the certificate behind the leaf; zeros: there was none */
};

/* load_tls_note counts leaf, serial, issuer and parameters of a completed handshake in |tally|. False: the certificate
 * behind the leaf is not its issuer's (RFC 8446 section 4.4.2), though a path may have been found with a later one. */
MG_MUST_USE bool load_tls_note(SSL *ssl, struct tally *tally, struct load_tls_seen *seen);

#endif
