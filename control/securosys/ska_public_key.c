/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_public_key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "control/http/scan.h"
#include "ossl/base64.h"

#define MIN_RSA_BITS 2048
#define MAX_RSA_BITS 8192

/* ---- keys ---- */

static bool is_strong(const EVP_PKEY *key)
{
    static const char *const groups[] = {"P-256", "P-384", "P-521"};
    char name[32];
    size_t len;
    if (EVP_PKEY_is_a(key, "ED25519")) {
        return true;
    }
    if (EVP_PKEY_is_a(key, "RSA")) {
        return EVP_PKEY_get_bits(key) >= MIN_RSA_BITS && EVP_PKEY_get_bits(key) <= MAX_RSA_BITS;
    }
    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1) {
        return false;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(groups); i++) {
        if (OBJ_sn2nid(name) == EC_curve_nist2nid(groups[i])) {
            return true;
        }
    }
    return false;
}

enum mg_status ska_public_key_set(struct ska_public_key *out, EVP_PKEY *key, struct ska_error *error)
{
    uint8_t *at = out->spki;
    if (key == NULL || !is_strong(key) || i2d_PUBKEY(key, NULL) > (int)sizeof(out->spki)) {
        return ska_fail(error, SKA_KEY_TYPE,
                        "public key: must be RSA of %d to %d bits, EC on P-256, P-384 or P-521, or Ed25519",
                        MIN_RSA_BITS, MAX_RSA_BITS);
    }
    int len = i2d_PUBKEY(key, &at);
    if (len <= 0) {
        ERR_clear_error();
        return mg_error_set(&error->why, MG_INTERNAL, "cannot encode a public key");
    }
    out->len = (size_t)len;
    return MG_OK;
}

enum mg_status ska_public_key_read(struct ska_public_key *out, struct mg_slice base64, struct ska_error *error)
{
    uint8_t storage[SKA_MAX_PUBLIC_KEY];
    struct mg_buffer der;
    mg_buffer_wrap(&der, storage, sizeof(storage));
    bool is_base64 = base64_decode(&der, base64);
    const uint8_t *at = der.data;
    EVP_PKEY *key = is_base64 ? d2i_PUBKEY(NULL, &at, (long)der.len) : NULL;
    ERR_clear_error();
    if (key == NULL || at != der.data + der.len) {
        EVP_PKEY_free(key);
        return ska_fail(error, SKA_PARSING_KEY, "public key: must be a SubjectPublicKeyInfo in base64");
    }
    enum mg_status status = ska_public_key_set(out, key, error);
    EVP_PKEY_free(key);
    return status;
}

static enum mg_status take_certificate(struct ska_public_key *out, const X509 *x509, int64_t now,
                                       struct ska_error *error)
{
    time_t at = (time_t)now;
    if (now != 0 &&
        (X509_cmp_time(X509_get0_notBefore(x509), &at) >= 0 || X509_cmp_time(X509_get0_notAfter(x509), &at) <= 0)) {
        return ska_fail(error, SKA_INVALID_CERTIFICATE, "certificate of an approver: is not valid now");
    }
    return ska_public_key_set(out, X509_get0_pubkey(x509), error);
}

enum mg_status ska_public_key_of_certificate(struct ska_public_key *out, struct mg_slice base64, int64_t now,
                                             struct ska_error *error)
{
    struct mg_buffer der;
    mg_buffer_init(&der, SKA_MAX_CERTIFICATE);
    bool is_base64 = base64_decode(&der, base64);
    const uint8_t *at = der.data;
    X509 *x509 = is_base64 ? d2i_X509(NULL, &at, (long)der.len) : NULL;
    bool is_whole = x509 != NULL && at == der.data + der.len;
    ERR_clear_error();
    enum mg_status status = is_whole ? take_certificate(out, x509, now, error)
                                     : ska_fail(error, SKA_PARSING_CERTIFICATE,
                                                "certificate of an approver: must be one in DER, in base64");
    ERR_clear_error();
    X509_free(x509);
    mg_buffer_free(&der);
    return status;
}

/* ---- signatures ---- */

static const struct {
    const char *name;
    const EVP_MD *(*digest)(void); /* NULL: the algorithm has its own */
} digests[] = {
    {"SHA-224", EVP_sha224}, {"SHA-256", EVP_sha256}, {"SHA-384", EVP_sha384},
    {"SHA-512", EVP_sha512}, {"SHA224", EVP_sha224},  {"SHA256", EVP_sha256},
    {"SHA384", EVP_sha384},  {"SHA512", EVP_sha512},  {"EdDSA", NULL},
};

static bool find_digest(const char *name, const EVP_MD **out)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(digests); i++) {
        if (strcmp(digests[i].name, name == NULL ? "SHA-256" : name) == 0) {
            *out = digests[i].digest == NULL ? NULL : digests[i].digest();
            return true;
        }
    }
    return false;
}

