/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The purpose matrix of design.md section 1 on the signer's real sockets: a key for each purpose, in the signer and on
 * a token, certified by the built-in root, and each call of either socket with each of them. Nothing but its purpose is
 * wrong with a key that is refused. A call that is added to either protocol does not compile here without a case, nor
 * pass without a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <time.h>

#include "base/file.h"
#include "hsm/ca_certificate.h"
#include "hsm/purpose.h"
#include "signer_fixture.h"
#include "signer_process.h"
#include "temp_dir.h"
#include "token_fixture.h"
#include "token_minter.h"

#define TOKEN "steady"
#define NUM_PURPOSES (KEY_PURPOSE_LAST + 1) /* the first is none */

_Static_assert(KEY_PURPOSE_FIRST == 1 && KEY_PURPOSE_LAST == KEY_SERVER_TLS, "a new purpose needs its column below");

#define OK WIRE_CONTROL_OK
#define DENIED WIRE_CONTROL_DENIED

/* What each call of control's socket answers for a key of each purpose. */
static const struct row {
    bool is_known;
    enum wire_control_status expected[NUM_PURPOSES]; /* none, minting, private-ca, ska, tls-client, server-tls */
} control_rows[WIRE_CONTROL_LAST_CALL + 1] = {
    [WIRE_CONTROL_LIST] = {true, {OK, OK, OK, OK, OK, OK}},
    [WIRE_CONTROL_MAKE_KEY] = {true, {OK, OK, OK, OK, DENIED, DENIED}},
    [WIRE_CONTROL_PUBLIC_KEY] = {true, {OK, OK, OK, OK, OK, OK}},
    [WIRE_CONTROL_MAKE_CSR] = {true, {OK, OK, OK, DENIED, DENIED, DENIED}},
    [WIRE_CONTROL_INSTALL] = {true, {OK, OK, OK, DENIED, DENIED, DENIED}},
    [WIRE_CONTROL_REMOVE] = {true, {OK, OK, DENIED, DENIED, DENIED, DENIED}},
    [WIRE_CONTROL_DESTROY] = {true, {OK, OK, OK, OK, OK, DENIED}},
    [WIRE_CONTROL_IMPORT_KEY] = {true, {OK, OK, DENIED, DENIED, OK, DENIED}},
    [WIRE_CONTROL_ATTEST] = {true, {OK, OK, DENIED, DENIED, DENIED, DENIED}},
    [WIRE_CONTROL_SIGN_CERTIFICATE] = {true, {OK, DENIED, OK, DENIED, DENIED, DENIED}},
    [WIRE_CONTROL_SIGN_CRL] = {true, {OK, DENIED, OK, DENIED, DENIED, DENIED}},
    [WIRE_CONTROL_SKA_SIGN_TBS] = {true, {OK, DENIED, DENIED, OK, DENIED, DENIED}},
    [WIRE_CONTROL_SKA_SIGN_PAYLOAD] = {true, {OK, DENIED, DENIED, OK, DENIED, DENIED}},
};

/* And what the engine's one call with a key answers. */
static const enum wire_sign_status sign_row[NUM_PURPOSES] = {
    [KEY_MINTING] = WIRE_SIGN_OK,
    [KEY_PRIVATE_CA] = WIRE_SIGN_UNKNOWN_KEY,
    [KEY_SKA] = WIRE_SIGN_UNKNOWN_KEY,
    [KEY_TLS_CLIENT] = WIRE_SIGN_UNKNOWN_KEY,
    [KEY_SERVER_TLS] = WIRE_SIGN_UNKNOWN_KEY,
};

/* A key under test, with what a caller needs to know of it. */
struct subject {
    enum key_purpose purpose;
    const char *holder; /* empty: the signer itself */
    struct wire_key_id id;
    struct mg_buffer certificate, root;
};

static struct subject subjects[2][NUM_PURPOSES]; /* in the signer, on the token */
static struct mg_buffer to_be_signed;            /* what keys were asked to sign last */

/* The keys, before the signer runs */

