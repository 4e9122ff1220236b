/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/objects.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "base/utf8.h"
#include "hsm/der.h"

/* The largest attribute read: a private exponent of RSA-4096. */
#define MAX_VALUE 1024
#define MAX_FOUND 16

/* ECParameters, namedCurve (RFC 5480 section 2.1.1). */
static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

static struct mg_slice curve_of(const struct key_type *type)
{
    return type->type == WIRE_KEY_EC_P256 ? mg_slice_of(p256, sizeof(p256)) : mg_slice_of(p384, sizeof(p384));
}

/* CK_ATTRIBUTE points to what is not const, though the module only reads it. */
static CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    return (CK_ATTRIBUTE){.type = type, .pValue = MG_UNCONST(value), .ulValueLen = len};
}

#define ATTRIBUTE(type, object) attribute(type, &(object), sizeof(object))

static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* Templates */

#define MAX_TEMPLATE 20

struct pattern {
    CK_ATTRIBUTE attributes[MAX_TEMPLATE];
    CK_ULONG count;
};

static void add(struct pattern *pattern, CK_ATTRIBUTE one)
{
    pattern->attributes[pattern->count++] = one;
}

static void add_flag(struct pattern *pattern, CK_ATTRIBUTE_TYPE type, bool value)
{
    add(pattern, ATTRIBUTE(type, *(value ? &yes : &no)));
}

static void add_names(struct pattern *pattern, bool is_lasting, struct mg_slice id, struct mg_slice label)
{
    add_flag(pattern, CKA_TOKEN, is_lasting);
    if (id.len > 0) {
        add(pattern, attribute(CKA_ID, id.data, id.len));
    }
    if (label.len > 0) {
        add(pattern, attribute(CKA_LABEL, label.data, label.len));
    }
}

/* Every use but signing is denied by name: some tokens allow by default what does not even suit the type. */
static void private_template(struct pattern *out, bool is_lasting, struct mg_slice id, struct mg_slice label)
{
    out->count = 0;
    add_names(out, is_lasting, id, label);
    add_flag(out, CKA_PRIVATE, true);
    add_flag(out, CKA_SENSITIVE, true);
    add_flag(out, CKA_EXTRACTABLE, false);
    add_flag(out, CKA_MODIFIABLE, false);
    add_flag(out, CKA_SIGN, true);
    add_flag(out, CKA_SIGN_RECOVER, false);
    add_flag(out, CKA_UNWRAP, false);
    add_flag(out, CKA_DERIVE, false);
    add_flag(out, CKA_DECRYPT, false);
}

static void public_template(struct pattern *out, const struct key_type *type, const CK_ULONG *bits, bool is_lasting,
                            struct mg_slice id, struct mg_slice label)
{
    static const uint8_t f4[] = {0x01, 0x00, 0x01};
    out->count = 0;
    add_names(out, is_lasting, id, label);
    add_flag(out, CKA_PRIVATE, false);
    add_flag(out, CKA_MODIFIABLE, false);
    add_flag(out, CKA_VERIFY, true);
    add_flag(out, CKA_ENCRYPT, false);
    add_flag(out, CKA_WRAP, false);
    if (type->curve != NULL) {
        struct mg_slice curve = curve_of(type);
        add(out, attribute(CKA_EC_PARAMS, curve.data, curve.len));
        return;
    }
    add(out, ATTRIBUTE(CKA_MODULUS_BITS, *bits));
    add(out, attribute(CKA_PUBLIC_EXPONENT, f4, sizeof(f4)));
}

/* What a token says to a mechanism or a template that it does not have, as against being in trouble. */
static bool is_refusal(CK_RV rv)
{
    static const CK_RV refusals[] = {
        CKR_MECHANISM_INVALID,     CKR_MECHANISM_PARAM_INVALID, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
        CKR_TEMPLATE_INCONSISTENT, CKR_TEMPLATE_INCOMPLETE,     CKR_ATTRIBUTE_READ_ONLY,    CKR_KEY_SIZE_RANGE,
        CKR_DOMAIN_PARAMS_INVALID, CKR_TOKEN_WRITE_PROTECTED,   CKR_SESSION_READ_ONLY,      CKR_FUNCTION_NOT_SUPPORTED,
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(refusals); i++) {
        if (refusals[i] == rv) {
            return true;
        }
    }
    return false;
}

