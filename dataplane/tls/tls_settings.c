/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/tls_settings.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "dataplane/hello/hello_record.h"

/* Post-quantum first, where the linked library knows it by name. */
static const char *const group_lists[] = {"X25519MLKEM768:X25519:P-256:P-384:P-521", "X25519:P-256:P-384:P-521"};
/* Signatures taken from servers: BoringSSL's own list and P-521, which other clients take, without SHA-1 (RFC 9155). */
static const uint16_t server_signatures[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256,    SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PKCS1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_ECDSA_SECP521R1_SHA512, SSL_SIGN_RSA_PKCS1_SHA512,
};
/* TLS 1.2 with forward secrecy and AEAD first; the rest is for servers and clients that have nothing better. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"
#define TICKET_LIFETIME_SECONDS 7200
/* What BoringSSL takes of a client in one handshake message, unless told otherwise. */
#define BORINGSSL_MAX_MESSAGE 16384

void *tls_session_of(const SSL *ssl)
{
    return SSL_get_app_data(MG_UNCONST(ssl));
}

/* ---- callbacks ---- */

static const struct tls_callbacks *callbacks_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static enum ssl_verify_result_t verify_server(SSL *ssl, uint8_t *alert)
{
    return callbacks_of(ssl)->verify_server(tls_session_of(ssl), ssl, alert) ? ssl_verify_ok : ssl_verify_invalid;
}

/* A client's certificate callback is called only where the server has sent a CertificateRequest, with its own
 * certificate verified. Failing here ends the handshake before an empty certificate is sent, which would be an answer
 * in the client's name. */
static int client_certificate_asked(SSL *ssl, void *arg)
{
    (void)arg;
    return callbacks_of(ssl)->client_certificate_asked(tls_session_of(ssl), ssl);
}

static enum ssl_select_cert_result_t choose_certificate(const SSL_CLIENT_HELLO *hello)
{
    SSL_set_custom_verify(hello->ssl, SSL_VERIFY_NONE, NULL);
    return callbacks_of(hello->ssl)->choose_certificate(tls_session_of(hello->ssl), hello) ? ssl_select_cert_success
                                                                                           : ssl_select_cert_error;
}

