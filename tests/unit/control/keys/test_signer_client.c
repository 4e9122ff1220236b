/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys from their making to their destruction: control's client, the signer's own program with its confinement, and an
 * engine beside them that has leaves signed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unix_socket.h"
#include "control/keys/signer_client.h"
#include "tests/unit/hsm/signer_fixture.h"
#include "tests/unit/hsm/signer_process.h"
#include "tests/unit/hsm/temp_dir.h"

#define DAY INT64_C(86400)
#define MAX_LISTED 300
#define NOBODY 65534

static struct signer_client *client;

static int begin(void **state)
{
    signer_begin(state);
    return signer_client_new(&client, temp_path("control.sock"), SIGNER_CLIENT_DEFAULT_TIMEOUT_MS, NULL);
}

static int end(void **state)
{
    signer_client_free(client);
    return signer_end(state);
}

static struct wire_control_token token_of(uint8_t number)
{
    struct wire_control_token token = {{number, 't', 'o', 'k', 'e', 'n'}};
    return token;
}

static struct wire_key_id make_key(enum wire_key_type type, uint8_t token_number)
{
    struct wire_control_token token = token_of(token_number);
    struct wire_key_id id;
    struct mg_error error = {""};
    if (signer_client_make_key(client, type, &token, "Z\xc3\xbcrich", "", &id, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return id;
}

/* Keys as the signer lists them, without what is borrowed. */
struct listed {
    struct wire_control_key keys[MAX_LISTED];
    char labels[MAX_LISTED][WIRE_CONTROL_MAX_LABEL + 1];
    size_t count;
};

static enum mg_status note(void *arg, const struct wire_control_key *key)
{
    struct listed *listed = arg;
    assert_true(listed->count < MAX_LISTED);
    listed->keys[listed->count] = *key;
    snprintf(listed->labels[listed->count++], sizeof(listed->labels[0]), "%.*s", (int)key->label.len,
             (const char *)key->label.data);
    return MG_OK;
}

static struct listed *list(void)
{
    static struct listed listed;
    struct mg_error error = {""};
    listed.count = 0;
    if (signer_client_list(client, note, &listed, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return &listed;
}

static const struct wire_control_key *find_listed(const struct wire_key_id *id)
{
    struct listed *listed = list();
    for (size_t i = 0; i < listed->count; i++) {
        if (memcmp(&listed->keys[i].key_id, id, sizeof(*id)) == 0) {
            return &listed->keys[i];
        }
    }
    return NULL;
}

static struct wire_key_id builtin_id(enum wire_key_origin origin)
{
    struct listed *listed = list();
    for (size_t i = 0; i < listed->count; i++) {
        if (listed->keys[i].origin == origin) {
            return listed->keys[i].key_id;
        }
    }
    fail_msg("no key of origin %d", (int)origin);
    return (struct wire_key_id){{0}};
}

static struct wire_control_make_csr subject_of(const char *common_name)
{
    struct wire_control_make_csr csr = {.digest = WIRE_CSR_SHA256, .path_len = 0};
    csr.subject[WIRE_SUBJECT_CN] = mg_slice_of_text(common_name);
    return csr;
}

/* A CA outside: what an enterprise has. */

struct outside {
    EVP_PKEY *key;
    X509 *root;
};

/* finish_certificate fills in what all certificates of the CA have, and signs. */
static void finish_certificate(struct outside *outside, X509 *x509, int path_len)
{
    char constraints[64];
    X509V3_CTX context;
    X509_EXTENSION *extensions[3];
    snprintf(constraints, sizeof(constraints), "critical,CA:TRUE,pathlen:%d", path_len);
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), 4711);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 300 * DAY);
    X509_set_issuer_name(x509, X509_get_subject_name(outside->root));
    X509V3_set_ctx(&context, outside->root, x509, NULL, NULL, 0);
    extensions[0] = X509V3_EXT_conf_nid(NULL, &context, NID_basic_constraints, constraints);
    extensions[1] = X509V3_EXT_conf_nid(NULL, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
    extensions[2] = X509V3_EXT_conf_nid(NULL, &context, NID_subject_key_identifier, "hash");
    for (size_t i = 0; i < MG_ARRAY_LEN(extensions); i++) {
        assert_int_equal(X509_add_ext(x509, extensions[i], -1), 1);
        X509_EXTENSION_free(extensions[i]);
    }
    assert_true(X509_sign(x509, outside->key, EVP_sha256()) > 0);
}

static struct outside outside_new(void)
{
    struct outside outside = {EVP_EC_gen("P-256"), X509_new()};
    X509_NAME_add_entry_by_txt(X509_get_subject_name(outside.root), "CN", MBSTRING_UTF8,
                               (const uint8_t *)"An Enterprise Root", -1, -1, 0);
    X509_set_pubkey(outside.root, outside.key);
    finish_certificate(&outside, outside.root, 1);
    return outside;
}

static void outside_free(struct outside *outside)
{
    EVP_PKEY_free(outside->key);
    X509_free(outside->root);
}

static X509_REQ *parse_request(const struct mg_buffer *csr)
{
    const uint8_t *in = csr->data;
    X509_REQ *request = d2i_X509_REQ(NULL, &in, (long)csr->len);
    assert_non_null(request);
    assert_ptr_equal(in, csr->data + csr->len);
    return request;
}

static void append_der(struct mg_buffer *out, X509 *x509)
{
    uint8_t *der = NULL;
    int len = i2d_X509(x509, &der);
    assert_true(len > 0);
    mg_buffer_append(out, der, (size_t)len);
    OPENSSL_free(der);
}

/* outside_certify signs what |csr| asks for: the chain, issuer first, in two buffers. */
static void outside_certify(struct outside *outside, const struct mg_buffer *csr, struct mg_buffer chain[2])
{
    X509 *x509 = X509_new();
    X509_REQ *request = parse_request(csr);
    X509_set_subject_name(x509, X509_REQ_get_subject_name(request));
    X509_set_pubkey(x509, X509_REQ_get0_pubkey(request));
    finish_certificate(outside, x509, 0);
    for (size_t i = 0; i < 2; i++) {
        mg_buffer_init(&chain[i], KEYSTORE_MAX_CERTIFICATE);
    }
    append_der(&chain[0], x509);
    append_der(&chain[1], outside->root);
    X509_REQ_free(request);
    X509_free(x509);
}

/* An intermediate: a key, its certificate by the CA outside, and what the leaf policy knows of it. */
struct intermediate {
    struct wire_key_id id;
    struct mg_buffer certificates[2];
    struct wire_control_chain chain;
    struct leaf_issuer facts;
};

static void certify(struct intermediate *out, enum wire_key_type type, const char *common_name)
{
    struct wire_control_make_csr wanted = subject_of(common_name);
    struct outside outside = outside_new();
    struct mg_error error = {""};
    struct mg_buffer csr;
    mg_buffer_init(&csr, WIRE_CONTROL_MAX_DER);
    if (signer_client_make_csr(client, &out->id, &wanted, &csr, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    outside_certify(&outside, &csr, out->certificates);
    out->chain = (struct wire_control_chain){.num_certificates = 2};
    for (size_t i = 0; i < 2; i++) {
        out->chain.certificates[i] = mg_buffer_slice(&out->certificates[i]);
    }
    assert_int_equal(leaf_issuer_from_certificate(out->chain.certificates[0], WIRE_ISSUER_OFFERED, key_type_get0(type),
                                                  &out->facts, NULL),
                     MG_OK);
    mg_buffer_free(&csr);
    outside_free(&outside);
}

static struct intermediate *intermediate_new(enum wire_key_type type, uint8_t token_number)
{
    struct intermediate *out = calloc(1, sizeof(*out));
    out->id = make_key(type, token_number);
    certify(out, type, "An Inspection CA");
    return out;
}

static void intermediate_free(struct intermediate *intermediate)
{
    mg_buffer_free(&intermediate->certificates[0]);
    mg_buffer_free(&intermediate->certificates[1]);
    free(intermediate);
}

static void install(const struct intermediate *intermediate)
{
    struct mg_error error = {""};
    if (signer_client_install(client, &intermediate->id, &intermediate->chain, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
}

/* The engine */

static struct client engine;
static struct wire_issuers issuers;

static void engine_open(void)
{
    client_open(&engine, signer_connect_engine());
    client_hello(&engine, &issuers);
}

/* engine_sign has a leaf of |intermediate| signed, and checks the signature if there is one. */
static enum wire_sign_status engine_sign(const struct intermediate *intermediate)
{
    static uint64_t serial;
    struct mg_buffer tbs;
    mg_buffer_init(&tbs, 4096);
    fixture_write_leaf(&tbs, &intermediate->facts, "www.example.com", ++serial);
    struct wire_sign_result result = client_ask(&engine, serial, &intermediate->id, mg_buffer_slice(&tbs), 0);
    assert_true(result.status != WIRE_SIGN_OK ||
                fixture_verify(intermediate->chain.certificates[0], mg_buffer_slice(&tbs), result.signature));
    mg_buffer_free(&tbs);
    return result.status;
}

static const char *key_file(const struct wire_key_id *id, const char *suffix)
{
    char name[96] = "state/keys/";
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        len += (size_t)snprintf(name + len, sizeof(name) - len, "%02x", id->bytes[i]);
    }
    snprintf(name + len, sizeof(name) - len, "%s", suffix);
    return temp_path(name);
}

/* Tests */

static void test_the_whole_life_of_a_key(void **state)
{
    (void)state;
    engine_open();
    assert_int_equal(issuers.num_issuers, 2);
    struct intermediate *intermediate = intermediate_new(WIRE_KEY_EC_P256, 1);
    const struct wire_control_key *listed = find_listed(&intermediate->id);
    assert_non_null(listed);
    assert_int_equal(listed->purpose, WIRE_PURPOSE_MINTING);
    assert_int_equal(listed->origin, WIRE_ORIGIN_CONTROL);
    assert_int_equal(listed->type, WIRE_KEY_EC_P256);
    assert_true(llabs(listed->created - time(NULL)) < 600);
    assert_int_equal(listed->chain.num_certificates, 0);
    assert_false(listed->is_installed);
    assert_int_equal(list()->count, 4);
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_UNKNOWN_KEY);

    install(intermediate);
    client_issuers(&engine, &issuers); /* told without being asked */
    assert_int_equal(issuers.num_issuers, 3);
    assert_int_equal(issuers.issuers[2].role, WIRE_ISSUER_OFFERED);
    assert_memory_equal(&issuers.issuers[2].key_id, &intermediate->id, sizeof(intermediate->id));
    assert_true(mg_slice_equal(issuers.issuers[2].chain[1], intermediate->chain.certificates[1]));
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_OK);
    listed = find_listed(&intermediate->id);
    assert_true(listed->is_installed);
    assert_int_equal(listed->chain.num_certificates, 2);

    assert_int_equal(signer_client_remove(client, &intermediate->id, NULL), MG_OK);
    client_issuers(&engine, &issuers);
    assert_int_equal(issuers.num_issuers, 2);
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_UNKNOWN_KEY);
    listed = find_listed(&intermediate->id);
    assert_false(listed->is_installed);
    assert_int_equal(listed->chain.num_certificates, 2); /* kept */

    assert_true(temp_file_size(key_file(&intermediate->id, ".key")) > 0);
    assert_int_equal(signer_client_destroy(client, &intermediate->id, NULL), MG_OK);
    assert_int_equal(temp_file_size(key_file(&intermediate->id, ".key")), -1);
    assert_null(find_listed(&intermediate->id));
    client_close(&engine);
    intermediate_free(intermediate);
    signer_assert_stopped_well();
}

/* Whatever is asked twice is the same twice, and what is there is not disturbed by it. */
static void test_every_call_may_be_made_again(void **state)
{
    (void)state;
    engine_open();
    struct intermediate *intermediate = intermediate_new(WIRE_KEY_EC_P256, 1);
    struct wire_key_id again = make_key(WIRE_KEY_EC_P256, 1), other = make_key(WIRE_KEY_EC_P256, 2);
    assert_memory_equal(&again, &intermediate->id, sizeof(again));
    assert_memory_not_equal(&other, &intermediate->id, sizeof(other));
    install(intermediate);
    client_issuers(&engine, &issuers);
    install(intermediate); /* no change: nothing is told */
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_OK);
    assert_int_equal(signer_client_remove(client, &intermediate->id, NULL), MG_OK);
    client_issuers(&engine, &issuers);
    assert_int_equal(signer_client_remove(client, &intermediate->id, NULL), MG_OK);
    install(intermediate); /* back again */
    client_issuers(&engine, &issuers);
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_OK);
    assert_int_equal(signer_client_destroy(client, &intermediate->id, NULL), MG_OK); /* also while it is installed */
    client_issuers(&engine, &issuers);
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_UNKNOWN_KEY);
    assert_int_equal(signer_client_destroy(client, &intermediate->id, NULL), MG_OK);
    assert_int_equal(signer_client_remove(client, &intermediate->id, NULL), MG_NOT_FOUND);
    client_close(&engine);
    intermediate_free(intermediate);
}

