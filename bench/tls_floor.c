/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under what an intercepted connection costs: the cryptography of its two handshakes, in memory, with the
 * library that the engine uses. The client's part stands for the engine's half towards the server, the server's for
 * that towards the client. X25519, AES-128-GCM, P-256 certificate under a P-256 intermediate. Cold: the chain is
 * verified; warm: it is known; resumed: the client resumes its session with the engine, the server's half is as warm,
 * since upstream sessions are never resumed. Tickets only there.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"

#define DEFAULT_HANDSHAKES 1000
#define MAX_HANDSHAKES 100000
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

static SSL_CTX *new_context(uint16_t version, bool resumes)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL || !SSL_CTX_set_min_proto_version(context, version) ||
        !SSL_CTX_set_max_proto_version(context, version)) {
        die("no context");
    }
    SSL_CTX_set_options(context, resumes ? 0 : SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

static SSL_CTX *new_server_context(uint16_t version, bool resumes, const struct identity *leaf,
                                   const struct identity *intermediate)
{
    SSL_CTX *context = new_context(version, resumes);
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

/* new_client_context: |root| is NULL for a client to which the chain is known. */
static SSL_CTX *new_client_context(uint16_t version, bool resumes, const struct identity *root)
{
    SSL_CTX *context = new_context(version, resumes);
    if (root == NULL) {
        SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, verify_nothing);
        return context;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root->certificate)) {
        die("no trust");
    }
    return context;
}

/* ---- handshakes ---- */

struct pair {
    SSL *client, *server;
    uint64_t client_ns, server_ns; /* CPU time of this thread */
};

/* step runs one side as far as it comes, and adds its time to |spent_ns|; true: done. */
static bool step(SSL *ssl, uint64_t *spent_ns)
{
    uint64_t start_ns = mg_clock_thread_cpu_ns();
    int result = SSL_do_handshake(ssl);
    *spent_ns += mg_clock_thread_cpu_ns() - start_ns;
    if (result != 1 && SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) {
        die("a handshake failed");
    }
    return result == 1;
}

static SSL *new_ssl(SSL_CTX *context, uint64_t *spent_ns)
{
    uint64_t start_ns = mg_clock_thread_cpu_ns();
    SSL *ssl = SSL_new(context);
    *spent_ns = mg_clock_thread_cpu_ns() - start_ns;
    if (ssl == NULL) {
        die("out of memory");
    }
    return ssl;
}

/* shake_hands returns a connection; it offers |session| unless that is NULL. */
static struct pair shake_hands(SSL_CTX *client_context, SSL_CTX *server_context, SSL_SESSION *session)
{
    struct pair pair;
    BIO *client_bio, *server_bio;
    pair.client = new_ssl(client_context, &pair.client_ns);
    pair.server = new_ssl(server_context, &pair.server_ns);
    if (!BIO_new_bio_pair(&client_bio, 0, &server_bio, 0) || !SSL_set_tlsext_host_name(pair.client, NAME) ||
        !SSL_set1_host(pair.client, NAME) || (session != NULL && !SSL_set_session(pair.client, session))) {
        die("out of memory");
    }
    SSL_set_bio(pair.client, client_bio, client_bio);
    SSL_set_bio(pair.server, server_bio, server_bio);
    SSL_set_connect_state(pair.client);
    SSL_set_accept_state(pair.server);
    for (bool client_done = false, server_done = false; !client_done || !server_done;) {
        client_done = client_done || step(pair.client, &pair.client_ns);
        server_done = server_done || step(pair.server, &pair.server_ns);
    }
    if (SSL_session_reused(pair.client) != (session != NULL)) {
        die("a session was not resumed as it should be");
    }
    return pair;
}

static void free_ssl(SSL *ssl, uint64_t *spent_ns)
{
    uint64_t start_ns = mg_clock_thread_cpu_ns();
    SSL_free(ssl);
    *spent_ns += mg_clock_thread_cpu_ns() - start_ns;
}

static void free_pair(struct pair *pair)
{
    free_ssl(pair->client, &pair->client_ns);
    free_ssl(pair->server, &pair->server_ns);
}

static SSL_SESSION *session_got;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(session_got);
    session_got = session;
    return 1; /* which takes the reference */
}