/* choose_protocol answers the client's ALPN list with what the server chose, or not at all (RFC 7301 section 3.2). */
static int choose_protocol(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *offered,
                           unsigned offered_len, void *arg)
{
    (void)arg;
    struct mg_slice chosen = callbacks_of(ssl)->chosen_protocol(tls_session_of(ssl));
    CBS list, protocol;
    CBS_init(&list, offered, offered_len);
    while (chosen.len > 0 && CBS_get_u8_length_prefixed(&list, &protocol)) {
        if (CBS_mem_equal(&protocol, chosen.data, chosen.len)) {
            *out = CBS_data(&protocol);
            *out_len = (uint8_t)CBS_len(&protocol);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static void note_alert(const SSL *ssl, int type, int value)
{
    if (type == SSL_CB_READ_ALERT) {
        callbacks_of(ssl)->alert_received(tls_session_of(ssl), ssl, value & 0xff);
    }
}

/* ---- building ---- */

static SSL_CTX *new_context(const struct config_tls *config, const struct tls_callbacks *callbacks)
{
    SSL_CTX *context = SSL_CTX_new(TLS_with_buffers_method());
    if (context == NULL) {
        return NULL;
    }
    bool groups = false;
    for (size_t i = 0; i < MG_ARRAY_LEN(group_lists) && !groups; i++) {
        groups = SSL_CTX_set1_curves_list(context, group_lists[i]) == 1;
    }
    ERR_clear_error();
    SSL_CTX_set_app_data(context, MG_UNCONST(callbacks));
    SSL_CTX_set_info_callback(context, note_alert);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!groups || !SSL_CTX_set_strict_cipher_list(context, CIPHERS) ||
        !SSL_CTX_set_min_proto_version(context, (uint16_t)config->min_version) ||
        !SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static SSL_CTX *new_upstream(const struct config_tls *config, const struct tls_callbacks *callbacks)
{
    SSL_CTX *context = new_context(config, callbacks);
    if (context != NULL &&
        !SSL_CTX_set_verify_algorithm_prefs(context, server_signatures, MG_ARRAY_LEN(server_signatures))) {
        SSL_CTX_free(context);
        context = NULL;
    }
    if (context != NULL) {
        SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, verify_server);
        SSL_CTX_set_cert_cb(context, client_certificate_asked, NULL);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET); /* nothing of one client's is resumed for another */
    }
    return context;
}

static SSL_CTX *new_client(const struct config_tls *config, const struct tls_callbacks *callbacks)
{
    SSL_CTX *context = new_context(config, callbacks);
    if (context != NULL) {
        SSL_CTX_set_select_certificate_cb(context, choose_certificate);
        SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
        SSL_CTX_set_options(context, config->client_resumption ? 0 : SSL_OP_NO_TICKET);
        SSL_CTX_set_max_cert_list(context, HELLO_RECORD_MAX_MESSAGE);
        SSL_CTX_set_timeout(context, TICKET_LIFETIME_SECONDS);
        SSL_CTX_set_session_psk_dhe_timeout(context, TICKET_LIFETIME_SECONDS);
    }
    return context;
}

static enum mg_status copy_alpn(struct tls_settings *settings, const struct config_strings *alpn,
                                struct mg_error *error)
{
    if (alpn->num_items > TLS_SETTINGS_MAX_ALPN) {
        return mg_error_set(error, MG_INVALID, "tls.alpn: more than %d protocols", TLS_SETTINGS_MAX_ALPN);
    }
    for (size_t i = 0; i < alpn->num_items; i++) {
        size_t len = strlen(alpn->items[i]);
        if (len > sizeof(settings->alpn[0].name)) {
            return mg_error_set(error, MG_INVALID, "tls.alpn: %.64s is longer than %zu bytes", alpn->items[i],
                                sizeof(settings->alpn[0].name));
        }
        settings->alpn[i].len = (uint8_t)len;
        memcpy(settings->alpn[i].name, alpn->items[i], len);
    }
    settings->num_alpn = alpn->num_items;
    return MG_OK;
}

enum mg_status tls_settings_new(struct tls_settings **out, const struct config_tls *config, uint64_t generation,
                                const struct tls_callbacks *callbacks, struct mg_error *error)
{
    struct tls_settings *settings = calloc(1, sizeof(*settings));
    if (settings == NULL) {
        return mg_error_set(error, MG_MEMORY, "tls: out of memory");
    }
    settings->references = 1;
    settings->generation = generation;
    settings->min_version = config->min_version;
    settings->weaker_upstream = config->weaker_upstream;
    settings->remember_chain_seconds = config->remember_chain_ns / 1000000000;
    settings->upstream = new_upstream(config, callbacks);
    settings->client = new_client(config, callbacks);
    enum mg_status status = settings->upstream == NULL || settings->client == NULL
                                ? mg_error_set(error, MG_INTERNAL, "tls: BoringSSL cannot be set up")
                                : copy_alpn(settings, &config->alpn, error);
    if (status != MG_OK) {
        tls_settings_unref(settings);
        return status;
    }
    *out = settings;
    return MG_OK;
}

struct tls_settings *tls_settings_up_ref(struct tls_settings *settings)
{
    __atomic_fetch_add(&settings->references, 1, __ATOMIC_RELAXED);
    return settings;
}

void tls_settings_unref(struct tls_settings *settings)
{
    if (settings == NULL || __atomic_fetch_sub(&settings->references, 1, __ATOMIC_ACQ_REL) != 1) {
        return;
    }
    SSL_CTX_free(settings->upstream);
    SSL_CTX_free(settings->client);
    free(settings);
}

/* ---- objects of a session ---- */

static SSL *new_ssl(SSL_CTX *context, void *session, BIO *bio)
{
    SSL *ssl = SSL_new(context);
    if (ssl == NULL) {
        BIO_free(bio);
        return NULL;
    }
    SSL_set_app_data(ssl, session);
    SSL_set_bio(ssl, bio, bio);
    /* A long session must not pin what only the handshake needed: certificates above all. */
    SSL_set_shed_handshake_config(ssl, 1);
    return ssl;
}

static bool is_allowed(const struct tls_settings *settings, const CBS *protocol)
{
    for (size_t i = 0; i < settings->num_alpn; i++) {
        if (CBS_mem_equal(protocol, settings->alpn[i].name, settings->alpn[i].len)) {
            return true;
        }
    }
    return false;
}

/* set_protocols offers what the client offered and the operator allows, in the client's order. */
static bool set_protocols(const struct tls_settings *settings, SSL *ssl, const struct hello_info *hello)
{
    uint8_t list[HELLO_INFO_MAX_ALPN];
    size_t len = 0;
    CBS offered, protocol;
    CBS_init(&offered, hello->alpn, hello->alpn_len);
    while (CBS_get_u8_length_prefixed(&offered, &protocol)) {
        if (is_allowed(settings, &protocol)) {
            list[len++] = (uint8_t)CBS_len(&protocol);
            memcpy(list + len, CBS_data(&protocol), CBS_len(&protocol));
            len += CBS_len(&protocol);
        }
    }
    return len == 0 || SSL_set_alpn_protos(ssl, list, (unsigned)len) == 0;
}

SSL *tls_settings_upstream_ssl(const struct tls_settings *settings, const struct hello_info *hello, void *session,
                               BIO *bio)
{
    SSL *ssl = new_ssl(settings->upstream, session, bio);
    if (ssl == NULL) {
        return NULL;
    }
    bool raise_minimum =
        settings->weaker_upstream == CONFIG_WEAKER_REFUSE && hello->min_version > settings->min_version;
    if ((raise_minimum && !SSL_set_min_proto_version(ssl, hello->min_version)) ||
        (hello->sni.len > 0 && !SSL_set_tlsext_host_name(ssl, hello->sni.text)) ||
        !set_protocols(settings, ssl, hello)) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

/* never_called stands where BoringSSL wants a callback: no client is ever asked for a certificate. */
static enum ssl_verify_result_t never_called(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_invalid;
}

SSL *tls_settings_client_ssl(const struct tls_settings *settings, size_t hello_len, void *session, BIO *bio)
{
    SSL *ssl = new_ssl(settings->client, session, bio);
    if (ssl != NULL) {
        if (hello_len > BORINGSSL_MAX_MESSAGE) {
            /* A server takes messages of more than 16 KiB only if it will ask for certificates. choose_certificate
             * takes that back before it is asked. */
            SSL_set_custom_verify(ssl, SSL_VERIFY_PEER, never_called);
        }
        SSL_set_accept_state(ssl);
    }
    return ssl;
}
