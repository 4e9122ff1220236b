/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/sealed_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/utf8.h"
#include "ossl/openssl_error.h"

#define VERSION_HELD 3
#define VERSION 2
#define VERSION_WITHOUT_TOKEN 1
#define NONCE_LEN 12
#define TAG_LEN 16

static const uint8_t magic[8] = {'M', 'G', 'S', 'E', 'A', 'L', 'E', 'D'};

/* The header, written and read face to face. */

static bool label_is_good(struct mg_slice label)
{
    return label.len <= SEALED_KEY_MAX_LABEL && mg_utf8_is_label(label);
}

static void write_header(struct mg_buffer *out, const struct key_info *info)
{
    mg_buffer_append(out, magic, sizeof(magic));
    mg_buffer_append_u8(out, info->holder[0] != '\0' ? VERSION_HELD : VERSION);
    mg_buffer_append(out, info->id.bytes, sizeof(info->id.bytes));
    mg_buffer_append_u8(out, (uint8_t)info->purpose);
    mg_buffer_append_u8(out, (uint8_t)info->role);
    mg_buffer_append_u8(out, (uint8_t)info->origin);
    mg_buffer_append_u8(out, (uint8_t)info->type);
    mg_buffer_append_u64(out, (uint64_t)info->created);
    mg_buffer_append_prefixed_u8(out, mg_slice_of_text(info->label));
    mg_buffer_append(out, info->token.bytes, sizeof(info->token.bytes));
    if (info->holder[0] != '\0') {
        mg_buffer_append_prefixed_u8(out, mg_slice_of_text(info->holder));
    }
}

/* A role belongs to minting keys, and to no others. */
static bool role_fits(uint8_t purpose, uint8_t role)
{
    bool is_role = role >= WIRE_ISSUER_DEFAULT && role <= WIRE_ISSUER_OFFERED;
    return purpose == KEY_MINTING ? is_role : role == 0;
}

/* read_version takes what stands before the key id. */
static bool read_version(struct mg_slice *in, uint8_t *version)
{
    struct mg_slice found;
    return mg_slice_take(in, &found, sizeof(magic)) && mg_slice_equal(found, mg_slice_of(magic, sizeof(magic))) &&
           mg_slice_u8(in, version) && *version >= VERSION_WITHOUT_TOKEN && *version <= VERSION_HELD;
}

static bool read_token(struct mg_slice *in, uint8_t version, struct wire_control_token *out)
{
    *out = (struct wire_control_token){{0}};
    return version == VERSION_WITHOUT_TOKEN || mg_slice_copy(in, out->bytes, sizeof(out->bytes));
}

/* read_holder takes the name of a token, which is not empty; only VERSION_HELD has one. */
static bool read_holder(struct mg_slice *in, uint8_t version, char out[SEALED_KEY_MAX_HOLDER + 1])
{
    struct mg_slice holder;
    memset(out, 0, SEALED_KEY_MAX_HOLDER + 1);
    if (version != VERSION_HELD) {
        return true;
    }
    if (!mg_slice_prefixed_u8(in, &holder) || holder.len < 1 || holder.len > SEALED_KEY_MAX_HOLDER ||
        !mg_utf8_is_label(holder)) {
        return false;
    }
    memcpy(out, holder.data, holder.len);
    return true;
}

static bool read_header(struct mg_slice *in, struct key_info *out)
{
    struct mg_slice label;
    uint8_t version, purpose, role, origin, type;
    uint64_t created;
    if (!read_version(in, &version) || !mg_slice_copy(in, out->id.bytes, sizeof(out->id.bytes)) ||
        !mg_slice_u8(in, &purpose) || !mg_slice_u8(in, &role) || !mg_slice_u8(in, &origin) || !mg_slice_u8(in, &type) ||
        !mg_slice_u64(in, &created) || !mg_slice_prefixed_u8(in, &label) || !read_token(in, version, &out->token) ||
        !read_holder(in, version, out->holder)) {
        return false;
    }
    if (!key_purpose_is_known(purpose) || !role_fits(purpose, role) || origin > KEY_ORIGIN_LAST ||
        type < WIRE_KEY_EC_P256 || type > WIRE_KEY_EC_P521 || created > INT64_MAX || !label_is_good(label)) {
        return false;
    }
    out->purpose = (enum key_purpose)purpose;
    out->role = (enum wire_issuer_role)role;
    out->origin = (enum key_origin)origin;
    out->type = (enum wire_key_type)type;
    out->created = (int64_t)created;
    memset(out->label, 0, sizeof(out->label));
    if (label.len > 0) {
        memcpy(out->label, label.data, label.len);
    }
    return true;
}

