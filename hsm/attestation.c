/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/attestation.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "ossl/openssl_error.h"
#include "wire/token_kind.h"

#define DIGEST_LEN 32
#define READ_BYTES 65536

/* What an attestation is made of. */
struct evidence {
    const struct keystore_key *key;
    const uint8_t *nonce;
    int64_t now;
    uint8_t appliance[DIGEST_LEN]; /* of the public key of this signer's root */
    struct token_answer attributes_answer, identity_answer;
    const struct wire_token_attributes *attributes;
    struct wire_token_identity identity;
    const char *module;
    uint8_t module_digest[DIGEST_LEN];
    bool has_module_digest;
};

/* Gathering */

static enum mg_status hash_public_key(EVP_PKEY *pkey, uint8_t out[DIGEST_LEN], struct mg_error *error)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok ? MG_OK : openssl_error_set(error, "cannot hash a public key");
}

/* identify_appliance takes the root that every signer makes for itself at first start for who it is. */
static enum mg_status identify_appliance(const struct token_store *tokens, uint8_t out[DIGEST_LEN],
                                         struct mg_error *error)
{
    const struct keystore_key *root = keystore_find0_origin(tokens->store, KEY_ORIGIN_BUILTIN_ROOT);
    return root != NULL ? hash_public_key(root->pkey, out, error)
                        : mg_error_set(error, MG_INTERNAL, "the signer has no root of its own");
}

static bool hash_open_file(int fd, EVP_MD_CTX *context, uint8_t out[DIGEST_LEN])
{
    static uint8_t block[READ_BYTES]; /* control's thread alone */
    ssize_t len;
    bool ok = EVP_DigestInit_ex2(context, EVP_sha256(), NULL) == 1;
    while (ok && (len = read(fd, block, sizeof(block))) != 0) {
        ok = len > 0 && EVP_DigestUpdate(context, block, (size_t)len) == 1;
    }
    return ok && EVP_DigestFinal_ex(context, out, NULL) == 1;
}

/* hash_file tells the SHA-256 of the file at |path|; false where it cannot be read. */
static bool hash_file(const char *path, uint8_t out[DIGEST_LEN])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = fd >= 0 && context != NULL && hash_open_file(fd, context, out);
    EVP_MD_CTX_free(context);
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static enum mg_status gather(const struct token_store *tokens, struct evidence *evidence, struct mg_error *error)
{
    const struct keystore_key *key = evidence->key;
    enum mg_status status = identify_appliance(tokens, evidence->appliance, error);
    if (status == MG_OK) {
        status = token_keys_attributes(tokens, key, &evidence->attributes_answer, error);
    }
    if (status == MG_OK) {
        evidence->attributes = &evidence->attributes_answer.reply.attributes;
        status =
            token_keys_identity(tokens, key, &evidence->identity_answer, &evidence->identity, &evidence->module, error);
    }
    if (status == MG_OK) {
        evidence->has_module_digest = hash_file(evidence->module, evidence->module_digest);
    }
    return status;
}

/* Writing */

static void write_text(struct mg_buffer *out, const char *key, struct mg_slice text)
{
    char copy[WIRE_TOKEN_MAX_LABEL + 1] = "";
    memcpy(copy, text.data, text.len < sizeof(copy) ? text.len : sizeof(copy) - 1);
    mg_json_string(out, key, copy);
}

static void write_version(struct mg_buffer *out, const char *key, const uint8_t version[2])
{
    char text[sizeof("255.255")];
    snprintf(text, sizeof(text), "%u.%u", version[0], version[1]);
    mg_json_string(out, key, text);
}

static enum mg_status write_public_key(struct mg_buffer *out, EVP_PKEY *pkey, struct mg_error *error)
{
    uint8_t *der = NULL, digest[DIGEST_LEN];
    char text[4 * (WIRE_TOKEN_MAX_SPKI / 3 + 1) + 1];
    int len = i2d_PUBKEY(pkey, &der);
    enum mg_status status = hash_public_key(pkey, digest, error);
    if (status == MG_OK && (len <= 0 || len > WIRE_TOKEN_MAX_SPKI)) {
        status = openssl_error_set(error, "cannot encode a public key");
    }
    if (status == MG_OK) {
        EVP_EncodeBlock((unsigned char *)text, der, len);
        mg_json_string(out, "publicKey", text);
        mg_json_hex(out, "publicKeySha256", digest, sizeof(digest));
    }
    OPENSSL_free(der);
    return status;
}

static enum mg_status write_key(struct mg_buffer *out, const struct evidence *evidence, struct mg_error *error)
{
    const struct keystore_key *key = evidence->key;
    mg_json_hex(out, "keyId", key->info.id.bytes, sizeof(key->info.id.bytes));
    mg_json_string(out, "holder", key->info.holder);
    return write_public_key(out, key->pkey, error);
}

static void write_token(struct mg_buffer *out, const struct evidence *evidence)
{
    const struct wire_token_identity *identity = &evidence->identity;
    mg_json_string(out, "tokenKind", token_kind_name(token_kind_of(identity)));
    mg_json_begin_object(out, "token");
    write_text(out, "label", identity->label);
    write_text(out, "manufacturer", identity->maker);
    write_text(out, "model", identity->model);
    write_text(out, "serial", identity->serial);
    write_version(out, "hardwareVersion", identity->hardware_version);
    write_version(out, "firmwareVersion", identity->firmware_version);
    mg_json_bool(out, "hardwareSlot", identity->is_hardware_slot);
    mg_json_end_object(out);
}

