/* SPDX-License-Identifier: Apache-2.0 */
/* How a session proves the appliance to its server: with a server of BoringSSL's, and a signer that the test plays. */
#include "frames.h"

#include <string.h>

#include "../minting/mint_client_fixture.h"
#include "cache/rcu.h"
#include "dataplane/session/session_internal.h"
#include "dataplane/tls/client_keys.h"
#include "minting/cert.h"

#define SNI "api.partner.example"

static struct fixture signing;
static struct dataplane dataplane;
static struct session_thread thread;
static struct session session;
static struct tls_settings *settings;
static SSL_CTX *server_context;
static SSL *server;

/* ---- the world ---- */

static bool trust_server(void *arg, SSL *ssl, uint8_t *alert)
{
    (void)arg;
    (void)ssl;
    (void)alert;
    return true;
}

static void note_alert(void *arg, const SSL *ssl, int description)
{
    (void)ssl;
    ((struct session *)arg)->record.server_alert = description;
}

static const struct tls_callbacks callbacks = {
    .verify_server = trust_server, .client_certificate_asked = proof_asked, .alert_received = note_alert};

static enum ssl_verify_result_t trust_client(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static CRYPTO_BUFFER *certificate_of(EVP_PKEY *key)
{
    struct mg_buffer der;
    mg_buffer_init(&der, 10000);
    certs_make(&der, &(struct certs_spec){.key = key, .key_usage = CERTS_KEY_USAGE_END_ENTITY});
    CRYPTO_BUFFER *certificate = CRYPTO_BUFFER_new(der.data, der.len, NULL);
    mg_buffer_free(&der);
    return certificate;
}

static EVP_PKEY *client_key(void)
{
    return certs_key(WIRE_KEY_EC_P256, 1);
}

static void make_policy(const char *client_certificate)
{
    char yaml[300];
    struct config *config;
    snprintf(yaml, sizeof(yaml), "policy: {rules: [{name: p, sni: %s, action: intercept%s%s}]}", SNI,
             client_certificate[0] == '\0' ? "" : ", client_certificate: ", client_certificate);
    assert_int_equal(config_parse(&config, "test.yaml", yaml, strlen(yaml), NULL), MG_OK);
    policy_free(dataplane.policy);
    assert_int_equal(policy_new(&dataplane.policy, config, 1, NULL), MG_OK);
    config_free(config);
}

/* put_store has the engine know a store of that name, with the client's key or without one. */
static void put_store(const char *name, bool has_key)
{
    struct client_key_store *store;
    assert_int_equal(client_key_store_new(&store, mg_slice_of_text(name), 1, 1), MG_OK);
    if (has_key) {
        CRYPTO_BUFFER *own = certificate_of(client_key());
        struct wire_store_item item = {.name = mg_slice_of_text("entry"), .key_id = {{1, 2, 3}}, .num_certificates = 1};
        item.certificates[0] = mg_slice_of(CRYPTO_BUFFER_data(own), CRYPTO_BUFFER_len(own));
        assert_int_equal(client_key_store_add(store, &item), MG_OK);
        CRYPTO_BUFFER_free(own);
    }
    store->is_missing = name[0] == 'x';
    assert_int_equal(client_keys_put(dataplane.client_keys, store), MG_OK);
}

static void make_server(void)
{
    server_context = SSL_CTX_new(TLS_with_buffers_method());
    EVP_PKEY *key = certs_key(WIRE_KEY_EC_P256, 2);
    CRYPTO_BUFFER *certificate = certificate_of(key);
    assert_true(SSL_CTX_set_chain_and_key(server_context, &certificate, 1, key, NULL));
    CRYPTO_BUFFER_free(certificate);
    SSL_CTX_set_custom_verify(server_context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, trust_client);
}

static SSL *own_ssl(void)
{
    return session.half[SIDE_SERVER].ssl;
}

/* begin_session begins the handshake with a server of at most |version|. */
static void begin_session(uint16_t version)
{
    BIO *ours, *theirs;
    session = (struct session){.thread = &thread, .verdict = TRUST_OK};
    session_record_init(&session.record, &(struct flow_key){.server_port = 443});
    assert_int_equal(dns_name_from_sni(&session.hello.sni, mg_slice_of_text(SNI)), DNS_NAME_OK);
    assert_true(BIO_new_bio_pair(&ours, 0, &theirs, 0));
    session.half[SIDE_SERVER].ssl = tls_settings_upstream_ssl(settings, &session.hello, &session, ours);
    server = SSL_new(server_context);
    assert_true(SSL_set_max_proto_version(server, version));
    SSL_set_bio(server, theirs, theirs);
    SSL_set_accept_state(server);
}

static int start(void **state)
{
    (void)state;
    fixture_init(&signing);
    thread = (struct session_thread){.dataplane = &dataplane, .minter = signing.client, .now_wall = CERTS_NOW};
    thread.now_ns = signing.now_ns;
    const struct config_tls config = {.min_version = CONFIG_TLS_1_2};
    assert_int_equal(tls_settings_new(&settings, &config, 1, &callbacks, NULL), MG_OK);
    assert_int_equal(client_keys_new(&dataplane.client_keys), MG_OK);
    make_policy("partner");
    put_store("partner", true);
    make_server();
    begin_session(TLS1_3_VERSION);
    return 0;
}

static void end_session(void)
{
    proof_leave(&session);
    SSL_free(own_ssl());
    SSL_free(server);
    memset(&session, 0xaa, sizeof(session)); /* whoever still had it would be seen */
}

static int end(void **state)
{
    (void)state;
    end_session();
    fixture_free(&signing);
    SSL_CTX_free(server_context);
    tls_settings_unref(settings);
    client_keys_free(dataplane.client_keys);
    policy_free(dataplane.policy);
    dataplane.policy = NULL;
    return 0;
}

/* ---- steps ---- */

/* shake_hands goes on with the handshake for as long as either end does, and returns SSL_get_error of ours. */
static int shake_hands(void)
{
    int ours = -1, result = 0;
    for (int i = 0; i < 10; i++) {
        result = SSL_do_handshake(own_ssl());
        ours = SSL_get_error(own_ssl(), result);
        (void)SSL_do_handshake(server);
    }
    return ours;
}

/* receive_request goes on until the signer has been asked. */
static void receive_request(struct wire_client_sign *request)
{
    assert_int_equal(shake_hands(), SSL_ERROR_WANT_PRIVATE_KEY_OPERATION);
    assert_non_null(session.proof);
    mint_client_flush(signing.client, signing.now_ns);
    assert_true(signer_receive_client_sign(&signing.signer, request));
    assert_int_equal(request->key_id.bytes[1], 2);
    assert_int_equal(request->scheme, SSL_SIGN_ECDSA_SECP256R1_SHA256);
}

static void reply(uint64_t id, enum wire_sign_status status, struct mg_slice signature)
{
    signer_reply(&signing.signer, id, status, signature);
    process(&signing);
}

static void sign_with(EVP_PKEY *key, const struct wire_client_sign *request)
{
    struct mg_buffer signature;
    mg_buffer_init(&signature, WIRE_SIGNER_MAX_SIGNATURE);
    certs_sign(&signature, key, request->content);
    reply(request->id, WIRE_SIGN_OK, mg_buffer_slice(&signature));
    mg_buffer_free(&signature);
}

static void assert_counted(enum counter counter, uint64_t expected)
{
    assert_int_equal(mg_counter_get(&thread.counters.values[counter]), expected);
}

/* assert_fault: the handshake has failed with |fault|, counted once. */
static void assert_fault(enum proof_fault fault, enum counter counter)
{
    assert_int_equal(shake_hands(), SSL_ERROR_SSL);
    assert_true(session.asked_client_certificate);
    assert_int_equal(session.proof_fault, fault);
    assert_counted(counter, 1);
    assert_counted(COUNT_PROOF_MADE, 0);
    assert_counted(COUNT_PROOF_ABANDONED, 0);
    assert_null(session.proof);
}

/* ---- tests ---- */

/* assert_was_shown: |certificate| has the client's key. */
static void assert_was_shown(const CRYPTO_BUFFER *certificate)
{
    struct cert seen, own;
    CRYPTO_BUFFER *made = certificate_of(client_key());
    assert_int_equal(cert_parse(&own, cert_cbs_of(CRYPTO_BUFFER_data(made), CRYPTO_BUFFER_len(made)), NULL), MG_OK);
    assert_int_equal(
        cert_parse(&seen, cert_cbs_of(CRYPTO_BUFFER_data(certificate), CRYPTO_BUFFER_len(certificate)), NULL), MG_OK);
    assert_true(cert_cbs_equal(seen.spki, own.spki));
    CRYPTO_BUFFER_free(made);
}

static void proves(uint16_t version)
{
    struct wire_client_sign request;
    end_session();
    begin_session(version);
    receive_request(&request);
    assert_int_equal(shake_hands(), SSL_ERROR_WANT_PRIVATE_KEY_OPERATION); /* it goes on waiting */
    assert_false(session.queued);
    sign_with(client_key(), &request);
    assert_true(session.queued && thread.ready == &session);
    assert_int_equal(shake_hands(), SSL_ERROR_NONE);
    assert_true(SSL_version(server) == version && SSL_is_init_finished(server));
    assert_was_shown(sk_CRYPTO_BUFFER_value(SSL_get0_peer_certificates(server), 0));
    assert_string_equal(session.record.client_certificate, "partner/entry");
    assert_int_equal(session.proof_fault, PROOF_FAULT_NONE);
    assert_counted(COUNT_PROOF_MADE, 1);
    assert_counted(COUNT_PROOF_ABANDONED, 0);
    assert_null(session.proof);
}

static void test_the_server_is_proved_the_certificate_in_tls12(void **state)
{
    (void)state;
    proves(TLS1_2_VERSION);
}

static void test_the_server_is_proved_the_certificate_in_tls13(void **state)
{
    (void)state;
    proves(TLS1_3_VERSION);
}

static void test_a_refusal_of_the_signer_fails_the_handshake(void **state)
{
    (void)state;
    struct wire_client_sign request;
    receive_request(&request);
    reply(request.id, WIRE_SIGN_UNKNOWN_KEY, mg_slice_of(NULL, 0));
    assert_fault(PROOF_FAULT_NOT_SIGNED, COUNT_PROOF_NOT_SIGNED);
    assert_string_equal(proof_fault_reason(session.proof_fault), "client_certificate_not_signed");
}

static void test_a_signer_that_does_not_answer_in_time_fails_the_handshake(void **state)
{
    (void)state;
    struct wire_client_sign request;
    receive_request(&request);
    signing.now_ns += TIMEOUT_NS;
    process(&signing);
    assert_fault(PROOF_FAULT_TIMED_OUT, COUNT_PROOF_TIMED_OUT);
}

static void test_a_signature_that_is_too_long_for_the_key_is_none(void **state)
{
    (void)state;
    static const uint8_t large[WIRE_SIGNER_MAX_SIGNATURE];
    struct wire_client_sign request;
    receive_request(&request);
    reply(request.id, WIRE_SIGN_OK, mg_slice_of(large, sizeof(large)));
    assert_fault(PROOF_FAULT_NOT_SIGNED, COUNT_PROOF_NOT_SIGNED);
}

static void test_a_signature_of_another_key_is_refused_by_the_server(void **state)
{
    (void)state;
    struct wire_client_sign request;
    receive_request(&request);
    sign_with(certs_key(WIRE_KEY_EC_P256, 3), &request);
    (void)shake_hands();
    assert_false(SSL_is_init_finished(server));
    uint8_t byte;
    assert_true(SSL_read(own_ssl(), &byte, 1) <= 0); /* in TLS 1.3 the alert comes behind the handshake */
    assert_int_equal(session.record.server_alert, SSL_AD_DECRYPT_ERROR);
    assert_true(proof_was_refused(&session));
    assert_counted(COUNT_PROOF_REFUSED, 1);
}

static void test_a_session_may_end_while_the_signature_is_under_way(void **state)
{
    (void)state;
    struct wire_client_sign request;
    receive_request(&request);
    end_session();
    sign_with(client_key(), &request); /* to nobody */
    assert_null(thread.ready);
    begin_session(TLS1_3_VERSION);
    receive_request(&request);
    end_session();
    signing.now_ns += MINT_CLIENT_SWEEP_NS;
    process(&signing);
    struct wire_sign_cancel cancel;
    signer_receive_cancel(&signing.signer, &cancel);
    assert_true(cancel.num_ids == 1 && cancel.ids[0] == request.id);
    begin_session(TLS1_3_VERSION);
    assert_counted(COUNT_PROOF_ABANDONED, 2);
}

static void test_a_session_may_end_with_the_signature_there(void **state)
{
    (void)state;
    struct wire_client_sign request;
    receive_request(&request);
    sign_with(client_key(), &request);
    end_session();
    begin_session(TLS1_3_VERSION);
    assert_counted(COUNT_PROOF_ABANDONED, 1);
}

static void test_the_bound_of_signatures_under_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX_JOBS; i++) {
        assert_int_equal(submit(&signing, &names), MG_OK);
    }
    assert_fault(PROOF_FAULT_NOT_SIGNED, COUNT_PROOF_NOT_SIGNED);
    assert_counted(COUNT_FULL_PENDING_MINTS, 1);
}

