/* SPDX-License-Identifier: Apache-2.0 */
#include "token_minter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "hsm/ca_extensions.h"
#include "signer_process.h"
#include "temp_dir.h"

/* Control's side */

struct control control;

/* ask makes one call on a connection of its own. */
enum wire_control_status ask(const struct wire_control_request *request)
{
    struct mg_buffer packet;
    struct mg_error error = {""};
    int fd;
    mg_buffer_init(&packet, WIRE_CONTROL_MAX_PACKET);
    wire_control_encode_request(&packet, request);
    assert_int_equal(mg_unix_connect(temp_path("control.sock"), SOCK_SEQPACKET, &fd, NULL), MG_OK);
    assert_int_equal(send(fd, packet.data, packet.len, MSG_NOSIGNAL), (ssize_t)packet.len);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, PATIENCE_SECONDS * 1000), 1);
    ssize_t len = recv(fd, control.in, sizeof(control.in), 0);
    assert_true(len > 0);
    if (wire_control_decode_reply(mg_slice_of(control.in, (size_t)len), &control.reply, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    close(fd);
    mg_buffer_free(&packet);
    return control.reply.status;
}

void ask_well(const struct wire_control_request *request)
{
    if (ask(request) != WIRE_CONTROL_OK) {
        fail_msg("%s: %.*s\n%s", wire_control_call_name(request->call), (int)control.reply.text.len,
                 (const char *)control.reply.text.data, signer_output());
    }
}

struct wire_control_request wish_of(const char *holder, enum wire_key_type type, uint8_t seed)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_KEY, .id = 1};
    request.make_key = (struct wire_control_make_key){.purpose = WIRE_PURPOSE_MINTING,
                                                      .type = type,
                                                      .token = {{seed}},
                                                      .label = mg_slice_of_text("Corp CA"),
                                                      .holder = mg_slice_of_text(holder)};
    return request;
}

static void ask_until_well(const struct wire_control_request *request)
{
    for (time_t end = time(NULL) + PATIENCE_SECONDS; ask(request) != WIRE_CONTROL_OK;) {
        if (time(NULL) >= end) {
            ask_well(request);
        }
        usleep(20000);
    }
}

/* wait_until_up waits until the token |holder| takes calls: a certification request always needs it. */
void wait_until_up(const char *holder)
{
    struct wire_control_request request = wish_of(holder, WIRE_KEY_EC_P256, (uint8_t)(0xe0 + holder[0] % 16));
    ask_until_well(&request);
    struct wire_key_id id = control.reply.made;
    request = (struct wire_control_request){.call = WIRE_CONTROL_MAKE_CSR, .id = 2, .key_id = id};
    request.make_csr = (struct wire_control_make_csr){.digest = WIRE_CSR_SHA256, .path_len = 0};
    request.make_csr.subject[WIRE_SUBJECT_CN] = mg_slice_of_text("up");
    ask_until_well(&request);
}

/* A CA of the test's own, which certifies keys of the signer. */

static EVP_PKEY *root_key;
static X509 *root;

static X509 *certify(EVP_PKEY *key, const char *name, X509_NAME *issuer, EVP_PKEY *signer)
{
    X509 *x509 = X509_new();
    X509V3_CTX context;
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 7);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 300 * 86400L);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(x509, issuer != NULL ? issuer : X509_get_subject_name(x509));
    X509_set_pubkey(x509, key);
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extensions[] = {
        ca_extensions_basic_constraints(1),
        ca_extensions_key_usage(),
        ca_extensions_key_identifier(X509_get_X509_PUBKEY(x509)),
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(extensions); i++) {
        assert_int_equal(X509_add_ext(x509, extensions[i], -1), 1);
        X509_EXTENSION_free(extensions[i]);
    }
    assert_true(X509_sign(x509, signer, EVP_sha256()) > 0);
    return x509;
}

static void need_root(void)
{
    if (root == NULL) {
        root_key = EVP_EC_gen("P-256");
        root = certify(root_key, "Test Root", NULL, root_key);
    }
}

/* check_csr has the key sign a request and verifies it. */
static void check_csr(const struct wire_key_id *id, EVP_PKEY *key)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_CSR, .id = 2, .key_id = *id};
    request.make_csr = (struct wire_control_make_csr){.digest = WIRE_CSR_SHA384, .path_len = 0};
    request.make_csr.subject[WIRE_SUBJECT_CN] = mg_slice_of_text("Corp CA");
    ask_well(&request);
    const uint8_t *der = control.reply.der.data;
    X509_REQ *csr = d2i_X509_REQ(NULL, &der, (long)control.reply.der.len);
    assert_non_null(csr);
    assert_int_equal(X509_REQ_verify(csr, key), 1);
    X509_REQ_free(csr);
}

static void install(struct minter *out)
{
    uint8_t root_der[2048], *at = root_der;
    int root_len = i2d_X509(root, &at);
    struct wire_control_request request = {.call = WIRE_CONTROL_INSTALL, .id = 3, .key_id = out->id};
    request.install.certificates[0] = mg_slice_of(out->certificate, out->certificate_len);
    request.install.certificates[1] = mg_slice_of(root_der, (size_t)root_len);
    request.install.num_certificates = 2;
    ask_well(&request);
}

/* make_minter makes a key on |holder| and takes it through a certification request to an issuer. */
struct minter *make_minter(const char *holder, enum wire_key_type type, uint8_t seed)
{
    struct minter *minter = calloc(1, sizeof(*minter));
    struct wire_control_request request = wish_of(holder, type, seed);
    need_root();
    ask_well(&request);
    minter->id = control.reply.made;
    request = (struct wire_control_request){.call = WIRE_CONTROL_PUBLIC_KEY, .id = 1, .key_id = minter->id};
    ask_well(&request);
    const uint8_t *der = control.reply.der.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &der, (long)control.reply.der.len);
    assert_non_null(key);
    check_csr(&minter->id, key);
    X509 *x509 = certify(key, "Corp CA", X509_get_subject_name(root), root_key);
    uint8_t *at = minter->certificate;
    minter->certificate_len = (size_t)i2d_X509(x509, &at);
    install(minter);
    assert_int_equal(leaf_issuer_from_certificate(mg_slice_of(minter->certificate, minter->certificate_len),
                                                  WIRE_ISSUER_OFFERED, key_type_get0(type), &minter->facts, NULL),
                     MG_OK);
    X509_free(x509);
    EVP_PKEY_free(key);
    return minter;
}
