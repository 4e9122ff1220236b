/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/assertion.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <string.h>

#include "base/buffer.h"
#include "control/http/json_body.h"
#include "control/http/scan.h"

#define ES256_HALF 32 /* r and s, RFC 7518 section 3.4 */

/* ---- base64url without padding, RFC 4648 section 5 ---- */

static int base64url_value(uint8_t c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *found = c == '\0' ? NULL : strchr(alphabet, c);
    return found == NULL ? -1 : (int)(found - alphabet);
}

/* decode appends the bytes of |text| to |out|; false: not base64url, bits left over that are not 0, or too long. */
static bool decode(struct mg_slice text, struct mg_buffer *out)
{
    uint32_t bits = 0;
    unsigned num_bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64url_value(text.data[i]);
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        num_bits += 6;
        if (num_bits >= 8) {
            num_bits -= 8;
            mg_buffer_append_u8(out, (uint8_t)(bits >> num_bits));
            bits &= (1U << num_bits) - 1;
        }
    }
    return num_bits < 6 && bits == 0 && mg_buffer_ok(out);
}

static json_t *decode_object(struct mg_slice text)
{
    uint8_t storage[ASSERTION_MAX];
    struct mg_buffer bytes;
    json_t *json = NULL;
    mg_buffer_wrap(&bytes, storage, sizeof(storage));
    if (!decode(text, &bytes) || http_json_parse(mg_buffer_slice(&bytes), &json, NULL) != MG_OK) {
        return NULL;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* ---- the token ---- */

static bool read_header(struct mg_slice text, enum assertion_algorithm *out)
{
    json_t *header = decode_object(text);
    const char *algorithm = json_string_value(json_object_get(header, "alg"));
    bool is_rs256 = algorithm != NULL && strcmp(algorithm, "RS256") == 0;
    bool is_es256 = algorithm != NULL && strcmp(algorithm, "ES256") == 0;
    bool ok = (is_rs256 || is_es256) && json_object_get(header, "crit") == NULL;
    *out = is_es256 ? ASSERTION_ES256 : ASSERTION_RS256;
    json_decref(header);
    return ok;
}

/* read_claims takes what names the client; RFC 7523 section 3 wants iss, sub, aud and exp. */
static bool read_claims(struct assertion *assertion)
{
    const char *issuer = json_string_value(json_object_get(assertion->claims, "iss"));
    const char *subject = json_string_value(json_object_get(assertion->claims, "sub"));
    const json_t *expires = json_object_get(assertion->claims, "exp");
    const json_t *jti = json_object_get(assertion->claims, "jti");
    if (issuer == NULL || subject == NULL || strcmp(issuer, subject) != 0 || !json_is_number(expires) ||
        (jti != NULL && !json_is_string(jti))) {
        return false;
    }
    double seconds = json_number_value(expires);
    if (seconds < 0 || seconds > (double)UINT32_MAX * 16) {
        return false;
    }
    assertion->client_id = subject;
    assertion->expires = (int64_t)seconds;
    assertion->jti = json_string_value(jti);
    return true;
}

static bool read_token(struct mg_slice text, struct assertion *out)
{
    struct mg_slice rest = text, header = scan_until(&rest, '.'), claims = scan_until(&rest, '.');
    struct mg_buffer signature;
    mg_buffer_wrap(&signature, out->signature, sizeof(out->signature));
    if (text.len > ASSERTION_MAX || rest.len == 0 || !read_header(header, &out->algorithm) ||
        !decode(rest, &signature)) {
        return false;
    }
    out->signature_len = signature.len;
    out->signed_part = mg_slice_of(text.data, header.len + 1 + claims.len);
    out->claims = decode_object(claims);
    return out->claims != NULL && read_claims(out);
}

enum mg_status assertion_parse(struct mg_slice text, struct assertion *out, struct mg_error *error)
{
    *out = (struct assertion){.claims = NULL};
    if (!read_token(text, out)) {
        assertion_free(out);
        return mg_error_set(error, MG_INVALID,
                            "client_assertion: must be a JWT by RS256 or ES256 with iss, sub and exp");
    }
    return MG_OK;
}

void assertion_free(struct assertion *assertion)
{
    json_decref(assertion->claims);
    *assertion = (struct assertion){.claims = NULL};
}

/* ---- checks ---- */

static bool is_one_of(const json_t *text, const char *const *texts)
{
    for (; json_is_string(text) && *texts != NULL; texts++) {
        if (strcmp(json_string_value(text), *texts) == 0) {
            return true;
        }
    }
    return false;
}

/* The audience is a text, or an array of them of which one suffices (RFC 7519 section 4.1.3). */
static bool has_audience(const json_t *audience, const char *const *audiences)
{
    if (!json_is_array(audience)) {
        return is_one_of(audience, audiences);
    }
    for (size_t i = 0; i < json_array_size(audience); i++) {
        if (is_one_of(json_array_get(audience, i), audiences)) {
            return true;
        }
    }
    return false;
}

/* has_begun: nbf and iat, where they stand in the token, are not in the future. */
static bool has_begun(const json_t *claims, const char *name, int64_t now_seconds)
{
    const json_t *time = json_object_get(claims, name);
    return time == NULL ||
           (json_is_number(time) && json_number_value(time) <= (double)(now_seconds + ASSERTION_SKEW_SECONDS));
}

enum mg_status assertion_check_claims(const struct assertion *assertion, const char *const *audiences,
                                      int64_t now_seconds, struct mg_error *error)
{
    if (!has_audience(json_object_get(assertion->claims, "aud"), audiences)) {
        return mg_error_set(error, MG_DENIED, "aud: is not for this server");
    }
    if (assertion->expires <= now_seconds) {
        return mg_error_set(error, MG_DENIED, "exp: is past");
    }
    if (assertion->expires > now_seconds + ASSERTION_MAX_SECONDS + ASSERTION_SKEW_SECONDS) {
        return mg_error_set(error, MG_DENIED, "exp: is more than %d seconds ahead", ASSERTION_MAX_SECONDS);
    }
    if (!has_begun(assertion->claims, "nbf", now_seconds) || !has_begun(assertion->claims, "iat", now_seconds)) {
        return mg_error_set(error, MG_DENIED, "nbf, iat: must not be in the future");
    }
    return MG_OK;
}

static bool verify(EVP_PKEY *key, struct mg_slice message, const uint8_t *signature, size_t signature_len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(context, signature, signature_len, message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

/* verify_es256 turns r and s side by side into the DER that OpenSSL wants. */
static bool verify_es256(const struct assertion *assertion, EVP_PKEY *key)
{
    if (assertion->signature_len != 2 * ES256_HALF) {
        return false;
    }
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(assertion->signature, ES256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(assertion->signature + ES256_HALF, ES256_HALF, NULL);
    uint8_t *der = NULL;
    int len = -1;
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        len = i2d_ECDSA_SIG(pair, &der);
    }
    bool ok = len > 0 && verify(key, assertion->signed_part, der, (size_t)len);
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return ok;
}

enum mg_status assertion_check_signature(const struct assertion *assertion, EVP_PKEY *key, struct mg_error *error)
{
    bool ok = assertion->algorithm == ASSERTION_ES256
                  ? EVP_PKEY_is_a(key, "EC") == 1 && verify_es256(assertion, key)
                  : EVP_PKEY_is_a(key, "RSA") == 1 &&
                        verify(key, assertion->signed_part, assertion->signature, assertion->signature_len);
    ERR_clear_error();
    return ok ? MG_OK : mg_error_set(error, MG_DENIED, "client_assertion: the signature is not by the client's key");
}
