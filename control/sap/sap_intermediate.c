/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_intermediate.h"

#include <openssl/pem.h>
#include <stdlib.h>

#include "control/sap/entry_material.h"

#define BAD_INPUT "INVALID_INPUT_ARGUMENT"
#define MAX_PUBLIC_KEY 4096

static enum mg_status bad_input(struct lifecycle_call *call, enum mg_status status)
{
    call->code = status == MG_INVALID ? BAD_INPUT : "UNEXPECTED_ERROR";
    return status;
}

/* type_of returns the signer's word for the type of |key|; 0: it takes no such keys. */
static enum wire_key_type type_of(const EVP_PKEY *key)
{
    static const struct {
        const char *name;
        int bits;
        enum wire_key_type type;
    } types[] = {
        {"EC", 256, WIRE_KEY_EC_P256},    {"EC", 384, WIRE_KEY_EC_P384},    {"RSA", 2048, WIRE_KEY_RSA_2048},
        {"RSA", 3072, WIRE_KEY_RSA_3072}, {"RSA", 4096, WIRE_KEY_RSA_4096},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        if (EVP_PKEY_is_a(key, types[i].name) && EVP_PKEY_get_bits(key) == types[i].bits) {
            return types[i].type;
        }
    }
    return 0;
}

static enum mg_status encode_public_key(const EVP_PKEY *key, struct mg_buffer *out, struct mg_error *error)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1) {
        long len = BIO_get_mem_data(bio, &text);
        mg_buffer_append(out, text, (size_t)len);
    }
    BIO_free(bio);
    return text != NULL && mg_buffer_ok(out) ? MG_OK
                                             : mg_error_set(error, MG_INTERNAL, "a public key cannot be encoded");
}

/* What is to become an intermediate, in the forms that the life cycle takes. */
struct wanted {
    struct lifecycle_draft draft;
    struct lifecycle_import import;
    const struct material *material;
};

/* code_of_signer is the API's word for a key that the signer has not taken. */
static const char *code_of_signer(enum mg_status status)
{
    switch (status) {
    case MG_IO:
        return SERVICE_UNAVAILABLE;
    case MG_INVALID:
        return BAD_INPUT;
    case MG_LIMIT:
        return "INVALID_OPERATION";
    default:
        return "UNEXPECTED_ERROR";
    }
}

/* hand_over gives the key to the signer, once it is clear that all else is in order. */
static enum mg_status hand_over(struct sap_imports *imports, struct service *service, struct lifecycle_call *call,
                                const struct wanted *wanted, struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    struct sap_import import;
    enum mg_status status = lifecycle_check_import(call, &wanted->draft, &wanted->import, &record, error);
    intermediate_free(&record);
    if (status != MG_OK) {
        return status;
    }
    status = sap_import_begin(imports, WIRE_PURPOSE_MINTING, wanted->material->key, call->now_us, &import, error);
    if (status != MG_OK) {
        call->code = code_of_signer(status);
        return status;
    }
    status = service_import(service, call, &wanted->draft, &wanted->import, &import.key_id, out, error);
    sap_import_end(imports, &import, call->now_us);
    return status;
}

static enum mg_status import_material(struct sap_imports *imports, struct service *service, struct lifecycle_call *call,
                                      struct wanted *wanted, struct intermediate *out, struct mg_error *error)
{
    struct material above = *wanted->material, own = {.num_certificates = 1};
    char *certificate = NULL, *chain = NULL, storage[MAX_PUBLIC_KEY];
    struct mg_buffer public_key;
    mg_buffer_wrap(&public_key, storage, sizeof(storage));
    own.certificates[0] = above.certificates[0];
    above.num_certificates--;
    memmove(above.certificates, above.certificates + 1, above.num_certificates * sizeof(above.certificates[0]));
    enum mg_status status = encode_public_key(wanted->material->key, &public_key, error);
    if (status == MG_OK) {
        status = entry_material_encode(&own, &certificate, error);
    }
    if (status == MG_OK && above.num_certificates > 0) {
        status = entry_material_encode(&above, &chain, error);
    }
    if (status == MG_OK) {
        wanted->import = (struct lifecycle_import){.public_key = mg_buffer_slice(&public_key),
                                                   .certificate = mg_slice_of_text(certificate),
                                                   .chain = mg_slice_of_text(chain != NULL ? chain : "")};
        status = hand_over(imports, service, call, wanted, out, error);
    } else {
        status = bad_input(call, status);
    }
    free(certificate);
    free(chain);
    return status;
}

enum mg_status sap_intermediate_import(struct sap_imports *imports, struct service *service,
                                       struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                       const struct sap_file *file, struct intermediate *out, struct mg_error *error)
{
    const struct material_terms terms = {.now = call->now_us / 1000000};
    enum sap_kind kind = SAP_KEYSTORE;
    struct material material;
    struct wanted wanted = {.draft = *draft, .material = &material};
    enum mg_status status = sap_file_read(file, &terms, &kind, &material, error);
    if (status != MG_OK) {
        return bad_input(call, status);
    }
    wanted.draft.type = INTERMEDIATE_SOFTWARE;
    wanted.draft.key_type = type_of(material.key);
    if (wanted.draft.key_type == 0) {
        status = bad_input(call, mg_error_set(error, MG_INVALID,
                                              "private key: must be RSA of 2048, 3072 or 4096 bits, or EC on P-256 or "
                                              "P-384"));
    } else {
        status = import_material(imports, service, call, &wanted, out, error);
    }
    material_free(&material);
    return status;
}
