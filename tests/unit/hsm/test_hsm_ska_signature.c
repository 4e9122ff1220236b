/* SPDX-License-Identifier: Apache-2.0 */
/* What SKA keys sign, put together and read with OpenSSL; and what they don't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "hsm/ska_signature.h"
#include "ossl/x509_builder.h"

#define NOW INT64_C(1795254060)

static struct keystore_key key;
static struct mg_buffer out;
static struct mg_error error;

static int make_key(void **state, enum wire_key_type type)
{
    (void)state;
    key = (struct keystore_key){.info = {.purpose = KEY_SKA}, .type = key_type_get0(type)};
    mg_buffer_init(&out, WIRE_CONTROL_MAX_DER);
    return key_type_generate(key.type, &key.pkey, NULL) == MG_OK ? 0 : -1;
}

static int make_ec_key(void **state)
{
    return make_key(state, WIRE_KEY_EC_P256);
}

static int make_rsa_key(void **state)
{
    return make_key(state, WIRE_KEY_RSA_2048);
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key.pkey);
    mg_buffer_free(&out);
    return 0;
}

/* template is a certificate whose algorithm is this key's, as if it had signed it. */
static X509 *template(const EVP_MD *digest)
{
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_true(x509_builder_set_serial(x509));
    assert_true(x509_builder_set_validity(x509, NOW, NOW + 86400));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"CA", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(x509, name), 1);
    assert_int_equal(X509_set_pubkey(x509, key.pkey), 1);
    assert_true(X509_sign(x509, key.pkey, digest) > 0);
    return x509;
}

/* The journal of these tests: what it was told last, and whether it can be written. */
static struct {
    size_t num_records;
    uint8_t serial[20];
    size_t serial_len;
    size_t names_len;
    bool is_broken;
} noted;

static enum mg_status note(void *arg, const struct keystore_key *signer, const struct tbs *tbs, struct mg_slice names,
                           struct mg_error *why)
{
    assert_ptr_equal(arg, &noted);
    assert_ptr_equal(signer, &key);
    if (noted.is_broken) {
        return mg_error_set(why, MG_IO, "the disk is full");
    }
    noted.num_records++;
    noted.serial_len = tbs->serial.len;
    memcpy(noted.serial, tbs->serial.data, tbs->serial.len);
    noted.names_len = names.len;
    return MG_OK;
}

static const struct ska_signature_journal journal = {.record = note, .arg = &noted};

static enum mg_status sign_structure(enum wire_ska_structure structure, struct mg_slice tbs)
{
    const struct wire_control_ska_sign wanted = {.digest = WIRE_SKA_SHA384, .structure = structure, .octets = tbs};
    mg_buffer_clear(&out);
    error.text[0] = '\0';
    return ska_signature_of_structure(&key, &wanted, &journal, &out, &error);
}

/* sign_certificate signs the to-be-signed part of |x509|, which it frees. */
static enum mg_status sign_certificate(X509 *x509)
{
    uint8_t *tbs = NULL;
    int len = i2d_re_X509_tbs(x509, &tbs);
    assert_true(len > 0);
    enum mg_status status = sign_structure(WIRE_SKA_CERTIFICATE, mg_slice_of(tbs, (size_t)len));
    OPENSSL_free(tbs);
    X509_free(x509);
    return status;
}

static void test_a_certificate_is_signed_whole(void **state)
{
    (void)state;
    assert_int_equal(sign_certificate(template(EVP_sha384())), MG_OK);
    const uint8_t *in = out.data;
    X509 *made = d2i_X509(NULL, &in, (long)out.len);
    assert_non_null(made);
    assert_ptr_equal(in, out.data + out.len);
    assert_int_equal(X509_verify(made, key.pkey), 1);
    X509_free(made);
}

