/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/ca_signer.h"

#include "hsm/private_ca_policy.h"
#include "ossl/openssl_error.h"

enum mg_status ca_signer_init(struct ca_signer *signer, const struct token_store *tokens, struct journal *journal,
                              struct mg_error *error)
{
    *signer = (struct ca_signer){.tokens = tokens, .journal = journal};
    return journal_batch_init(&signer->batch, error);
}

void ca_signer_free(struct ca_signer *signer)
{
    if (signer->journal != NULL) {
        journal_batch_free(&signer->batch);
    }
    *signer = (struct ca_signer){.tokens = NULL};
}

/* ---- signing ---- */

/* sign_here signs with a key that this process has. */
static enum mg_status sign_here(const struct keystore_key *key, struct mg_slice tbs, uint8_t *out, size_t *out_len,
                                struct mg_error *error)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    *out_len = WIRE_SIGNER_MAX_SIGNATURE;
    bool ok = context != NULL &&
              EVP_DigestSignInit_ex(context, NULL, key->type->digest_name, NULL, NULL, key->pkey, NULL) == 1 &&
              EVP_DigestSign(context, out, out_len, tbs.data, tbs.len) == 1;
    EVP_MD_CTX_free(context);
    return ok ? MG_OK : openssl_error_set(error, "cannot sign");
}

static enum mg_status sign_on_token(const struct ca_signer *signer, const struct keystore_key *key, struct mg_slice tbs,
                                    uint8_t *out, size_t *out_len, struct mg_error *error)
{
    uint8_t digest[KEY_TYPE_MAX_DIGEST];
    bool is_384 = strcmp(key->type->digest_name, "SHA384") == 0;
    if (EVP_Digest(tbs.data, tbs.len, digest, NULL, is_384 ? EVP_sha384() : EVP_sha256(), NULL) != 1) {
        return openssl_error_set(error, "cannot hash");
    }
    return token_keys_sign(signer->tokens, key, is_384 ? WIRE_TOKEN_SHA384 : WIRE_TOKEN_SHA256,
                           mg_slice_of(digest, key->type->digest_len), out, out_len, error);
}

/* verifies tells whether the signature is right: a wrong RSA one can give its key away. */
static bool verifies(const struct keystore_key *key, struct mg_slice tbs, const uint8_t *signature, size_t len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL &&
              EVP_DigestVerifyInit_ex(context, NULL, key->type->digest_name, NULL, NULL, key->pkey, NULL) == 1 &&
              EVP_DigestVerify(context, signature, len, tbs.data, tbs.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static enum mg_status sign(const struct ca_signer *signer, const struct keystore_key *key, struct mg_slice tbs,
                           struct mg_buffer *out, struct mg_error *error)
{
    uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t len;
    enum mg_status status = key->info.holder[0] != '\0' ? sign_on_token(signer, key, tbs, signature, &len, error)
                                                        : sign_here(key, tbs, signature, &len, error);
    if (status != MG_OK) {
        return status;
    }
    if (!verifies(key, tbs, signature, len)) {
        return openssl_error_set(error, "a signature does not verify");
    }
    mg_buffer_append(out, signature, len);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a signature");
}

/* ---- judging ---- */

/* open_ca checks the purpose and reads the CA; private_ca_free follows in any case. */
static enum mg_status open_ca(struct private_ca *ca, const struct keystore_key *key, struct mg_error *error)
{
    *ca = (struct private_ca){.has_certificate = false};
    if (!key_purpose_allows(key->info.purpose, KEY_CALL_SIGN_CA)) {
        return mg_error_set(error, MG_DENIED, "a key for %s is not a private CA's",
                            key_purpose_name(key->info.purpose));
    }
    return private_ca_read(ca, key, error);
}

enum mg_status ca_signer_record(struct ca_signer *signer, const struct keystore_key *key, const struct tbs *tbs,
                                struct mg_slice names, int64_t now_us, struct mg_error *error)
{
    const struct journal_record what = {
        .issuer = &key->info.id, .serial = tbs->serial, .names = names, .spki = tbs->spki};
    journal_batch_start(&signer->batch, now_us);
    if (!journal_batch_add(&signer->batch, &what)) {
        return mg_error_set(error, MG_IO, "a certificate does not fit the issuance journal");
    }
    return journal_commit(signer->journal, &signer->batch, now_us, error);
}

enum mg_status ca_signer_sign_certificate(struct ca_signer *signer, const struct keystore_key *key, struct mg_slice tbs,
                                          int64_t now_us, struct mg_buffer *out, struct mg_error *error)
{
    struct private_ca ca;
    struct tbs parsed;
    struct mg_slice names;
    enum mg_status status = open_ca(&ca, key, error);
    if (status == MG_OK && tbs.len > WIRE_SIGNER_MAX_TBS) {
        status = mg_error_set(error, MG_INVALID, "TBSCertificate: at most %d bytes are allowed", WIRE_SIGNER_MAX_TBS);
    }
    if (status == MG_OK) {
        status = tbs_parse(tbs, &parsed, error);
    }
    if (status == MG_OK) {
        status = private_ca_check_certificate(&ca, &parsed, &names, error);
    }
    if (status == MG_OK) {
        status = ca_signer_record(signer, key, &parsed, names, now_us, error);
    }
    if (status == MG_OK) {
        status = sign(signer, key, tbs, out, error);
    }
    private_ca_free(&ca);
    return status;
}

enum mg_status ca_signer_sign_crl(struct ca_signer *signer, const struct keystore_key *key, struct mg_slice tbs,
                                  struct mg_buffer *out, struct mg_error *error)
{
    struct private_ca ca;
    enum mg_status status = open_ca(&ca, key, error);
    if (status == MG_OK) {
        status = private_ca_check_crl(&ca, tbs, error);
    }
    if (status == MG_OK) {
        status = sign(signer, key, tbs, out, error);
    }
    private_ca_free(&ca);
    return status;
}
