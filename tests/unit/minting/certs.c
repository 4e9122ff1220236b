/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "minting/der_time.h"
#include "minting/validity.h"

#define CONTEXT(tag) (CBS_ASN1_CONTEXT_SPECIFIC | (tag))
#define CONTEXT_CONSTRUCTED(tag) (CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | (tag))

void certs_must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static EVP_PKEY *make_key(enum wire_key_type type)
{
    EVP_PKEY *pkey = EVP_PKEY_new();
    if (type == WIRE_KEY_EC_P256 || type == WIRE_KEY_EC_P384) {
        EC_KEY *key = EC_KEY_new_by_curve_name(type == WIRE_KEY_EC_P256 ? NID_X9_62_prime256v1 : NID_secp384r1);
        certs_must(EC_KEY_generate_key(key) && EVP_PKEY_assign_EC_KEY(pkey, key));
        return pkey;
    }
    RSA *key = RSA_new();
    BIGNUM *exponent = BN_new();
    int bits = type == WIRE_KEY_RSA_2048 ? 2048 : type == WIRE_KEY_RSA_3072 ? 3072 : 4096;
    certs_must(BN_set_word(exponent, RSA_F4) && RSA_generate_key_ex(key, bits, exponent, NULL));
    certs_must(EVP_PKEY_assign_RSA(pkey, key));
    BN_free(exponent);
    return pkey;
}

static EVP_PKEY *keys[WIRE_KEY_RSA_4096 + 1][4];

static void free_keys(void)
{
    for (size_t type = 0; type < MG_ARRAY_LEN(keys); type++) {
        for (size_t i = 0; i < MG_ARRAY_LEN(keys[0]); i++) {
            EVP_PKEY_free(keys[type][i]);
        }
    }
}

EVP_PKEY *certs_key(enum wire_key_type type, unsigned i)
{
    static bool registered;
    if (!registered) {
        registered = true;
        certs_must(atexit(free_keys) == 0);
    }
    if (keys[type][i] == NULL) {
        keys[type][i] = make_key(type);
    }
    return keys[type][i];
}

static void add_element(CBB *out, unsigned tag, const void *data, size_t len)
{
    CBB child;
    certs_must(CBB_add_asn1(out, &child, tag) && CBB_add_bytes(&child, data, len) && CBB_flush(out));
}

static void add_oid(CBB *out, const char *dotted)
{
    CBB child;
    certs_must(CBB_add_asn1(out, &child, CBS_ASN1_OBJECT) &&
               CBB_add_asn1_oid_from_text(&child, dotted, strlen(dotted)) && CBB_flush(out));
}

/* finish moves what |cbb| holds to the end of |out|. */
static void finish(struct mg_buffer *out, CBB *cbb)
{
    uint8_t *data;
    size_t len;
    certs_must(CBB_finish(cbb, &data, &len));
    mg_buffer_append(out, data, len);
    certs_must(mg_buffer_ok(out));
    OPENSSL_free(data);
}

static void add_attribute(CBB *name, uint8_t attribute, unsigned tag, struct mg_slice value)
{
    const uint8_t oid[] = {0x55, 0x04, attribute};
    CBB set, pair;
    certs_must(CBB_add_asn1(name, &set, CBS_ASN1_SET) && CBB_add_asn1(&set, &pair, CBS_ASN1_SEQUENCE));
    add_element(&pair, CBS_ASN1_OBJECT, oid, sizeof(oid));
    add_element(&pair, tag, value.data, value.len);
    certs_must(CBB_flush(name));
}

void certs_subject(struct mg_buffer *out, const char *country, const char *organization, const char *common_name)
{
    CBB cbb, name;
    certs_must(CBB_init(&cbb, 256) && CBB_add_asn1(&cbb, &name, CBS_ASN1_SEQUENCE));
    if (country != NULL) {
        add_attribute(&name, 6, CBS_ASN1_PRINTABLESTRING, mg_slice_of_text(country));
    }
    if (organization != NULL) {
        add_attribute(&name, 10, CBS_ASN1_UTF8STRING, mg_slice_of_text(organization));
    }
    if (common_name != NULL) {
        add_attribute(&name, 3, CBS_ASN1_UTF8STRING, mg_slice_of_text(common_name));
    }
    finish(out, &cbb);
}

void certs_subject_value(struct mg_buffer *out, uint8_t attribute, unsigned tag, struct mg_slice value)
{
    CBB cbb, name;
    certs_must(CBB_init(&cbb, 256) && CBB_add_asn1(&cbb, &name, CBS_ASN1_SEQUENCE));
    add_attribute(&name, attribute, tag, value);
    finish(out, &cbb);
}

static const EVP_MD *issuing_digest(const EVP_PKEY *key)
{
    return EVP_PKEY_id(key) == EVP_PKEY_EC && EVP_PKEY_bits(key) == 384 ? EVP_sha384() : EVP_sha256();
}