/* certify has the built-in root certify |key| and keeps the chain both in the keystore and in |subject|. */
static void certify(struct keystore *store, const struct keystore_key *key, struct subject *subject)
{
    const struct keystore_key *root = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT);
    struct ca_profile profile = {.common_name = key_purpose_name(subject->purpose),
                                 .not_before = time(NULL) - 3600,
                                 .not_after = time(NULL) + INT64_C(300) * 86400};
    mg_buffer_init(&subject->certificate, KEYSTORE_MAX_CERTIFICATE);
    mg_buffer_init(&subject->root, KEYSTORE_MAX_CERTIFICATE);
    mg_buffer_append_slice(&subject->root, root->chain[0]);
    assert_int_equal(ca_certificate_issue(root, key, &profile, &subject->certificate, NULL), MG_OK);
    struct mg_slice chain[] = {mg_buffer_slice(&subject->certificate), mg_buffer_slice(&subject->root)};
    assert_int_equal(keystore_set1_chain(store, key, chain, MG_ARRAY_LEN(chain), NULL), MG_OK);
    subject->id = key->info.id;
}

/* add_software_key makes a key in the signer, as no call would for most purposes. */
static void add_software_key(struct keystore *store, struct subject *subject)
{
    const struct keystore_key *key;
    struct key_info info = {.purpose = subject->purpose,
                            .role = subject->purpose == KEY_MINTING ? WIRE_ISSUER_OFFERED : 0,
                            .type = WIRE_KEY_EC_P256};
    assert_int_equal(keystore_make(store, &info, &key, NULL), MG_OK);
    certify(store, key, subject);
}

/* change_held_key gives a key that the token made for minting its purpose: the token's key stays as it is, and would
 * sign. */
static void change_held_key(struct keystore *store, struct subject *subject)
{
    const struct keystore_key *made = keystore_find0(store, &subject->id), *key;
    assert_non_null(made);
    struct key_info info = made->info;
    EVP_PKEY *pkey = made->pkey;
    info.purpose = subject->purpose;
    info.role = subject->purpose == KEY_MINTING ? WIRE_ISSUER_OFFERED : 0;
    assert_int_equal(EVP_PKEY_up_ref(pkey), 1);
    assert_int_equal(keystore_destroy(store, &info.id, NULL), MG_OK);
    assert_int_equal(keystore_add_held(store, &info, pkey, &key, NULL), MG_OK);
    EVP_PKEY_free(pkey);
    certify(store, key, subject);
}

/* make_held_keys has the running signer make a key on the token for each purpose to be. */
static void make_held_keys(void)
{
    wait_until_up(TOKEN);
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        struct wire_control_request wish = wish_of(TOKEN, WIRE_KEY_EC_P256, (uint8_t)purpose);
        ask_well(&wish);
        subjects[1][purpose].id = control.reply.made;
    }
}

static void prepare_keys(void)
{
    struct kek *kek;
    struct keystore *store;
    assert_int_equal(kek_read_file(&kek, temp_path("kek"), NULL), MG_OK);
    assert_int_equal(keystore_open(&store, temp_path("state/keys"), kek, NULL), MG_OK);
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        subjects[0][purpose].purpose = subjects[1][purpose].purpose = (enum key_purpose)purpose;
        subjects[0][purpose].holder = "";
        subjects[1][purpose].holder = TOKEN;
        add_software_key(store, &subjects[0][purpose]);
        change_held_key(store, &subjects[1][purpose]);
    }
    keystore_free(store);
    kek_free(kek);
}

static int begin(void **state)
{
    char text[2048];
    if (softhsm_begin(state) != 0) {
        return -1;
    }
    softhsm_new_token("one");
    assert_int_equal(mg_file_write_atomic(temp_path("pin"), mg_slice_of_text(TOKEN_PIN), 0600, NULL), MG_OK);
    snprintf(text, sizeof(text),
             "  tokens:\n    - {name: " TOKEN ", module: %s, token: one, pin_file: %s, sessions: 1, deadline: 60s}\n",
             softhsm_module(), temp_path("pin"));
    signer_write_config(text);
    signer_start();
    make_held_keys();
    signer_assert_stopped_well();
    prepare_keys();
    signer_start();
    wait_until_up(TOKEN);
    return 0;
}

static int end(void **state)
{
    mg_buffer_free(&to_be_signed);
    for (size_t place = 0; place < MG_ARRAY_LEN(subjects); place++) {
        for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
            mg_buffer_free(&subjects[place][purpose].certificate);
            mg_buffer_free(&subjects[place][purpose].root);
        }
    }
    return signer_end(state);
}

/* What keys are asked to sign */