enum wire_token_status objects_generate(const struct object_session *at, const struct key_type *type, bool is_lasting,
                                        struct mg_slice id, struct mg_slice label, CK_OBJECT_HANDLE *public_key,
                                        CK_OBJECT_HANDLE *private_key, struct token_error *error)
{
    CK_MECHANISM mechanism = {.mechanism = type->curve != NULL ? CKM_EC_KEY_PAIR_GEN : CKM_RSA_PKCS_KEY_PAIR_GEN};
    CK_ULONG bits = type->bits;
    struct pattern of_public, of_private;
    public_template(&of_public, type, &bits, is_lasting, id, label);
    private_template(&of_private, is_lasting, id, label);
    CK_RV rv = at->functions->C_GenerateKeyPair(at->session, &mechanism, of_public.attributes, of_public.count,
                                                of_private.attributes, of_private.count, public_key, private_key);
    if (rv == CKR_OK) {
        return WIRE_TOKEN_OK;
    }
    return token_error_set(error, is_refusal(rv) ? WIRE_TOKEN_REFUSED : WIRE_TOKEN_FAILED, rv, "C_GenerateKeyPair");
}

/* Finding */

/* find returns how many objects of |pattern| there are in *num_found, at most |max|, and puts them into |found|. */
static CK_RV find(const struct object_session *at, struct pattern *pattern, CK_OBJECT_HANDLE *found, CK_ULONG max,
                  CK_ULONG *num_found)
{
    *num_found = 0;
    CK_RV rv = at->functions->C_FindObjectsInit(at->session, pattern->attributes, pattern->count);
    if (rv != CKR_OK) {
        return rv;
    }
    CK_ULONG got;
    do {
        got = 0;
        rv = at->functions->C_FindObjects(at->session, found + *num_found, max - *num_found, &got);
        got = got < max - *num_found ? got : max - *num_found;
        *num_found += got;
    } while (rv == CKR_OK && got > 0 && *num_found < max);
    CK_RV end = at->functions->C_FindObjectsFinal(at->session);
    return rv != CKR_OK ? rv : end;
}

static CK_RV find_by_id(const struct object_session *at, CK_OBJECT_CLASS class, const struct wire_key_id *id,
                        CK_OBJECT_HANDLE found[MAX_FOUND], CK_ULONG *num_found)
{
    struct pattern pattern = {.count = 0};
    add(&pattern, ATTRIBUTE(CKA_CLASS, class));
    add(&pattern, attribute(CKA_ID, id->bytes, sizeof(id->bytes)));
    return find(at, &pattern, found, MAX_FOUND, num_found);
}

static enum wire_token_status find_one(const struct object_session *at, CK_OBJECT_CLASS class, const char *what,
                                       const struct wire_key_id *id, CK_OBJECT_HANDLE *out, struct token_error *error)
{
    CK_OBJECT_HANDLE found[MAX_FOUND];
    CK_ULONG num_found;
    CK_RV rv = find_by_id(at, class, id, found, &num_found);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_FindObjects");
    }
    if (num_found == 0) {
        return token_error_set(error, WIRE_TOKEN_NOT_FOUND, CKR_OK, "key id: the token has no such %s key", what);
    }
    if (num_found > 1) {
        return token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "key id: the token has %lu such %s keys", num_found,
                               what);
    }
    *out = found[0];
    return WIRE_TOKEN_OK;
}

enum wire_token_status objects_find_private(const struct object_session *at, const struct wire_key_id *id,
                                            CK_OBJECT_HANDLE *out, struct token_error *error)
{
    return find_one(at, CKO_PRIVATE_KEY, "private", id, out, error);
}

/* Reading */

static CK_RV read_value(const struct object_session *at, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *out,
                        size_t size, size_t *len)
{
    CK_ATTRIBUTE one = {.type = type, .pValue = out, .ulValueLen = size};
    CK_RV rv = at->functions->C_GetAttributeValue(at->session, object, &one, 1);
    if (rv == CKR_OK && one.ulValueLen > size) {
        return CKR_ATTRIBUTE_TYPE_INVALID; /* "unavailable", which is a length of all ones */
    }
    *len = rv == CKR_OK ? one.ulValueLen : 0;
    return rv;
}

/* read_slice is read_value into |buffer|, which *out then borrows. */
static bool read_slice(const struct object_session *at, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                       uint8_t buffer[MAX_VALUE], struct mg_slice *out, CK_RV *rv)
{
    size_t len;
    *rv = read_value(at, object, type, buffer, MAX_VALUE, &len);
    *out = mg_slice_of(buffer, len);
    return *rv == CKR_OK && len > 0;
}