static void test_every_key_type_goes_the_whole_way(void **state)
{
    (void)state;
    engine_open();
    for (int type = WIRE_KEY_EC_P256; type <= WIRE_KEY_RSA_4096; type++) {
        struct intermediate *intermediate = intermediate_new((enum wire_key_type)type, (uint8_t)type);
        install(intermediate);
        client_issuers(&engine, &issuers);
        assert_int_equal(issuers.issuers[issuers.num_issuers - 1].key_type, type);
        assert_int_equal(engine_sign(intermediate), WIRE_SIGN_OK);
        intermediate_free(intermediate);
    }
    client_close(&engine);
}

/* verify_with_openssl runs the program on |csr|. */
static bool verify_with_openssl(const struct mg_buffer *csr)
{
    char command[PATH_MAX + 64], line[256];
    bool ok = false;
    assert_int_equal(mg_file_write_atomic(temp_path("csr.der"), mg_buffer_slice(csr), 0600, NULL), MG_OK);
    snprintf(command, sizeof(command), "openssl req -verify -noout -inform DER -in %s 2>&1", temp_path("csr.der"));
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (fgets(line, sizeof(line), output) != NULL) {
        ok = ok || strstr(line, "verify OK") != NULL;
    }
    return pclose(output) == 0 && ok;
}

