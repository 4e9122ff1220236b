/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both TLS sides as configured: an immutable snapshot, replaced whole on reload. A session holds a reference for as
 * long as it lives.
 */
#ifndef MINTGATE_DATAPLANE_TLS_TLS_SETTINGS_H
#define MINTGATE_DATAPLANE_TLS_TLS_SETTINGS_H

#include <openssl/base.h>

#include "base/status.h"
#include "config/config.h"
#include "dataplane/policy/hello_info.h"

#define TLS_SETTINGS_MAX_ALPN 16

/* What the two TLS objects of a session ask it. Their |session| is what tls_settings_*_ssl were given. */
struct tls_callbacks {
    /* The server's chain is there: returns false to fail the handshake with |*alert|. */
    bool (*verify_server)(void *session, SSL *ssl, uint8_t *alert);
    /* The server asks for a client certificate: sets chain and key of |ssl|; returns false to fail the handshake. */
    bool (*client_certificate_asked)(void *session, SSL *ssl);
    /* The client's hello is there: sets certificate and session id context; returns false to fail. */
    bool (*choose_certificate)(void *session, const SSL_CLIENT_HELLO *hello);
    /* The protocol that the server chose; empty: none. */
    struct mg_slice (*chosen_protocol)(void *session);
    /* An alert came from the peer of |ssl|. */
    void (*alert_received)(void *session, const SSL *ssl, int description);
};

struct tls_settings {
    unsigned references; /* atomic */
    uint64_t generation;
    SSL_CTX *upstream;
    SSL_CTX *client;
    enum config_tls_version min_version;
    enum config_weaker_upstream weaker_upstream;
    uint64_t remember_chain_seconds;
    size_t num_alpn;
    struct {
        uint8_t len;
        uint8_t name[32];
    } alpn[TLS_SETTINGS_MAX_ALPN];
};

/* tls_settings_new builds the snapshot; the caller owns one reference. |callbacks| lives as long as the program. */
MG_MUST_USE enum mg_status tls_settings_new(struct tls_settings **out, const struct config_tls *config,
                                            uint64_t generation, const struct tls_callbacks *callbacks,
                                            struct mg_error *error);
struct tls_settings *tls_settings_up_ref(struct tls_settings *settings);
void tls_settings_unref(struct tls_settings *settings);

/* tls_settings_upstream_ssl makes the TLS client that speaks to the server as |hello|'s client asked: its SNI, its
 * protocols as far as configured, no version below its own minimum. NULL: out of memory. Session threads. */
SSL *tls_settings_upstream_ssl(const struct tls_settings *settings, const struct hello_info *hello, void *session,
                               BIO *bio);

/* tls_settings_client_ssl makes the TLS server that speaks to the client, whose hello has |hello_len| bytes. */
SSL *tls_settings_client_ssl(const struct tls_settings *settings, size_t hello_len, void *session, BIO *bio);

/* tls_session_of returns the session of one of these objects. */
void *tls_session_of(const SSL *ssl);

#endif
