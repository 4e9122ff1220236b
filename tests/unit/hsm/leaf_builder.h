/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TBSCertificates for tests, by hand: a good leaf for an issuer, of which a test then changes one thing. All memory
 * stays in the struct; it may be copied by assignment only before parts point into it, so tests don't.
 */
#ifndef MINTGATE_TESTS_LEAF_BUILDER_H
#define MINTGATE_TESTS_LEAF_BUILDER_H

#include "base/buffer.h"
#include "hsm/leaf_policy.h"

/* der_write appends an element to |out|; the content may be up to 65,535 bytes. */
void der_write(struct mg_buffer *out, uint8_t tag, struct mg_slice content);

/* Content octets of the extensions' identifiers. */
#define OID_BASIC_CONSTRAINTS "\x55\x1d\x13"
#define OID_KEY_USAGE "\x55\x1d\x0f"
#define OID_EXT_KEY_USAGE "\x55\x1d\x25"
#define OID_AUTHORITY_KEY_ID "\x55\x1d\x23"
#define OID_SUBJECT_KEY_ID "\x55\x1d\x0e"
#define OID_SUBJECT_ALT_NAME "\x55\x1d\x11"
#define OID_CRL_DISTRIBUTION_POINTS "\x55\x1d\x1f"
#define OID_CERTIFICATE_POLICIES "\x55\x1d\x20"
#define OID_NAME_CONSTRAINTS "\x55\x1d\x1e"
#define OID_AUTHORITY_INFO_ACCESS "\x2b\x06\x01\x05\x05\x07\x01\x01"

#define LEAF_MAX_EXTENSIONS 40

struct leaf_extension {
    const char *oid;
    bool critical;
    struct mg_slice value;
};

struct leaf {
    struct mg_slice version; /* whole [0] element; empty: none */
    struct mg_slice serial;  /* content */
    struct mg_slice signature_algorithm;
    struct mg_slice issuer;
    int64_t not_before, not_after;
    struct mg_slice subject;
    struct mg_slice spki;
    struct mg_slice unique_ids; /* whole elements; empty: none */
    struct leaf_extension extensions[LEAF_MAX_EXTENSIONS];
    size_t num_extensions;
    struct mg_slice behind; /* whatever comes behind the extensions */

    struct mg_buffer values; /* storage of what the leaf_ functions make */
    uint8_t storage[128 * 1024];
};

/* leaf_init makes |leaf| a good one of |issuer| for DNS name |name|, valid from |now| - 1 hour for 90 days, with
 * |spki|. Slices given are borrowed. */
void leaf_init(struct leaf *leaf, const struct leaf_issuer *issuer, struct mg_slice spki, const char *name,
               int64_t now);

/* leaf_extension finds an extension, leaf_remove removes it, leaf_add appends one (value borrowed). */
struct leaf_extension *leaf_extension(struct leaf *leaf, const char *oid);
void leaf_remove(struct leaf *leaf, const char *oid);
void leaf_add(struct leaf *leaf, const char *oid, bool critical, struct mg_slice value);

/* leaf_element makes an element in the leaf's storage. */
struct mg_slice leaf_element(struct leaf *leaf, uint8_t tag, struct mg_slice content);

/* leaf_join makes a copy of two slices behind each other. */
struct mg_slice leaf_join(struct leaf *leaf, struct mg_slice a, struct mg_slice b);

/* leaf_set_names makes the subjectAltName from the content of its GeneralNames. */
void leaf_set_names(struct leaf *leaf, struct mg_slice general_names);

/* leaf_write appends the TBSCertificate's DER to |out|. */
void leaf_write(const struct leaf *leaf, struct mg_buffer *out);

/* A Name with one commonName. */
struct mg_slice leaf_name(struct leaf *leaf, const char *common_name);

#endif