static void sign(struct mg_buffer *out, EVP_PKEY *key, const EVP_MD *digest, struct mg_slice tbs)
{
    uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t len = sizeof(signature);
    EVP_MD_CTX ctx;
    EVP_MD_CTX_init(&ctx);
    certs_must(EVP_DigestSignInit(&ctx, NULL, digest, NULL, key) &&
               EVP_DigestSign(&ctx, signature, &len, tbs.data, tbs.len));
    EVP_MD_CTX_cleanup(&ctx);
    mg_buffer_append(out, signature, len);
}

void certs_sign(struct mg_buffer *out, EVP_PKEY *key, struct mg_slice tbs)
{
    sign(out, key, issuing_digest(key), tbs);
}

static void add_signature_algorithm(CBB *out, const EVP_PKEY *key, const EVP_MD *digest)
{
    bool ec = EVP_PKEY_id(key) == EVP_PKEY_EC;
    const char *oid;
    switch (EVP_MD_type(digest)) {
    case NID_md5:
        certs_must(!ec);
        oid = "1.2.840.113549.1.1.4";
        break;
    case NID_sha1:
        oid = ec ? "1.2.840.10045.4.1" : "1.2.840.113549.1.1.5";
        break;
    case NID_sha384:
        oid = ec ? "1.2.840.10045.4.3.3" : "1.2.840.113549.1.1.12";
        break;
    case NID_sha512:
        oid = ec ? "1.2.840.10045.4.3.4" : "1.2.840.113549.1.1.13";
        break;
    default:
        oid = ec ? "1.2.840.10045.4.3.2" : "1.2.840.113549.1.1.11";
    }
    CBB algorithm;
    certs_must(CBB_add_asn1(out, &algorithm, CBS_ASN1_SEQUENCE));
    add_oid(&algorithm, oid);
    if (!ec) {
        add_element(&algorithm, CBS_ASN1_NULL, "", 0);
    }
    certs_must(CBB_flush(out));
}

static void add_name(CBB *out, struct mg_slice name)
{
    static const uint8_t empty[] = {0x30, 0x00};
    certs_must(name.len == 0 ? CBB_add_bytes(out, empty, sizeof(empty)) : CBB_add_bytes(out, name.data, name.len));
}

/* add_extension appends an Extension with the value in |value|, which it frees. */
static void add_extension(CBB *out, const char *oid, bool critical, CBB *value)
{
    struct mg_buffer bytes;
    mg_buffer_init(&bytes, 1 << 20);
    finish(&bytes, value);
    CBB extension;
    certs_must(CBB_add_asn1(out, &extension, CBS_ASN1_SEQUENCE));
    add_oid(&extension, oid);
    if (critical) {
        certs_must(CBB_add_asn1_bool(&extension, 1));
    }
    add_element(&extension, CBS_ASN1_OCTETSTRING, bytes.data, bytes.len);
    certs_must(CBB_flush(out));
    mg_buffer_free(&bytes);
}

static void add_alt_names(CBB *out, const struct certs_spec *spec)
{
    CBB value, names;
    certs_must(CBB_init(&value, 256) && CBB_add_asn1(&value, &names, CBS_ASN1_SEQUENCE));
    for (size_t i = 0; i < spec->num_names; i++) {
        const struct certs_name *name = &spec->names[i];
        add_element(&names, CONTEXT(name->tag), name->value.data, name->value.len);
    }
    certs_must(CBB_flush(&value));
    add_extension(out, "2.5.29.17", spec->subject.len == 0, &value);
}

static void add_basic_constraints(CBB *out, const struct certs_spec *spec)
{
    CBB value, sequence;
    certs_must(CBB_init(&value, 16) && CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE) &&
               CBB_add_asn1_bool(&sequence, 1));
    if (spec->path_len >= 0) {
        certs_must(CBB_add_asn1_uint64(&sequence, (uint64_t)spec->path_len));
    }
    certs_must(CBB_flush(&value));
    add_extension(out, "2.5.29.19", true, &value);
}

static void add_key_usage(CBB *out, uint8_t bits)
{
    uint8_t num_unused = 0;
    while ((bits >> num_unused & 1) == 0) {
        num_unused++;
    }
    const uint8_t content[] = {num_unused, bits};
    CBB value;
    certs_must(CBB_init(&value, 16));
    add_element(&value, CBS_ASN1_BITSTRING, content, sizeof(content));
    add_extension(out, "2.5.29.15", true, &value);
}

static void add_eku(CBB *out, const char *eku)
{
    CBB value, sequence;
    certs_must(CBB_init(&value, 16) && CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE));
    add_oid(&sequence, eku);
    certs_must(CBB_flush(&value));
    add_extension(out, "2.5.29.37", false, &value);
}

