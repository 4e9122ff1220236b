/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/key_attestation.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>

#include "control/attestation/attestation.h"

/* check_answer refuses |got| unless it answers the call with |nonce| about the key of |record|. */
static enum mg_status check_answer(const struct attestation *got, const struct intermediate *record,
                                   const uint8_t nonce[WIRE_CONTROL_NONCE_LEN], struct mg_error *error)
{
    if (memcmp(got->nonce, nonce, sizeof(got->nonce)) != 0) {
        return mg_error_set(error, MG_DENIED, "nonce: the attestation is of another time");
    }
    if (memcmp(&got->key_id, &record->key_id, sizeof(got->key_id)) != 0) {
        return mg_error_set(error, MG_DENIED, "keyId: the attestation is of another key");
    }
    BIO *pem = BIO_new_mem_buf(record->public_key, -1);
    EVP_PKEY *key = pem != NULL ? PEM_read_bio_PUBKEY(pem, NULL, NULL, NULL) : NULL;
    enum mg_status status = key != NULL ? attestation_verify(got, key, error)
                                        : mg_error_set(error, MG_INTERNAL, "the stored public key cannot be read");
    EVP_PKEY_free(key);
    BIO_free(pem);
    ERR_clear_error();
    return status;
}

/* fetch is key_attestation_fetch, which reads it too: *out borrows from |text| and is to be freed. */
static enum mg_status fetch(struct signer_client *signer, const struct intermediate *record, struct mg_buffer *text,
                            struct attestation *out, struct mg_error *error)
{
    uint8_t nonce[WIRE_CONTROL_NONCE_LEN];
    *out = (struct attestation){.statement = NULL};
    if (RAND_bytes(nonce, sizeof(nonce)) != 1) {
        return mg_error_set(error, MG_INTERNAL, "no randomness for a nonce");
    }
    enum mg_status status = signer_client_attest(signer, &record->key_id, nonce, text, error);
    if (status == MG_OK && attestation_read(mg_buffer_slice(text), out, error) != MG_OK) {
        status = MG_INTERNAL; /* the signer made it */
    }
    return status == MG_OK ? check_answer(out, record, nonce, error) : status;
}

enum mg_status key_attestation_fetch(struct signer_client *signer, const struct intermediate *record,
                                     struct mg_buffer *text, struct mg_error *error)
{
    struct attestation attestation;
    enum mg_status status = fetch(signer, record, text, &attestation, error);
    attestation_free(&attestation);
    return status;
}

enum mg_status key_attestation_check(struct signer_client *signer, const struct intermediate *record,
                                     struct mg_error *error)
{
    struct attestation attestation;
    struct mg_buffer text;
    mg_buffer_init(&text, ATTESTATION_MAX_FILE);
    enum mg_status status = fetch(signer, record, &text, &attestation, error);
    if (status == MG_OK) {
        status = attestation_judge(&attestation, error);
    }
    attestation_free(&attestation);
    mg_buffer_free(&text);
    return status;
}
