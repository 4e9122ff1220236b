/* SPDX-License-Identifier: Apache-2.0 */
#include "signer_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hsm/backend_software.h"
#include "hsm/builtin.h"
#include "hsm/ca_certificate.h"
#include "temp_dir.h"

#define PATIENCE_MS 60000

/* expect fails the test, or in a program that is no test ends it. */
static void expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "failed: %s\n", what);
    }
    assert_true(condition);
}

void issuers_open(struct issuers_fixture *fixture, enum wire_key_type type, bool use_lanes)
{
    struct mg_error error = {""};
    *fixture = (struct issuers_fixture){.kek = {"a key-encryption key of 32 bytes"}};
    bool ok = keystore_open(&fixture->store, temp_path("keys"), &fixture->kek, &error) == MG_OK &&
              builtin_ensure(fixture->store, type, temp_path("root.pem"), time(NULL), &error) == MG_OK &&
              backend_software_new(&fixture->backend, use_lanes, &error) == MG_OK &&
              (fixture->backends.software = fixture->backend) != NULL &&
              issuer_set_new(&fixture->issuers, fixture->store, &fixture->backends, &error) == MG_OK &&
              issuer_publisher_new(&fixture->publisher, issuer_set_up_ref(fixture->issuers), &error) == MG_OK &&
              client_keys_new(&fixture->client_keys, fixture->store, &error) == MG_OK;
    expect(ok, error.text);
}

void issuers_close(struct issuers_fixture *fixture)
{
    client_keys_free(fixture->client_keys);
    issuer_publisher_free(fixture->publisher);
    issuer_set_free(fixture->issuers);
    backend_software_free(fixture->backend);
    keystore_free(fixture->store);
}

struct issuer *issuers_certify(struct issuers_fixture *fixture, const struct keystore_key *key, const char *common_name)
{
    const struct keystore_key *root = keystore_find0_origin(fixture->store, KEY_ORIGIN_BUILTIN_ROOT);
    struct ca_profile profile = {
        .common_name = common_name, .not_before = time(NULL) - 3600, .not_after = time(NULL) + INT64_C(300) * 86400};
    struct issuer *issuer = NULL;
    struct mg_error error = {""};
    struct mg_buffer der;
    mg_buffer_init(&der, KEYSTORE_MAX_CERTIFICATE);
    bool ok = ca_certificate_issue(root, key, &profile, &der, &error) == MG_OK;
    struct mg_slice chain[] = {mg_buffer_slice(&der), root->chain[0]};
    ok = ok && issuer_new(&issuer, key, chain, MG_ARRAY_LEN(chain), &fixture->backends, &error) == MG_OK;
    mg_buffer_free(&der);
    expect(ok, error.text);
    return issuer;
}

struct issuer *issuers_offer(struct issuers_fixture *fixture, enum wire_key_type type, const char *common_name)
{
    const struct keystore_key *key = NULL;
    struct mg_error error = {""};
    struct key_info info = {.purpose = KEY_MINTING, .role = WIRE_ISSUER_OFFERED, .type = type};
    expect(keystore_make(fixture->store, &info, &key, &error) == MG_OK, error.text);
    return issuers_certify(fixture, key, common_name);
}

const struct issuer *issuers_with_role(const struct issuers_fixture *fixture, enum wire_issuer_role role)
{
    for (size_t i = 0; i < fixture->issuers->num_issuers; i++) {
        if (fixture->issuers->issuers[i]->facts.role == role) {
            return fixture->issuers->issuers[i];
        }
    }
    return NULL;
}

/* leaf_spki returns the public key of a P-256 key made once. */
static struct mg_slice leaf_spki(void)
{
    static uint8_t der[128];
    static int len;
    if (len == 0) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        uint8_t *out = der;
        len = i2d_PUBKEY(key, &out);
        EVP_PKEY_free(key);
    }
    return mg_slice_of(der, (size_t)len);
}