/* new_key makes a public key of |name| from |params|, which it frees. */
static EVP_PKEY *new_key(const char *name, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);
    if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(struct mg_slice modulus, struct mg_slice exponent)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.len, NULL), *e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
    EVP_PKEY *key = NULL;
    if (build != NULL && n != NULL && e != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        key = new_key("RSA", build);
    }
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/* ec_key takes a point as CKA_EC_POINT holds it: behind the header of an OCTET STRING (section 2.3.3 of the
 * mechanisms), which some older modules leave out. */
static EVP_PKEY *ec_key(struct mg_slice curve, struct mg_slice point)
{
    struct mg_slice rest = point, inner;
    const char *group = mg_slice_equal(curve, mg_slice_of(p256, sizeof(p256)))   ? "P-256"
                        : mg_slice_equal(curve, mg_slice_of(p384, sizeof(p384))) ? "P-384"
                                                                                 : NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (der_get(&rest, DER_OCTET_STRING, &inner) && rest.len == 0) {
        point = inner;
    }
    if (build != NULL && group != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) == 1) {
        key = new_key("EC", build);
    }
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *read_key(const struct object_session *at, CK_OBJECT_HANDLE object, CK_RV *rv)
{
    uint8_t first[MAX_VALUE], second[MAX_VALUE];
    struct mg_slice a, b;
    CK_KEY_TYPE type;
    size_t len;
    *rv = read_value(at, object, CKA_KEY_TYPE, &type, sizeof(type), &len);
    if (*rv != CKR_OK) {
        return NULL;
    }
    bool is_rsa = type == CKK_RSA;
    if ((!is_rsa && type != CKK_EC) || !read_slice(at, object, is_rsa ? CKA_MODULUS : CKA_EC_PARAMS, first, &a, rv) ||
        !read_slice(at, object, is_rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT, second, &b, rv)) {
        return NULL;
    }
    return is_rsa ? rsa_key(a, b) : ec_key(a, b);
}

enum wire_token_status objects_public_key(const struct object_session *at, const struct wire_key_id *id,
                                          const struct key_type **type, uint8_t **der, size_t *der_len,
                                          struct token_error *error)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_RV rv;
    enum wire_token_status status = find_one(at, CKO_PUBLIC_KEY, "public", id, &object, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    EVP_PKEY *key = read_key(at, object, &rv);
    *type = key != NULL ? key_type_of_key(key) : NULL;
    *der = NULL;
    int len = *type != NULL ? i2d_PUBKEY(key, der) : -1;
    EVP_PKEY_free(key);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_GetAttributeValue");
    }
    if (len <= 0 || len > WIRE_TOKEN_MAX_SPKI) {
        OPENSSL_free(*der);
        return token_error_set(error, WIRE_TOKEN_REFUSED, CKR_OK, "key id: not a key of a type that the signer has");
    }
    *der_len = (size_t)len;
    return WIRE_TOKEN_OK;
}

static struct mg_slice read_label(const struct object_session *at, CK_OBJECT_HANDLE object, struct object_label *out)
{
    size_t len;
    if (read_value(at, object, CKA_LABEL, out->text, WIRE_TOKEN_MAX_LABEL, &len) != CKR_OK ||
        !mg_utf8_is_label(mg_slice_of(out->text, len))) {
        len = 0;
    }
    out->text[len] = '\0';
    return mg_slice_of(out->text, len);
}

static enum wire_token_answer ask(const struct object_session *at, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value;
    size_t len;
    if (read_value(at, key, type, &value, sizeof(value), &len) != CKR_OK || len != sizeof(value)) {
        return WIRE_TOKEN_UNKNOWN;
    }
    return value != CK_FALSE ? WIRE_TOKEN_YES : WIRE_TOKEN_NO;
}

/* ask_for_value tells whether the token gives the private value out, and wipes it. */
static enum wire_token_answer ask_for_value(const struct object_session *at, CK_OBJECT_HANDLE key, bool is_rsa)
{
    uint8_t value[MAX_VALUE];
    size_t len;
    CK_RV rv = read_value(at, key, is_rsa ? CKA_PRIVATE_EXPONENT : CKA_VALUE, value, sizeof(value), &len);
    mg_secret_wipe(value, sizeof(value));
    if (rv == CKR_ATTRIBUTE_SENSITIVE) {
        return WIRE_TOKEN_NO;
    }
    return rv == CKR_OK && len > 0 ? WIRE_TOKEN_YES : WIRE_TOKEN_UNKNOWN;
}