/* get_session returns a session to resume, of which the ticket comes behind the handshake in TLS 1.3. */
static SSL_SESSION *get_session(SSL_CTX *client, SSL_CTX *server)
{
    char byte;
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client, keep_session);
    struct pair pair = shake_hands(client, server, NULL);
    if (SSL_write(pair.server, "!", 1) != 1 || SSL_read(pair.client, &byte, 1) != 1 || session_got == NULL) {
        die("no session");
    }
    free_pair(&pair);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_OFF);
    SSL_SESSION *session = session_got;
    session_got = NULL;
    return session;
}

/* ---- means ---- */

static unsigned num_handshakes = DEFAULT_HANDSHAKES;

/* Both sides' means, in microseconds: what a connection costs through Mintgate is a mean too, of which each interrupt
 * and each cold cache is a part. */
struct sides {
    double client_us, server_us;
};

static struct sides measure(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *session)
{
    uint64_t client_ns = 0, server_ns = 0;
    for (unsigned i = 0; i < num_handshakes; i++) {
        struct pair pair = shake_hands(client, server, session);
        free_pair(&pair);
        client_ns += pair.client_ns;
        server_ns += pair.server_ns;
    }
    return (struct sides){(double)client_ns / num_handshakes / 1000, (double)server_ns / num_handshakes / 1000};
}

struct floors {
    double cold_us, warm_us, resumed_us;
};

static struct floors floors_of(uint16_t version, const struct identity *root, const struct identity *intermediate,
                               const struct identity *leaf)
{
    SSL_CTX *server = new_server_context(version, false, leaf, intermediate);
    SSL_CTX *verifying = new_client_context(version, false, root);
    SSL_CTX *trusting = new_client_context(version, false, NULL);
    SSL_CTX *ticket_server = new_server_context(version, true, leaf, intermediate);
    SSL_CTX *ticket_client = new_client_context(version, true, NULL);
    SSL_SESSION *session = get_session(ticket_client, ticket_server);
    struct sides cold = measure(verifying, server, NULL);
    struct sides warm = measure(trusting, server, NULL);
    struct sides resumed = measure(ticket_client, ticket_server, session);
    SSL_SESSION_free(session);
    SSL_CTX_free(server);
    SSL_CTX_free(verifying);
    SSL_CTX_free(trusting);
    SSL_CTX_free(ticket_server);
    SSL_CTX_free(ticket_client);
    return (struct floors){cold.client_us + cold.server_us, warm.client_us + warm.server_us,
                           warm.client_us + resumed.server_us};
}

/* ---- the program ---- */

static const char usage[] = "usage: mintgate-tls-floor [--json] [--handshakes N]\n";

static void parse_options(int argc, char **argv, bool *json)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"handshakes", required_argument, NULL, 'n'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = NULL;
        if (option == 'j') {
            *json = true;
        } else if (option == 'n') {
            num_handshakes = (unsigned)strtoul(optarg, &end, 10);
        }
        if (option == '?' || (end != NULL && *end != '\0') || num_handshakes == 0 || num_handshakes > MAX_HANDSHAKES) {
            fputs(usage, stderr);
            exit(2);
        }
    }
}

static void print_floors(const char *name, const struct floors *floors, bool json)
{
    if (json) {
        printf("\"%s\": {\"cold\": %.1f, \"warm\": %.1f, \"resumed\": %.1f}", name, floors->cold_us, floors->warm_us,
               floors->resumed_us);
    } else {
        printf("%s: cold %.0f us, warm %.0f us, resumed %.0f us\n", name, floors->cold_us, floors->warm_us,
               floors->resumed_us);
    }
}

int main(int argc, char **argv)
{
    bool json = false;
    parse_options(argc, argv, &json);
    struct identity root = new_identity("Floor Root", true, NULL, 1);
    struct identity intermediate = new_identity("Floor Intermediate", true, &root, 2);
    struct identity leaf = new_identity(NAME, false, &intermediate, 3);
    const struct floors tls13 = floors_of(TLS1_3_VERSION, &root, &intermediate, &leaf);
    const struct floors tls12 = floors_of(TLS1_2_VERSION, &root, &intermediate, &leaf);
    fputs(json ? "{" : "", stdout);
    print_floors("TLS 1.3", &tls13, json);
    fputs(json ? ", " : "", stdout);
    print_floors("TLS 1.2", &tls12, json);
    fputs(json ? "}\n" : "", stdout);
    free_identity(&leaf);
    free_identity(&intermediate);
    free_identity(&root);
    return 0;
}