static void add_names(X509 *x509, const char *names)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* What is in the journal can have been signed; what is not, cannot. */
static void test_a_certificate_is_in_the_journal_first(void **state)
{
    (void)state;
    X509 *x509 = template(EVP_sha384());
    ASN1_INTEGER *serial = ASN1_INTEGER_dup(X509_get_serialNumber(x509));
    add_names(x509, "DNS:www.example.com");
    size_t before = noted.num_records;
    assert_int_equal(sign_certificate(x509), MG_OK);
    assert_int_equal(noted.num_records, before + 1);
    assert_int_equal(noted.serial_len, ASN1_STRING_length(serial));
    assert_memory_equal(noted.serial, ASN1_STRING_get0_data(serial), noted.serial_len);
    assert_int_equal(noted.names_len, 2 + strlen("www.example.com"));
    ASN1_INTEGER_free(serial);

    noted.is_broken = true;
    assert_int_equal(sign_certificate(template(EVP_sha384())), MG_IO);
    assert_int_equal(out.len, 0);
    noted.is_broken = false;
    x509 = template(EVP_sha384());
    add_names(x509, "DNS:a.example.com");
    add_names(x509, "DNS:b.example.com");
    before = noted.num_records;
    assert_int_equal(sign_certificate(x509), MG_INVALID); /* of two lists of names a reader takes which it will */
    assert_int_equal(noted.num_records, before);
}

static X509_REQ *request_of(EVP_PKEY *subject)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(request);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"CA", -1, -1, 0), 1);
    assert_int_equal(X509_REQ_set_pubkey(request, subject), 1);
    return request;
}

static enum mg_status sign_request(X509_REQ *request)
{
    uint8_t *tbs = NULL;
    int len = i2d_re_X509_REQ_tbs(request, &tbs);
    assert_true(len > 0);
    enum mg_status status = sign_structure(WIRE_SKA_CERTIFICATION_REQUEST, mg_slice_of(tbs, (size_t)len));
    OPENSSL_free(tbs);
    X509_REQ_free(request);
    return status;
}

static void test_a_request_for_the_own_key_is_signed_whole(void **state)
{
    (void)state;
    assert_int_equal(sign_request(request_of(key.pkey)), MG_OK);
    const uint8_t *in = out.data;
    X509_REQ *made = d2i_X509_REQ(NULL, &in, (long)out.len);
    assert_non_null(made);
    assert_int_equal(X509_REQ_verify(made, key.pkey), 1);
    X509_REQ_free(made);
}

static void test_a_request_for_another_key_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    assert_int_equal(sign_request(request_of(other)), MG_INVALID);
    EVP_PKEY_free(other);
}

/* RFC 5280 section 4.1.2: each of them breaks one rule. */
static void test_certificates_of_a_wrong_shape_are_refused(void **state)
{
    (void)state;
    X509 *x509 = template(EVP_sha384());
    assert_int_equal(X509_set_version(x509, X509_VERSION_1), 1);
    assert_int_equal(sign_certificate(x509), MG_INVALID);
    assert_int_equal(strncmp(error.text, "version", 7), 0);

    x509 = template(EVP_sha384());
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 0), 1);
    assert_int_equal(sign_certificate(x509), MG_INVALID);
    assert_int_equal(strncmp(error.text, "serialNumber", 12), 0);

    x509 = template(EVP_sha384());
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), -5), 1);
    assert_int_equal(sign_certificate(x509), MG_INVALID);

    x509 = template(EVP_sha384());
    assert_true(x509_builder_set_validity(x509, NOW, NOW - 1));
    assert_int_equal(sign_certificate(x509), MG_INVALID);
    assert_int_equal(strncmp(error.text, "validity", 8), 0);

    assert_int_equal(sign_certificate(template(EVP_sha256())), MG_INVALID); /* another hash than is asked for */
    assert_int_equal(strncmp(error.text, "signature", 9), 0);

    x509 = template(EVP_sha384());
    X509_NAME *empty = X509_NAME_new();
    assert_int_equal(X509_set_issuer_name(x509, empty), 1);
    X509_NAME_free(empty);
    assert_int_equal(sign_certificate(x509), MG_INVALID);
    assert_int_equal(out.len, 0);
}