static void add_key_ids(CBB *out, const struct certs_spec *spec)
{
    CBB value, sequence;
    if (spec->subject_key_id.len > 0) {
        certs_must(CBB_init(&value, 32));
        add_element(&value, CBS_ASN1_OCTETSTRING, spec->subject_key_id.data, spec->subject_key_id.len);
        add_extension(out, "2.5.29.14", false, &value);
    }
    if (spec->authority_key_id.len > 0) {
        certs_must(CBB_init(&value, 32) && CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE));
        add_element(&sequence, CONTEXT(0), spec->authority_key_id.data, spec->authority_key_id.len);
        certs_must(CBB_flush(&value));
        add_extension(out, "2.5.29.35", false, &value);
    }
}

static void add_extensions(CBB *tbs, const struct certs_spec *spec)
{
    CBB wrapper, extensions;
    certs_must(CBB_add_asn1(tbs, &wrapper, CONTEXT_CONSTRUCTED(3)) &&
               CBB_add_asn1(&wrapper, &extensions, CBS_ASN1_SEQUENCE));
    if (spec->num_names > 0) {
        add_alt_names(&extensions, spec);
    }
    if (spec->is_ca) {
        add_basic_constraints(&extensions, spec);
    }
    if (spec->key_usage != CERTS_NO_KEY_USAGE) {
        add_key_usage(&extensions, spec->key_usage);
    }
    if (spec->eku != NULL) {
        add_eku(&extensions, spec->eku);
    }
    add_key_ids(&extensions, spec);
    certs_must(CBB_add_bytes(&extensions, spec->raw_extensions.data, spec->raw_extensions.len) && CBB_flush(tbs));
}

