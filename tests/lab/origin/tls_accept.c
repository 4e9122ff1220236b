/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/tls_accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include "tests/lab/origin/http.h"
#include "tests/lab/origin/relay.h"
#include "tests/lab/origin/route.h"

/* What is read before the decision; BoringSSL takes a ClientHello of SSL_CTX_set_max_cert_list's size at most. */
#define MAX_HELLO (96 * 1024)
#define MAX_SNIFFED (MAX_HELLO + 32 * 1024)

struct tls_accept {
    struct worker *worker;
    struct loop_source source;
    struct loop_retired retired;
    SSL *ssl;
    bool impostor;
    struct route route; /* meaningful once |decided| */
    bool decided;
    struct mg_buffer received; /* all that was read before the decision */
};

static void release(struct loop_retired *retired)
{
    free(MG_CONTAINER_OF(retired, struct tls_accept, retired));
}

/* retire frees what is still here; the descriptor and |ssl| may have moved on. */
static void retire(struct tls_accept *conn)
{
    SSL_free(conn->ssl);
    mg_buffer_free(&conn->received);
    loop_close(&conn->source);
    loop_retire(&conn->worker->loop, &conn->retired);
}

static void destroy(struct tls_accept *conn)
{
    worker_leave(conn->worker);
    retire(conn);
}

