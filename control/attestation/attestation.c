/* SPDX-License-Identifier: Apache-2.0 */
#include "control/attestation/attestation.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* CKA_KEY_GEN_MECHANISM (PKCS#11 v2.40 mechanisms, sections 2.1.4, 2.1.9 and 2.3.5). */
#define CKM_RSA_PKCS_KEY_PAIR_GEN 0x0
#define CKM_RSA_X9_31_KEY_PAIR_GEN 0xa
#define CKM_EC_KEY_PAIR_GEN 0x1040

/* Parts of text */

/* take_line takes a line that ends with LF off |in|, without it. */
static bool take_line(struct mg_slice *in, struct mg_slice *out)
{
    const uint8_t *end = in->len > 0 ? memchr(in->data, '\n', in->len) : NULL;
    struct mg_slice line_end;
    return end != NULL && mg_slice_take(in, out, (size_t)(end - in->data)) && mg_slice_take(in, &line_end, 1);
}

static bool read_hex(const char *text, uint8_t *out, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const char *high = strchr(digits, text[2 * i]), *low = strchr(digits, text[2 * i + 1]);
        if (high == NULL || low == NULL) {
            return false;
        }
        out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return true;
}

/* read_base64 decodes |text| (RFC 4648 section 4), at least one byte and at most |size|. */
static bool read_base64(struct mg_slice text, uint8_t *out, size_t size, size_t *out_len)
{
    uint8_t decoded[3 * (WIRE_TOKEN_MAX_SPKI / 3 + 1)];
    if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > sizeof(decoded)) {
        return false;
    }
    size_t padding = (size_t)(text.data[text.len - 1] == '=') + (text.data[text.len - 2] == '=');
    size_t len = text.len / 4 * 3;
    /* The decoder forgives blanks around the text, and gives less for it. */
    if (EVP_DecodeBlock(decoded, text.data, (int)text.len) != (int)len || len - padding > size) {
        return false;
    }
    *out_len = len - padding;
    memcpy(out, decoded, *out_len);
    return true;
}

/* The statement */

static enum mg_status refuse(struct mg_error *error, const char *member, const char *rule)
{
    return mg_error_set(error, MG_INVALID, "%s: %s", member, rule);
}

/* The texts of the statement that mean more than themselves. */
struct texts {
    const char *nonce, *appliance, *key_id, *public_key, *fingerprint, *kind, *module_digest;
    json_t *attributes;
};

/* read_members checks that the statement has its members, of their types, and no others. */
static enum mg_status read_members(json_t *statement, struct texts *texts, struct mg_error *error)
{
    const char *time, *holder, *any;
    int hardware_slot;
    json_error_t why;
    int result =
        json_unpack_ex(statement, &why, JSON_STRICT,
                       "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:b},"
                       " s:{s:s, s:s, s:s, s:s, s:s}, s:o}",
                       "time", &time, "nonce", &texts->nonce, "appliance", &texts->appliance, "keyId", &texts->key_id,
                       "holder", &holder, "publicKey", &texts->public_key, "publicKeySha256", &texts->fingerprint,
                       "tokenKind", &texts->kind, "token", "label", &any, "manufacturer", &any, "model", &any, "serial",
                       &any, "hardwareVersion", &any, "firmwareVersion", &any, "hardwareSlot", &hardware_slot, "module",
                       "path", &any, "sha256", &texts->module_digest, "description", &any, "manufacturer", &any,
                       "version", &any, "attributes", &texts->attributes);
    return result == 0 ? MG_OK : mg_error_set(error, MG_INVALID, "statement: %s", why.text);
}

/* read_answer reads one of "no", "yes" and "unknown". */
static bool read_answer(const char *text, enum wire_token_answer *out)
{
    static const char *const words[] = {"no", "yes", "unknown"};
    for (size_t i = 0; text != NULL && i < MG_ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (enum wire_token_answer)i;
            return true;
        }
    }
    return false;
}

/* read_mechanism reads "unknown", or 0x and a number in the shortest form. */
static bool read_mechanism(const char *text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    *out = WIRE_TOKEN_NO_MECHANISM;
    if (text == NULL || strcmp(text, "unknown") == 0) {
        return text != NULL;
    }
    size_t len = strlen(text);
    bool ok = strncmp(text, "0x", 2) == 0 && len > 2 && len <= 2 + 16 && strspn(text + 2, digits) == len - 2 &&
              (text[2] != '0' || len == 3);
    *out = ok ? strtoull(text + 2, NULL, 16) : 0;
    return ok;
}

