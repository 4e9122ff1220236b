/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/material.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

void material_free(struct material *material)
{
    for (size_t i = 0; i < material->num_certificates; i++) {
        X509_free(material->certificates[i]);
    }
    EVP_PKEY_free(material->key);
    *material = (struct material){.key = NULL};
    ERR_clear_error();
}

enum mg_status material_add_certificate(struct material *material, X509 *x509, struct mg_error *error)
{
    if (material->num_certificates == MATERIAL_MAX_CERTIFICATES) {
        X509_free(x509);
        return mg_error_set(error, MG_INVALID, "file: has more than %d certificates", MATERIAL_MAX_CERTIFICATES);
    }
    material->certificates[material->num_certificates++] = x509;
    return MG_OK;
}

enum mg_status material_add_der(struct material *material, struct mg_slice der, struct mg_error *error)
{
    const uint8_t *at = der.data;
    X509 *x509 = der.len > 0 ? d2i_X509(NULL, &at, (long)der.len) : NULL;
    if (x509 == NULL || at != der.data + der.len) {
        X509_free(x509);
        return mg_error_set(error, MG_INVALID, "file: certificate %zu cannot be read: not an X.509 certificate in DER",
                            material->num_certificates + 1);
    }
    return material_add_certificate(material, x509, error);
}

enum mg_status material_set_key(struct material *material, EVP_PKEY *key, struct mg_error *error)
{
    if (material->key != NULL) {
        EVP_PKEY_free(key);
        return mg_error_set(error, MG_INVALID, "file: has more than one private key");
    }
    material->key = key;
    return MG_OK;
}

static void swap(struct material *material, size_t a, size_t b)
{
    X509 *x509 = material->certificates[a];
    material->certificates[a] = material->certificates[b];
    material->certificates[b] = x509;
}

/* belongs tells whether |x509| comes at |place|: it is for the key, or certifies the one before. */
static bool belongs(const struct material *material, size_t place, X509 *x509)
{
    return place == 0 ? X509_check_private_key(x509, material->key) == 1
                      : X509_check_issued(x509, material->certificates[place - 1]) == X509_V_OK;
}

void material_sort(struct material *material)
{
    for (size_t place = 0; place < material->num_certificates; place++) {
        size_t found = place;
        while (found < material->num_certificates && !belongs(material, place, material->certificates[found])) {
            found++;
        }
        if (found == material->num_certificates) {
            break;
        }
        swap(material, place, found);
    }
    ERR_clear_error();
}