/* BIO over the socket that keeps what it reads until the decision. */
static int sniff_read(BIO *bio, char *out, int max)
{
    struct tls_accept *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t len = recv(conn->source.fd, out, (size_t)max, 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    if (len > 0) {
        mg_buffer_append(&conn->received, out, (size_t)len);
    }
    return (int)len;
}

static int sniff_write(BIO *bio, const char *data, int len)
{
    struct tls_accept *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t written = send(conn->source.fd, data, (size_t)len, MSG_NOSIGNAL);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return (int)written;
}

static long sniff_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static pthread_once_t sniff_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *sniff_method;

static void make_sniff_method(void)
{
    sniff_method = BIO_meth_new(0, "sniff");
    if (sniff_method == NULL || !BIO_meth_set_read(sniff_method, sniff_read) ||
        !BIO_meth_set_write(sniff_method, sniff_write) || !BIO_meth_set_ctrl(sniff_method, sniff_control)) {
        abort();
    }
}

static BIO *sniff_new(struct tls_accept *conn)
{
    pthread_once(&sniff_once, make_sniff_method);
    BIO *bio = BIO_new(sniff_method);
    if (bio != NULL) {
        BIO_set_data(bio, conn);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* offers_h2 looks for "h2" in the ALPN extension (RFC 7301 section 3.1), which BoringSSL has not looked at yet. */
static bool offers_h2(const SSL_CLIENT_HELLO *hello)
{
    const uint8_t *data;
    size_t len;
    if (!SSL_early_callback_ctx_extension_get(hello, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &len)) {
        return false;
    }
    CBS extension, list, protocol;
    CBS_init(&extension, data, len);
    if (!CBS_get_u16_length_prefixed(&extension, &list)) {
        return false;
    }
    while (CBS_get_u8_length_prefixed(&list, &protocol)) {
        if (CBS_mem_equal(&protocol, (const uint8_t *)"h2", 2)) {
            return true;
        }
    }
    return false;
}

static bool set_fresh(SSL *ssl, struct fresh *fresh, const struct credentials *issuer, const char *name)
{
    CRYPTO_BUFFER *chain[2] = {NULL, issuer->chain[0]};
    if (name == NULL || fresh_get(fresh, name, &chain[0]) != MG_OK) {
        return false;
    }
    bool ok = SSL_set_chain_and_key(ssl, chain, MG_ARRAY_LEN(chain), fresh_get0_key(fresh), NULL);
    CRYPTO_BUFFER_free(chain[0]);
    return ok;
}

static bool set_certificate(struct tls_accept *conn, const char *name)
{
    const struct origin *origin = conn->worker->origin;
    if (conn->impostor) {
        return set_fresh(conn->ssl, origin->impostor, &origin->impostor_issuer, name);
    }
    if (conn->route.action == ROUTE_FRESH) {
        return set_fresh(conn->ssl, origin->fresh, &origin->fresh_issuer, name);
    }
    const struct credentials *good = &origin->good;
    return SSL_set_chain_and_key(conn->ssl, good->chain, good->num_chain, good->key, NULL);
}

/* choose decides. Where the handshake does not go on here it "retries": BoringSSL stops and writes nothing. */
static enum ssl_select_cert_result_t choose(const SSL_CLIENT_HELLO *hello)
{
    struct tls_accept *conn = SSL_get_app_data(hello->ssl);
    const char *name = SSL_get_servername(hello->ssl, TLSEXT_NAMETYPE_host_name);
    conn->decided = true;
    conn->route = route_for(name, offers_h2(hello));
    SSL_set_verify(hello->ssl, SSL_VERIFY_NONE, NULL); /* see tls_accept */
    if (conn->impostor) {
        conn->route.action = ROUTE_FRESH;
    }
    switch (conn->route.action) {
    case ROUTE_FRESH:
    case ROUTE_GOOD:
        mg_buffer_free(&conn->received);
        return set_certificate(conn, name) ? ssl_select_cert_success : ssl_select_cert_error;
    case ROUTE_ALERT:
        return ssl_select_cert_error;
    default:
        return ssl_select_cert_retry;
    }
}

static int choose_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in, unsigned in_len, void *arg)
{
    static const uint8_t ours[] = "\x08http/1.1";
    uint8_t *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol: RFC 7301 section 3.2 */
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *tls_accept_context_new(void)
{
    static const uint8_t context_id[] = "lab origin";
    SSL_CTX *ctx = SSL_CTX_new(TLS_with_buffers_method());
    if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
        !SSL_CTX_set_session_id_context(ctx, context_id, sizeof(context_id) - 1)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets do */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(ctx, MAX_HELLO);
    SSL_CTX_set_select_certificate_cb(ctx, choose);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    return ctx;
}

static void finish_handshake(struct tls_accept *conn)
{
    worker_count(conn->worker, COUNT_HANDSHAKES);
    if (SSL_session_reused(conn->ssl)) {
        worker_count(conn->worker, COUNT_RESUMED);
    }
    SSL *ssl = conn->ssl;
    conn->ssl = NULL;
    if (!SSL_set_fd(ssl, conn->source.fd)) { /* in place of the BIO, which points to |conn| */
        abort();
    }
    http_serve(conn->worker, &conn->source, ssl);
    retire(conn);
}

static void divert(struct tls_accept *conn)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    switch (conn->route.action) {
    case ROUTE_NGINX:
        relay_start(conn->worker, &conn->source, conn->route.port, mg_buffer_slice(&conn->received));
        retire(conn);
        break;
    case ROUTE_SILENT:
        loop_watch(&conn->worker->loop, &conn->source, EPOLLRDHUP);
        break;
    default:
        setsockopt(conn->source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        destroy(conn);
    }
}

static void handshake(struct tls_accept *conn)
{
    ERR_clear_error();
    int result = SSL_do_handshake(conn->ssl);
    if (result == 1) {
        finish_handshake(conn);
        return;
    }
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        loop_watch(&conn->worker->loop, &conn->source, EPOLLIN);
        break;
    case SSL_ERROR_WANT_WRITE:
        loop_watch(&conn->worker->loop, &conn->source, EPOLLOUT);
        break;
    case SSL_ERROR_PENDING_CERTIFICATE:
        divert(conn);
        break;
    default:
        worker_count(conn->worker, COUNT_HANDSHAKES_FAILED);
        destroy(conn);
    }
}

static void ready(struct loop_source *source, uint32_t events)
{
    struct tls_accept *conn = MG_CONTAINER_OF(source, struct tls_accept, source);
    bool silent = conn->decided && conn->route.action == ROUTE_SILENT;
    if (silent || (events & EPOLLERR) != 0) {
        destroy(conn); /* the client gave up */
    } else {
        handshake(conn);
    }
}

static bool is_impostor(const struct origin *origin, int fd)
{
    struct sockaddr_in6 local;
    socklen_t len = sizeof(local);
    if (getsockname(fd, (struct sockaddr *)&local, &len) != 0) {
        return false;
    }
    for (size_t i = 0; i < origin->num_impostors; i++) {
        if (memcmp(&origin->impostors[i], &local.sin6_addr, sizeof(local.sin6_addr)) == 0) {
            return true;
        }
    }
    return false;
}

void tls_accept(struct worker *worker, struct loop_source *accepted)
{
    struct tls_accept *conn = calloc(1, sizeof(*conn));
    SSL *ssl = SSL_new(worker->origin->tls);
    BIO *bio = conn == NULL ? NULL : sniff_new(conn);
    if (ssl == NULL || bio == NULL) {
        SSL_free(ssl);
        BIO_free(bio);
        free(conn);
        loop_close(accepted);
        worker_leave(worker);
        return;
    }
    conn->worker = worker;
    conn->source = (struct loop_source){.fd = -1, .ready = ready};
    conn->retired.release = release;
    conn->impostor = is_impostor(worker->origin, accepted->fd);
    conn->ssl = ssl;
    mg_buffer_init(&conn->received, MAX_SNIFFED);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    SSL_set_app_data(ssl, conn);
    /* BoringSSL bounds a ClientHello by 16 KiB, unless it is to verify the client: then by max_cert_list. */
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    loop_move(&worker->loop, accepted, &conn->source);
    handshake(conn);
}
