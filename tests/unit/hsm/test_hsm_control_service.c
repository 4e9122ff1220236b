/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the control socket, without the socket: who may do what, and what a disk that fails leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/x509.h>

#include "base/log.h"
#include "hsm/control_service.h"
#include "signer_fixture.h"
#include "temp_dir.h"

#define NOW INT64_C(1795254060)

static struct issuers_fixture *f;
static struct control_service service;
static struct mg_buffer request_packet, reply_packet;

static int open_service(void **state)
{
    temp_dir_make(state);
    f = calloc(1, sizeof(*f));
    issuers_open(f, WIRE_KEY_EC_P256, false);
    service = (struct control_service){
        .store = f->store, .backends = &f->backends, .issuers = f->publisher, .client_keys = f->client_keys};
    mg_buffer_init(&request_packet, WIRE_CONTROL_MAX_PACKET);
    mg_buffer_init(&reply_packet, WIRE_CONTROL_MAX_PACKET);
    return 0;
}

static int close_service(void **state)
{
    mg_buffer_free(&request_packet);
    mg_buffer_free(&reply_packet);
    issuers_close(f);
    free(f);
    return temp_dir_remove(state);
}

/* ask makes a call; the reply borrows from a buffer until the next. */
static struct wire_control_reply ask(const struct wire_control_request *request)
{
    struct wire_control_reply reply;
    mg_buffer_clear(&request_packet);
    wire_control_encode_request(&request_packet, request);
    assert_int_equal(control_service_handle(&service, mg_buffer_slice(&request_packet), NOW, &reply_packet, NULL),
                     MG_OK);
    assert_int_equal(wire_control_decode_reply(mg_buffer_slice(&reply_packet), &reply, NULL), MG_OK);
    assert_int_equal(reply.call, request->call);
    assert_int_equal(reply.id, request->id);
    return reply;
}

/* request_for makes a good request of |call| for a key. */
static struct wire_control_request request_for(enum wire_control_call call, const struct wire_key_id *key_id,
                                               const struct issuer *chain_of)
{
    struct wire_control_request request = {.call = call, .id = 4711, .key_id = *key_id};
    if (call == WIRE_CONTROL_MAKE_CSR) {
        request.make_csr.digest = WIRE_CSR_SHA256;
        request.make_csr.subject[WIRE_SUBJECT_CN] = mg_slice_of_text("An Intermediate");
    } else if (call == WIRE_CONTROL_SKA_SIGN_PAYLOAD) {
        request.ska_sign =
            (struct wire_control_ska_sign){.digest = WIRE_SKA_SHA256, .octets = mg_slice_of_text("payload")};
    } else if (call == WIRE_CONTROL_INSTALL) {
        memcpy(request.install.certificates, chain_of->chain, sizeof(chain_of->chain));
        request.install.num_certificates = chain_of->num_chain;
    }
    return request;
}

static struct wire_control_request make_key_request(enum wire_key_purpose purpose, uint8_t token)
{
    return (struct wire_control_request){
        .call = WIRE_CONTROL_MAKE_KEY,
        .id = 4711,
        .make_key = {
            .purpose = purpose, .type = WIRE_KEY_EC_P256, .token = {{token}}, .label = mg_slice_of_text("label")}};
}

/* A key that control had made, of any purpose, as later calls may make them. */
static struct wire_key_id key_of(enum key_purpose purpose)
{
    const struct keystore_key *key;
    struct key_info info = {.purpose = purpose,
                            .role = purpose == KEY_MINTING ? WIRE_ISSUER_OFFERED : 0,
                            .origin = KEY_ORIGIN_CONTROL,
                            .type = WIRE_KEY_EC_P256};
    assert_int_equal(keystore_make(f->store, &info, &key, NULL), MG_OK);
    return key->info.id;
}

#define POINT 64 /* the coordinates of a P-256 key's public point, with which its DER ends */

/* A key as it comes from outside. */
struct outside_key {
    uint8_t der[WIRE_CONTROL_MAX_SECRET];
    size_t len;
};

static struct outside_key outside_key(void)
{
    struct outside_key out;
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    PKCS8_PRIV_KEY_INFO *pkcs8 = EVP_PKEY2PKCS8(pkey);
    uint8_t *at = out.der;
    out.len = (size_t)i2d_PKCS8_PRIV_KEY_INFO(pkcs8, &at);
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    EVP_PKEY_free(pkey);
    return out;
}

static struct wire_control_request import_request(enum wire_key_purpose purpose, uint8_t token,
                                                  const struct outside_key *key)
{
    return (struct wire_control_request){.call = WIRE_CONTROL_IMPORT_KEY,
                                         .id = 4711,
                                         .import_key = {.purpose = purpose,
                                                        .token = {{token}},
                                                        .label = mg_slice_of_text("label"),
                                                        .secret = mg_slice_of(key->der, key->len)}};
}