static void add_tbs(CBB *out, const struct certs_spec *spec, EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *digest)
{
    static const uint8_t version_3[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
    bool default_window = spec->not_before == 0 && spec->not_after == 0;
    CBB tbs, validity;
    certs_must(CBB_add_asn1(out, &tbs, CBS_ASN1_SEQUENCE));
    certs_must(spec->version_1 || CBB_add_bytes(&tbs, version_3, sizeof(version_3)));
    static const uint8_t fixed_serial[] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    struct mg_slice serial = spec->serial.len > 0 ? spec->serial : mg_slice_of(fixed_serial, sizeof(fixed_serial));
    add_element(&tbs, CBS_ASN1_INTEGER, serial.data, serial.len);
    add_signature_algorithm(&tbs, signer, digest);
    add_name(&tbs, spec->issuer.len > 0 ? spec->issuer : spec->subject);
    certs_must(CBB_add_asn1(&tbs, &validity, CBS_ASN1_SEQUENCE) &&
               der_time_add(&validity, default_window ? CERTS_NOW - 30 * CERTS_DAY : spec->not_before) &&
               der_time_add(&validity, default_window ? CERTS_NOW + 60 * CERTS_DAY : spec->not_after));
    add_name(&tbs, spec->subject);
    certs_must(EVP_marshal_public_key(&tbs, key));
    if (!spec->version_1) {
        add_extensions(&tbs, spec);
    }
    certs_must(CBB_flush(out));
}

void certs_make(struct mg_buffer *out, const struct certs_spec *spec)
{
    EVP_PKEY *key = spec->key != NULL ? spec->key : certs_key(WIRE_KEY_EC_P256, 0);
    EVP_PKEY *signer = spec->signer != NULL ? spec->signer : key;
    const EVP_MD *digest = spec->digest != NULL ? spec->digest : EVP_sha256();
    struct mg_buffer tbs, signature;
    mg_buffer_init(&tbs, 1 << 20);
    mg_buffer_init(&signature, 1 << 10);
    CBB cbb, certificate, bits;
    certs_must(CBB_init(&cbb, 1024));
    add_tbs(&cbb, spec, key, signer, digest);
    finish(&tbs, &cbb);
    sign(&signature, signer, digest, mg_buffer_slice(&tbs));

    certs_must(CBB_init(&cbb, 1024) && CBB_add_asn1(&cbb, &certificate, CBS_ASN1_SEQUENCE) &&
               CBB_add_bytes(&certificate, tbs.data, tbs.len));
    add_signature_algorithm(&certificate, signer, digest);
    certs_must(CBB_add_asn1(&certificate, &bits, CBS_ASN1_BITSTRING) && CBB_add_u8(&bits, 0) &&
               CBB_add_bytes(&bits, signature.data, signature.len));
    finish(out, &cbb);
    mg_buffer_free(&tbs);
    mg_buffer_free(&signature);
}

struct mimic *certs_mimic(const struct certs_spec *spec)
{
    struct mg_buffer der;
    struct mimic *mimic;
    mg_buffer_init(&der, 1 << 20);
    certs_make(&der, spec);
    certs_must(mimic_new(&mimic, mg_buffer_slice(&der), NULL) == MG_OK);
    mg_buffer_free(&der);
    return mimic;
}

/* Any identifier but the one that the key would have: tests see whether it is the stored one that is used. */
#define ROOT_KEY_ID "root key identifier"
#define INTERMEDIATE_KEY_ID "intermediate key id"

static void make_root(struct certs_pki *pki, struct mg_slice subject, int64_t now)
{
    certs_make(&pki->root, &(struct certs_spec){
                               .subject = subject,
                               .not_before = now - 1000 * CERTS_DAY,
                               .not_after = now + 3000 * CERTS_DAY,
                               .subject_key_id = mg_slice_of_text(ROOT_KEY_ID),
                               .is_ca = true,
                               .path_len = -1,
                               .key_usage = CERTS_KEY_USAGE_CA,
                               .key = certs_key(WIRE_KEY_EC_P256, 1),
                           });
}

static void make_intermediate(struct certs_pki *pki, struct mg_slice subject, struct mg_slice issuer, int64_t now)
{
    certs_make(&pki->intermediate, &(struct certs_spec){
                                       .subject = subject,
                                       .issuer = issuer,
                                       .not_before = now - 400 * CERTS_DAY,
                                       .not_after = now + 800 * CERTS_DAY,
                                       .subject_key_id = mg_slice_of_text(INTERMEDIATE_KEY_ID),
                                       .authority_key_id = mg_slice_of_text(ROOT_KEY_ID),
                                       .is_ca = true,
                                       .path_len = 0,
                                       .key_usage = CERTS_KEY_USAGE_CA,
                                       .key = pki->key,
                                       .signer = certs_key(WIRE_KEY_EC_P256, 1),
                                   });
}

void certs_pki_init(struct certs_pki *pki, enum wire_key_type type, enum wire_issuer_role role)
{
    certs_pki_init_at(pki, type, role, CERTS_NOW);
}

void certs_pki_init_at(struct certs_pki *pki, enum wire_key_type type, enum wire_issuer_role role, int64_t now)
{
    *pki = (struct certs_pki){.key = certs_key(type, 2)};
    mg_buffer_init(&pki->root, 1 << 16);
    mg_buffer_init(&pki->intermediate, 1 << 16);
    struct mg_buffer root_name, name;
    mg_buffer_init(&root_name, 1024);
    mg_buffer_init(&name, 1024);
    certs_subject(&root_name, "DE", "Example Trust", "Example Root");
    certs_subject(&name, "DE", "Example Trust", role == WIRE_ISSUER_UNTRUST ? "Untrusted" : "Example Intermediate");
    make_root(pki, mg_buffer_slice(&root_name), now);
    make_intermediate(pki, mg_buffer_slice(&name), mg_buffer_slice(&root_name), now);
    mg_buffer_free(&root_name);
    mg_buffer_free(&name);
    pki->wire = (struct wire_issuer){
        .key_id = {{(uint8_t)type, (uint8_t)role}},
        .role = role,
        .key_type = type,
        .chain = {mg_buffer_slice(&pki->intermediate), mg_buffer_slice(&pki->root)},
        .num_chain = 2,
    };
}

void certs_pki_free(struct certs_pki *pki)
{
    mg_buffer_free(&pki->root);
    mg_buffer_free(&pki->intermediate);
}

struct issuer *certs_issuer(const struct certs_pki *pki, uint64_t generation)
{
    const struct issuer_options options = {0};
    struct issuer *issuer;
    certs_must(issuer_new(&issuer, &pki->wire, generation, &options, CERTS_NOW, NULL) == MG_OK);
    return issuer;
}

struct leaf *certs_mint(const struct certs_pki *pki, struct issuer *issuer, struct leaf_key *key,
                        const struct leaf_names *names, int64_t now)
{
    static uint8_t storage[LEAF_TBS_MAX_LEN];
    struct leaf_params params = {
        .issuer = issuer,
        .names = names,
        .key = key,
        .now = now,
        .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS,
    };
    certs_must(RAND_bytes(params.random_serial, sizeof(params.random_serial)));
    struct leaf_tbs tbs;
    certs_must(leaf_tbs_build(&tbs, storage, sizeof(storage), &params, NULL) == MG_OK);
    struct mg_buffer signature;
    mg_buffer_init(&signature, WIRE_SIGNER_MAX_SIGNATURE);
    certs_sign(&signature, pki->key, tbs.der);
    struct leaf *leaf;
    certs_must(leaf_new_from_signature(&leaf, &tbs, issuer, key, mg_buffer_slice(&signature)) == MG_OK);
    mg_buffer_free(&signature);
    return leaf;
}

X509 *certs_parse_leaf(const struct leaf *leaf)
{
    X509 *certificate = X509_parse_from_buffer(leaf->certificate);
    certs_must(certificate != NULL);
    return certificate;
}