enum wire_token_status objects_attributes(const struct object_session *at, CK_OBJECT_HANDLE key, bool is_rsa,
                                          struct wire_token_attributes *out, struct object_label *label,
                                          struct token_error *error)
{
    static const struct {
        enum wire_token_attribute attribute;
        CK_ATTRIBUTE_TYPE type;
    } rows[] = {
        {WIRE_TOKEN_IS_LOCAL, CKA_LOCAL},
        {WIRE_TOKEN_IS_SENSITIVE, CKA_SENSITIVE},
        {WIRE_TOKEN_WAS_ALWAYS_SENSITIVE, CKA_ALWAYS_SENSITIVE},
        {WIRE_TOKEN_IS_EXTRACTABLE, CKA_EXTRACTABLE},
        {WIRE_TOKEN_WAS_NEVER_EXTRACTABLE, CKA_NEVER_EXTRACTABLE},
        {WIRE_TOKEN_IS_MODIFIABLE, CKA_MODIFIABLE},
        {WIRE_TOKEN_IS_PRIVATE, CKA_PRIVATE},
        {WIRE_TOKEN_MAY_SIGN, CKA_SIGN},
        {WIRE_TOKEN_MAY_DECRYPT, CKA_DECRYPT},
        {WIRE_TOKEN_MAY_UNWRAP, CKA_UNWRAP},
        {WIRE_TOKEN_MAY_DERIVE, CKA_DERIVE},
    };
    CK_OBJECT_CLASS class;
    CK_MECHANISM_TYPE mechanism;
    size_t len;
    CK_RV rv = read_value(at, key, CKA_CLASS, &class, sizeof(class), &len);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_GetAttributeValue");
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        out->answers[rows[i].attribute] = ask(at, key, rows[i].type);
    }
    out->answers[WIRE_TOKEN_IS_READABLE] = ask_for_value(at, key, is_rsa);
    rv = read_value(at, key, CKA_KEY_GEN_MECHANISM, &mechanism, sizeof(mechanism), &len);
    bool says = rv == CKR_OK && len == sizeof(mechanism) && mechanism != CK_UNAVAILABLE_INFORMATION;
    out->mechanism = says ? mechanism : WIRE_TOKEN_NO_MECHANISM;
    out->label = read_label(at, key, label);
    return WIRE_TOKEN_OK;
}

/* list_one adds |key| to |out| if it is a key of ours: with an id of our length and a public key of our types. */
static void list_one(const struct object_session *at, CK_OBJECT_HANDLE key, struct wire_token_list *out,
                     struct object_label *label)
{
    struct wire_token_listed *listed = &out->keys[out->num_keys];
    const struct key_type *type;
    struct token_error ignored;
    uint8_t *der;
    size_t len, der_len;
    if (read_value(at, key, CKA_ID, listed->id.bytes, sizeof(listed->id.bytes), &len) != CKR_OK ||
        len != sizeof(listed->id.bytes) ||
        objects_public_key(at, &listed->id, &type, &der, &der_len, &ignored) != WIRE_TOKEN_OK) {
        return;
    }
    OPENSSL_free(der);
    listed->type = type->type;
    listed->label = read_label(at, key, label);
    out->num_keys++;
}

enum wire_token_status objects_list(const struct object_session *at, struct wire_token_list *out,
                                    struct object_label labels[WIRE_TOKEN_MAX_KEYS], struct token_error *error)
{
    CK_OBJECT_HANDLE found[WIRE_TOKEN_MAX_KEYS];
    CK_ULONG num_found;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    struct pattern pattern = {.count = 0};
    add(&pattern, ATTRIBUTE(CKA_CLASS, class));
    out->num_keys = 0;
    CK_RV rv = find(at, &pattern, found, MG_ARRAY_LEN(found), &num_found);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_FindObjects");
    }
    for (CK_ULONG i = 0; i < num_found; i++) {
        list_one(at, found[i], out, &labels[out->num_keys]);
    }
    return WIRE_TOKEN_OK;
}

/* Destroying */

enum wire_token_status objects_destroy(const struct object_session *at, const struct wire_key_id *id,
                                       struct token_error *error)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY};
    for (size_t i = 0; i < MG_ARRAY_LEN(classes); i++) {
        CK_OBJECT_HANDLE found[MAX_FOUND];
        CK_ULONG num_found;
        CK_RV rv = find_by_id(at, classes[i], id, found, &num_found);
        for (CK_ULONG n = 0; rv == CKR_OK && n < num_found; n++) {
            rv = at->functions->C_DestroyObject(at->session, found[n]);
        }
        if (rv != CKR_OK) {
            return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_DestroyObject");
        }
    }
    return WIRE_TOKEN_OK;
}