/* make_leaf makes the TBSCertificate of a leaf that is the key's own in every respect. */
static struct mg_slice make_leaf(const struct subject *subject)
{
    struct leaf_issuer facts;
    assert_int_equal(leaf_issuer_from_certificate(mg_buffer_slice(&subject->certificate), WIRE_ISSUER_OFFERED,
                                                  key_type_get0(WIRE_KEY_EC_P256), &facts, NULL),
                     MG_OK);
    mg_buffer_free(&to_be_signed);
    mg_buffer_init(&to_be_signed, 4096);
    fixture_write_leaf(&to_be_signed, &facts, "www.example.com", 1);
    return mg_buffer_slice(&to_be_signed);
}

static void add_crl_extensions(X509_CRL *crl, X509 *issuer)
{
    X509V3_CTX context;
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *aki = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    assert_true(aki != NULL && X509_CRL_add_ext(crl, aki, -1) == 1);
    assert_true(ASN1_INTEGER_set(number, 1) == 1 && X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1);
    X509_EXTENSION_free(aki);
    ASN1_INTEGER_free(number);
}

/* make_crl makes the TBSCertList of an empty CRL of the key's. */
static struct mg_slice make_crl(const struct subject *subject)
{
    const uint8_t *certificate = subject->certificate.data;
    X509 *issuer = d2i_X509(NULL, &certificate, (long)subject->certificate.len);
    X509_CRL *crl = X509_CRL_new();
    EVP_PKEY *anybody = EVP_EC_gen("P-256"); /* its signature is thrown away, but says the algorithm */
    ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL)), *later = ASN1_TIME_set(NULL, time(NULL) + 3600);
    assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
                X509_CRL_set1_lastUpdate(crl, now) == 1 && X509_CRL_set1_nextUpdate(crl, later) == 1);
    add_crl_extensions(crl, issuer);
    assert_true(X509_CRL_sign(crl, anybody, EVP_sha256()) > 0);
    uint8_t *der = NULL;
    int len = i2d_re_X509_CRL_tbs(crl, &der);
    mg_buffer_free(&to_be_signed);
    mg_buffer_init(&to_be_signed, 4096);
    mg_buffer_append(&to_be_signed, der, (size_t)len);
    OPENSSL_free(der);
    ASN1_TIME_free(now);
    ASN1_TIME_free(later);
    EVP_PKEY_free(anybody);
    X509_CRL_free(crl);
    X509_free(issuer);
    return mg_buffer_slice(&to_be_signed);
}

/* Control's socket */

/* secret_from_outside returns a private key as IMPORT_KEY takes it. */
static struct mg_slice secret_from_outside(void)
{
    static uint8_t der[WIRE_CONTROL_MAX_SECRET];
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    PKCS8_PRIV_KEY_INFO *pkcs8 = EVP_PKEY2PKCS8(pkey);
    uint8_t *at = der;
    int len = i2d_PKCS8_PRIV_KEY_INFO(pkcs8, &at);
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    EVP_PKEY_free(pkey);
    assert_true(len > 0);
    return mg_slice_of(der, (size_t)len);
}

