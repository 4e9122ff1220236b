/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/x509_builder.h"

#include <openssl/rand.h>

#define SERIAL_BYTES 16

bool x509_builder_add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

bool x509_builder_set_serial(X509 *x509)
{
    uint8_t bytes[SERIAL_BYTES];
    BIGNUM *number = NULL;
    if (RAND_bytes(bytes, sizeof(bytes)) == 1) {
        bytes[0] = (bytes[0] & 0x7f) | 0x40;
        number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    }
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
    BN_free(number);
    return ok;
}

bool x509_builder_set_validity(X509 *x509, int64_t not_before, int64_t not_after)
{
    return ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)not_after) != NULL;
}