/* asks_nobody: the handshake fails before the signer is asked, or the server is told anything. */
static void asks_nobody(enum proof_fault fault, enum counter counter)
{
    assert_fault(fault, counter);
    mint_client_flush(signing.client, signing.now_ns);
    struct wire_client_sign request;
    assert_false(signer_receive_client_sign(&signing.signer, &request));
    assert_string_equal(session.record.client_certificate, "");
    assert_false(proof_was_refused(&session));
}

static void test_without_a_store_in_the_rule_nothing_is_proved(void **state)
{
    (void)state;
    make_policy("");
    asks_nobody(PROOF_FAULT_NOT_CONFIGURED, COUNT_PROOF_NOT_CONFIGURED);
}

static void test_a_server_that_did_not_verify_is_proved_nothing(void **state)
{
    (void)state;
    session.verdict = TRUST_SELF_SIGNED;
    asks_nobody(PROOF_FAULT_BAD_UPSTREAM, COUNT_PROOF_BAD_UPSTREAM);
}

static void test_a_store_that_nobody_has_sent(void **state)
{
    (void)state;
    make_policy("other");
    asks_nobody(PROOF_FAULT_NO_STORE, COUNT_PROOF_NO_STORE);
}

static void test_a_store_that_is_not_there(void **state)
{
    (void)state;
    make_policy("x");
    put_store("x", false);
    asks_nobody(PROOF_FAULT_NO_STORE, COUNT_PROOF_NO_STORE);
}

