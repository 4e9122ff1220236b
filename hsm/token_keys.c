/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token_keys.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "ossl/openssl_error.h"

/* find_place finds the configured token that |holder| names. */
static enum mg_status find_place(const struct token_store *tokens, const char *holder, size_t *place,
                                 struct mg_error *error)
{
    if (tokens->supervisor == NULL || !backend_pkcs11_find_token(tokens->backend, holder, place)) {
        return mg_error_set(error, MG_NOT_FOUND, "token: %s is not configured (signer.tokens)", holder);
    }
    return MG_OK;
}

/* call_token is token_supervisor_call, with a class of its own for a token that is not up. */
static enum mg_status call_token(const struct token_store *tokens, size_t place,
                                 const struct wire_token_request *request, struct token_answer *answer,
                                 struct mg_error *error)
{
    enum mg_status status = token_supervisor_call(tokens->supervisor, place, request, answer, error);
    return status == MG_IO ? MG_AGAIN : status;
}

/* ask has |holder| do |request|: *answer is the caller's to free, whatever comes of it. */
static enum mg_status ask(const struct token_store *tokens, const char *holder,
                          const struct wire_token_request *request, struct token_answer **answer,
                          struct mg_error *error)
{
    size_t place;
    *answer = NULL;
    enum mg_status status = find_place(tokens, holder, &place, error);
    if (status != MG_OK) {
        return status;
    }
    *answer = malloc(sizeof(**answer));
    if (*answer == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for an answer");
    }
    return call_token(tokens, place, request, *answer, error);
}

/* derive_id makes the key id that belongs to |wish|, which is random itself. */
static enum mg_status derive_id(const struct wire_control_token *wish, struct wire_key_id *out, struct mg_error *error)
{
    static const char context[] = "mintgate key on a token";
    uint8_t in[sizeof(context) + sizeof(wish->bytes)], digest[32];
    memcpy(in, context, sizeof(context));
    memcpy(in + sizeof(context), wish->bytes, sizeof(wish->bytes));
    if (EVP_Digest(in, sizeof(in), digest, NULL, EVP_sha256(), NULL) != 1) {
        return openssl_error_set(error, "cannot derive a key id");
    }
    memcpy(out->bytes, digest, sizeof(out->bytes));
    return MG_OK;
}

/* record adds the key whose public key is |spki| to the keystore. */
static enum mg_status record(const struct token_store *tokens, const struct key_info *info, struct mg_slice spki,
                             const struct keystore_key **out, struct mg_error *error)
{
    const uint8_t *der = spki.data;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &der, (long)spki.len);
    if (pkey == NULL) {
        return openssl_error_set(error, "the public key of token %s does not parse", info->holder);
    }
    enum mg_status status = keystore_add_held(tokens->store, info, pkey, out, error);
    EVP_PKEY_free(pkey);
    return status;
}

enum mg_status token_keys_make(const struct token_store *tokens, const struct key_info *info,
                               const struct keystore_key **out, struct mg_error *error)
{
    struct key_info made = *info;
    struct token_answer *answer;
    enum mg_status status = derive_id(&info->token, &made.id, error);
    if (status != MG_OK) {
        return status;
    }
    if (keystore_num_keys(tokens->store) >= KEYSTORE_MAX_KEYS) {
        return mg_error_set(error, MG_LIMIT, "the keystore is full: it holds %d keys", KEYSTORE_MAX_KEYS);
    }
    struct wire_token_request request = {.call = WIRE_TOKEN_MAKE_KEY};
    request.make_key.id = made.id;
    request.make_key.type = made.type;
    request.make_key.label = mg_slice_of_text(made.label);
    status = ask(tokens, made.holder, &request, &answer, error);
    if (status == MG_OK) {
        status = record(tokens, &made, answer->reply.spki, out, error);
    }
    free(answer);
    return status;
}

enum mg_status token_keys_destroy(const struct token_store *tokens, const struct keystore_key *key,
                                  struct mg_error *error)
{
    struct token_answer *answer;
    struct wire_token_request request = {.call = WIRE_TOKEN_DESTROY, .key_id = key->info.id};
    enum mg_status status = ask(tokens, key->info.holder, &request, &answer, error);
    free(answer);
    return status;
}

static const EVP_MD *md_of(enum wire_token_digest hash)
{
    switch (hash) {
    case WIRE_TOKEN_SHA256:
        return EVP_sha256();
    case WIRE_TOKEN_SHA384:
        return EVP_sha384();
    case WIRE_TOKEN_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

static bool verifies(const struct keystore_key *key, enum wire_token_digest hash, struct mg_slice digest,
                     struct mg_slice signature)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    bool ok = context != NULL && EVP_PKEY_verify_init(context) > 0 &&
              EVP_PKEY_CTX_set_signature_md(context, md_of(hash)) > 0 &&
              EVP_PKEY_verify(context, signature.data, signature.len, digest.data, digest.len) == 1;
    EVP_PKEY_CTX_free(context);
    return ok;
}

enum mg_status token_keys_sign(const struct token_store *tokens, const struct keystore_key *key,
                               enum wire_token_digest hash, struct mg_slice digest,
                               uint8_t out[WIRE_TOKEN_MAX_SIGNATURE], size_t *out_len, struct mg_error *error)
{
    struct token_answer *answer = NULL;
    struct wire_token_request request = {.call = WIRE_TOKEN_SIGN_ONE};
    request.sign_one.digest = hash;
    request.sign_one.octets = digest;
    enum mg_status status = backend_pkcs11_key_ref(&key->info.id, key->pkey, &request.sign_one.key, error);
    if (status == MG_OK) {
        status = ask(tokens, key->info.holder, &request, &answer, error);
    }
    if (status == MG_OK && !verifies(key, hash, digest, answer->reply.signature)) {
        ERR_clear_error();
        status = mg_error_set(error, MG_DENIED, "signature: that of token %s does not verify", key->info.holder);
    }
    if (status == MG_OK) {
        *out_len = answer->reply.signature.len;
        memcpy(out, answer->reply.signature.data, *out_len);
    }
    free(answer);
    return status;
}

enum mg_status token_keys_attributes(const struct token_store *tokens, const struct keystore_key *key,
                                     struct token_answer *answer, struct mg_error *error)
{
    size_t place;
    struct wire_token_request request = {.call = WIRE_TOKEN_ATTRIBUTES, .key_id = key->info.id};
    enum mg_status status = find_place(tokens, key->info.holder, &place, error);
    if (status == MG_OK) {
        status = call_token(tokens, place, &request, answer, error);
    }
    if (status != MG_OK) {
        return status;
    }
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    bool is_same = len > 0 && mg_slice_equal(answer->reply.attributes.spki, mg_slice_of(der, (size_t)len));
    OPENSSL_free(der);
    return is_same ? MG_OK
                   : mg_error_set(error, MG_DENIED, "token %s has another public key under this id", key->info.holder);
}

enum mg_status token_keys_identity(const struct token_store *tokens, const struct keystore_key *key,
                                   struct token_answer *answer, struct wire_token_identity *out, const char **module,
                                   struct mg_error *error)
{
    size_t place;
    enum mg_status status = find_place(tokens, key->info.holder, &place, error);
    if (status != MG_OK) {
        return status;
    }
    *module = token_supervisor_config(tokens->supervisor, place)->module;
    status = token_supervisor_identity(tokens->supervisor, place, answer, out, error);
    return status == MG_IO ? MG_AGAIN : status;
}
