/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate as a set of views into its own DER, read once with CBS and without allocation: the one parser of this
 * room, for certificates of servers (hostile) and of issuers. It reads the parts below, which must be DER, and skips
 * the rest. It judges nothing: whether a certificate is good is the caller's business. Pure: any thread.
 */
#ifndef MINTGATE_MINTING_CERT_H
#define MINTGATE_MINTING_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/bytestring.h>

#include "base/status.h"

/* The kinds of public key. EC keys by their named curve (RFC 5480); explicit parameters are OTHER. */
enum cert_key_type {
    CERT_KEY_OTHER = 0,
    CERT_KEY_RSA,
    CERT_KEY_EC_P224,
    CERT_KEY_EC_P256,
    CERT_KEY_EC_P384,
    CERT_KEY_EC_P521,
    CERT_KEY_ED25519,
};

/* The hash under a signature, by which its strength is judged. */
enum cert_digest {
    CERT_DIGEST_OTHER = 0, /* of an algorithm that is not known here */
    CERT_DIGEST_MD5,       /* or MD2 or MD4 */
    CERT_DIGEST_SHA1,
    CERT_DIGEST_SHA224,
    CERT_DIGEST_SHA256,
    CERT_DIGEST_SHA384,
    CERT_DIGEST_SHA512, /* Ed25519 too, which has it built in */
};

/* cert_digest_name returns a static word such as "sha1". */
const char *cert_digest_name(enum cert_digest digest);

/* As KeyUsage counts its bits (RFC 5280 section 4.2.1.3). */
#define CERT_KEY_USAGE_DIGITAL_SIGNATURE 0
#define CERT_KEY_USAGE_CERT_SIGN 5
/* A larger pathLenConstraint is read as this. */
#define CERT_MAX_PATH_LEN 1000

/* struct cert is a parsed certificate. Every CBS borrows from the DER; that of an absent part is empty. */
struct cert {
    CBS tbs;                     /* element */
    unsigned version;            /* 1 to 3 */
    CBS serial;                  /* content of the INTEGER, at least one byte */
    CBS signature_algorithm;     /* element; the same in both places */
    enum cert_digest digest;     /* of signature_algorithm */
    CBS signature;               /* content of signatureValue, without the count of unused bits */
    CBS issuer;                  /* element */
    int64_t not_before;          /* seconds since 1970 */
    int64_t not_after;           /* inclusive */
    CBS subject;                 /* element */
    CBS spki;                    /* element: SubjectPublicKeyInfo */
    CBS public_key;              /* content of subjectPublicKey, without the count of unused bits */
    enum cert_key_type key_type; /* of spki */
    unsigned key_bits;           /* size of modulus or curve; 0 for CERT_KEY_OTHER */
    CBS subject_key_id;          /* content of the KeyIdentifier */
    CBS authority_key_id;        /* content of keyIdentifier */
    CBS alt_names;               /* content of subjectAltName's GeneralNames */
    bool is_ca;                  /* basicConstraints: cA */
    int path_len;                /* basicConstraints: pathLenConstraint; -1: none */
    bool has_key_usage;          /* the extension is there */
    CBS key_usage;               /* content of the BIT STRING: see cert_key_usage_has */
    bool allows_server_auth;     /* extKeyUsage is absent, or has serverAuth or anyExtendedKeyUsage */
    bool allows_client_auth;     /* likewise with clientAuth */
};

/* cert_parse reads the one certificate that |der| is. MG_INVALID, with a text that names the field, if it is not DER,
 * has bytes left over, names two different signature algorithms (RFC 5280 section 4.1.1.2), or has one of the
 * extensions above twice (section 4.2). |out| is then not to be used. */
MG_MUST_USE enum mg_status cert_parse(struct cert *out, CBS der, struct mg_error *error);

/* cert_key_usage_has tells whether |bit| of keyUsage is set; false where the extension is absent. */
MG_MUST_USE bool cert_key_usage_has(const struct cert *cert, unsigned bit);

#define CERT_KEY_ID_LEN 20
/* cert_compute_key_id writes the key identifier of |public_key| (as in struct cert): the leftmost 160 bits of its
 * SHA-256 (RFC 7093 section 2, method 1). */
void cert_compute_key_id(uint8_t out[CERT_KEY_ID_LEN], CBS public_key);

/* cert_cbs_of returns a view of |len| bytes at |data|. */
static inline CBS cert_cbs_of(const uint8_t *data, size_t len)
{
    CBS cbs;
    CBS_init(&cbs, data, len);
    return cbs;
}

static inline bool cert_cbs_equal(CBS a, CBS b)
{
    return CBS_mem_equal(&a, CBS_data(&b), CBS_len(&b)) != 0;
}

#endif
