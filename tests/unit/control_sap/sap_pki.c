/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "tests/unit/control_sap/sap_pki.h"

#define MAX_FILE ((size_t)128 * 1024)
#define LEAF "CA:FALSE"

struct sap_pki pki;
static struct mg_buffer certificates_file, key_file, encrypted_file, der_file;

static struct mg_slice taken(const struct mg_buffer *buffer)
{
    assert_true(mg_buffer_ok(buffer));
    return mg_buffer_slice(buffer);
}

int pki_open(void **state)
{
    (void)state;
    mg_buffer_init(&certificates_file, MAX_FILE);
    mg_buffer_init(&key_file, MAX_FILE);
    mg_buffer_init(&encrypted_file, MAX_FILE);
    mg_buffer_init(&der_file, MAX_FILE);
    pki.root_key = ca_key("P-256", 0);
    pki.intermediate_key = ca_key("P-256", 0);
    pki.leaf_key = ca_key("P-256", 0);
    pki.other_key = ca_key("P-256", 0);
    pki.root = ca_make(&(struct ca_spec){.common_name = "Root", .key = pki.root_key});
    pki.intermediate = ca_make(&(struct ca_spec){
        .common_name = "Intermediate", .key = pki.intermediate_key, .issuer = pki.root, .issuer_key = pki.root_key});
    pki.leaf = ca_make(&(struct ca_spec){.common_name = "Leaf",
                                         .key = pki.leaf_key,
                                         .issuer = pki.intermediate,
                                         .issuer_key = pki.intermediate_key,
                                         .basic_constraints = LEAF,
                                         .key_usage = "critical,digitalSignature"});
    pki.expired = ca_make(&(struct ca_spec){.common_name = "Expired",
                                            .key = pki.leaf_key,
                                            .basic_constraints = LEAF,
                                            .not_before = CA_NOW - 2 * CA_DAY,
                                            .not_after = CA_NOW - 1});
    return 0;
}

int pki_close(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {pki.root_key, pki.intermediate_key, pki.leaf_key, pki.other_key};
    X509 *certificates[] = {pki.root, pki.intermediate, pki.leaf, pki.expired};
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        EVP_PKEY_free(keys[i]);
        X509_free(certificates[i]);
    }
    mg_buffer_free(&certificates_file);
    mg_buffer_free(&key_file);
    mg_buffer_free(&encrypted_file);
    mg_buffer_free(&der_file);
    return 0;
}

struct mg_slice pki_pem(size_t num_certificates, X509 *const *certificates)
{
    mg_buffer_clear(&certificates_file);
    for (size_t i = 0; i < num_certificates; i++) {
        ca_append_pem(&certificates_file, certificates[i]);
    }
    return taken(&certificates_file);
}

struct mg_slice pki_chain_pem(void)
{
    X509 *const chain[] = {pki.leaf, pki.intermediate, pki.root};
    return pki_pem(MG_ARRAY_LEN(chain), chain);
}

struct mg_slice pki_key_pem(EVP_PKEY *key)
{
    mg_buffer_clear(&key_file);
    ca_append_private_key(&key_file, key);
    return taken(&key_file);
}

struct mg_slice pki_encrypted_key_pem(EVP_PKEY *key, int iterations)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    X509_SIG *encrypted =
        PKCS8_encrypt(-1, EVP_aes_256_cbc(), PKI_PASSWORD, strlen(PKI_PASSWORD), NULL, 0, iterations, info);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_non_null(encrypted);
    assert_int_equal(PEM_write_bio_PKCS8(bio, encrypted), 1);
    long len = BIO_get_mem_data(bio, &text);
    mg_buffer_clear(&encrypted_file);
    mg_buffer_append(&encrypted_file, text, (size_t)len);
    BIO_free(bio);
    X509_SIG_free(encrypted);
    PKCS8_PRIV_KEY_INFO_free(info);
    return taken(&encrypted_file);
}

struct mg_slice pki_der(X509 *x509)
{
    mg_buffer_clear(&der_file);
    ca_append_der(&der_file, x509);
    return taken(&der_file);
}