enum mg_status ska_public_key_verify(const struct ska_public_key *key, const char *digest, struct mg_slice message,
                                     struct mg_slice signature, struct ska_error *error)
{
    const EVP_MD *md;
    const uint8_t *at = key->spki;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)key->len);
    bool is_plain = pkey != NULL && EVP_PKEY_is_a(pkey, "ED25519");
    if (!find_digest(digest, &md) && !is_plain) {
        EVP_PKEY_free(pkey);
        return ska_fail(error, SKA_INVALID_ENUM, "digest algorithm: must be SHA-256, SHA-384, SHA-512 or EdDSA");
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    /* Without a digest of its own, OpenSSL would choose one for RSA and EC. */
    bool ok = context != NULL && pkey != NULL && (is_plain || md != NULL) &&
              EVP_DigestVerifyInit(context, NULL, is_plain ? NULL : md, NULL, pkey) == 1 &&
              EVP_DigestVerify(context, signature.data, signature.len, message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return ok ? MG_OK : ska_fail(error, SKA_INVALID_SIGNATURE, "signature: is not by this key over these bytes");
}

/* ---- timestamps ---- */

/* take_number takes |digits| digits. */
static bool take_number(struct mg_slice *in, size_t digits, int *out)
{
    struct mg_slice text;
    uint64_t number;
    if (!mg_slice_take(in, &text, digits) || !scan_decimal(text, 0, 9999, &number)) {
        return false;
    }
    *out = (int)number;
    return true;
}

/* take_fraction takes ".933" as microseconds, if it is there. */
static bool take_fraction(struct mg_slice *in, int64_t *micros)
{
    *micros = 0;
    if (!scan_skip(in, ".")) {
        return true;
    }
    int64_t unit = 100000;
    size_t num_digits = 0;
    for (; in->len > 0 && in->data[0] >= '0' && in->data[0] <= '9'; num_digits++) {
        uint8_t digit;
        (void)!mg_slice_u8(in, &digit);
        *micros += (digit - '0') * unit;
        unit /= 10;
    }
    return num_digits > 0 && num_digits <= 9;
}

/* take_offset takes "Z" or "+01:00", as seconds east of UTC. */
static bool take_offset(struct mg_slice *in, int64_t *seconds)
{
    int hours, minutes;
    *seconds = 0;
    if (scan_skip(in, "Z")) {
        return true;
    }
    bool is_west = in->len > 0 && in->data[0] == '-';
    if ((!scan_skip(in, "+") && !scan_skip(in, "-")) || !take_number(in, 2, &hours) || !scan_skip(in, ":") ||
        !take_number(in, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = (hours * 60 + minutes) * 60 * (is_west ? -1 : 1);
    return true;
}

/* read_timestamp reads a date-time of RFC 3339 section 5.6. */
static bool read_timestamp(const char *text, int64_t *out_us)
{
    struct mg_slice in = mg_slice_of_text(text);
    struct tm parts = {.tm_isdst = 0};
    int64_t micros, offset;
    if (!take_number(&in, 4, &parts.tm_year) || !scan_skip(&in, "-") || !take_number(&in, 2, &parts.tm_mon) ||
        !scan_skip(&in, "-") || !take_number(&in, 2, &parts.tm_mday) || !scan_skip(&in, "T") ||
        !take_number(&in, 2, &parts.tm_hour) || !scan_skip(&in, ":") || !take_number(&in, 2, &parts.tm_min) ||
        !scan_skip(&in, ":") || !take_number(&in, 2, &parts.tm_sec) || !take_fraction(&in, &micros) ||
        !take_offset(&in, &offset) || in.len > 0 || parts.tm_year < 1970 || parts.tm_mon < 1 || parts.tm_mon > 12 ||
        parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60) {
        return false;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    *out_us = ((int64_t)timegm(&parts) - offset) * 1000000 + micros;
    return true;
}

enum mg_status ska_timestamp_check(const char *text, int64_t now_us, struct ska_error *error)
{
    int64_t time_us;
    if (!read_timestamp(text, &time_us)) {
        return ska_fail(error, SKA_TIMESTAMP_OFF, "timestamp: must be as in 2026-11-21T07:59:41.933Z");
    }
    if (time_us > now_us) {
        return ska_fail(error, SKA_TIMESTAMP_OFF, "timestamp: is in the future");
    }
    if (now_us - time_us > SKA_TIMESTAMP_MAX_AGE_SECONDS * INT64_C(1000000)) {
        return ska_fail(error, SKA_TIMESTAMP_OFF, "timestamp: is older than %d seconds", SKA_TIMESTAMP_MAX_AGE_SECONDS);
    }
    return MG_OK;
}