static void test_a_store_in_which_nothing_suits(void **state)
{
    (void)state;
    put_store("partner", false);
    asks_nobody(PROOF_FAULT_NONE_SUITS, COUNT_PROOF_NONE_SUITS);
}

static void test_a_certificate_that_tls_does_not_take_is_not_recorded(void **state)
{
    (void)state;
    struct client_key *key = &client_keys_get0(dataplane.client_keys, "partner")->keys[0];
    CRYPTO_BUFFER_free(key->chain[0]);
    key->chain[0] = CRYPTO_BUFFER_new((const uint8_t *)"?", 1, NULL);
    key->issuers[0] = mg_slice_of(NULL, 0);
    asks_nobody(PROOF_FAULT_NONE_SUITS, COUNT_PROOF_NONE_SUITS);
}

static void test_only_an_alert_about_the_certificate_is_its_refusal(void **state)
{
    (void)state;
    strcpy(session.record.client_certificate, "partner/entry");
    session.record.server_alert = SSL_AD_CERTIFICATE_REQUIRED;
    assert_true(proof_was_refused(&session));
    session.record.server_alert = SSL_AD_INTERNAL_ERROR;
    assert_false(proof_was_refused(&session));
    session.record.server_alert = SSL_AD_ACCESS_DENIED;
    session.record.bytes_from_server = 1; /* it had accepted it */
    assert_false(proof_was_refused(&session));
    assert_counted(COUNT_PROOF_REFUSED, 1);
}

