/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests, written field by field so that a test can make any that a server might have, good or odd,
 * and a small PKI of root and intermediate to make issuers of. A helper that cannot do its work aborts.
 */
#ifndef MINTGATE_TESTS_UNIT_MINTING_CERTS_H
#define MINTGATE_TESTS_UNIT_MINTING_CERTS_H

#include <openssl/base.h>

#include "base/buffer.h"
#include "minting/issuer.h"
#include "minting/leaf.h"
#include "minting/mimic.h"

/* certs_must aborts unless |ok|: for helpers, and for threads, in which cmocka's assertions do not work. */
void certs_must(bool ok);

#define CERTS_DAY INT64_C(86400)
#define CERTS_NOW INT64_C(1780000000) /* 2026-05-28: when the tests take place */

/* certs_key returns the key of |type| with number |i|, made once for each process; borrowed. */
EVP_PKEY *certs_key(enum wire_key_type type, unsigned i);

/* struct certs_name is one GeneralName: its context tag, and any bytes. */
struct certs_name {
    unsigned tag; /* 1 e-mail, 2 DNS, 6 URI, 7 IP */
    struct mg_slice value;
};
#define CERTS_DNS(text)                                                                                                \
    {                                                                                                                  \
        2,                                                                                                             \
        {                                                                                                              \
            (const uint8_t *)(text), sizeof(text) - 1                                                                  \
        }                                                                                                              \
    }

#define CERTS_NO_KEY_USAGE 0
#define CERTS_KEY_USAGE_CA 0x06         /* keyCertSign, cRLSign */
#define CERTS_KEY_USAGE_END_ENTITY 0x80 /* digitalSignature */

/* struct certs_spec describes a certificate. Zero state: a self-signed v3 P-256 end entity without names, with an empty
 * subject, and valid from 30 days before CERTS_NOW to 60 days after it. */
struct certs_spec {
    struct mg_slice serial;        /* content of the INTEGER; empty: a fixed one */
    struct mg_slice subject;       /* Name element; empty: an empty Name */
    struct mg_slice issuer;        /* Name element; empty: |subject| */
    int64_t not_before, not_after; /* both 0: as above */
    const struct certs_name *names;
    size_t num_names;
    struct mg_slice subject_key_id; /* empty: no extension */
    struct mg_slice authority_key_id;
    bool is_ca;
    int path_len; /* with |is_ca|: pathLenConstraint; negative: none */
    uint8_t key_usage;
    const char *eku;                /* dotted OID; NULL: no extension */
    EVP_PKEY *key;                  /* NULL: certs_key(WIRE_KEY_EC_P256, 0) */
    EVP_PKEY *signer;               /* NULL: |key| */
    const EVP_MD *digest;           /* NULL: SHA-256 */
    bool version_1;                 /* without extensions */
    struct mg_slice raw_extensions; /* Extension elements, appended */
};

/* certs_make appends the DER of the certificate to |out|. */
void certs_make(struct mg_buffer *out, const struct certs_spec *spec);

/* certs_subject appends a Name of a C, an O and a CN. NULL leaves one out. */
void certs_subject(struct mg_buffer *out, const char *country, const char *organization, const char *common_name);

/* certs_subject_value appends a Name of one attribute, id-at |attribute|, with a value of ASN.1 |tag|. */
void certs_subject_value(struct mg_buffer *out, uint8_t attribute, unsigned tag, struct mg_slice value);

/* certs_mimic returns the mimic of the certificate that |spec| describes; the caller owns a reference. */
struct mimic *certs_mimic(const struct certs_spec *spec);

/* struct certs_pki is a root and an intermediate under it, as a signer would present them. */
struct certs_pki {
    struct mg_buffer root, intermediate;
    EVP_PKEY *key; /* the intermediate's; borrowed */
    struct wire_issuer wire;
};

/* certs_pki_init makes a PKI whose intermediate has a key of |type| and is valid from 400 days before CERTS_NOW to 800
 * days after it; certs_pki_init_at says another time than CERTS_NOW. certs_pki_free frees it. */
void certs_pki_init(struct certs_pki *pki, enum wire_key_type type, enum wire_issuer_role role);
void certs_pki_init_at(struct certs_pki *pki, enum wire_key_type type, enum wire_issuer_role role, int64_t now);
void certs_pki_free(struct certs_pki *pki);

/* certs_issuer makes the issuer of |pki| with |generation| and without options; the caller owns a reference. */
struct issuer *certs_issuer(const struct certs_pki *pki, uint64_t generation);

/* certs_sign appends |key|'s signature over |tbs|, with the digest that an issuer with such a key uses. */
void certs_sign(struct mg_buffer *out, EVP_PKEY *key, struct mg_slice tbs);

/* certs_mint builds, signs and wraps the leaf of |params|; aborts if that fails. */
struct leaf *certs_mint(const struct certs_pki *pki, struct issuer *issuer, struct leaf_key *key,
                        const struct leaf_names *names, int64_t now);

/* certs_parse_leaf parses the leaf's certificate; X509_free it. */
X509 *certs_parse_leaf(const struct leaf *leaf);

#endif