/* design.md section 1: the full matrix is tested. Looking is free. What keys of private CAs may is in
 * test_hsm_private_ca.c. */
static void test_each_call_accepts_its_purpose_alone(void **state)
{
    (void)state;
    static const enum wire_control_call changing[] = {WIRE_CONTROL_MAKE_CSR, WIRE_CONTROL_INSTALL, WIRE_CONTROL_REMOVE,
                                                      WIRE_CONTROL_SKA_SIGN_PAYLOAD, WIRE_CONTROL_DESTROY};
    struct outside_key outside = outside_key();
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        if (purpose == KEY_PRIVATE_CA) {
            continue;
        }
        bool is_minting = purpose == KEY_MINTING, is_ska = purpose == KEY_SKA;
        bool is_client = purpose == KEY_TLS_CLIENT;
        struct wire_key_id id = key_of((enum key_purpose)purpose);
        struct issuer *other = issuers_offer(f, WIRE_KEY_EC_P256, "Other");
        struct issuer *own = is_minting ? issuers_certify(f, keystore_find0(f->store, &id), "Own") : NULL;
        for (size_t i = 0; i < MG_ARRAY_LEN(changing); i++) {
            struct wire_control_request request = request_for(changing[i], &id, is_minting ? own : other);
            bool is_allowed = changing[i] == WIRE_CONTROL_DESTROY            ? is_minting || is_ska || is_client
                              : changing[i] == WIRE_CONTROL_SKA_SIGN_PAYLOAD ? is_ska
                                                                             : is_minting;
            assert_int_equal(ask(&request).status, is_allowed ? WIRE_CONTROL_OK : WIRE_CONTROL_DENIED);
        }
        bool is_destroyed = is_minting || is_ska || is_client;
        struct wire_control_request look = request_for(WIRE_CONTROL_PUBLIC_KEY, &id, NULL);
        assert_int_equal(ask(&look).status, is_destroyed ? WIRE_CONTROL_NOT_FOUND : WIRE_CONTROL_OK);
        struct wire_control_request import =
            import_request((enum wire_key_purpose)purpose, (uint8_t)(100 + purpose), &outside);
        assert_int_equal(ask(&import).status, is_minting || is_client ? WIRE_CONTROL_OK : WIRE_CONTROL_DENIED);
        struct wire_control_request make = make_key_request((enum wire_key_purpose)purpose, (uint8_t)purpose);
        assert_int_equal(ask(&make).status, is_minting || is_ska ? WIRE_CONTROL_OK : WIRE_CONTROL_DENIED);
        issuer_free(other);
        issuer_free(own);
    }
}

/* A key of this process has nobody who could say anything of it; those of other purposes do not sign it either. That
 * one which a token holds does is shown with a token (tests/integration/test_custom_hsm.py). */
static void test_only_what_a_token_holds_is_attested(void **state)
{
    (void)state;
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        struct wire_key_id id = key_of((enum key_purpose)purpose);
        struct wire_control_request request = request_for(WIRE_CONTROL_ATTEST, &id, NULL);
        struct wire_control_reply reply = ask(&request);
        const char *why =
            purpose == KEY_MINTING ? "key id: no token holds this key" : "key id: attest is not for a key";
        assert_int_equal(reply.status, WIRE_CONTROL_DENIED);
        assert_memory_equal(reply.text.data, why, strlen(why));
    }
}

static void test_a_made_key_is_as_it_was_wished(void **state)
{
    (void)state;
    struct wire_control_request make = make_key_request(WIRE_PURPOSE_MINTING, 9);
    struct wire_key_id id = ask(&make).made;
    const struct keystore_key *key = keystore_find0(f->store, &id);
    assert_int_equal(key->info.purpose, KEY_MINTING);
    assert_int_equal(key->info.role, WIRE_ISSUER_OFFERED);
    assert_int_equal(key->info.origin, KEY_ORIGIN_CONTROL);
    assert_int_equal(key->info.type, WIRE_KEY_EC_P256);
    assert_int_equal(key->info.created, NOW);
    assert_string_equal(key->info.label, "label");
    assert_memory_equal(&key->info.token, &make.make_key.token, sizeof(key->info.token));
}

/* A key that a restart does not read would keep the signer from starting. */
static void test_a_made_key_of_each_purpose_is_read_again(void **state)
{
    (void)state;
    static const enum wire_key_purpose made[] = {WIRE_PURPOSE_MINTING, WIRE_PURPOSE_SKA};
    struct keystore *again;
    for (size_t i = 0; i < MG_ARRAY_LEN(made); i++) {
        struct wire_control_request make = make_key_request(made[i], (uint8_t)(20 + i));
        assert_int_equal(ask(&make).status, WIRE_CONTROL_OK);
    }
    struct wire_control_request longest = make_key_request(WIRE_PURPOSE_PRIVATE_CA, 30);
    longest.make_key.type = WIRE_KEY_EC_P521;
    assert_int_equal(ask(&longest).status, WIRE_CONTROL_OK);
    assert_int_equal(keystore_open(&again, temp_path("keys"), &f->kek, NULL), MG_OK);
    assert_int_equal(keystore_num_keys(again), keystore_num_keys(f->store));
    keystore_free(again);
}

