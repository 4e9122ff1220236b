/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "service_fixture.h"

struct service *service;
struct fixture_failure failure;
struct fixture_told told;
struct wire_key_id made_key;
char made_on[WIRE_CONTROL_MAX_HOLDER + 1];
static struct config_token token_items[] = {{.name = "basel", .region = CONFIG_REGION_EUROPE, .partner = ""},
                                            {.name = "zurich", .region = CONFIG_REGION_EUROPE, .partner = ""}};
struct config_tokens fixture_tokens = {.items = token_items};
void (*while_key_is_made)(void);

static char asked[512];

void assert_asked(const char *calls)
{
    assert_string_equal(asked, calls);
    asked[0] = '\0';
}

/* ask notes a call, and says how it ends. */
static enum mg_status ask(const char *call_name, struct mg_error *why)
{
    size_t len = strlen(asked);
    snprintf(asked + len, sizeof(asked) - len, "%s%s", len > 0 ? " " : "", call_name);
    if (failure.call == NULL || strcmp(failure.call, call_name) != 0 || failure.after) {
        return MG_OK;
    }
    failure.call = NULL;
    return mg_error_set(why, failure.status, "%s fails", call_name);
}

/* ---- the signer ---- */

enum mg_status signer_client_make_key(struct signer_client *client, enum wire_key_type type,
                                      const struct wire_control_token *token, const char *label, const char *holder,
                                      struct wire_key_id *out, struct mg_error *why)
{
    (void)client;
    (void)type;
    (void)label;
    snprintf(made_on, sizeof(made_on), "%s", holder);
    _Static_assert(sizeof(out->bytes) <= sizeof(token->bytes), "a key is known by its token");
    memcpy(out->bytes, token->bytes, sizeof(out->bytes));
    made_key = *out;
    enum mg_status status = ask("make_key", why);
    if (while_key_is_made != NULL) {
        void (*meanwhile)(void) = while_key_is_made;
        while_key_is_made = NULL;
        meanwhile();
    }
    return status;
}

static void append_public_key(struct mg_buffer *der)
{
    unsigned char *bytes = NULL;
    BIO *bio = BIO_new_mem_buf(public_key.data, (int)public_key.len);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    int len = i2d_PUBKEY(key, &bytes);
    mg_buffer_append(der, bytes, (size_t)len);
    OPENSSL_free(bytes);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

enum mg_status signer_client_public_key(struct signer_client *client, const struct wire_key_id *key_id,
                                        struct mg_buffer *der, struct mg_error *why)
{
    (void)client;
    (void)key_id;
    append_public_key(der);
    return ask("public_key", why);
}

enum mg_status signer_client_make_csr(struct signer_client *client, const struct wire_key_id *key_id,
                                      const struct wire_control_make_csr *wanted, struct mg_buffer *der,
                                      struct mg_error *why)
{
    (void)client;
    (void)key_id;
    (void)wanted;
    mg_buffer_append_text(der, "a CSR");
    return ask("make_csr", why);
}

/* Of no test here: the attestation of a token's key is tested with a token (tests/integration/test_custom_hsm.py). */
enum mg_status signer_client_attest(struct signer_client *client, const struct wire_key_id *key_id,
                                    const uint8_t nonce[WIRE_CONTROL_NONCE_LEN], struct mg_buffer *text,
                                    struct mg_error *why)
{
    (void)client;
    (void)key_id;
    (void)nonce;
    (void)text;
    return ask("attest", why);
}

enum mg_status signer_client_install(struct signer_client *client, const struct wire_key_id *key_id,
                                     const struct wire_control_chain *chain, struct mg_error *why)
{
    (void)client;
    (void)key_id;
    assert_true(chain->num_certificates > 0);
    return ask("install", why);
}

enum mg_status signer_client_remove(struct signer_client *client, const struct wire_key_id *key_id,
                                    struct mg_error *why)
{
    (void)client;
    (void)key_id;
    return ask("remove", why);
}

enum mg_status signer_client_destroy(struct signer_client *client, const struct wire_key_id *key_id,
                                     struct mg_error *why)
{
    (void)client;
    (void)key_id;
    return ask("destroy", why);
}

static struct mg_slice first_certificate(struct mg_buffer *pem, unsigned char **der)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    int len = i2d_X509(x509, der);
    X509_free(x509);
    BIO_free(bio);
    return mg_slice_of(*der, (size_t)len);
}

