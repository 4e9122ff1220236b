/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/private_key.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

static enum mg_status set_key(struct material *material, EVP_PKEY *key, struct mg_error *error)
{
    ERR_clear_error();
    if (key == NULL) {
        return mg_error_set(error, MG_INVALID, "file: the private key cannot be read");
    }
    return material_set_key(material, key, error);
}

enum mg_status private_key_of_info(struct material *material, const PKCS8_PRIV_KEY_INFO *info, struct mg_error *error)
{
    return set_key(material, EVP_PKCS82PKEY(info), error);
}

enum mg_status private_key_of_der(struct material *material, struct mg_slice der, struct mg_error *error)
{
    const uint8_t *at = der.data;
    EVP_PKEY *key = der.len > 0 ? d2i_AutoPrivateKey(NULL, &at, (long)der.len) : NULL;
    if (key != NULL && at != der.data + der.len) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return set_key(material, key, error);
}

enum mg_status private_key_of_encrypted(struct material *material, const X509_SIG *encrypted,
                                        struct passphrase *passphrase, struct mg_error *error)
{
    const X509_ALGOR *algorithm;
    X509_SIG_get0(encrypted, &algorithm, NULL);
    enum mg_status status = key_derivation_spend_for(&passphrase->budget, algorithm, error);
    if (status != MG_OK) {
        return status;
    }
    PKCS8_PRIV_KEY_INFO *info =
        PKCS8_decrypt(encrypted, (const char *)passphrase->text.data, (int)passphrase->text.len);
    if (info == NULL) {
        ERR_clear_error();
        return mg_error_set(error, MG_INVALID,
                            "password: does not open the private key, or that is encrypted by an obsolete algorithm");
    }
    status = private_key_of_info(material, info, error);
    PKCS8_PRIV_KEY_INFO_free(info);
    return status;
}

enum mg_status private_key_of_encrypted_der(struct material *material, struct mg_slice der,
                                            struct passphrase *passphrase, struct mg_error *error)
{
    const uint8_t *at = der.data;
    if (passphrase->text.data == NULL) {
        return mg_error_set(error, MG_INVALID, "password: is needed, since the private key is encrypted");
    }
    X509_SIG *encrypted = der.len > 0 ? d2i_X509_SIG(NULL, &at, (long)der.len) : NULL;
    enum mg_status status = encrypted != NULL && at == der.data + der.len
                                ? private_key_of_encrypted(material, encrypted, passphrase, error)
                                : mg_error_set(error, MG_INVALID, "file: the encrypted private key cannot be read");
    X509_SIG_free(encrypted);
    ERR_clear_error();
    return status;
}