/* The longest curve is a private CA's of this process: nothing else signs with it. */
static void test_a_type_for_private_cas_alone_is_made_for_no_other_purpose(void **state)
{
    (void)state;
    static const enum wire_key_purpose others[] = {WIRE_PURPOSE_MINTING, WIRE_PURPOSE_SKA};
    size_t num_keys = keystore_num_keys(f->store);
    for (size_t i = 0; i < MG_ARRAY_LEN(others); i++) {
        struct wire_control_request make = make_key_request(others[i], 9);
        make.make_key.type = WIRE_KEY_EC_P521;
        assert_int_equal(ask(&make).status, WIRE_CONTROL_INVALID);
    }
    struct wire_control_request held = make_key_request(WIRE_PURPOSE_PRIVATE_CA, 9);
    held.make_key.type = WIRE_KEY_EC_P521;
    held.make_key.holder = mg_slice_of_text("token");
    assert_int_equal(ask(&held).status, WIRE_CONTROL_INVALID);
    assert_int_equal(keystore_num_keys(f->store), num_keys);
}

static void test_an_imported_key_is_what_it_was(void **state)
{
    (void)state;
    struct outside_key outside = outside_key();
    struct wire_control_request import = import_request(WIRE_PURPOSE_TLS_CLIENT, 9, &outside);
    struct wire_key_id id = ask(&import).made, again = ask(&import).made;
    assert_memory_equal(&id, &again, sizeof(id));
    const struct keystore_key *key = keystore_find0(f->store, &id);
    assert_int_equal(key->info.purpose, KEY_TLS_CLIENT);
    assert_int_equal(key->info.origin, KEY_ORIGIN_CONTROL);
    assert_int_equal(key->info.type, WIRE_KEY_EC_P256);
    assert_int_equal(key->info.created, NOW);
    const uint8_t *der = outside.der;
    EVP_PKEY *original = d2i_AutoPrivateKey(NULL, &der, (long)outside.len);
    assert_int_equal(EVP_PKEY_eq(original, key->pkey), 1);
    EVP_PKEY_free(original);
}

static void test_a_token_imports_one_key_and_no_other(void **state)
{
    (void)state;
    struct outside_key one = outside_key(), other = outside_key();
    struct wire_control_request import = import_request(WIRE_PURPOSE_TLS_CLIENT, 9, &one);
    assert_int_equal(ask(&import).status, WIRE_CONTROL_OK);
    import = import_request(WIRE_PURPOSE_TLS_CLIENT, 9, &other);
    assert_int_equal(ask(&import).status, WIRE_CONTROL_EXISTS);
    import = import_request(WIRE_PURPOSE_MINTING, 9, &one);
    assert_int_equal(ask(&import).status, WIRE_CONTROL_EXISTS);
}

static void test_a_key_from_outside_that_is_none_is_refused(void **state)
{
    (void)state;
    struct outside_key good = outside_key(), cut = good, longer = good, twisted = good;
    size_t num_keys = keystore_num_keys(f->store);
    cut.len--;
    longer.der[longer.len++] = 0;
    struct outside_key other = outside_key();
    memcpy(twisted.der + twisted.len - POINT, other.der + other.len - POINT, POINT); /* of another scalar */
    const struct outside_key bad[] = {cut, longer, twisted, {.der = "garbage", .len = 7}};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct wire_control_request import = import_request(WIRE_PURPOSE_TLS_CLIENT, 9, &bad[i]);
        assert_int_equal(ask(&import).status, WIRE_CONTROL_INVALID);
    }
    assert_int_equal(keystore_num_keys(f->store), num_keys);
}

static void test_a_full_keystore_is_a_limit(void **state)
{
    (void)state;
    for (size_t i = keystore_num_keys(f->store); i < KEYSTORE_MAX_KEYS; i++) {
        (void)key_of(KEY_SKA);
    }
    struct wire_control_request make = make_key_request(WIRE_PURPOSE_MINTING, 9);
    assert_int_equal(ask(&make).status, WIRE_CONTROL_LIMIT);
    struct outside_key outside = outside_key();
    struct wire_control_request import = import_request(WIRE_PURPOSE_TLS_CLIENT, 9, &outside);
    assert_int_equal(ask(&import).status, WIRE_CONTROL_LIMIT);
}