static void test_a_certification_request_is_what_was_asked_for(void **state)
{
    (void)state;
    struct wire_key_id id = make_key(WIRE_KEY_RSA_2048, 1);
    struct wire_control_make_csr wanted = {.digest = WIRE_CSR_SHA384, .path_len = 1};
    static const char *const values[] = {"CH", "Z\xc3\xbcrich", "Oerlikon", "Corp", "Sec", "Corp Inspection CA"};
    for (size_t i = 0; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        wanted.subject[i] = mg_slice_of_text(values[i]);
    }
    struct mg_buffer csr, spki;
    mg_buffer_init(&csr, WIRE_CONTROL_MAX_DER);
    mg_buffer_init(&spki, WIRE_CONTROL_MAX_DER);
    assert_int_equal(signer_client_make_csr(client, &id, &wanted, &csr, NULL), MG_OK);
    assert_int_equal(signer_client_public_key(client, &id, &spki, NULL), MG_OK);
    assert_true(verify_with_openssl(&csr));
    X509_REQ *request = parse_request(&csr);
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    const uint8_t *in = spki.data;
    EVP_PKEY *told = d2i_PUBKEY(NULL, &in, (long)spki.len);
    assert_int_equal(EVP_PKEY_eq(key, told), 1);
    assert_int_equal(X509_REQ_verify(request, key), 1);
    assert_int_equal(X509_REQ_get_signature_nid(request), NID_sha384WithRSAEncryption);
    char *name = X509_NAME_oneline(X509_REQ_get_subject_name(request), NULL, 0);
    assert_string_equal(name, "/C=CH/ST=Z\\xC3\\xBCrich/L=Oerlikon/O=Corp/OU=Sec/CN=Corp Inspection CA");
    OPENSSL_free(name);
    X509_REQ_free(request);
    EVP_PKEY_free(told);
    mg_buffer_free(&csr);
    mg_buffer_free(&spki);
}

