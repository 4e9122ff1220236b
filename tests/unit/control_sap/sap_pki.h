/* SPDX-License-Identifier: Apache-2.0 */
/* A small PKI for tests of stores: a root, an intermediate, and a leaf with its key, all EC P-256. */
#ifndef MINTGATE_TESTS_SAP_PKI_H
#define MINTGATE_TESTS_SAP_PKI_H

#include "base/buffer.h"
#include "control/sap/sap_file.h"
#include "tests/unit/control/ca_builder.h"

#define PKI_PASSWORD "pass-word"

extern struct sap_pki {
    EVP_PKEY *root_key, *intermediate_key, *leaf_key, *other_key;
    X509 *root, *intermediate, *leaf, *expired;
} pki;

/* cmocka group setup and teardown. */
int pki_open(void **state);
int pki_close(void **state);

/* Files; the buffer lives until the next call of the same function. */
struct mg_slice pki_pem(size_t num_certificates, X509 *const *certificates);
struct mg_slice pki_chain_pem(void); /* leaf, intermediate, root */
struct mg_slice pki_key_pem(EVP_PKEY *key);
struct mg_slice pki_encrypted_key_pem(EVP_PKEY *key, int iterations);
struct mg_slice pki_der(X509 *x509);

#endif
