/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/mimic.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <openssl/sha.h>

#include "minting/subject.h"

/* The tags of GeneralName's choices (RFC 5280 section 4.2.1.6). */
#define TAG_DNS_NAME (CBS_ASN1_CONTEXT_SPECIFIC | 2)
#define TAG_IP_ADDRESS (CBS_ASN1_CONTEXT_SPECIFIC | 7)

/* struct mimic_block is the one allocation of a mimic: behind it lie its names and then its bytes. */
struct mimic_block {
    struct mimic mimic;
    _Atomic uint32_t references;
    uint32_t size; /* of the block */
    struct mimic_name names[];
};

/* A power of two, at least twice MIMIC_MAX_NAMES. */
#define NUM_PLACES 2048

/* struct filler writes a new block's names and bytes. Room for all was made: what is kept is never longer than where
 * it comes from. */
struct filler {
    struct mimic *mimic;
    struct mimic_name *names;
    uint16_t places[NUM_PLACES]; /* finds duplicates: an open-addressed hash table of 1 + index into names */
    uint8_t *next;               /* free bytes */
    CBB general_names;           /* into the last bytes of the block */
};

static struct mg_slice slice_of(CBS cbs)
{
    return mg_slice_of(CBS_data(&cbs), CBS_len(&cbs));
}

static struct mg_slice keep(struct filler *filler, struct mg_slice bytes)
{
    if (bytes.len == 0) {
        return mg_slice_of(NULL, 0);
    }
    uint8_t *copy = memcpy(filler->next, bytes.data, bytes.len);
    filler->next += bytes.len;
    return mg_slice_of(copy, bytes.len);
}

/* FNV-1a. A server that makes its names collide costs at most MIMIC_MAX_NAMES^2 / 2 compares. */
static uint32_t hash_of(struct mg_slice bytes)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * 16777619;
    }
    return hash;
}

/* find_place returns where the name is in the table, or, empty, where it belongs. */
static uint16_t *find_place(struct filler *filler, enum mimic_name_kind kind, struct mg_slice value)
{
    for (uint32_t i = hash_of(value);; i++) {
        uint16_t *place = &filler->places[i % NUM_PLACES];
        if (*place == 0) {
            return place;
        }
        const struct mimic_name *name = &filler->names[*place - 1];
        if (mimic_name_kind_of(name) == kind && mg_slice_equal(mimic_name_value(name), value)) {
            return place;
        }
    }
}

bool mimic_add_general_name(CBB *out, enum mimic_name_kind kind, struct mg_slice value)
{
    CBB child;
    return CBB_add_asn1(out, &child, kind == MIMIC_NAME_DNS ? TAG_DNS_NAME : TAG_IP_ADDRESS) &&
           CBB_add_bytes(&child, value.data, value.len) && CBB_flush(out);
}

static bool add_name(struct filler *filler, enum mimic_name_kind kind, struct mg_slice value)
{
    uint16_t *place = find_place(filler, kind, value);
    if (*place != 0) {
        return true;
    }
    size_t start = CBB_len(&filler->general_names);
    if (!mimic_add_general_name(&filler->general_names, kind, value)) {
        return false;
    }
    size_t len = CBB_len(&filler->general_names) - start;
    const uint8_t *general_name = CBB_data(&filler->general_names) + start;
    size_t i = filler->mimic->num_names++;
    *place = (uint16_t)(i + 1);
    filler->names[i] = (struct mimic_name){
        .general_name = general_name,
        .len = (uint16_t)len,
        .header_len = (uint8_t)(len - value.len),
        .kind = (uint8_t)kind,
    };
    return true;
}

static bool add_dns_name(struct filler *filler, struct mg_slice text)
{
    struct dns_name name;
    if (dns_name_from_san(&name, text) != DNS_NAME_OK) {
        filler->mimic->num_malformed_names++;
        return true;
    }
    return add_name(filler, MIMIC_NAME_DNS, dns_name_slice(&name));
}

static bool add_ip_address(struct filler *filler, struct mg_slice ip)
{
    if (ip.len != 4 && ip.len != 16) {
        filler->mimic->num_malformed_names++;
        return true;
    }
    return add_name(filler, MIMIC_NAME_IP, ip);
}

static bool add_alt_name(struct filler *filler, CBS value, unsigned tag)
{
    switch (tag) {
    case TAG_DNS_NAME:
        return add_dns_name(filler, slice_of(value));
    case TAG_IP_ADDRESS:
        return add_ip_address(filler, slice_of(value));
    default:
        filler->mimic->num_other_names++;
        return true;
    }
}

static bool fill_names(struct filler *filler, CBS alt_names)
{
    if (CBS_len(&alt_names) == 0) {
        return true;
    }
    if (!CBB_init_fixed(&filler->general_names, filler->next, CBS_len(&alt_names))) {
        return false;
    }
    bool ok = true;
    CBS value;
    unsigned tag;
    while (ok && CBS_len(&alt_names) > 0) {
        ok = CBS_get_any_asn1(&alt_names, &value, &tag) && add_alt_name(filler, value, tag);
    }
    filler->mimic->general_names = mg_slice_of(filler->next, ok ? CBB_len(&filler->general_names) : 0);
    CBB_cleanup(&filler->general_names);
    return ok;
}

/* struct subject is what is kept of a subject: all of it if it may be copied, and its common name if that is a host
 * name: a leaf that leaves the name out of its subjectAltName must not say it there. */
struct subject {
    struct mg_slice der;  /* borrowed */
    struct mg_slice name; /* in |storage| */
    size_t offset;        /* of the same bytes in |der|, where they are canonical there; 0: they are not */
    struct dns_name storage;
};

