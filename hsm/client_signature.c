/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/client_signature.h"

#include <openssl/rsa.h>

#include "ossl/openssl_error.h"

/* RFC 8446 section 4.4.3: 64 spaces, who signs, a zero, and the transcript's hash. */
#define PADDING 64
static const char client_context[] = "TLS 1.3, client CertificateVerify";

/* Types of handshake messages, RFC 5246 section 7.4. */
#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define CLIENT_KEY_EXCHANGE 16

/* What both hellos begin with in TLS 1.2, and the length of the shortest: a ServerHello with neither session id nor
 * extensions. RFC 5246 section 7.4.1. */
#define HELLO_VERSION 0x0303
#define HELLO_MIN_LEN 38

enum content { CONTENT_NONE, CONTENT_TLS13, CONTENT_TLS12 };

static bool is_tls13_content(struct mg_slice content)
{
    struct mg_slice padding, context;
    if (!mg_slice_take(&content, &padding, PADDING) || !mg_slice_take(&content, &context, sizeof(client_context))) {
        return false;
    }
    for (size_t i = 0; i < padding.len; i++) {
        if (padding.data[i] != ' ') {
            return false;
        }
    }
    return memcmp(context.data, client_context, sizeof(client_context)) == 0 &&
           (content.len == 32 || content.len == 48);
}

static bool is_hello(struct mg_slice body)
{
    uint16_t version;
    return body.len >= HELLO_MIN_LEN && mg_slice_u16(&body, &version) && version == HELLO_VERSION;
}

/* may_be tells whether a message may be the handshake's number |i|. */
static bool may_be(size_t i, uint8_t type, struct mg_slice body)
{
    return i >= 2 || (type == (i == 0 ? CLIENT_HELLO : SERVER_HELLO) && is_hello(body));
}

/* is_tls12_content: handshake messages with nothing between them, that begin and end as those before a client's
 * CertificateVerify do. */
static bool is_tls12_content(struct mg_slice content)
{
    uint8_t type = 0;
    size_t count = 0;
    struct mg_slice body;
    while (content.len > 0) {
        if (!mg_slice_u8(&content, &type) || !mg_slice_prefixed_u24(&content, &body) || !may_be(count++, type, body)) {
            return false;
        }
    }
    return count > 2 && type == CLIENT_KEY_EXCHANGE;
}

static enum content content_of(struct mg_slice content)
{
    return is_tls13_content(content) ? CONTENT_TLS13 : is_tls12_content(content) ? CONTENT_TLS12 : CONTENT_NONE;
}

/* TLS's SignatureScheme, RFC 8446 section 4.2.3. */
static const struct scheme {
    uint16_t number;
    bool is_rsa, is_pss;
    const EVP_MD *(*digest)(void);
    enum wire_key_type tls13_type; /* of an EC key in TLS 1.3 */
} schemes[] = {
    {0x0401, true, false, EVP_sha256, 0},
    {0x0501, true, false, EVP_sha384, 0},
    {0x0601, true, false, EVP_sha512, 0},
    {0x0804, true, true, EVP_sha256, 0},
    {0x0805, true, true, EVP_sha384, 0},
    {0x0806, true, true, EVP_sha512, 0},
    {0x0403, false, false, EVP_sha256, WIRE_KEY_EC_P256},
    {0x0503, false, false, EVP_sha384, WIRE_KEY_EC_P384},
};

/* find_scheme returns the scheme of |number| if a key of |type| may sign |content| with it; NULL otherwise. */
static const struct scheme *find_scheme(uint16_t number, const struct key_type *type, enum content content)
{
    bool is_rsa = type->curve == NULL;
    for (size_t i = 0; i < MG_ARRAY_LEN(schemes); i++) {
        const struct scheme *scheme = &schemes[i];
        bool is_of_tls13 = scheme->is_pss || scheme->tls13_type == type->type;
        if (scheme->number == number) {
            return scheme->is_rsa == is_rsa && (content == CONTENT_TLS12 || is_of_tls13) ? scheme : NULL;
        }
    }
    return NULL;
}

static bool begin(EVP_MD_CTX *context, EVP_PKEY *key, const struct scheme *scheme,
                  int (*init)(EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *, ENGINE *, EVP_PKEY *))
{
    EVP_PKEY_CTX *parameters;
    if (context == NULL || init(context, &parameters, scheme->digest(), NULL, key) != 1) {
        return false;
    }
    return !scheme->is_pss || (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                               EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* verifies: an RSA signature that went wrong could give the key away. */
static bool verifies(EVP_PKEY *key, const struct scheme *scheme, struct mg_slice content, struct mg_slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = begin(context, key, scheme, EVP_DigestVerifyInit) &&
              EVP_DigestVerify(context, signature.data, signature.len, content.data, content.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static bool sign(EVP_PKEY *key, const struct scheme *scheme, struct mg_slice content, uint8_t *out, size_t *out_len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    *out_len = WIRE_SIGNER_MAX_SIGNATURE;
    bool ok = begin(context, key, scheme, EVP_DigestSignInit) &&
              EVP_DigestSign(context, out, out_len, content.data, content.len) == 1 &&
              (!scheme->is_rsa || verifies(key, scheme, content, mg_slice_of(out, *out_len)));
    EVP_MD_CTX_free(context);
    return ok;
}

enum wire_sign_status client_signature_make(struct client_keys *keys, const struct wire_client_sign *request,
                                            uint8_t out[WIRE_SIGNER_MAX_SIGNATURE], size_t *out_len,
                                            struct mg_error *error)
{
    const struct key_type *type = NULL;
    EVP_PKEY *key = client_keys_get(keys, &request->key_id, &type);
    if (key == NULL) {
        mg_error_set(error, MG_NOT_FOUND, "no such key of a TLS client");
        return WIRE_SIGN_UNKNOWN_KEY;
    }
    enum content content = content_of(request->content);
    const struct scheme *scheme = content == CONTENT_NONE ? NULL : find_scheme(request->scheme, type, content);
    enum wire_sign_status status = WIRE_SIGN_OK;
    if (scheme == NULL) {
        mg_error_set(error, MG_INVALID,
                     content == CONTENT_NONE ? "content: is not what a TLS client signs"
                                             : "scheme: does not go with the key, or with TLS 1.3");
        status = WIRE_SIGN_BAD_CONTENT;
    } else if (!sign(key, scheme, request->content, out, out_len)) {
        openssl_error_set(error, "cannot sign");
        status = WIRE_SIGN_FAILED;
    }
    EVP_PKEY_free(key);
    return status;
}