/* write_request makes a request that every rule but the purpose's allows. False: no call has this number. */
static bool write_request(struct wire_control_request *out, enum wire_control_call call, const struct subject *subject)
{
    *out = (struct wire_control_request){.call = call, .id = 1, .key_id = subject->id};
    switch (call) {
    case WIRE_CONTROL_LIST:
        out->key_id = (struct wire_key_id){{0}}; /* from the beginning */
        return true;
    case WIRE_CONTROL_PUBLIC_KEY:
    case WIRE_CONTROL_REMOVE:
    case WIRE_CONTROL_DESTROY:
        return true;
    case WIRE_CONTROL_MAKE_KEY:
        *out = wish_of(subject->holder, WIRE_KEY_EC_P256, (uint8_t)(0x80 + 16 * (subject->holder[0] != '\0')));
        out->make_key.purpose = (enum wire_key_purpose)subject->purpose;
        out->make_key.token.bytes[1] = (uint8_t)subject->purpose;
        return true;
    case WIRE_CONTROL_MAKE_CSR:
        out->make_csr = (struct wire_control_make_csr){.digest = WIRE_CSR_SHA256, .path_len = 0};
        out->make_csr.subject[WIRE_SUBJECT_CN] = mg_slice_of_text("Corp CA");
        return true;
    case WIRE_CONTROL_IMPORT_KEY:
        out->import_key =
            (struct wire_control_import_key){.purpose = (enum wire_key_purpose)subject->purpose,
                                             .token = {{0xc0, (uint8_t)subject->purpose, subject->holder[0] != '\0'}},
                                             .label = mg_slice_of_text("from outside"),
                                             .secret = secret_from_outside()};
        return true;
    case WIRE_CONTROL_ATTEST:
        memset(out->attest.nonce, 0x5a, sizeof(out->attest.nonce));
        return true;
    case WIRE_CONTROL_SIGN_CERTIFICATE:
        out->tbs = make_leaf(subject);
        return true;
    case WIRE_CONTROL_SIGN_CRL:
        out->tbs = make_crl(subject);
        return true;
    case WIRE_CONTROL_SKA_SIGN_TBS:
        out->ska_sign = (struct wire_control_ska_sign){
            .digest = WIRE_SKA_SHA256, .structure = WIRE_SKA_CERTIFICATE, .octets = make_leaf(subject)};
        return true;
    case WIRE_CONTROL_SKA_SIGN_PAYLOAD:
        out->ska_sign =
            (struct wire_control_ska_sign){.digest = WIRE_SKA_SHA256, .octets = mg_slice_of_text("a payload")};
        return true;
    case WIRE_CONTROL_INSTALL:
        out->install.certificates[0] = mg_buffer_slice(&subject->certificate);
        out->install.certificates[1] = mg_buffer_slice(&subject->root);
        out->install.num_certificates = 2;
        return true;
    }
    return false;
}

/* The calls after which a key is not what it was, which therefore come last. */
static bool ends_a_key(enum wire_control_call call)
{
    return call == WIRE_CONTROL_REMOVE || call == WIRE_CONTROL_DESTROY;
}

/* is_out_of_place tells of the calls that are denied, whatever the key's purpose, for where it is. */
static bool is_out_of_place(enum wire_control_call call, const struct subject *subject)
{
    bool is_held = subject->holder[0] != '\0';
    switch (call) {
    case WIRE_CONTROL_ATTEST: /* is about the token that holds a key */
        return !is_held;
    case WIRE_CONTROL_SKA_SIGN_TBS: /* keys that are kept for others are kept in the signer */
    case WIRE_CONTROL_SKA_SIGN_PAYLOAD:
        return is_held;
    default:
        return false;
    }
}

static enum wire_control_status expected_of(enum wire_control_call call, const struct subject *subject)
{
    return is_out_of_place(call, subject) ? DENIED : control_rows[call].expected[subject->purpose];
}

static void make_call(enum wire_control_call call, const struct subject *subject)
{
    struct wire_control_request request;
    if (!write_request(&request, call, subject)) {
        return;
    }
    const char *name = wire_control_call_name(call), *where = subject->holder[0] != '\0' ? subject->holder : "signer";
    if (!control_rows[call].is_known) {
        fail_msg("%s has no row in the matrix", name);
    }
    enum wire_control_status expected = expected_of(call, subject), status = ask(&request);
    if (status != expected) {
        fail_msg("%s with a key for %s (%s): %s, not %s", name, key_purpose_name(subject->purpose), where,
                 wire_control_status_name(status), wire_control_status_name(expected));
    }
}

static void make_calls(const struct subject *subject, bool at_the_end)
{
    for (int call = 1; call <= WIRE_CONTROL_LAST_CALL; call++) {
        if (ends_a_key((enum wire_control_call)call) == at_the_end) {
            make_call((enum wire_control_call)call, subject);
        }
    }
}

/* is_listed tells whether the signer still has the key, with its purpose and certificates. */
static bool is_listed(const struct subject *subject)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_LIST, .id = 1};
    while (ask(&request) == WIRE_CONTROL_OK) {
        const struct wire_control_key *key = &control.reply.key;
        if (memcmp(&key->key_id, &subject->id, sizeof(key->key_id)) == 0) {
            return (int)key->purpose == (int)subject->purpose && key->chain.num_certificates == 2;
        }
        request.key_id = key->key_id;
    }
    return false;
}

/* The engine's socket */