static void test_what_is_no_request_is_not_answered(void **state)
{
    (void)state;
    struct mg_error error = {""};
    assert_int_equal(control_service_handle(&service, mg_slice_of_text("garbage"), NOW, &reply_packet, &error),
                     MG_INVALID);
    assert_true(error.text[0] != '\0');
    for (int status = 0; status < WIRE_CONTROL_NUM_STATUSES; status++) {
        assert_int_equal(mg_counter_get(&service.counters.results[status]), 0);
    }
}

static bool is_installed(const struct wire_key_id *id)
{
    struct issuer_set *set = issuer_publisher_get(f->publisher);
    bool found = issuer_set_find0(set, id) != NULL;
    issuer_set_free(set);
    return found;
}

/* with_broken_disk makes a call while the keystore's directory is away. */
static struct wire_control_reply with_broken_disk(const struct wire_control_request *request)
{
    assert_int_equal(rename(temp_path("keys"), temp_path("away")), 0);
    struct wire_control_reply reply = ask(request);
    assert_int_equal(rename(temp_path("away"), temp_path("keys")), 0);
    return reply;
}

/* Each step refused by the disk leaves what was before, and goes through when the disk is back. */
static void test_a_disk_that_fails_leaves_nothing_half_done(void **state)
{
    (void)state;
    struct wire_control_request make = make_key_request(WIRE_PURPOSE_MINTING, 9);
    size_t num_keys = keystore_num_keys(f->store);
    assert_int_equal(with_broken_disk(&make).status, WIRE_CONTROL_FAILED);
    assert_int_equal(keystore_num_keys(f->store), num_keys);
    struct wire_key_id id = ask(&make).made;
    const struct keystore_key *key = keystore_find0(f->store, &id);
    struct issuer *issuer = issuers_certify(f, key, "Own");

    struct wire_control_request install = request_for(WIRE_CONTROL_INSTALL, &id, issuer);
    assert_int_equal(with_broken_disk(&install).status, WIRE_CONTROL_FAILED);
    assert_false(is_installed(&id));
    assert_int_equal(key->num_chain, 0);
    assert_int_equal(ask(&install).status, WIRE_CONTROL_OK);
    assert_true(is_installed(&id));

    struct wire_control_request removal = request_for(WIRE_CONTROL_REMOVE, &id, NULL);
    assert_int_equal(with_broken_disk(&removal).status, WIRE_CONTROL_FAILED);
    assert_true(is_installed(&id) && !key->is_removed);
    assert_int_equal(ask(&removal).status, WIRE_CONTROL_OK);
    assert_false(is_installed(&id));

    struct wire_control_request destruction = request_for(WIRE_CONTROL_DESTROY, &id, NULL);
    assert_int_equal(with_broken_disk(&destruction).status, WIRE_CONTROL_FAILED);
    assert_non_null(keystore_find0(f->store, &id));
    assert_int_equal(ask(&destruction).status, WIRE_CONTROL_OK);
    assert_null(keystore_find0(f->store, &id));
    issuer_free(issuer);
}

static void test_calls_and_results_are_counted(void **state)
{
    (void)state;
    struct wire_key_id none = {{0xff}};
    struct wire_control_request look = request_for(WIRE_CONTROL_PUBLIC_KEY, &none, NULL);
    struct wire_control_request make = make_key_request(WIRE_PURPOSE_MINTING, 9);
    (void)ask(&look);
    (void)ask(&make);
    (void)ask(&make);
    assert_int_equal(mg_counter_get(&service.counters.calls[WIRE_CONTROL_PUBLIC_KEY]), 1);
    assert_int_equal(mg_counter_get(&service.counters.calls[WIRE_CONTROL_MAKE_KEY]), 2);
    assert_int_equal(mg_counter_get(&service.counters.results[WIRE_CONTROL_NOT_FOUND]), 1);
    assert_int_equal(mg_counter_get(&service.counters.results[WIRE_CONTROL_OK]), 2);
}

#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, open_service, close_service)

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(test_each_call_accepts_its_purpose_alone),
        SERVICE_TEST(test_only_what_a_token_holds_is_attested),
        SERVICE_TEST(test_a_made_key_is_as_it_was_wished),
        SERVICE_TEST(test_a_made_key_of_each_purpose_is_read_again),
        SERVICE_TEST(test_a_type_for_private_cas_alone_is_made_for_no_other_purpose),
        SERVICE_TEST(test_an_imported_key_is_what_it_was),
        SERVICE_TEST(test_a_token_imports_one_key_and_no_other),
        SERVICE_TEST(test_a_key_from_outside_that_is_none_is_refused),
        SERVICE_TEST(test_a_full_keystore_is_a_limit),
        SERVICE_TEST(test_what_is_no_request_is_not_answered),
        SERVICE_TEST(test_a_disk_that_fails_leaves_nothing_half_done),
        SERVICE_TEST(test_calls_and_results_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