static void assert_same_key_again(enum wire_key_type type, uint8_t token_number, const struct wire_key_id *expected)
{
    struct wire_key_id id = make_key(type, token_number);
    assert_memory_equal(&id, expected, sizeof(id));
}

/* The client is the same all along: it connects again by itself. */
static void test_what_was_done_is_so_after_kill_9(void **state)
{
    (void)state;
    struct intermediate *intermediate = intermediate_new(WIRE_KEY_EC_P384, 1);
    (void)signer_stop(SIGKILL);
    signer_start();
    assert_same_key_again(WIRE_KEY_EC_P384, 1, &intermediate->id);
    assert_int_equal(list()->count, 4);
    install(intermediate);
    (void)signer_stop(SIGKILL);
    signer_start();
    engine_open();
    assert_int_equal(issuers.num_issuers, 3);
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_OK);
    assert_int_equal(signer_client_remove(client, &intermediate->id, NULL), MG_OK);
    (void)signer_stop(SIGKILL);
    client_close(&engine);
    signer_start();
    engine_open();
    assert_int_equal(issuers.num_issuers, 2);
    assert_int_equal(engine_sign(intermediate), WIRE_SIGN_UNKNOWN_KEY);
    assert_int_equal(find_listed(&intermediate->id)->chain.num_certificates, 2);
    assert_int_equal(signer_client_destroy(client, &intermediate->id, NULL), MG_OK);
    (void)signer_stop(SIGKILL);
    client_close(&engine);
    signer_start();
    assert_null(find_listed(&intermediate->id));
    intermediate_free(intermediate);
    signer_assert_stopped_well();
}

