/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_request.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "ossl/openssl_error.h"

/* add_names asks for the subjectAltName of |x509|, if it has one. */
static bool add_names(X509_REQ *request, const X509 *x509)
{
    int index = X509_get_ext_by_NID(x509, NID_subject_alt_name, -1);
    if (index < 0) {
        return true;
    }
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    bool ok = extensions != NULL && sk_X509_EXTENSION_push(extensions, X509_get_ext(x509, index)) > 0 &&
              X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_free(extensions);
    return ok;
}

static bool fill(X509_REQ *request, const struct material *material)
{
    const X509 *x509 = material->certificates[0];
    return X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
           X509_REQ_set_subject_name(request, X509_get_subject_name(x509)) == 1 &&
           X509_REQ_set_pubkey(request, material->key) == 1 && add_names(request, x509) &&
           X509_REQ_sign(request, material->key, EVP_sha256()) > 0;
}

enum mg_status sap_request_make(const struct material *material, char **out, struct mg_error *error)
{
    X509_REQ *request = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    *out = NULL;
    if (request != NULL && bio != NULL && fill(request, material) && PEM_write_bio_X509_REQ(bio, request) == 1) {
        long len = BIO_get_mem_data(bio, &text);
        *out = mg_slice_dup_text(mg_slice_of(text, (size_t)len));
    }
    BIO_free(bio);
    X509_REQ_free(request);
    return *out != NULL ? MG_OK : openssl_error_set(error, "a certification request cannot be made");
}
