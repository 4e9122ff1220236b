/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/leaf.h"

#include <stdlib.h>

#include <openssl/bytestring.h>
#include <openssl/pool.h>

#include "minting/der_time.h"
#include "minting/validity.h"

static const uint8_t version_3[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
static const uint8_t empty_name[] = {0x30, 0x00};
static const uint8_t serial_header[] = {0x02, LEAF_SERIAL_LEN};
static const uint8_t san_oid[] = {0x06, 0x03, 0x55, 0x1d, 0x11};
static const uint8_t critical[] = {0x01, 0x01, 0xff};

static bool add_slice(CBB *out, struct mg_slice slice)
{
    return CBB_add_bytes(out, slice.data, slice.len) != 0;
}

/* make_serial forces the top bits to 01: the number is positive, and its DER has no byte to spare. */
static void make_serial(uint8_t out[LEAF_SERIAL_LEN], const uint8_t random[LEAF_SERIAL_LEN])
{
    memcpy(out, random, LEAF_SERIAL_LEN);
    out[0] = (uint8_t)((out[0] & 0x3f) | 0x40);
}

static bool add_serial(CBB *out, const uint8_t serial[LEAF_SERIAL_LEN])
{
    return CBB_add_bytes(out, serial_header, sizeof(serial_header)) && CBB_add_bytes(out, serial, LEAF_SERIAL_LEN);
}

static bool add_validity(CBB *out, const struct leaf_tbs *tbs)
{
    CBB sequence;
    return CBB_add_asn1(out, &sequence, CBS_ASN1_SEQUENCE) && der_time_add(&sequence, tbs->not_before) &&
           der_time_add(&sequence, tbs->not_after) && CBB_flush(out);
}

/* A subject that is the issuer's own name would make the leaf self-issued (RFC 5280 section 3.2): left out. */
static struct mg_slice subject_of(const struct leaf_params *params)
{
    struct mg_slice subject = params->names->mimic->subject;
    bool dropped = params->names->drops_subject || mg_slice_equal(subject, params->issuer->issuer_name);
    return dropped || subject.len == 0 ? mg_slice_of(empty_name, sizeof(empty_name)) : subject;
}

static bool add_general_names(CBB *out, const struct leaf_names *names)
{
    const struct mimic *mimic = names->mimic;
    if (names->num_dropped == 0) {
        if (!add_slice(out, mimic->general_names)) {
            return false;
        }
    } else {
        for (size_t i = 0; i < mimic->num_names; i++) {
            if (!leaf_names_is_dropped(names, i) && !add_slice(out, mimic_name_general_name(&mimic->names[i]))) {
                return false;
            }
        }
    }
    return names->added.len == 0 || mimic_add_general_name(out, names->added_kind, names->added);
}

/* subjectAltName is critical where the subject is empty, and only there (RFC 5280 section 4.2.1.6). */
static bool add_subject_alt_name(CBB *out, const struct leaf_names *names, bool is_critical)
{
    CBB extension, value, sequence;
    return CBB_add_asn1(out, &extension, CBS_ASN1_SEQUENCE) && CBB_add_bytes(&extension, san_oid, sizeof(san_oid)) &&
           (!is_critical || CBB_add_bytes(&extension, critical, sizeof(critical))) &&
           CBB_add_asn1(&extension, &value, CBS_ASN1_OCTETSTRING) &&
           CBB_add_asn1(&value, &sequence, CBS_ASN1_SEQUENCE) && add_general_names(&sequence, names) && CBB_flush(out);
}

static bool add_extensions(CBB *out, const struct leaf_params *params, bool subject_is_empty)
{
    CBB wrapper, sequence;
    return CBB_add_asn1(out, &wrapper, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 3) &&
           CBB_add_asn1(&wrapper, &sequence, CBS_ASN1_SEQUENCE) && add_slice(&sequence, params->issuer->extensions) &&
           add_slice(&sequence, params->key->extensions) &&
           add_subject_alt_name(&sequence, params->names, subject_is_empty) && CBB_flush(out);
}

static bool add_tbs(CBB *out, const struct leaf_params *params, const struct leaf_tbs *tbs)
{
    struct mg_slice subject = subject_of(params);
    CBB sequence;
    return CBB_add_asn1(out, &sequence, CBS_ASN1_SEQUENCE) && CBB_add_bytes(&sequence, version_3, sizeof(version_3)) &&
           add_serial(&sequence, tbs->serial) && add_slice(&sequence, params->issuer->signature_algorithm) &&
           add_slice(&sequence, params->issuer->issuer_name) && add_validity(&sequence, tbs) &&
           add_slice(&sequence, subject) && add_slice(&sequence, params->key->spki) &&
           add_extensions(&sequence, params, subject.len == sizeof(empty_name)) && CBB_flush(out);
}

/* check_params refuses what must never be signed, whatever the caller does. */
static enum mg_status check_params(const struct leaf_params *params, struct mg_error *error)
{
    if (leaf_names_count(params->names) == 0) {
        return mg_error_set(error, MG_INVALID, "leaf: no name for subjectAltName (RFC 5280 section 4.2.1.6)");
    }
    if (mg_slice_equal(params->key->spki, params->issuer->spki)) {
        return mg_error_set(error, MG_INVALID, "leaf: its key is the issuer's own");
    }
    return MG_OK;
}

static enum mg_status decide_validity(struct leaf_tbs *out, const struct leaf_params *params, struct mg_error *error)
{
    const struct mimic *mimic = params->names->mimic;
    const struct issuer *issuer = params->issuer;
    struct validity window;
    enum mg_status status = validity_decide(&window, (struct validity){mimic->not_before, mimic->not_after},
                                            (struct validity){issuer->not_before, issuer->not_after}, params->now,
                                            params->max_validity_seconds, issuer->role != WIRE_ISSUER_UNTRUST, error);
    if (status == MG_OK) {
        out->not_before = window.not_before;
        out->not_after = window.not_after;
    }
    return status;
}

enum mg_status leaf_tbs_build(struct leaf_tbs *out, void *storage, size_t storage_len, const struct leaf_params *params,
                              struct mg_error *error)
{
    enum mg_status status = check_params(params, error);
    if (status == MG_OK) {
        status = decide_validity(out, params, error);
    }
    if (status != MG_OK) {
        return status;
    }
    make_serial(out->serial, params->random_serial);
    CBB cbb;
    if (!CBB_init_fixed(&cbb, storage, storage_len)) {
        return mg_error_set(error, MG_MEMORY, "leaf: no memory");
    }
    bool ok = add_tbs(&cbb, params, out);
    out->der = ok ? mg_slice_of(storage, CBB_len(&cbb)) : mg_slice_of(NULL, 0);
    out->mimic = params->names->mimic;
    CBB_cleanup(&cbb);
    return ok ? MG_OK : mg_error_set(error, MG_LIMIT, "leaf: does not fit into %zu bytes", storage_len);
}

/* element_len returns the length of a DER element around |content_len| bytes. */
static size_t element_len(size_t content_len)
{
    size_t len = 2 + content_len;
    if (content_len > 127) {
        for (size_t rest = content_len; rest > 0; rest >>= 8) {
            len++;
        }
    }
    return len;
}

static bool add_certificate(CBB *out, struct mg_slice tbs, const struct issuer *issuer, struct mg_slice signature)
{
    CBB certificate, bits;
    return CBB_add_asn1(out, &certificate, CBS_ASN1_SEQUENCE) && add_slice(&certificate, tbs) &&
           add_slice(&certificate, issuer->signature_algorithm) &&
           CBB_add_asn1(&certificate, &bits, CBS_ASN1_BITSTRING) && CBB_add_u8(&bits, 0) &&
           add_slice(&bits, signature) && CBB_flush(out);
}

/* make_certificate returns the certificate in a buffer of its exact size, or NULL. */
static CRYPTO_BUFFER *make_certificate(struct mg_slice tbs, const struct issuer *issuer, struct mg_slice signature)
{
    size_t len = element_len(tbs.len + issuer->signature_algorithm.len + element_len(1 + signature.len));
    uint8_t *data;
    CBB cbb;
    CRYPTO_BUFFER *buffer = CRYPTO_BUFFER_alloc(&data, len);
    if (buffer == NULL) {
        return NULL;
    }
    if (!CBB_init_fixed(&cbb, data, len)) {
        CRYPTO_BUFFER_free(buffer);
        return NULL;
    }
    bool ok = add_certificate(&cbb, tbs, issuer, signature) && CBB_len(&cbb) == len;
    CBB_cleanup(&cbb);
    if (!ok) {
        CRYPTO_BUFFER_free(buffer);
        return NULL;
    }
    return buffer;
}

enum mg_status leaf_new_from_signature(struct leaf **out, const struct leaf_tbs *tbs, struct issuer *issuer,
                                       struct leaf_key *key, struct mg_slice signature)
{
    struct leaf *leaf = calloc(1, sizeof(*leaf));
    if (leaf == NULL) {
        return MG_MEMORY;
    }
    leaf->certificate = make_certificate(tbs->der, issuer, signature);
    if (leaf->certificate == NULL) {
        free(leaf);
        return MG_MEMORY;
    }
    atomic_init(&leaf->value.references, 1);
    leaf->value.free_value = leaf_free_value;
    leaf->issuer = issuer_up_ref(issuer);
    leaf->key = leaf_key_up_ref(key);
    leaf->mimic = mimic_up_ref(tbs->mimic);
    leaf->not_before = tbs->not_before;
    leaf->not_after = tbs->not_after;
    memcpy(leaf->serial, tbs->serial, LEAF_SERIAL_LEN);
    *out = leaf;
    return MG_OK;
}

void leaf_free_value(struct cache_value *value)
{
    struct leaf *leaf = leaf_of_value(value);
    CRYPTO_BUFFER_free(leaf->certificate);
    issuer_unref(leaf->issuer);
    leaf_key_unref(leaf->key);
    mimic_unref(leaf->mimic);
    free(leaf);
}

size_t leaf_memory(const struct leaf *leaf)
{
    /* BoringSSL's CRYPTO_BUFFER (40 bytes), a size before each of its two blocks, and malloc's own word for three. */
    const size_t overhead = 40 + 2 * 8 + 3 * 8;
    return sizeof(*leaf) + CRYPTO_BUFFER_len(leaf->certificate) + overhead + mimic_memory(leaf->mimic);
}
