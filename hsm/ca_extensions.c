/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/ca_extensions.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>

static X509_EXTENSION *make(int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, NULL, NULL, NULL, 0);
    return X509V3_EXT_conf_nid(NULL, &context, nid, value);
}

X509_EXTENSION *ca_extensions_basic_constraints(int path_len)
{
    char value[64];
    if (path_len == CA_EXTENSIONS_NO_PATH_LEN) {
        snprintf(value, sizeof(value), "critical,CA:TRUE");
    } else {
        snprintf(value, sizeof(value), "critical,CA:TRUE,pathlen:%d", path_len);
    }
    return make(NID_basic_constraints, value);
}

X509_EXTENSION *ca_extensions_key_usage(void)
{
    return make(NID_key_usage, "critical,keyCertSign,cRLSign");
}

bool ca_compute_key_identifier(struct mg_slice public_key, uint8_t out[CA_KEY_IDENTIFIER_LEN])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (EVP_Digest(public_key.data, public_key.len, hash, NULL, EVP_sha256(), NULL) != 1) {
        return false;
    }
    memcpy(out, hash, CA_KEY_IDENTIFIER_LEN);
    return true;
}

X509_EXTENSION *ca_extensions_key_identifier(const X509_PUBKEY *key)
{
    const uint8_t *bits;
    int len;
    uint8_t computed[CA_KEY_IDENTIFIER_LEN];
    if (X509_PUBKEY_get0_param(NULL, &bits, &len, NULL, key) != 1 ||
        !ca_compute_key_identifier(mg_slice_of(bits, (size_t)len), computed)) {
        return NULL;
    }
    X509_EXTENSION *extension = NULL;
    ASN1_OCTET_STRING *identifier = ASN1_OCTET_STRING_new();
    if (identifier != NULL && ASN1_OCTET_STRING_set(identifier, computed, sizeof(computed)) == 1) {
        extension = X509V3_EXT_i2d(NID_subject_key_identifier, 0, identifier);
    }
    ASN1_OCTET_STRING_free(identifier);
    return extension;
}
