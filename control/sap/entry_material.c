/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/entry_material.h"

#include <openssl/pem.h>

#include "control/sap/pem_bundle.h"
#include "ossl/openssl_error.h"

enum mg_status entry_material_parse(const struct sap_entry *entry, struct material *out, struct mg_error *error)
{
    static const struct pem_bundle_rules rules = {.parts = PEM_BUNDLE_CERTIFICATES};
    struct passphrase none = {.text = {.data = NULL}};
    *out = (struct material){.key = NULL};
    enum mg_status status = pem_bundle_read(out, mg_slice_of_text(entry->certificates), &rules, &none, error);
    if (status != MG_OK) {
        material_free(out);
        return mg_error_set(error, MG_INTERNAL, "database: the certificate %s cannot be read", entry->name);
    }
    return MG_OK;
}

enum mg_status entry_material_encode(const struct material *material, char **out, struct mg_error *error)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool ok = bio != NULL;
    *out = NULL;
    for (size_t i = 0; ok && i < material->num_certificates; i++) {
        ok = PEM_write_bio_X509(bio, material->certificates[i]) == 1;
    }
    if (ok) {
        long len = BIO_get_mem_data(bio, &text);
        *out = mg_slice_dup_text(mg_slice_of(text, (size_t)len));
    }
    BIO_free(bio);
    return *out != NULL ? MG_OK : openssl_error_set(error, "certificates cannot be encoded");
}
