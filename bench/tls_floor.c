/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under what an intercepted connection costs: the cryptography of its two TLS 1.3 handshakes, in memory, with
 * the library that the engine uses. The client's part stands for the engine's half towards the server, the server's for
 * that towards the client. X25519, AES-128-GCM, P-256 certificate under a P-256 intermediate, no tickets.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"

#define NUM_HANDSHAKES 2000
#define DAY_SECONDS 86400L
#define NAME "floor.example"

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-tls-floor: %s\n", what);
    exit(2);
}

/* ---- certificates ---- */

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static EVP_PKEY *new_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    if (ec == NULL || key == NULL || !EC_KEY_generate_key(ec) || !EVP_PKEY_assign_EC_KEY(key, ec)) {
        die("no key");
    }
    return key;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    if (extension == NULL || !X509_add_ext(certificate, extension, -1)) {
        die("no extension");
    }
    X509_EXTENSION_free(extension);
}

/* new_identity makes a certificate by |issuer|, or a self-signed one if that is NULL. */
static struct identity new_identity(const char *name, bool is_ca, const struct identity *issuer, long serial)
{
    struct identity made = {.key = new_key(), .certificate = X509_new()};
    X509 *certificate = made.certificate;
    if (issuer == NULL) {
        issuer = &made;
    }
    bool ok = certificate != NULL && X509_set_version(certificate, X509_VERSION_3) &&
              ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_SECONDS) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), 90 * DAY_SECONDS) != NULL &&
              X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, (const uint8_t *)name,
                                         -1, -1, 0) &&
              X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) &&
              X509_set_pubkey(certificate, made.key);
    if (!ok) {
        die("no certificate");
    }
    add_extension(certificate, issuer->certificate, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    add_extension(certificate, issuer->certificate, NID_key_usage, is_ca ? "keyCertSign" : "digitalSignature");
    add_extension(certificate, issuer->certificate, NID_subject_key_identifier, "hash");
    if (!is_ca) {
        add_extension(certificate, issuer->certificate, NID_subject_alt_name, "DNS:" NAME);
    }
    if (X509_sign(certificate, issuer->key, EVP_sha256()) == 0) {
        die("no signature");
    }
    return made;
}

static void free_identity(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

/* ---- contexts ---- */

static SSL_CTX *new_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)) {
        die("no context");
    }
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

static SSL_CTX *new_server_context(const struct identity *leaf, const struct identity *intermediate)
{
    SSL_CTX *context = new_context();
    if (!SSL_CTX_use_certificate(context, leaf->certificate) || !SSL_CTX_use_PrivateKey(context, leaf->key) ||
        !SSL_CTX_add1_chain_cert(context, intermediate->certificate)) {
        die("no server");
    }
    return context;
}

static enum ssl_verify_result_t verify_nothing(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static SSL_CTX *new_client_context(const struct identity *root, bool verifies)
{
    SSL_CTX *context = new_context();
    if (verifies) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root->certificate)) {
            die("no trust");
        }
    } else {
        SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, verify_nothing);
    }
    return context;
}

/* ---- handshakes ---- */

/* cpu_ns is the CPU time of this thread. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * MG_NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* step runs one side as far as it comes, and adds its time to |spent_ns|; true: done. */
static bool step(SSL *ssl, uint64_t *spent_ns)
{
    uint64_t start_ns = cpu_ns();
    int result = SSL_do_handshake(ssl);
    *spent_ns += cpu_ns() - start_ns;
    if (result != 1 && SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) {
        die("a handshake failed");
    }
    return result == 1;
}

static void handshake(SSL_CTX *client_context, SSL_CTX *server_context, uint64_t *client_ns, uint64_t *server_ns)
{
    BIO *client_bio, *server_bio;
    uint64_t start_ns = cpu_ns();
    SSL *client = SSL_new(client_context);
    *client_ns = cpu_ns() - start_ns;
    start_ns += *client_ns;
    SSL *server = SSL_new(server_context);
    *server_ns = cpu_ns() - start_ns;
    if (client == NULL || server == NULL || !BIO_new_bio_pair(&client_bio, 0, &server_bio, 0) ||
        !SSL_set_tlsext_host_name(client, NAME) || !SSL_set1_host(client, NAME)) {
        die("out of memory");
    }
    SSL_set_bio(client, client_bio, client_bio);
    SSL_set_bio(server, server_bio, server_bio);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (bool client_done = false, server_done = false; !client_done || !server_done;) {
        client_done = client_done || step(client, client_ns);
        server_done = server_done || step(server, server_ns);
    }
    SSL_free(client);
    SSL_free(server);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double median_us(uint64_t *values_ns)
{
    qsort(values_ns, NUM_HANDSHAKES, sizeof(*values_ns), compare);
    return (double)values_ns[NUM_HANDSHAKES / 2] / 1000;
}

/* run returns the medians of both sides, in microseconds. */
static void run(SSL_CTX *client, SSL_CTX *server, double *client_us, double *server_us)
{
    static uint64_t client_ns[NUM_HANDSHAKES], server_ns[NUM_HANDSHAKES];
    for (int i = 0; i < NUM_HANDSHAKES; i++) {
        handshake(client, server, &client_ns[i], &server_ns[i]);
    }
    *client_us = median_us(client_ns);
    *server_us = median_us(server_ns);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option != 'j') {
            fprintf(stderr, "usage: mintgate-tls-floor [--json]\n");
            return 2;
        }
        json = true;
    }
    struct identity root = new_identity("Floor Root", true, NULL, 1);
    struct identity intermediate = new_identity("Floor Intermediate", true, &root, 2);
    struct identity leaf = new_identity(NAME, false, &intermediate, 3);
    SSL_CTX *server = new_server_context(&leaf, &intermediate);
    SSL_CTX *verifying = new_client_context(&root, true), *trusting = new_client_context(&root, false);
    double verifying_us, trusting_us, server_us, server_again_us;
    run(verifying, server, &verifying_us, &server_us);
    run(trusting, server, &trusting_us, &server_again_us);
    if (json) {
        printf(
            "{\"client_us\": %.1f, \"client_without_verification_us\": %.1f, \"server_us\": %.1f, \"cold_us\": %.1f, "
            "\"warm_us\": %.1f}\n",
            verifying_us, trusting_us, server_us, verifying_us + server_us, trusting_us + server_us);
    } else {
        printf("client %.0f us (without verification %.0f us), server %.0f us; both: cold %.0f us, warm %.0f us\n",
               verifying_us, trusting_us, server_us, verifying_us + server_us, trusting_us + server_us);
    }
    SSL_CTX_free(server);
    SSL_CTX_free(verifying);
    SSL_CTX_free(trusting);
    free_identity(&leaf);
    free_identity(&intermediate);
    free_identity(&root);
    return 0;
}