static void write_module(struct mg_buffer *out, const struct evidence *evidence)
{
    const struct wire_token_identity *identity = &evidence->identity;
    mg_json_begin_object(out, "module");
    mg_json_string(out, "path", evidence->module);
    if (evidence->has_module_digest) {
        mg_json_hex(out, "sha256", evidence->module_digest, sizeof(evidence->module_digest));
    } else {
        mg_json_string(out, "sha256", "unknown");
    }
    write_text(out, "description", identity->module);
    write_text(out, "manufacturer", identity->module_maker);
    write_version(out, "version", identity->module_version);
    mg_json_end_object(out);
}

static void write_attributes(struct mg_buffer *out, const struct wire_token_attributes *attributes)
{
    static const char *const words[] = {"no", "yes", "unknown"};
    char mechanism[24] = "unknown";
    if (attributes->mechanism != WIRE_TOKEN_NO_MECHANISM) {
        snprintf(mechanism, sizeof(mechanism), "0x%" PRIx64, attributes->mechanism);
    }
    mg_json_begin_object(out, "attributes");
    for (size_t i = 0; i < WIRE_TOKEN_NUM_ATTRIBUTES; i++) {
        mg_json_string(out, wire_token_attribute_name((enum wire_token_attribute)i), words[attributes->answers[i]]);
    }
    mg_json_string(out, "key_gen_mechanism", mechanism);
    mg_json_end_object(out);
}

/* write_statement appends the two lines that are signed. */
static enum mg_status write_statement(struct mg_buffer *out, const struct evidence *evidence, struct mg_error *error)
{
    char time[MG_CLOCK_TEXT_LEN];
    mg_clock_format_us(time, evidence->now * 1000000);
    mg_buffer_append_text(out, WIRE_ATTESTATION_FORMAT "\n{");
    mg_json_string(out, "time", time);
    mg_json_hex(out, "nonce", evidence->nonce, WIRE_CONTROL_NONCE_LEN);
    mg_json_hex(out, "appliance", evidence->appliance, sizeof(evidence->appliance));
    enum mg_status status = write_key(out, evidence, error);
    write_token(out, evidence);
    write_module(out, evidence);
    write_attributes(out, evidence->attributes);
    mg_buffer_append_text(out, "}\n");
    return status;
}

/* Signing */

static enum mg_status append_signature(const struct token_store *tokens, const struct keystore_key *key,
                                       struct mg_buffer *out, struct mg_error *error)
{
    uint8_t digest[EVP_MAX_MD_SIZE], signature[WIRE_TOKEN_MAX_SIGNATURE];
    char text[4 * (WIRE_TOKEN_MAX_SIGNATURE / 3 + 1) + 1];
    size_t len;
    bool is_long = key->type->digest_len == 48;
    if (EVP_Digest(out->data, out->len, digest, NULL, is_long ? EVP_sha384() : EVP_sha256(), NULL) != 1) {
        return openssl_error_set(error, "cannot hash an attestation");
    }
    enum mg_status status = token_keys_sign(tokens, key, is_long ? WIRE_TOKEN_SHA384 : WIRE_TOKEN_SHA256,
                                            mg_slice_of(digest, key->type->digest_len), signature, &len, error);
    if (status == MG_OK) {
        EVP_EncodeBlock((unsigned char *)text, signature, (int)len);
        mg_buffer_append_text(out, text);
        mg_buffer_append_text(out, "\n");
        status = mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for an attestation");
    }
    return status;
}

static enum mg_status make(const struct token_store *tokens, struct evidence *evidence, struct mg_buffer *out,
                           struct mg_error *error)
{
    enum mg_status status = gather(tokens, evidence, error);
    if (status == MG_OK) {
        status = write_statement(out, evidence, error);
    }
    if (status == MG_OK && !mg_buffer_ok(out)) {
        status = mg_error_set(error, MG_MEMORY, "no memory for an attestation");
    }
    return status == MG_OK ? append_signature(tokens, evidence->key, out, error) : status;
}

enum mg_status attestation_make(const struct token_store *tokens, const struct keystore_key *key,
                                const uint8_t nonce[WIRE_CONTROL_NONCE_LEN], int64_t now, struct mg_buffer *out,
                                struct mg_error *error)
{
    if (!key_purpose_allows(key->info.purpose, KEY_CALL_ATTEST)) {
        return mg_error_set(error, MG_DENIED, "a key for %s has no attestation", key_purpose_name(key->info.purpose));
    }
    if (key->info.holder[0] == '\0') {
        return mg_error_set(error, MG_DENIED, "key id: no token holds this key");
    }
    struct evidence *evidence = calloc(1, sizeof(*evidence)); /* two packets: too large for a stack */
    if (evidence == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for an attestation");
    }
    evidence->key = key;
    evidence->nonce = nonce;
    evidence->now = now;
    enum mg_status status = make(tokens, evidence, out, error);
    free(evidence);
    return status;
}