static void test_a_token_is_one_key_for_ever(void **state)
{
    (void)state;
    struct wire_control_token token = token_of(1);
    struct mg_error error = {""};
    struct wire_key_id id;
    (void)make_key(WIRE_KEY_EC_P256, 1);
    assert_int_equal(signer_client_make_key(client, WIRE_KEY_EC_P384, &token, "Z\xc3\xbcrich", "", &id, &error),
                     MG_EXISTS);
    assert_non_null(strstr(error.text, "token"));
    assert_int_equal(signer_client_make_key(client, WIRE_KEY_EC_P256, &token, "Basel", "", &id, &error), MG_EXISTS);
    assert_int_equal(list()->count, 4);
}

/* The root, the built-in issuer and the forward-untrust issuer can be looked at, and nothing else. */
static void test_built_in_keys_are_out_of_reach(void **state)
{
    (void)state;
    engine_open();
    struct intermediate *intermediate = intermediate_new(WIRE_KEY_EC_P256, 1);
    struct wire_control_make_csr csr = subject_of("Mine now");
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    for (int origin = WIRE_ORIGIN_BUILTIN_ROOT; origin <= WIRE_ORIGIN_BUILTIN_UNTRUST; origin++) {
        struct wire_key_id id = builtin_id((enum wire_key_origin)origin);
        struct mg_error error = {""};
        assert_int_equal(signer_client_make_csr(client, &id, &csr, &der, &error), MG_DENIED);
        assert_non_null(strstr(error.text, "make_csr is not for a"));
        assert_int_equal(signer_client_install(client, &id, &intermediate->chain, &error), MG_DENIED);
        assert_int_equal(signer_client_remove(client, &id, &error), MG_DENIED);
        assert_int_equal(signer_client_destroy(client, &id, &error), MG_DENIED);
        assert_int_equal(der.len, 0);
        assert_int_equal(signer_client_public_key(client, &id, &der, NULL), MG_OK);
        mg_buffer_clear(&der);
    }
    assert_int_equal(list()->count, 4);
    mg_buffer_free(&der);
    client_close(&engine);
    intermediate_free(intermediate);
    signer_assert_stopped_well();
    signer_start(); /* nothing was broken on the disk either */
}