void fixture_write_leaf(struct mg_buffer *out, const struct leaf_issuer *issuer, const char *name, uint64_t serial)
{
    static struct leaf leaf;
    uint8_t octets[16] = {0x55};
    memcpy(octets + 8, &serial, sizeof(serial));
    leaf_init(&leaf, issuer, leaf_spki(), name, time(NULL));
    leaf.serial = mg_slice_of(octets, sizeof(octets));
    if (leaf.not_before < issuer->not_before) {
        leaf.not_before = issuer->not_before;
    }
    leaf_write(&leaf, out);
}

bool fixture_verify(struct mg_slice certificate, struct mg_slice tbs, struct mg_slice signature)
{
    const uint8_t *in = certificate.data;
    X509 *x509 = d2i_X509(NULL, &in, (long)certificate.len);
    EVP_PKEY *key = X509_get0_pubkey(x509);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *md = EVP_get_digestbyname(key_type_of_key(key)->digest_name);
    bool ok = EVP_DigestVerifyInit(context, NULL, md, NULL, key) == 1 &&
              EVP_DigestVerify(context, signature.data, signature.len, tbs.data, tbs.len) == 1;
    EVP_MD_CTX_free(context);
    X509_free(x509);
    return ok;
}

/* The client */

static bool wait_for(const struct client *client, short events)
{
    struct pollfd fd = {.fd = client->fd, .events = events};
    return poll(&fd, 1, PATIENCE_MS) == 1;
}

void client_open(struct client *client, int fd)
{
    client->fd = fd;
    client->num_results = 0;
    mg_buffer_init(&client->out, WIRE_SIGNER_MAX_PACKET);
}

void client_close(struct client *client)
{
    close(client->fd);
    mg_buffer_free(&client->out);
}

void client_send_bytes(struct client *client, struct mg_slice packet)
{
    expect(wait_for(client, POLLOUT), "the signer takes a packet");
    expect(send(client->fd, packet.data, packet.len, MSG_NOSIGNAL) == (ssize_t)packet.len, "a packet is sent");
}

struct mg_slice client_packet(struct client *client)
{
    expect(wait_for(client, POLLIN), "the signer answers");
    ssize_t len = recv(client->fd, client->in, sizeof(client->in), 0);
    expect(len > 0, "the signer sends a packet");
    return mg_slice_of(client->in, (size_t)len);
}

void client_issuers(struct client *client, struct wire_issuers *issuers)
{
    struct mg_error error = {""};
    expect(wire_signer_decode_issuers(client_packet(client), issuers, &error) == MG_OK, error.text);
}

void client_hello(struct client *client, struct wire_issuers *issuers)
{
    mg_buffer_clear(&client->out);
    wire_signer_encode_hello(&client->out);
    client_send_bytes(client, mg_buffer_slice(&client->out));
    client_issuers(client, issuers);
}

void client_begin(struct client *client)
{
    mg_buffer_clear(&client->out);
    wire_signer_begin_sign(&client->out);
}

void client_add(struct client *client, uint64_t id, const struct wire_key_id *key, struct mg_slice tbs,
                uint32_t timeout_ms)
{
    struct wire_sign_request request = {.id = id, .key_id = *key, .timeout_ms = timeout_ms, .tbs = tbs};
    expect(wire_signer_add_sign(&client->out, &request), "a request fits");
}

void client_send(struct client *client)
{
    client_send_bytes(client, mg_buffer_slice(&client->out));
}

void client_receive(struct client *client)
{
    struct mg_error error = {""};
    struct mg_slice packet = client_packet(client);
    expect(wire_signer_decode_signed(packet, client->results, &client->num_results, &error) == MG_OK, error.text);
}

bool client_is_closed(struct client *client)
{
    return wait_for(client, POLLIN) && recv(client->fd, client->in, sizeof(client->in), 0) <= 0;
}

struct wire_sign_result client_ask(struct client *client, uint64_t id, const struct wire_key_id *key,
                                   struct mg_slice tbs, uint32_t timeout_ms)
{
    client_begin(client);
    client_add(client, id, key, tbs, timeout_ms);
    client_send(client);
    client_receive(client);
    expect(client->num_results == 1 && client->results[0].id == id, "one answer, with the request's id");
    return client->results[0];
}
