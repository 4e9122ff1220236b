/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/signature.h"

#include "hsm/ecdsa.h"

/* What stands in front of the digest in a DigestInfo (RFC 8017 section 9.2, note 1). */
static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t sha384_info[] = {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30};
static const uint8_t sha512_info[] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40};
#define INFO_LEN sizeof(sha256_info)

static const uint8_t *info_of(enum wire_token_digest digest)
{
    switch (digest) {
    case WIRE_TOKEN_SHA256:
        return sha256_info;
    case WIRE_TOKEN_SHA384:
        return sha384_info;
    case WIRE_TOKEN_SHA512:
        return sha512_info;
    }
    return NULL;
}

/* to_be_signed writes what C_Sign gets and returns its length. */
static size_t to_be_signed(const struct key_type *type, enum wire_token_digest digest, struct mg_slice octets,
                           uint8_t out[INFO_LEN + WIRE_TOKEN_MAX_DIGEST])
{
    if (type->curve == NULL) {
        memcpy(out, info_of(digest), INFO_LEN);
        memcpy(out + INFO_LEN, octets.data, octets.len);
        return INFO_LEN + octets.len;
    }
    size_t field_len = type->bits / 8; /* both curves' order is as long as their field, in whole octets */
    size_t len = octets.len < field_len ? octets.len : field_len;
    memcpy(out, octets.data, len);
    return len;
}

enum wire_token_status token_sign(const struct object_session *at, CK_OBJECT_HANDLE handle, const struct key_type *type,
                                  enum wire_token_digest digest, struct mg_slice octets,
                                  uint8_t out[WIRE_TOKEN_MAX_SIGNATURE], size_t *out_len, struct token_error *error)
{
    CK_MECHANISM mechanism = {.mechanism = type->curve == NULL ? CKM_RSA_PKCS : CKM_ECDSA};
    uint8_t in[INFO_LEN + WIRE_TOKEN_MAX_DIGEST], raw[WIRE_TOKEN_MAX_SIGNATURE];
    size_t in_len = to_be_signed(type, digest, octets, in);
    CK_ULONG raw_len = sizeof(raw);
    CK_RV rv = at->functions->C_SignInit(at->session, &mechanism, handle);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_SignInit");
    }
    rv = at->functions->C_Sign(at->session, in, in_len, raw, &raw_len);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_Sign");
    }
    size_t expected_len = type->curve == NULL ? type->bits / 8 : 2 * (size_t)type->bits / 8;
    if (raw_len != expected_len) {
        return token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "C_Sign made %lu bytes, not %zu", raw_len,
                               expected_len);
    }
    if (type->curve == NULL) {
        memcpy(out, raw, raw_len);
        *out_len = raw_len;
    } else {
        *out_len = ecdsa_encode(raw, raw + raw_len / 2, raw_len / 2, out);
    }
    return WIRE_TOKEN_OK;
}
