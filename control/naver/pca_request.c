/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_request.h"

#include <openssl/err.h>

#include "control/naver/pca_certificate.h"
#include "ossl/pem_block.h"

#define MIN_SECURITY_BITS 112
#define MAX_RSA_BITS 8192 /* beyond it a verification takes too long */

static enum mg_status refuse(struct mg_error *error, const char *what)
{
    ERR_clear_error();
    return mg_error_set(error, MG_INVALID, "csrPem: %s", what);
}

static enum mg_status check(X509_REQ *request, struct mg_error *error)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (key == NULL || EVP_PKEY_get_bits(key) > MAX_RSA_BITS) {
        return refuse(error, "the public key is none that is accepted");
    }
    if (EVP_PKEY_get_security_bits(key) < MIN_SECURITY_BITS) {
        return refuse(error, "the public key is too weak (RSA of 2048 bits and EC P-256 are not)");
    }
    return X509_REQ_verify(request, key) == 1
               ? MG_OK
               : refuse(error, "the signature must be by the request's own key (RFC 2986 section 4.2)");
}

static enum mg_status parse(struct mg_slice der, X509_REQ **out, struct mg_error *error)
{
    const uint8_t *at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    enum mg_status status = request != NULL && at == der.data + der.len
                                ? check(request, error)
                                : refuse(error, "must be a certification request (PKCS#10)");
    if (status != MG_OK) {
        X509_REQ_free(request);
        return status;
    }
    *out = request;
    return MG_OK;
}

static enum mg_status decode(struct mg_slice text, struct mg_buffer *der, struct mg_error *error)
{
    static const char old_label[] = "NEW CERTIFICATE REQUEST";
    bool is_old = memmem(text.data, text.len, old_label, sizeof(old_label) - 1) != NULL;
    return pem_block_decode(text, is_old ? old_label : "CERTIFICATE REQUEST", der, error);
}

static enum mg_status read_with(enum mg_status (*reader)(struct mg_slice, struct mg_buffer *, struct mg_error *),
                                struct mg_slice text, X509_REQ **out, struct mg_error *error)
{
    struct mg_buffer der;
    struct mg_error inner = {""};
    mg_buffer_init(&der, PCA_MAX_REQUEST);
    enum mg_status status = reader(text, &der, &inner);
    status = status == MG_OK ? parse(mg_buffer_slice(&der), out, error) : refuse(error, inner.text);
    mg_buffer_free(&der);
    return status;
}

enum mg_status pca_request_read(struct mg_slice pem, X509_REQ **out, struct mg_error *error)
{
    return read_with(decode, pem, out, error);
}

enum mg_status pca_request_read_der(struct mg_slice base64, X509_REQ **out, struct mg_error *error)
{
    return read_with(pem_base64_decode, base64, out, error);
}

/* ---- what it asks for ---- */

/* get decodes |nid|; false: it is malformed or there twice. *out is NULL where there is none. */
static bool get(const STACK_OF(X509_EXTENSION) * extensions, int nid, void **out)
{
    int found;
    *out = X509V3_get_d2i(extensions, nid, &found, NULL);
    return *out != NULL || found == -1;
}

static unsigned flags_of(const ASN1_BIT_STRING *bits)
{
    unsigned flags = 0;
    for (int i = 0; bits != NULL && i < 8; i++) {
        flags |= ASN1_BIT_STRING_get_bit(bits, i) == 1 ? 0x80U >> i : 0;
    }
    return flags;
}

static int path_len_of(const BASIC_CONSTRAINTS *constraints)
{
    int64_t value;
    if (constraints == NULL || constraints->pathlen == NULL ||
        ASN1_INTEGER_get_int64(&value, constraints->pathlen) != 1 || value < 0 || value > 255) {
        return PCA_NO_PATH_LEN;
    }
    return (int)value;
}

static bool read_asked(const STACK_OF(X509_EXTENSION) * extensions, struct pca_asked *out)
{
    void *constraints = NULL, *bits = NULL, *usages = NULL, *names = NULL;
    bool ok = get(extensions, NID_basic_constraints, &constraints);
    ok = get(extensions, NID_key_usage, &bits) && ok;
    ok = get(extensions, NID_ext_key_usage, &usages) && ok;
    ok = get(extensions, NID_subject_alt_name, &names) && ok;
    out->path_len = path_len_of(constraints);
    out->key_usage = flags_of(bits);
    out->usages = usages;
    out->names = names;
    BASIC_CONSTRAINTS_free(constraints);
    ASN1_BIT_STRING_free(bits);
    return ok;
}

enum mg_status pca_request_asked(X509_REQ *request, struct pca_asked *out, struct mg_error *error)
{
    *out = (struct pca_asked){.path_len = PCA_NO_PATH_LEN};
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    bool ok = extensions == NULL || read_asked(extensions, out);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return ok ? MG_OK : refuse(error, "an extension that it asks for is malformed");
}

void pca_asked_free(struct pca_asked *asked)
{
    EXTENDED_KEY_USAGE_free(asked->usages);
    GENERAL_NAMES_free(asked->names);
    *asked = (struct pca_asked){.path_len = PCA_NO_PATH_LEN};
}