static enum mg_status read_attributes(const json_t *tree, struct wire_token_attributes *out, struct mg_error *error)
{
    for (size_t i = 0; i < WIRE_TOKEN_NUM_ATTRIBUTES; i++) {
        const char *name = wire_token_attribute_name((enum wire_token_attribute)i);
        if (!read_answer(json_string_value(json_object_get(tree, name)), &out->answers[i])) {
            return mg_error_set(error, MG_INVALID, "attributes: %s: must be yes, no or unknown", name);
        }
    }
    if (!read_mechanism(json_string_value(json_object_get(tree, "key_gen_mechanism")), &out->mechanism)) {
        return refuse(error, "attributes: key_gen_mechanism", "must be unknown or a number in hexadecimal");
    }
    return json_object_size(tree) == WIRE_TOKEN_NUM_ATTRIBUTES + 1
               ? MG_OK
               : refuse(error, "attributes", "has members that the format does not know");
}

/* type_of tells the type of |key|, false where it is of none that Mintgate makes. */
static bool type_of(const EVP_PKEY *key, enum wire_key_type *out)
{
    static const struct {
        int id, bits;
        const char *group;
        enum wire_key_type type;
    } rows[] = {
        {EVP_PKEY_EC, 256, "prime256v1", WIRE_KEY_EC_P256}, {EVP_PKEY_EC, 384, "secp384r1", WIRE_KEY_EC_P384},
        {EVP_PKEY_RSA, 2048, "", WIRE_KEY_RSA_2048},        {EVP_PKEY_RSA, 3072, "", WIRE_KEY_RSA_3072},
        {EVP_PKEY_RSA, 4096, "", WIRE_KEY_RSA_4096},
    };
    char group[32] = "";
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1) {
        return false;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        if (EVP_PKEY_get_base_id(key) == rows[i].id && EVP_PKEY_get_bits(key) == rows[i].bits &&
            strcmp(group, rows[i].group) == 0) {
            *out = rows[i].type;
            return true;
        }
    }
    return false;
}

static enum mg_status read_key(const struct texts *texts, struct attestation *out, struct mg_error *error)
{
    uint8_t der[WIRE_TOKEN_MAX_SPKI], digest[ATTESTATION_DIGEST_LEN], said[ATTESTATION_DIGEST_LEN];
    const uint8_t *at = der;
    size_t len;
    if (!read_base64(mg_slice_of_text(texts->public_key), der, sizeof(der), &len)) {
        return refuse(error, "publicKey", "must be base64");
    }
    out->key = d2i_PUBKEY(NULL, &at, (long)len);
    if (out->key == NULL || at != der + len || !type_of(out->key, &out->attributes.type)) {
        return refuse(error, "publicKey", "must be an EC key on P-256 or P-384, or an RSA key of 2048 to 4096 bits");
    }
    if (!read_hex(texts->fingerprint, said, sizeof(said)) ||
        EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL) != 1 || memcmp(said, digest, sizeof(digest)) != 0) {
        return refuse(error, "publicKeySha256", "must be the SHA-256 of publicKey");
    }
    return MG_OK;
}

static bool is_kind(const char *text)
{
    return strcmp(text, "unknown") == 0 || strcmp(text, "software") == 0 || strcmp(text, "hardware") == 0;
}

static enum mg_status read_statement(struct mg_slice line, struct attestation *out, struct mg_error *error)
{
    struct texts texts;
    uint8_t digest[ATTESTATION_DIGEST_LEN];
    json_error_t why;
    out->statement = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &why);
    if (out->statement == NULL) {
        return mg_error_set(error, MG_INVALID, "statement: %s", why.text);
    }
    enum mg_status status = read_members(out->statement, &texts, error);
    if (status != MG_OK) {
        return status;
    }
    if (!read_hex(texts.nonce, out->nonce, sizeof(out->nonce))) {
        return refuse(error, "nonce", "must be 32 bytes in hexadecimal");
    }
    if (!read_hex(texts.appliance, digest, sizeof(digest))) {
        return refuse(error, "appliance", "must be 32 bytes in hexadecimal");
    }
    if (!read_hex(texts.key_id, out->key_id.bytes, sizeof(out->key_id.bytes))) {
        return refuse(error, "keyId", "must be 16 bytes in hexadecimal");
    }
    if (!is_kind(texts.kind)) {
        return refuse(error, "tokenKind", "must be software, hardware or unknown");
    }
    if (strcmp(texts.module_digest, "unknown") != 0 && !read_hex(texts.module_digest, digest, sizeof(digest))) {
        return refuse(error, "module: sha256", "must be unknown or 32 bytes in hexadecimal");
    }
    status = read_attributes(texts.attributes, &out->attributes, error);
    return status == MG_OK ? read_key(&texts, out, error) : status;
}

