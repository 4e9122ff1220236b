/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/pem.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

enum mg_status pem_encode(struct mg_buffer *out, const char *label, struct mg_slice der, struct mg_error *error)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool written = bio != NULL && PEM_write_bio(bio, label, "", der.data, (long)der.len) > 0;
    long len = written ? BIO_get_mem_data(bio, &text) : 0;
    if (written) {
        mg_buffer_append(out, text, (size_t)len);
    }
    BIO_free(bio);
    ERR_clear_error();
    return written && mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

enum mg_status der_chain_add(struct der_chain *chain, const char *pem, struct mg_error *error)
{
    if (pem == NULL) {
        return MG_OK;
    }
    BIO *bio = BIO_new_mem_buf(pem, -1);
    enum mg_status status = bio == NULL ? mg_error_set(error, MG_MEMORY, "out of memory") : MG_OK;
    size_t num_before = chain->num_certificates;
    while (status == MG_OK) {
        unsigned char *der;
        long len;
        if (!PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509, bio, NULL, NULL)) {
            break;
        }
        if (chain->num_certificates == WIRE_SIGNER_MAX_CHAIN) {
            OPENSSL_free(der);
            status = mg_error_set(error, MG_LIMIT, "more than %d certificates", WIRE_SIGNER_MAX_CHAIN);
            break;
        }
        chain->blocks[chain->num_certificates] = der;
        chain->certificates[chain->num_certificates++] = mg_slice_of(der, (size_t)len);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (status == MG_OK && chain->num_certificates == num_before) {
        status = mg_error_set(error, MG_INVALID, "no certificate in PEM");
    }
    return status;
}

void der_chain_free(struct der_chain *chain)
{
    for (size_t i = 0; i < chain->num_certificates; i++) {
        OPENSSL_free(chain->blocks[i]);
    }
    *chain = (struct der_chain){.num_certificates = 0};
}