static void read_subject(struct subject *out, CBS subject)
{
    CBS common_name;
    out->der = out->name = mg_slice_of(NULL, 0);
    out->offset = 0;
    if (!subject_check(subject, &common_name)) {
        return;
    }
    struct mg_slice text = slice_of(common_name);
    out->der = slice_of(subject);
    if (dns_name_from_san(&out->storage, text) == DNS_NAME_OK) {
        out->name = dns_name_slice(&out->storage);
        out->offset = mg_slice_equal(out->name, text) ? (size_t)(text.data - out->der.data) : 0;
    }
}

static void fill_subject(struct filler *filler, const struct subject *subject)
{
    struct mimic *mimic = filler->mimic;
    mimic->subject = keep(filler, subject->der);
    mimic->subject_name = subject->offset > 0 ? mg_slice_of(mimic->subject.data + subject->offset, subject->name.len)
                                              : keep(filler, subject->name);
}

static enum mg_status check_bounds(const struct cert *cert, size_t *out_num_names, struct mg_error *error)
{
    if (CBS_len(&cert->alt_names) > MIMIC_MAX_NAMES_LEN) {
        return mg_error_set(error, MG_LIMIT, "certificate: subjectAltName of %zu bytes, at most %d are taken",
                            CBS_len(&cert->alt_names), MIMIC_MAX_NAMES_LEN);
    }
    size_t num_names = 0;
    for (CBS names = cert->alt_names; CBS_len(&names) > 0; num_names++) {
        CBS name;
        unsigned tag;
        if (!CBS_get_any_asn1(&names, &name, &tag)) {
            return mg_error_set(error, MG_INVALID, "certificate: subjectAltName does not parse");
        }
    }
    if (num_names > MIMIC_MAX_NAMES) {
        return mg_error_set(error, MG_LIMIT, "certificate: subjectAltName of %zu names, at most %d are taken",
                            num_names, MIMIC_MAX_NAMES);
    }
    *out_num_names = num_names;
    return MG_OK;
}

static struct mimic_block *block_new(const struct cert *cert, const struct subject *subject, size_t num_names)
{
    size_t num_bytes = subject->der.len + (subject->offset > 0 ? 0 : subject->name.len) + CBS_len(&cert->alt_names);
    size_t size = sizeof(struct mimic_block) + num_names * sizeof(struct mimic_name) + num_bytes;
    struct mimic_block *block = calloc(1, size);
    if (block != NULL) {
        block->size = (uint32_t)size; /* the bounds above keep it below 100 KiB */
        atomic_init(&block->references, 1);
    }
    return block;
}

static bool fill(struct mimic_block *block, size_t num_names, const struct cert *cert, const struct subject *subject)
{
    struct mimic *mimic = &block->mimic;
    struct filler filler = {.mimic = mimic, .names = block->names, .next = (uint8_t *)(block->names + num_names)};
    mimic->names = block->names;
    mimic->not_before = cert->not_before;
    mimic->not_after = cert->not_after;
    mimic->is_ca = cert->is_ca;
    fill_subject(&filler, subject);
    return fill_names(&filler, cert->alt_names);
}

enum mg_status mimic_new(struct mimic **out, struct mg_slice der, struct mg_error *error)
{
    struct cert cert;
    enum mg_status status = cert_parse(&cert, cert_cbs_of(der.data, der.len), error);
    if (status != MG_OK) {
        return status;
    }
    size_t num_names = 0;
    status = check_bounds(&cert, &num_names, error);
    if (status != MG_OK) {
        return status;
    }
    struct subject subject;
    read_subject(&subject, cert.subject);
    struct mimic_block *block = block_new(&cert, &subject, num_names);
    if (block == NULL || !fill(block, num_names, &cert, &subject)) {
        free(block);
        return mg_error_set(error, MG_MEMORY, "certificate: no memory");
    }
    SHA256(der.data, der.len, block->mimic.fingerprint);
    *out = &block->mimic;
    return MG_OK;
}

struct mimic *mimic_up_ref(struct mimic *mimic)
{
    struct mimic_block *block = MG_CONTAINER_OF(mimic, struct mimic_block, mimic);
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return mimic;
}

size_t mimic_memory(const struct mimic *mimic)
{
    return MG_CONTAINER_OF((struct mimic *)MG_UNCONST(mimic), struct mimic_block, mimic)->size;
}

void mimic_unref(struct mimic *mimic)
{
    if (mimic == NULL) {
        return;
    }
    struct mimic_block *block = MG_CONTAINER_OF(mimic, struct mimic_block, mimic);
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1) {
        free(block);
    }
}

bool mimic_name_matches(const struct mimic_name *name, enum mimic_name_kind kind, struct mg_slice reference)
{
    if (mimic_name_kind_of(name) != kind) {
        return false;
    }
    struct mg_slice value = mimic_name_value(name);
    return kind == MIMIC_NAME_DNS ? dns_name_matches(value, reference) : mg_slice_equal(value, reference);
}

static bool covers(const struct mimic *mimic, enum mimic_name_kind kind, struct mg_slice reference)
{
    for (size_t i = 0; i < mimic->num_names; i++) {
        if (mimic_name_matches(&mimic->names[i], kind, reference)) {
            return true;
        }
    }
    return false;
}

bool mimic_covers_dns(const struct mimic *mimic, struct mg_slice host)
{
    return covers(mimic, MIMIC_NAME_DNS, host);
}

bool mimic_covers_ip(const struct mimic *mimic, struct mg_slice ip)
{
    return covers(mimic, MIMIC_NAME_IP, ip);
}