static enum mg_status read_lines(struct mg_slice text, struct attestation *out, struct mg_error *error)
{
    struct mg_slice rest = text, format, statement, signature;
    if (text.len > ATTESTATION_MAX_FILE) {
        return mg_error_set(error, MG_INVALID, "an attestation of %zu bytes: at most %d are allowed", text.len,
                            ATTESTATION_MAX_FILE);
    }
    if (!take_line(&rest, &format) || !mg_slice_equal(format, mg_slice_of_text(WIRE_ATTESTATION_FORMAT))) {
        return refuse(error, "first line", "must be " WIRE_ATTESTATION_FORMAT);
    }
    if (!take_line(&rest, &statement)) {
        return refuse(error, "second line", "must be the statement");
    }
    out->signed_text = mg_slice_of(text.data, text.len - rest.len);
    if (!take_line(&rest, &signature) || rest.len > 0 ||
        !read_base64(signature, out->signature, sizeof(out->signature), &out->signature_len)) {
        return refuse(error, "third line", "must be the signature in base64, and the last");
    }
    return read_statement(statement, out, error);
}

enum mg_status attestation_read(struct mg_slice text, struct attestation *out, struct mg_error *error)
{
    *out = (struct attestation){.statement = NULL};
    enum mg_status status = read_lines(text, out, error);
    if (status != MG_OK) {
        attestation_free(out);
    }
    ERR_clear_error();
    return status;
}

void attestation_free(struct attestation *attestation)
{
    json_decref(attestation->statement);
    EVP_PKEY_free(attestation->key);
    *attestation = (struct attestation){.statement = NULL};
}

/* Judging */

static bool is_signed_by(const struct attestation *attestation, EVP_PKEY *key)
{
    const EVP_MD *md = attestation->attributes.type == WIRE_KEY_EC_P384 ? EVP_sha384() : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestVerifyInit(context, NULL, md, NULL, key) == 1 &&
              EVP_DigestVerify(context, attestation->signature, attestation->signature_len,
                               attestation->signed_text.data, attestation->signed_text.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

enum mg_status attestation_verify(const struct attestation *attestation, EVP_PKEY *key, struct mg_error *error)
{
    if (key != NULL && EVP_PKEY_eq(key, attestation->key) != 1) {
        return mg_error_set(error, MG_DENIED, "publicKey: the attestation is of another key");
    }
    return is_signed_by(attestation, attestation->key)
               ? MG_OK
               : mg_error_set(error, MG_DENIED, "signature: is not that of the attested key over the statement");
}

static bool makes_key_pairs(uint64_t mechanism, enum wire_key_type type)
{
    bool is_ec = type == WIRE_KEY_EC_P256 || type == WIRE_KEY_EC_P384;
    return is_ec ? mechanism == CKM_EC_KEY_PAIR_GEN
                 : mechanism == CKM_RSA_PKCS_KEY_PAIR_GEN || mechanism == CKM_RSA_X9_31_KEY_PAIR_GEN;
}

enum mg_status attestation_judge(const struct attestation *attestation, struct mg_error *error)
{
    const struct wire_token_attributes *attributes = &attestation->attributes;
    enum mg_status status = token_attributes_check(attributes, error);
    if (status != MG_OK) {
        return status;
    }
    return attributes->mechanism == WIRE_TOKEN_NO_MECHANISM || makes_key_pairs(attributes->mechanism, attributes->type)
               ? MG_OK
               : mg_error_set(error, MG_DENIED,
                              "key_gen_mechanism: the token says 0x%llx, which does not make key pairs of this type",
                              (unsigned long long)attributes->mechanism);
}