#define PROOF_TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROOF_TEST(test_the_server_is_proved_the_certificate_in_tls12),
        PROOF_TEST(test_the_server_is_proved_the_certificate_in_tls13),
        PROOF_TEST(test_a_refusal_of_the_signer_fails_the_handshake),
        PROOF_TEST(test_a_signer_that_does_not_answer_in_time_fails_the_handshake),
        PROOF_TEST(test_a_signature_that_is_too_long_for_the_key_is_none),
        PROOF_TEST(test_a_signature_of_another_key_is_refused_by_the_server),
        PROOF_TEST(test_a_session_may_end_while_the_signature_is_under_way),
        PROOF_TEST(test_a_session_may_end_with_the_signature_there),
        PROOF_TEST(test_the_bound_of_signatures_under_way),
        PROOF_TEST(test_without_a_store_in_the_rule_nothing_is_proved),
        PROOF_TEST(test_a_server_that_did_not_verify_is_proved_nothing),
        PROOF_TEST(test_a_store_that_nobody_has_sent),
        PROOF_TEST(test_a_store_that_is_not_there),
        PROOF_TEST(test_a_store_in_which_nothing_suits),
        PROOF_TEST(test_a_certificate_that_tls_does_not_take_is_not_recorded),
        PROOF_TEST(test_only_an_alert_about_the_certificate_is_its_refusal),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
