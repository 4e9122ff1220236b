/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <string.h>

#include "certs.h"
#include "dataplane/tls/client_choice.h"

static const uint16_t all_schemes[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA256,
    SSL_SIGN_RSA_PKCS1_SHA256,
};
static const uint8_t all_types[] = {64, 1}; /* ecdsa_sign, rsa_sign */

static struct client_key_store *store;
static struct client_request request;
static struct mg_buffer names[4]; /* of issuers: "CA 0" and so on */

static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        const char name[] = {'C', 'A', ' ', (char)('0' + i), 0};
        mg_buffer_init(&names[i], 1000);
        certs_subject(&names[i], NULL, NULL, name);
    }
    request =
        (struct client_request){.is_tls13 = true, .schemes = all_schemes, .num_schemes = MG_ARRAY_LEN(all_schemes)};
    return client_key_store_new(&store, mg_slice_of_text("partner"), 1, 8) == MG_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    sk_CRYPTO_BUFFER_pop_free(MG_UNCONST(request.authorities), CRYPTO_BUFFER_free);
    client_key_store_free(store);
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        mg_buffer_free(&names[i]);
    }
    return 0;
}

/* add adds an entry with a key of |type| that "CA |issuer|" issued, which "CA |above|" issued where that is another. */
static void add_chain(const char *name, enum wire_key_type type, int issuer, int above, int64_t not_after)
{
    struct mg_buffer certificates[2];
    const struct certs_spec own = {.issuer = mg_buffer_slice(&names[issuer]),
                                   .key = certs_key(type, 1),
                                   .signer = certs_key(WIRE_KEY_EC_P256, 0),
                                   .not_before = CERTS_NOW - CERTS_DAY,
                                   .not_after = not_after};
    const struct certs_spec middle = {
        .subject = mg_buffer_slice(&names[issuer]), .issuer = mg_buffer_slice(&names[above]), .is_ca = true};
    struct wire_store_item item = {.name = mg_slice_of_text(name), .num_certificates = issuer == above ? 1 : 2};
    for (size_t i = 0; i < 2; i++) {
        mg_buffer_init(&certificates[i], 10000);
        certs_make(&certificates[i], i == 0 ? &own : &middle);
        item.certificates[i] = mg_buffer_slice(&certificates[i]);
    }
    assert_int_equal(client_key_store_add(store, &item), MG_OK);
    assert_int_equal(store->num_unusable, 0);
    mg_buffer_free(&certificates[0]);
    mg_buffer_free(&certificates[1]);
}

static void add(const char *name, enum wire_key_type type)
{
    add_chain(name, type, 0, 0, CERTS_NOW + CERTS_DAY);
}

static void use_authority(int i)
{
    STACK_OF(CRYPTO_BUFFER) *authorities = sk_CRYPTO_BUFFER_new_null();
    for (int n = i; n <= i + 1 && n < (int)MG_ARRAY_LEN(names); n++) { /* it and another */
        assert_true(sk_CRYPTO_BUFFER_push(authorities, CRYPTO_BUFFER_new(names[n].data, names[n].len, NULL)) > 0);
    }
    request.authorities = authorities;
}

static void assert_chosen_at(int64_t now, const char *name)
{
    const struct client_key *key = client_choose(store, &request, now);
    if (name == NULL) {
        assert_null(key);
    } else {
        assert_non_null(key);
        assert_string_equal(key->name, name);
    }
}

static void assert_chosen(const char *name)
{
    assert_chosen_at(CERTS_NOW, name);
}

/* assert_by has the server take |scheme| alone. */
static void assert_by(uint16_t scheme, bool is_tls13, const char *name)
{
    request.schemes = &scheme;
    request.num_schemes = 1;
    request.is_tls13 = is_tls13;
    request.types = is_tls13 ? NULL : all_types;
    request.num_types = is_tls13 ? 0 : sizeof(all_types);
    assert_chosen(name);
}

static void test_nothing_is_chosen_of_an_empty_store(void **state)
{
    (void)state;
    assert_chosen(NULL);
}

static void test_the_first_by_name_is_chosen_where_all_suit(void **state)
{
    (void)state;
    add("a", WIRE_KEY_RSA_2048);
    add("b", WIRE_KEY_EC_P256);
    assert_chosen("a");
    request.num_schemes = 0;
    assert_chosen(NULL);
}