/* takes_key tells which of the engine's messages name a key. */
static bool takes_key(enum wire_signer_type type)
{
    switch (type) {
    case WIRE_SIGNER_SIGN:
    case WIRE_SIGNER_CLIENT_SIGN:
        return true;
    case WIRE_SIGNER_HELLO:
    case WIRE_SIGNER_ISSUERS: /* the signer's */
    case WIRE_SIGNER_SIGNED:  /* the signer's */
    case WIRE_SIGNER_CANCEL:  /* of requests */
        return false;
    }
    return false;
}

/* ask_leaf has a leaf signed that is the key's own in every respect. */
static enum wire_sign_status ask_leaf(const struct subject *subject)
{
    struct client *client = calloc(1, sizeof(*client));
    struct wire_issuers issuers;
    struct mg_slice certificate = mg_buffer_slice(&subject->certificate), tbs = make_leaf(subject);
    assert_true(takes_key(WIRE_SIGNER_SIGN));
    client_open(client, signer_connect_engine());
    client_hello(client, &issuers);
    struct wire_sign_result result = client_ask(client, 1, &subject->id, tbs, 0);
    assert_true(result.status != WIRE_SIGN_OK || fixture_verify(certificate, tbs, result.signature));
    client_close(client);
    free(client);
    return result.status;
}

/* ask_as_client has signed what a TLS client signs, by a scheme that goes with the key. */
static enum wire_sign_status ask_as_client(const struct subject *subject)
{
    struct client *client = calloc(1, sizeof(*client));
    struct wire_issuers issuers;
    uint8_t content[64 + 34 + 32];
    memset(content, ' ', 64);
    memcpy(content + 64, "TLS 1.3, client CertificateVerify", 34);
    memset(content + 98, 0x5a, 32);
    const struct wire_client_sign request = {
        .id = 1, .key_id = subject->id, .scheme = 0x0403, .content = mg_slice_of(content, sizeof(content))};
    assert_true(takes_key(WIRE_SIGNER_CLIENT_SIGN));
    client_open(client, signer_connect_engine());
    client_hello(client, &issuers);
    mg_buffer_clear(&client->out);
    wire_signer_encode_client_sign(&client->out, &request);
    client_send_bytes(client, mg_buffer_slice(&client->out));
    client_receive(client);
    enum wire_sign_status status = client->results[0].status;
    client_close(client);
    free(client);
    return status;
}

static void assert_client_row(const struct subject *subject)
{
    bool is_allowed = subject->purpose == KEY_TLS_CLIENT && subject->holder[0] == '\0'; /* no token takes such keys */
    assert_int_equal(ask_as_client(subject), is_allowed ? WIRE_SIGN_OK : WIRE_SIGN_UNKNOWN_KEY);
}

static void assert_sign_row(const struct subject *subject)
{
    enum wire_sign_status status = ask_leaf(subject);
    if (status != sign_row[subject->purpose]) {
        fail_msg("a leaf by a key for %s: %s", key_purpose_name(subject->purpose), wire_sign_status_name(status));
    }
}

/* Tests */

/* assert_matrix goes through the whole matrix with one place's keys. What is refused changes nothing: a key that is not
 * for minting is there afterwards as before. */
static void assert_matrix(const struct subject of_purpose[NUM_PURPOSES])
{
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        const struct subject *subject = &of_purpose[purpose];
        assert_sign_row(subject);
        assert_client_row(subject);
        make_calls(subject, false);
        assert_client_row(subject);
        assert_sign_row(subject); /* whatever was tried to make it an issuer */
        make_calls(subject, true);
        assert_int_equal(ask_leaf(subject), WIRE_SIGN_UNKNOWN_KEY);
        assert_int_equal(ask_as_client(subject), WIRE_SIGN_UNKNOWN_KEY);
        assert_int_equal(is_listed(subject), control_rows[WIRE_CONTROL_DESTROY].expected[purpose] == DENIED);
    }
}

static void test_each_call_takes_the_purposes_of_its_row_with_keys_in_the_signer(void **state)
{
    (void)state;
    assert_matrix(subjects[0]);
}

static void test_each_call_takes_the_purposes_of_its_row_with_keys_on_a_token(void **state)
{
    (void)state;
    assert_matrix(subjects[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_takes_the_purposes_of_its_row_with_keys_in_the_signer),
        cmocka_unit_test(test_each_call_takes_the_purposes_of_its_row_with_keys_on_a_token),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