/* The signer has its root, its issuing CA, and one key that control had it make. */
enum mg_status signer_client_list(struct signer_client *client, signer_client_visitor *visit, void *arg,
                                  struct mg_error *why)
{
    static const enum wire_key_origin origins[] = {WIRE_ORIGIN_BUILTIN_ROOT, WIRE_ORIGIN_BUILTIN_ISSUING,
                                                   WIRE_ORIGIN_CONTROL};
    struct mg_buffer pem;
    unsigned char *der = NULL;
    enum mg_status status = ask("list", why);
    (void)client;
    mg_buffer_init(&pem, 1 << 16);
    fixture_certificate(&pem, 0);
    struct wire_control_key key = {
        .key_id = {"the built-in's!"}, .type = WIRE_KEY_EC_P256, .holder = mg_slice_of_text("basel")};
    key.chain.certificates[key.chain.num_certificates++] = first_certificate(&pem, &der);
    for (size_t i = 0; i < MG_ARRAY_LEN(origins) && status == MG_OK; i++) {
        key.origin = origins[i];
        status = visit(arg, &key);
    }
    OPENSSL_free(der);
    mg_buffer_free(&pem);
    return status;
}

/* ---- engines ---- */

static void take_down(const struct wire_publish *message, bool force)
{
    told = (struct fixture_told){.epoch = message->epoch,
                                 .premint_ms = message->premint_ms,
                                 .force = force,
                                 .num_issuers = message->num_issuers};
    for (size_t i = 0; i < message->num_issuers; i++) {
        snprintf(told.names[i], sizeof(told.names[i]), "%.*s", (int)message->issuers[i].name.len,
                 (const char *)message->issuers[i].name.data);
        assert_true(message->issuers[i].issuer.num_chain > 0);
    }
}

enum mg_status engines_publish(struct engines *engines, const struct engines_publication *publication,
                               struct mg_error *why)
{
    (void)engines;
    take_down(publication->message, publication->force);
    enum mg_status status = ask("publish", why);
    if (status == MG_OK) {
        status = publication->commit(publication->arg, why);
    }
    if (status == MG_OK && failure.call != NULL && failure.after) {
        failure.call = NULL;
        status = mg_error_set(why, failure.status, "an engine has not confirmed");
    }
    return status;
}

enum mg_status engines_set_present(struct engines *engines, const struct wire_publish *present, struct mg_error *why)
{
    (void)engines;
    take_down(present, false);
    return ask("set_present", why);
}

bool engines_serve_present(struct engines *engines)
{
    (void)engines;
    return true;
}

/* ---- life ---- */

static int open_service(int opened)
{
    const struct service_config config = {
        .lifecycle = &lifecycle, .tokens = &fixture_tokens, .prepare_ms = FIXTURE_PREPARE_MS};
    fixture_tokens.num_items = MG_ARRAY_LEN(token_items);
    failure = (struct fixture_failure){.call = NULL};
    while_key_is_made = NULL;
    asked[0] = '\0';
    return opened == 0 && service_new(&service, &config, &error) == MG_OK ? 0 : -1;
}

int service_fixture_open(void **state)
{
    return open_service(fixture_open(state));
}

int service_fixture_open_software(void **state)
{
    return open_service(fixture_open_software(state));
}

int service_fixture_close(void **state)
{
    service_free(service);
    return fixture_close(state);
}