/* AES-256-GCM */

/* run_cipher runs the cipher over |in|; |out| has room for as many bytes. */
static bool run_cipher(EVP_CIPHER_CTX *context, const struct kek *kek, const uint8_t *nonce, struct mg_slice header,
                       struct mg_slice in, uint8_t *out, int encrypt)
{
    int len = 0;
    return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, kek->bytes, nonce, encrypt) == 1 &&
           EVP_CipherUpdate(context, NULL, &len, header.data, (int)header.len) == 1 &&
           EVP_CipherUpdate(context, out, &len, in.data, (int)in.len) == 1 && (size_t)len == in.len;
}

static bool encrypt(const struct kek *kek, const uint8_t *nonce, struct mg_slice header, struct mg_slice secret,
                    uint8_t *ciphertext, uint8_t *tag)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int len = 0;
    bool ok = context != NULL && run_cipher(context, kek, nonce, header, secret, ciphertext, 1) &&
              EVP_CipherFinal_ex(context, ciphertext + secret.len, &len) == 1 && len == 0 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1;
    EVP_CIPHER_CTX_free(context);
    return ok;
}

static bool decrypt(const struct kek *kek, const uint8_t *nonce, struct mg_slice header, struct mg_slice ciphertext,
                    struct mg_slice tag, uint8_t *secret)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t expected_tag[TAG_LEN], rest[TAG_LEN];
    int len = 0;
    bool ok = context != NULL && mg_slice_copy(&tag, expected_tag, TAG_LEN) &&
              run_cipher(context, kek, nonce, header, ciphertext, secret, 0) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, expected_tag) == 1 &&
              EVP_CipherFinal_ex(context, rest, &len) == 1 && len == 0;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return ok;
}

/* Files */

enum mg_status sealed_key_seal(const struct kek *kek, const struct key_info *info, struct mg_slice secret,
                               struct mg_buffer *out, struct mg_error *error)
{
    uint8_t nonce[NONCE_LEN], body[SEALED_KEY_MAX_SECRET + TAG_LEN];
    if (!label_is_good(mg_slice_of_text(info->label))) {
        return mg_error_set(error, MG_INVALID, "label: must be UTF-8 without control characters, at most %d bytes",
                            SEALED_KEY_MAX_LABEL);
    }
    if (secret.len < 1 || secret.len > SEALED_KEY_MAX_SECRET) {
        return mg_error_set(error, MG_INVALID, "a private key of %zu bytes: must be 1 to %d", secret.len,
                            SEALED_KEY_MAX_SECRET);
    }
    mg_buffer_clear(out);
    write_header(out, info);
    if (RAND_bytes(nonce, sizeof(nonce)) != 1 ||
        !encrypt(kek, nonce, mg_buffer_slice(out), secret, body, body + secret.len)) {
        return openssl_error_set(error, "cannot seal a key");
    }
    mg_buffer_append(out, nonce, sizeof(nonce));
    mg_buffer_append_prefixed_u16(out, mg_slice_of(body, secret.len + TAG_LEN));
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a sealed key");
}

enum mg_status sealed_key_open(const struct kek *kek, struct mg_slice file, struct key_info *info,
                               struct mg_buffer *secret, struct mg_error *error)
{
    struct mg_slice rest = file, header, nonce, body, ciphertext;
    if (!read_header(&rest, info)) {
        return mg_error_set(error, MG_INVALID, "not a sealed key of a known version");
    }
    header = mg_slice_of(file.data, file.len - rest.len);
    if (!mg_slice_take(&rest, &nonce, NONCE_LEN) || !mg_slice_prefixed_u16(&rest, &body) || rest.len > 0 ||
        body.len < 1 + TAG_LEN || body.len > SEALED_KEY_MAX_SECRET + TAG_LEN ||
        !mg_slice_take(&body, &ciphertext, body.len - TAG_LEN)) {
        return mg_error_set(error, MG_INVALID, "a sealed key is cut short or has bytes left over");
    }
    if (ciphertext.len > secret->capacity) {
        return mg_error_set(error, MG_LIMIT, "no room for a sealed key");
    }
    if (!decrypt(kek, nonce.data, header, ciphertext, body, secret->data)) {
        mg_buffer_clear(secret);
        return mg_error_set(error, MG_DENIED,
                            "a sealed key does not open: it was changed, or the key-encryption key is another");
    }
    secret->len = ciphertext.len;
    return MG_OK;
}
