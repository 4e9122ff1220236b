/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests: keys and CA certificates, well-formed or broken in one place. With OpenSSL. */
#ifndef MINTGATE_TESTS_CA_BUILDER_H
#define MINTGATE_TESTS_CA_BUILDER_H

#include <openssl/x509.h>
#include <stdint.h>

#include "base/buffer.h"

#define CA_NOW INT64_C(1800000000)
#define CA_DAY INT64_C(86400)

/* What differs from a good CA certificate. Zero state: nothing. Texts are in OpenSSL's configuration syntax; "" leaves
 * the extension out. */
struct ca_spec {
    const char *common_name;        /* NULL: empty subject */
    EVP_PKEY *key;                  /* the subject's */
    X509 *issuer;                   /* NULL: self-signed */
    EVP_PKEY *issuer_key;           /* NULL: |key| */
    const char *basic_constraints;  /* NULL: critical,CA:TRUE */
    const char *key_usage;          /* NULL: critical,keyCertSign,cRLSign */
    const char *extended_key_usage; /* NULL: none */
    const char *name_constraints;   /* NULL: none */
    bool unknown_critical;          /* an extension that nobody knows */
    bool no_ski;
    bool version_1;
    int64_t not_before, not_after; /* 0: around CA_NOW */
    const EVP_MD *digest;          /* NULL: SHA-256 */
};

/* ca_key returns a new key: "P-256", "P-384", "RSA" with bits, or another group's name. Aborts if it cannot. */
EVP_PKEY *ca_key(const char *kind, unsigned bits);

/* ca_make returns a new certificate; aborts if it cannot. */
X509 *ca_make(const struct ca_spec *spec);

/* The appenders add to |out|. */
void ca_append_pem(struct mg_buffer *out, X509 *x509);
void ca_append_der(struct mg_buffer *out, X509 *x509);
void ca_append_public_key(struct mg_buffer *out, EVP_PKEY *key);
void ca_append_private_key(struct mg_buffer *out, EVP_PKEY *key);

#endif