static void test_other_bytes_are_no_structure(void **state)
{
    (void)state;
    static const uint8_t empty[] = {0x30, 0x00};
    for (int structure = WIRE_SKA_CERTIFICATE; structure <= WIRE_SKA_CERTIFICATION_REQUEST; structure++) {
        assert_int_equal(sign_structure((enum wire_ska_structure)structure, mg_slice_of_text("digest")), MG_INVALID);
        assert_int_equal(sign_structure((enum wire_ska_structure)structure, mg_slice_of(empty, sizeof(empty))),
                         MG_INVALID);
    }
}

static enum mg_status sign_payload(struct mg_slice payload)
{
    const struct wire_control_ska_sign wanted = {.digest = WIRE_SKA_SHA256, .octets = payload};
    mg_buffer_clear(&out);
    return ska_signature_of_payload(&key, &wanted, &out, &error);
}

static void test_a_payload_is_signed(void **state)
{
    (void)state;
    struct mg_slice payload = mg_slice_of_text("0123 whatever");
    assert_int_equal(sign_payload(payload), MG_OK);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key.pkey), 1);
    assert_int_equal(EVP_DigestVerify(context, out.data, out.len, payload.data, payload.len), 1);
    EVP_MD_CTX_free(context);
}

/* So that no certificate, request or revocation list gets a signature on this way, however a reader takes lengths. */
static void test_a_payload_that_is_one_sequence_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t len;
        bool is_refused;
    } cases[] = {
        {{0x30, 0x01, 0xaa}, 3, true},
        {{0x30, 0x81, 0x01, 0xaa}, 4, true},
        {{0x30, 0x82, 0x00, 0x01, 0xaa}, 5, true},
        {{0x30, 0x84, 0x00, 0x00, 0x00, 0x01, 0xaa}, 7, true},
        {{0x30, 0x80, 0xaa, 0x00, 0x00}, 5, true},
        {{0x30, 0x02, 0xaa}, 3, false},
        {{0x30, 0x01, 0xaa, 0xaa}, 4, false},
        {{0x31, 0x01, 0xaa}, 3, false},
        {{0x30}, 1, false},
        {{0x30, 0x82, 0x00}, 3, false},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        assert_int_equal(sign_payload(mg_slice_of(cases[i].bytes, cases[i].len)),
                         cases[i].is_refused ? MG_DENIED : MG_OK);
    }
}

static void test_keys_for_other_purposes_sign_neither(void **state)
{
    (void)state;
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        key.info.purpose = (enum key_purpose)purpose;
        enum mg_status expected = purpose == KEY_SKA ? MG_OK : MG_DENIED;
        assert_int_equal(sign_certificate(template(EVP_sha384())), expected);
        assert_int_equal(sign_payload(mg_slice_of_text("payload")), expected);
    }
}

#define EC_TEST(name) cmocka_unit_test_setup_teardown(name, make_ec_key, free_key)
#define RSA_TEST(name) cmocka_unit_test_setup_teardown(name, make_rsa_key, free_key)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EC_TEST(test_a_certificate_is_signed_whole),
        RSA_TEST(test_a_certificate_is_signed_whole),
        EC_TEST(test_a_certificate_is_in_the_journal_first),
        EC_TEST(test_a_request_for_the_own_key_is_signed_whole),
        RSA_TEST(test_a_request_for_the_own_key_is_signed_whole),
        EC_TEST(test_a_request_for_another_key_is_refused),
        EC_TEST(test_certificates_of_a_wrong_shape_are_refused),
        EC_TEST(test_other_bytes_are_no_structure),
        EC_TEST(test_a_payload_is_signed),
        RSA_TEST(test_a_payload_is_signed),
        EC_TEST(test_a_payload_that_is_one_sequence_is_refused),
        EC_TEST(test_keys_for_other_purposes_sign_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
