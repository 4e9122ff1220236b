/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is worth mimicking in a server's certificate, taken out of its DER once. Immutable from mimic_new to its last
 * reference, so any thread may read one it holds a reference to.
 *
 * Names are values: each is canonical (minting/names.h), checked one by one and kept as the GeneralName that goes into
 * a leaf, never as text to be split again.
 */
#ifndef MINTGATE_MINTING_MIMIC_H
#define MINTGATE_MINTING_MIMIC_H

#include "base/slice.h"
#include "base/status.h"
#include "minting/cert.h"
#include "minting/names.h"

/* The bounds of what is taken. A certificate beyond them is refused whole: cut short, it would not be mimicked. */
#define MIMIC_MAX_NAMES 1000
#define MIMIC_MAX_NAMES_LEN (32 * 1024)
#define MIMIC_FINGERPRINT_LEN 32

enum mimic_name_kind { MIMIC_NAME_DNS, MIMIC_NAME_IP };

/* struct mimic_name is one name of the certificate; small, since every leaf in the cache has its mimic. Read it by
 * mimic_name_kind_of, mimic_name_value and mimic_name_general_name. */
struct mimic_name {
    const uint8_t *general_name;
    uint16_t len;       /* of |general_name| */
    uint8_t header_len; /* of that, in front of the value */
    uint8_t kind;       /* enum mimic_name_kind */
};

static inline enum mimic_name_kind mimic_name_kind_of(const struct mimic_name *name)
{
    return (enum mimic_name_kind)name->kind;
}

/* mimic_name_value returns canonical text for DNS, "*." in front for a wildcard; for IP 4 or 16 bytes. */
static inline struct mg_slice mimic_name_value(const struct mimic_name *name)
{
    return mg_slice_of(name->general_name + name->header_len, (size_t)name->len - name->header_len);
}

/* mimic_name_general_name returns the same as a GeneralName in DER (RFC 5280 section 4.2.1.6). */
static inline struct mg_slice mimic_name_general_name(const struct mimic_name *name)
{
    return mg_slice_of(name->general_name, name->len);
}

struct mimic {
    uint8_t fingerprint[MIMIC_FINGERPRINT_LEN]; /* SHA-256 of the whole certificate */
    struct mg_slice subject;                    /* Name, DER element; empty if absent or not fit (minting/subject.h) */
    struct mg_slice subject_name;               /* the subject's common name as a canonical DNS name, or empty */
    int64_t not_before;                         /* seconds since 1970 */
    int64_t not_after;                          /* inclusive */
    const struct mimic_name *names;             /* in the certificate's order, without duplicates */
    struct mg_slice general_names;              /* the GeneralNames of |names|, one behind the other */
    uint32_t num_names;
    uint32_t num_malformed_names; /* dropped: not a host name, not 4 or 16 bytes */
    uint32_t num_other_names;     /* dropped: e-mail, URI, directory name, ... */
    bool is_ca;                   /* basicConstraints: cA */
};

/* mimic_new makes |*out| from the certificate |der|, which is not kept. MG_INVALID: not a certificate
 * (minting/cert.h), or a malformed subjectAltName; MG_LIMIT: beyond the bounds above; MG_MEMORY. The caller owns one
 * reference. */
MG_MUST_USE enum mg_status mimic_new(struct mimic **out, struct mg_slice der, struct mg_error *error);

/* mimic_up_ref takes one more reference and returns |mimic|; mimic_unref (NULL is fine) gives one back. Any thread. */
struct mimic *mimic_up_ref(struct mimic *mimic);
void mimic_unref(struct mimic *mimic);

/* mimic_memory returns how many bytes of memory |mimic| holds. */
size_t mimic_memory(const struct mimic *mimic);

/* mimic_covers_dns tells whether a name of the certificate matches the canonical host name |host| (RFC 9525 section
 * 6.3; a common name does not count, section 1.4.2). */
MG_MUST_USE bool mimic_covers_dns(const struct mimic *mimic, struct mg_slice host);

/* mimic_covers_ip tells whether an iPAddress of the certificate equals the 4 or 16 bytes |ip| (RFC 9525 section 6.4).
 */
MG_MUST_USE bool mimic_covers_ip(const struct mimic *mimic, struct mg_slice ip);

/* mimic_name_matches is the same for one |name| and a reference of |kind|. */
MG_MUST_USE bool mimic_name_matches(const struct mimic_name *name, enum mimic_name_kind kind,
                                    struct mg_slice reference);

/* mimic_add_general_name writes a name as a GeneralName. */
MG_MUST_USE bool mimic_add_general_name(CBB *out, enum mimic_name_kind kind, struct mg_slice value);

#endif