static void test_the_key_goes_with_the_schemes_of_tls13(void **state)
{
    (void)state;
    add("a", WIRE_KEY_EC_P256);
    add("b", WIRE_KEY_EC_P384);
    add("c", WIRE_KEY_RSA_2048);
    assert_by(SSL_SIGN_ECDSA_SECP256R1_SHA256, true, "a");
    assert_by(SSL_SIGN_ECDSA_SECP384R1_SHA384, true, "b");
    assert_by(SSL_SIGN_RSA_PSS_RSAE_SHA256, true, "c");
    assert_by(SSL_SIGN_RSA_PSS_RSAE_SHA384, true, "c");
    assert_by(SSL_SIGN_RSA_PSS_RSAE_SHA512, true, "c");
    assert_by(SSL_SIGN_RSA_PKCS1_SHA256, true, NULL);
    assert_by(SSL_SIGN_ECDSA_SECP521R1_SHA512, true, NULL);
    assert_by(SSL_SIGN_RSA_PKCS1_SHA1, true, NULL);
}

static void test_in_tls13_a_curve_has_one_hash(void **state)
{
    (void)state;
    add("a", WIRE_KEY_EC_P384);
    assert_by(SSL_SIGN_ECDSA_SECP256R1_SHA256, true, NULL);
    assert_by(SSL_SIGN_ECDSA_SECP384R1_SHA384, true, "a");
    store->keys[0].key_type = WIRE_KEY_EC_P256;
    assert_by(SSL_SIGN_ECDSA_SECP384R1_SHA384, true, NULL);
}

static void test_the_key_goes_with_the_schemes_of_tls12(void **state)
{
    (void)state;
    add("b", WIRE_KEY_EC_P384);
    add("c", WIRE_KEY_RSA_2048);
    assert_by(SSL_SIGN_ECDSA_SECP256R1_SHA256, false, "b"); /* a hash, and no curve */
    assert_by(SSL_SIGN_RSA_PKCS1_SHA256, false, "c");
    assert_by(SSL_SIGN_RSA_PKCS1_SHA384, false, "c");
    assert_by(SSL_SIGN_RSA_PKCS1_SHA512, false, "c");
    assert_by(SSL_SIGN_RSA_PSS_RSAE_SHA256, false, "c");
    assert_by(SSL_SIGN_RSA_PKCS1_SHA1, false, NULL); /* RFC 9155 */
}

static void test_tls12_servers_say_the_types_of_keys_that_they_take(void **state)
{
    (void)state;
    static const uint8_t rsa_sign = 1;
    add("a", WIRE_KEY_EC_P256);
    add("b", WIRE_KEY_RSA_2048);
    request.is_tls13 = false;
    request.types = all_types;
    request.num_types = sizeof(all_types);
    assert_chosen("a");
    request.types = &rsa_sign;
    request.num_types = 1;
    assert_chosen("b");
    request.num_types = 0;
    assert_chosen(NULL);
}

static void test_a_certificate_is_not_used_out_of_its_time(void **state)
{
    (void)state;
    add_chain("a", WIRE_KEY_EC_P256, 0, 0, CERTS_NOW + 10);
    add_chain("b", WIRE_KEY_EC_P256, 0, 0, CERTS_NOW + 20);
    assert_chosen_at(CERTS_NOW - CERTS_DAY - 1, NULL);
    assert_chosen_at(CERTS_NOW - CERTS_DAY, "a");
    assert_chosen_at(CERTS_NOW + 10, "a");
    assert_chosen_at(CERTS_NOW + 11, "b");
    assert_chosen_at(CERTS_NOW + 21, NULL);
}

static void test_what_the_servers_authority_issued_goes_first(void **state)
{
    (void)state;
    add("a", WIRE_KEY_EC_P256);
    add_chain("b", WIRE_KEY_RSA_2048, 2, 2, CERTS_NOW + CERTS_DAY);
    add_chain("c", WIRE_KEY_EC_P256, 1, 2, CERTS_NOW + CERTS_DAY); /* its issuer's issuer */
    assert_chosen("a");
    use_authority(2);
    assert_chosen("b");
    assert_by(SSL_SIGN_ECDSA_SECP256R1_SHA256, true, "c"); /* among those that suit */
}

static void test_an_authority_that_issued_none_refuses_none(void **state)
{
    (void)state;
    add("a", WIRE_KEY_EC_P256);
    use_authority(3);
    assert_chosen("a");
}

#define CHOICE_TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHOICE_TEST(test_nothing_is_chosen_of_an_empty_store),
        CHOICE_TEST(test_the_first_by_name_is_chosen_where_all_suit),
        CHOICE_TEST(test_the_key_goes_with_the_schemes_of_tls13),
        CHOICE_TEST(test_in_tls13_a_curve_has_one_hash),
        CHOICE_TEST(test_the_key_goes_with_the_schemes_of_tls12),
        CHOICE_TEST(test_tls12_servers_say_the_types_of_keys_that_they_take),
        CHOICE_TEST(test_a_certificate_is_not_used_out_of_its_time),
        CHOICE_TEST(test_what_the_servers_authority_issued_goes_first),
        CHOICE_TEST(test_an_authority_that_issued_none_refuses_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
