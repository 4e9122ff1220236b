/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The extensions that make a certificate a CA's (RFC 5280 section 4.2.1), for certificates that are signed here and for
 * requests of those that others sign. The caller frees each with X509_EXTENSION_free; NULL: OpenSSL failed. Any thread.
 */
#ifndef MINTGATE_HSM_CA_EXTENSIONS_H
#define MINTGATE_HSM_CA_EXTENSIONS_H

#include <openssl/x509v3.h>

#include "base/attr.h"
#include "base/slice.h"

#define CA_EXTENSIONS_NO_PATH_LEN (-1)
#define CA_KEY_IDENTIFIER_LEN 20

/* ca_extensions_basic_constraints makes basicConstraints, critical: CA, and pathLenConstraint unless |path_len| is
 * CA_EXTENSIONS_NO_PATH_LEN. */
X509_EXTENSION *ca_extensions_basic_constraints(int path_len);

/* ca_extensions_key_usage makes keyUsage, critical: keyCertSign and cRLSign. */
X509_EXTENSION *ca_extensions_key_usage(void);

/* ca_compute_key_identifier writes the key identifier of |public_key| (the bits of subjectPublicKey) by RFC 7093
 * section 2 method 1: the left-most 160 bits of its SHA-256 hash. False: OpenSSL failed. */
MG_MUST_USE bool ca_compute_key_identifier(struct mg_slice public_key, uint8_t out[CA_KEY_IDENTIFIER_LEN]);

/* ca_extensions_key_identifier makes subjectKeyIdentifier for |key|: ca_compute_key_identifier. */
X509_EXTENSION *ca_extensions_key_identifier(const X509_PUBKEY *key);

#endif