static void test_what_breaks_a_rule_is_refused_with_its_name(void **state)
{
    (void)state;
    struct intermediate *intermediate = intermediate_new(WIRE_KEY_EC_P256, 1), *other;
    struct wire_key_id unknown = {{1}};
    struct mg_error error = {""};
    struct mg_buffer der;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    other = intermediate_new(WIRE_KEY_EC_P256, 2);
    struct wire_control_make_csr csr = subject_of("");
    assert_int_equal(signer_client_make_csr(client, &intermediate->id, &csr, &der, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "subject"));
    csr = subject_of("12345678901234567890123456789012345678901234567890123456789012345");
    assert_int_equal(signer_client_make_csr(client, &intermediate->id, &csr, &der, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "CN"));
    csr = subject_of("good");
    csr.subject[WIRE_SUBJECT_C] = mg_slice_of_text("CHE");
    assert_int_equal(signer_client_make_csr(client, &intermediate->id, &csr, &der, &error), MG_INVALID);
    csr.subject[WIRE_SUBJECT_C] = mg_slice_of_text("c1");
    assert_int_equal(signer_client_make_csr(client, &intermediate->id, &csr, &der, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "C: "));
    csr = subject_of("good");
    assert_int_equal(signer_client_make_csr(client, &unknown, &csr, &der, &error), MG_NOT_FOUND);
    assert_int_equal(signer_client_public_key(client, &unknown, &der, &error), MG_NOT_FOUND);
    assert_int_equal(signer_client_install(client, &unknown, &intermediate->chain, &error), MG_NOT_FOUND);
    assert_int_equal(signer_client_install(client, &intermediate->id, &other->chain, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "another key"));
    struct wire_control_chain broken = intermediate->chain;
    broken.certificates[1].len--;
    assert_int_equal(signer_client_install(client, &intermediate->id, &broken, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "certificate 2"));
    assert_int_equal(find_listed(&intermediate->id)->chain.num_certificates, 0); /* nothing was half-done */
    assert_int_equal(temp_file_size(key_file(&intermediate->id, ".pem")), -1);
    install(intermediate);
    mg_buffer_free(&der);
    intermediate_free(intermediate);
    intermediate_free(other);
}

/* More issuers than an engine takes: the one too many is refused before anything is written. */
static void test_one_issuer_too_many_is_refused_whole(void **state)
{
    (void)state;
    struct intermediate *intermediates[WIRE_SIGNER_MAX_ISSUERS - 1];
    struct mg_error error = {""};
    size_t last = MG_ARRAY_LEN(intermediates) - 1;
    for (size_t i = 0; i <= last; i++) {
        intermediates[i] = intermediate_new(WIRE_KEY_EC_P256, (uint8_t)(i + 1));
        enum mg_status status = signer_client_install(client, &intermediates[i]->id, &intermediates[i]->chain, &error);
        assert_int_equal(status, i < last ? MG_OK : MG_LIMIT);
    }
    assert_int_equal(find_listed(&intermediates[last]->id)->chain.num_certificates, 0);
    assert_int_equal(signer_client_remove(client, &intermediates[0]->id, NULL), MG_OK);
    install(intermediates[last]); /* there is room again */
    signer_assert_stopped_well();
    signer_start(); /* what was allowed can be loaded */
    for (size_t i = 0; i <= last; i++) {
        intermediate_free(intermediates[i]);
    }
}

/* Connections as somebody else makes them. */

static int connect_control(void)
{
    int fd;
    assert_int_equal(mg_unix_connect(temp_path("control.sock"), SOCK_SEQPACKET, &fd, NULL), MG_OK);
    return fd;
}

static bool is_closed(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint8_t byte;
    return poll(&wait, 1, 20000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void test_garbage_closes_its_connection_alone(void **state)
{
    (void)state;
    static uint8_t large[WIRE_CONTROL_MAX_PACKET + 1] = {WIRE_CONTROL_VERSION, WIRE_CONTROL_INSTALL};
    const struct mg_slice bad[] = {
        mg_slice_of_text("garbage"),
        mg_slice_of("\x03\x7f\0\0\0\0\0\0\0\0", 10), /* an unknown call */
        mg_slice_of("\x02\x01\0\0\0\0\0\0\0\0"
                    "0123456789abcdef",
                    26), /* another version */
        mg_slice_of("\x03\x01\0\0\0\0\0\0\0\0"
                    "0123456789abcde",
                    25),                                 /* a key id cut short */
        mg_slice_of("\x03\x83\0\0\0\0\0\0\0\0\x00", 11), /* a reply */
        mg_slice_of(large, sizeof(large)),
    };
    int bystander = connect_control();
    assert_int_equal(list()->count, 3);
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        int fd = connect_control();
        assert_int_equal(send(fd, bad[i].data, bad[i].len, MSG_NOSIGNAL), bad[i].len);
        assert_true(is_closed(fd));
        close(fd);
        assert_int_equal(list()->count, 3); /* the client's own connection goes on */
    }
    struct pollfd wait = {.fd = bystander, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 0), 0);
    close(bystander);
}

