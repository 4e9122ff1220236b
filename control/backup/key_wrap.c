/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/key_wrap.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "control/backup/hex.h"
#include "ossl/scrypt.h"

/* The cost is named in what is written; another one is refused, so that no file makes us spend more. */
#define COST_NAME "scrypt-17-8-1"
#define COST_N (UINT64_C(1) << 17)
#define SALT_LEN 16
#define NONCE_LEN 12
#define TAG_LEN 16
#define SEALED_LEN (KEY_WRAP_KEY_LEN + TAG_LEN)

struct wrapped {
    uint8_t salt[SALT_LEN], nonce[NONCE_LEN], sealed[SEALED_LEN];
};

static enum mg_status fail(struct mg_error *error, const char *what)
{
    ERR_clear_error();
    return mg_error_set(error, MG_INTERNAL, "key-encryption key: %s", what);
}

enum mg_status key_wrap_check(const uint8_t key[KEY_WRAP_KEY_LEN], uint8_t out[KEY_WRAP_CHECK_LEN],
                              struct mg_error *error)
{
    static const uint8_t label[] = "mintgate backup: which key-encryption key";
    unsigned len = 0;
    return HMAC(EVP_sha256(), key, KEY_WRAP_KEY_LEN, label, sizeof(label) - 1, out, &len) != NULL &&
                   len == KEY_WRAP_CHECK_LEN
               ? MG_OK
               : fail(error, "cannot be hashed");
}

static bool derive(struct mg_slice passphrase, const uint8_t salt[SALT_LEN], uint8_t out[KEY_WRAP_KEY_LEN])
{
    return scrypt_derive(passphrase, mg_slice_of(salt, SALT_LEN), COST_N, out, KEY_WRAP_KEY_LEN);
}

static bool encrypt(EVP_CIPHER_CTX *context, const uint8_t by[KEY_WRAP_KEY_LEN], const uint8_t key[KEY_WRAP_KEY_LEN],
                    struct mg_slice manifest, struct wrapped *out)
{
    int len;
    return EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, by, out->nonce) == 1 &&
           EVP_EncryptUpdate(context, NULL, &len, manifest.data, (int)manifest.len) == 1 &&
           EVP_EncryptUpdate(context, out->sealed, &len, key, KEY_WRAP_KEY_LEN) == 1 &&
           EVP_EncryptFinal_ex(context, out->sealed + len, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_LEN, out->sealed + KEY_WRAP_KEY_LEN) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *context, const uint8_t by[KEY_WRAP_KEY_LEN], struct wrapped *wrapped,
                    struct mg_slice manifest, uint8_t out[KEY_WRAP_KEY_LEN])
{
    int len;
    return EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, by, wrapped->nonce) == 1 &&
           EVP_DecryptUpdate(context, NULL, &len, manifest.data, (int)manifest.len) == 1 &&
           EVP_DecryptUpdate(context, out, &len, wrapped->sealed, KEY_WRAP_KEY_LEN) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_LEN, wrapped->sealed + KEY_WRAP_KEY_LEN) == 1 &&
           EVP_DecryptFinal_ex(context, out + len, &len) == 1;
}

static void write_json(const struct wrapped *wrapped, struct mg_buffer *out)
{
    mg_json_begin_object(out, NULL);
    mg_json_string(out, "kdf", COST_NAME);
    mg_json_hex(out, "salt", wrapped->salt, sizeof(wrapped->salt));
    mg_json_hex(out, "nonce", wrapped->nonce, sizeof(wrapped->nonce));
    mg_json_hex(out, "sealed", wrapped->sealed, sizeof(wrapped->sealed));
    mg_json_end_object(out);
}

enum mg_status key_wrap(const uint8_t key[KEY_WRAP_KEY_LEN], struct mg_slice passphrase, struct mg_slice manifest,
                        struct mg_buffer *out, struct mg_error *error)
{
    struct wrapped wrapped;
    uint8_t by[KEY_WRAP_KEY_LEN];
    if (passphrase.len < KEY_WRAP_MIN_PASSPHRASE) {
        return mg_error_set(error, MG_INVALID, "passphrase: must have at least %d bytes", KEY_WRAP_MIN_PASSPHRASE);
    }
    EVP_CIPHER_CTX *context = manifest.len < INT_MAX ? EVP_CIPHER_CTX_new() : NULL;
    bool ok = context != NULL && RAND_bytes(wrapped.salt, SALT_LEN) == 1 && RAND_bytes(wrapped.nonce, NONCE_LEN) == 1 &&
              derive(passphrase, wrapped.salt, by) && encrypt(context, by, key, manifest, &wrapped);
    EVP_CIPHER_CTX_free(context);
    mg_secret_wipe(by, sizeof(by));
    if (!ok) {
        return fail(error, "cannot be wrapped");
    }
    write_json(&wrapped, out);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

static bool get_bytes(const json_t *json, const char *name, uint8_t *out, size_t len)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL && hex_read(text, out, len);
}

static enum mg_status read_json(struct mg_slice text, struct wrapped *out, struct mg_error *error)
{
    json_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    const char *kdf = json_string_value(json_object_get(json, "kdf"));
    bool ok = kdf != NULL && strcmp(kdf, COST_NAME) == 0 && get_bytes(json, "salt", out->salt, sizeof(out->salt)) &&
              get_bytes(json, "nonce", out->nonce, sizeof(out->nonce)) &&
              get_bytes(json, "sealed", out->sealed, sizeof(out->sealed));
    json_decref(json);
    return ok ? MG_OK : mg_error_set(error, MG_INVALID, "the wrapped key-encryption key: is none, or of another kind");
}

enum mg_status key_unwrap(struct mg_slice text, struct mg_slice passphrase, struct mg_slice manifest,
                          uint8_t out[KEY_WRAP_KEY_LEN], struct mg_error *error)
{
    struct wrapped wrapped;
    uint8_t by[KEY_WRAP_KEY_LEN], key[KEY_WRAP_KEY_LEN];
    enum mg_status status = read_json(text, &wrapped, error);
    if (status != MG_OK) {
        return status;
    }
    EVP_CIPHER_CTX *context = manifest.len < INT_MAX ? EVP_CIPHER_CTX_new() : NULL;
    if (context == NULL || !derive(passphrase, wrapped.salt, by)) {
        status = fail(error, "cannot be unwrapped");
    } else if (!decrypt(context, by, &wrapped, manifest, key)) {
        ERR_clear_error();
        status = mg_error_set(error, MG_DENIED, "passphrase: is not the backup's, or the backup was changed");
    } else {
        memcpy(out, key, sizeof(key));
    }
    EVP_CIPHER_CTX_free(context);
    mg_secret_wipe(by, sizeof(by));
    mg_secret_wipe(key, sizeof(key));
    return status;
}
