/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_tls.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "bench/http_head.h"

#define MAX_ALERT 255

static enum ssl_verify_result_t accept_all(SSL *ssl, uint8_t *out_alert)
{
    (void)ssl;
    (void)out_alert;
    return ssl_verify_ok;
}

/* set_alpn turns "h2,http/1.1" into the wire's length-prefixed form (RFC 7301 section 3.1). */
static bool set_alpn(SSL_CTX *ctx, const char *list)
{
    uint8_t wire[256];
    struct mg_buffer out;
    struct mg_slice rest = mg_slice_of_text(list), protocol;
    mg_buffer_wrap(&out, wire, sizeof(wire));
    while (http_take_word(&rest, ',', &protocol)) {
        mg_buffer_append_prefixed_u8(&out, protocol);
    }
    return mg_buffer_ok(&out) && SSL_CTX_set_alpn_protos(ctx, wire, (unsigned)out.len) == 0;
}

static const char *configure(SSL_CTX *ctx, const struct load_options *options)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (options->ca_file == NULL) {
        SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER, accept_all);
    } else if (SSL_CTX_load_verify_locations(ctx, options->ca_file, NULL)) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    } else {
        return "--cafile: cannot be read";
    }
    if (!SSL_CTX_set_min_proto_version(ctx, options->min_version) ||
        !SSL_CTX_set_max_proto_version(ctx, options->max_version)) {
        return "--tls";
    }
    if (options->alpn != NULL && !set_alpn(ctx, options->alpn)) {
        return "--alpn";
    }
    if (options->groups != NULL && !SSL_CTX_set1_curves_list(ctx, options->groups)) {
        return "--groups: the library does not know them";
    }
    if (options->ciphers != NULL && !SSL_CTX_set_strict_cipher_list(ctx, options->ciphers)) {
        return "--ciphers: the library does not know them";
    }
    return NULL;
}

SSL_CTX *load_tls_context_new(const struct load_options *options, struct mg_error *error)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    const char *problem = ctx == NULL ? "out of memory" : configure(ctx, options);
    if (problem != NULL) {
        (void)mg_error_set(error, MG_INVALID, "%s", problem);
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

bool load_tls_require_name(SSL *ssl, const char *name)
{
    union load_address literal;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (load_address_parse(&literal, name)) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, name);
    }
    return SSL_set_tlsext_host_name(ssl, name) && X509_VERIFY_PARAM_set1_host(param, name, strlen(name));
}

void load_tls_describe_failure(const SSL *ssl, char out[LOAD_TLS_MAX_REASON])
{
    uint32_t packed = ERR_peek_error();
    int code = ERR_GET_REASON(packed);
    if (code > SSL_AD_REASON_OFFSET && code <= SSL_AD_REASON_OFFSET + MAX_ALERT) {
        int alert = code - SSL_AD_REASON_OFFSET;
        snprintf(out, LOAD_TLS_MAX_REASON, "alert %d (%s)", alert, SSL_alert_desc_string_long(alert));
    } else if (code == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        long verdict = SSL_get_verify_result(ssl);
        snprintf(out, LOAD_TLS_MAX_REASON, "verify failed: %s", X509_verify_cert_error_string(verdict));
    } else {
        const char *text = ERR_reason_error_string(packed);
        snprintf(out, LOAD_TLS_MAX_REASON, "tls error: %s", text != NULL ? text : "unknown");
    }
}

static struct digest digest_of(const uint8_t *data, size_t len)
{
    uint8_t sha256[SHA256_DIGEST_LENGTH];
    struct digest digest;
    SHA256(data, len, sha256);
    memcpy(digest.bytes, sha256, sizeof(digest.bytes));
    return digest;
}

static void note_serial(struct tally *tally, const X509 *leaf)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    struct digest digest = digest_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
    digest_set_add(&tally->serials, &digest);
}

static void note_issuer(struct tally *tally, const X509 *leaf, const struct digest *issuer)
{
    char text[WORD_COUNTS_MAX_LEN + 1], name[100];
    if (X509_NAME_get_text_by_NID(X509_get_issuer_name(leaf), NID_commonName, name, sizeof(name)) < 0) {
        snprintf(name, sizeof(name), "(no CN)");
    }
    if (issuer == NULL) {
        snprintf(text, sizeof(text), "%s, not sent", name);
    } else {
        uint64_t head;
        memcpy(&head, issuer->bytes, sizeof(head));
        snprintf(text, sizeof(text), "%s, sha256 %016llx", name, (unsigned long long)__builtin_bswap64(head));
    }
    word_counts_add(&tally->issuers, text, 1);
}

static void note_parameters(struct tally *tally, const SSL *ssl)
{
    char text[WORD_COUNTS_MAX_LEN + 1];
    const char *group = SSL_get_curve_name(SSL_get_curve_id(ssl));
    const uint8_t *alpn;
    unsigned alpn_len;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    snprintf(text, sizeof(text), "%s %s %s %.*s", SSL_get_version(ssl), SSL_get_cipher_name(ssl),
             group != NULL ? group : "-", alpn_len > 0 ? (int)alpn_len : 1, alpn_len > 0 ? (const char *)alpn : "-");
    word_counts_add(&tally->parameters, text, 1);
}

static struct digest digest_of_certificate(const CRYPTO_BUFFER *certificate)
{
    return digest_of(CRYPTO_BUFFER_data(certificate), CRYPTO_BUFFER_len(certificate));
}

bool load_tls_note(SSL *ssl, struct tally *tally, struct load_tls_seen *seen)
{
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);
    const STACK_OF(X509) *parsed = SSL_get_peer_full_cert_chain(ssl);
    bool has_issuer = chain != NULL && sk_CRYPTO_BUFFER_num(chain) > 1;
    note_parameters(tally, ssl);
    if (chain == NULL || parsed == NULL) {
        return true;
    }
    X509 *leaf = sk_X509_value(parsed, 0);
    seen->leaf = digest_of_certificate(sk_CRYPTO_BUFFER_value(chain, 0));
    digest_set_add(&tally->leaves, &seen->leaf);
    note_serial(tally, leaf);
    if (has_issuer) {
        seen->issuer = digest_of_certificate(sk_CRYPTO_BUFFER_value(chain, 1));
    }
    note_issuer(tally, leaf, has_issuer ? &seen->issuer : NULL);
    /* Names and key identifiers are enough: the signature was verified on the path, and two issuers share neither. */
    return !has_issuer || X509_check_issued(sk_X509_value(parsed, 1), leaf) == X509_V_OK;
}