static void test_the_socket_is_for_its_own_user(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(stat(temp_path("control.sock"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    if (geteuid() != 0) {
        return; /* only root can become somebody else */
    }
    /* Past the file's mode, the peer's credentials decide. */
    assert_int_equal(chmod(temp_path("control.sock"), 0666), 0);
    assert_int_equal(chmod(temp_dir, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd;
        bool refused = setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0 &&
                       mg_unix_connect(temp_path("control.sock"), SOCK_SEQPACKET, &fd, NULL) == MG_OK && is_closed(fd);
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(signer_wait_for(pid), 0);
    assert_non_null(strstr(signer_output(), "refused a connection to the control socket from user 65534"));
    assert_int_equal(list()->count, 3);
}

/* It gets no further than what its socket holds. */
static void test_a_peer_that_does_not_read_is_closed(void **state)
{
    (void)state;
    struct wire_control_request request = {.call = WIRE_CONTROL_LIST};
    struct mg_buffer packet;
    int fd = connect_control();
    size_t num_sent = 0;
    mg_buffer_init(&packet, WIRE_CONTROL_MAX_PACKET);
    wire_control_encode_request(&packet, &request);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    while (poll(&wait, 1, 20000) == 1 && send(fd, packet.data, packet.len, MSG_NOSIGNAL) >= 0) {
        assert_true(num_sent++ < 100000);
    }
    assert_int_not_equal(errno, EAGAIN);
    close(fd);
    mg_buffer_free(&packet);
    assert_int_equal(list()->count, 3);
}

static void test_connections_are_bounded(void **state)
{
    (void)state;
    int fds[9];
    for (size_t i = 0; i < MG_ARRAY_LEN(fds); i++) {
        fds[i] = connect_control();
    }
    assert_true(is_closed(fds[8]));
    for (size_t i = 0; i < MG_ARRAY_LEN(fds); i++) {
        close(fds[i]);
    }
    assert_int_equal(list()->count, 3);
}

static void test_a_signer_that_is_away_is_called_so(void **state)
{
    (void)state;
    struct mg_error error = {""};
    struct wire_key_id id = {{1}};
    assert_int_equal(list()->count, 3);
    signer_assert_stopped_well();
    assert_int_equal(signer_client_remove(client, &id, &error), MG_IO);
    assert_non_null(strstr(error.text, "the signer is not running"));
    signer_start();
    assert_int_equal(list()->count, 3); /* and it is found again when it is back */
}

static void test_a_signer_that_does_not_answer_is_waited_for_so_long(void **state)
{
    (void)state;
    struct mg_error error = {""};
    struct wire_key_id id = {{1}};
    struct signer_client *impatient;
    int listener;
    temp_dir_make(NULL);
    assert_int_equal(mg_unix_listen(temp_path("deaf.sock"), SOCK_SEQPACKET, 0600, &listener, NULL), MG_OK);
    assert_int_equal(signer_client_new(&impatient, temp_path("deaf.sock"), 100, NULL), MG_OK);
    assert_int_equal(signer_client_remove(impatient, &id, &error), MG_IO);
    assert_string_equal(error.text, "the signer did not answer within 100 ms");
    signer_client_free(impatient);
    close(listener);
    temp_dir_remove(NULL);
}

static void assert_counted(const char *line)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 8192);
    signer_client_metrics(client, &text);
    mg_buffer_append_u8(&text, 0);
    assert_non_null(strstr((const char *)text.data, line));
    mg_buffer_free(&text);
}

static void test_whether_the_signer_answers_can_be_asked(void **state)
{
    (void)state;
    struct mg_error error = {""};
    struct wire_key_id id = {{1}};
    assert_false(signer_client_is_reachable(client)); /* nobody has asked yet */
    assert_int_equal(signer_client_probe(client, 20000, &error), MG_OK);
    assert_true(signer_client_is_reachable(client));
    assert_string_equal(error.text, "");
    assert_int_equal(signer_client_remove(client, &id, &error), MG_NOT_FOUND); /* which is an answer */
    assert_true(signer_client_is_reachable(client));
    assert_counted("mintgate_control_signer_reachable 1\n");
    signer_assert_stopped_well();
    assert_int_equal(signer_client_probe(client, 20000, &error), MG_IO);
    assert_false(signer_client_is_reachable(client));
    assert_counted("mintgate_control_signer_reachable 0\n");
    assert_counted("mintgate_control_signer_calls_total{end=\"ok\"} 1\n");
    assert_counted("mintgate_control_signer_calls_total{end=\"refused\"} 1\n");
    assert_counted("mintgate_control_signer_calls_total{end=\"unanswered\"} 1\n");
    signer_start();
    assert_int_equal(signer_client_probe(client, 20000, &error), MG_OK);
}

/* A signer that answers nonsense, in a thread of this test. */
static void *answer_nonsense(void *arg)
{
    int listener = *(int *)arg, fd;
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    uint8_t packet[256];
    for (int i = 0; i < 2; i++) {
        (void)poll(&wait, 1, 20000);
        fd = accept(listener, NULL, NULL);
        (void)recv(fd, packet, sizeof(packet), 0);
        /* First no reply at all, then a good one to another question. */
        struct mg_slice answer =
            i == 0 ? mg_slice_of_text("nonsense") : mg_slice_of("\x03\x86\0\0\0\0\0\0\0\x63\0", 11);
        (void)send(fd, answer.data, answer.len, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void test_answers_that_are_none_are_told(void **state)
{
    (void)state;
    struct mg_error error = {""};
    struct wire_key_id id = {{1}};
    struct signer_client *mine;
    pthread_t thread;
    int listener;
    temp_dir_make(NULL);
    assert_int_equal(mg_unix_listen(temp_path("odd.sock"), SOCK_SEQPACKET, 0600, &listener, NULL), MG_OK);
    assert_int_equal(pthread_create(&thread, NULL, answer_nonsense, &listener), 0);
    assert_int_equal(signer_client_new(&mine, temp_path("odd.sock"), 20000, NULL), MG_OK);
    assert_int_equal(signer_client_remove(mine, &id, &error), MG_INTERNAL);
    assert_non_null(strstr(error.text, "does not decode"));
    assert_int_equal(signer_client_remove(mine, &id, &error), MG_INTERNAL);
    assert_non_null(strstr(error.text, "another question"));
    pthread_join(thread, NULL);
    signer_client_free(mine);
    close(listener);
    temp_dir_remove(NULL);
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(test_the_whole_life_of_a_key),
        LIFE_TEST(test_every_call_may_be_made_again),
        LIFE_TEST(test_every_key_type_goes_the_whole_way),
        LIFE_TEST(test_a_certification_request_is_what_was_asked_for),
        LIFE_TEST(test_what_was_done_is_so_after_kill_9),
        LIFE_TEST(test_a_token_is_one_key_for_ever),
        LIFE_TEST(test_built_in_keys_are_out_of_reach),
        LIFE_TEST(test_what_breaks_a_rule_is_refused_with_its_name),
        LIFE_TEST(test_one_issuer_too_many_is_refused_whole),
        LIFE_TEST(test_garbage_closes_its_connection_alone),
        LIFE_TEST(test_the_socket_is_for_its_own_user),
        LIFE_TEST(test_a_peer_that_does_not_read_is_closed),
        LIFE_TEST(test_connections_are_bounded),
        LIFE_TEST(test_a_signer_that_is_away_is_called_so),
        LIFE_TEST(test_whether_the_signer_answers_can_be_asked),
        cmocka_unit_test(test_a_signer_that_does_not_answer_is_waited_for_so_long),
        cmocka_unit_test(test_answers_that_are_none_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
