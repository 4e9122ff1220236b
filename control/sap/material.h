/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a file for a key store or a trust store, whatever its format: certificates, and at most one private key.
 * One owner. */
#ifndef MINTGATE_CONTROL_SAP_MATERIAL_H
#define MINTGATE_CONTROL_SAP_MATERIAL_H

#include <openssl/x509.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

/* The bound of the vendor for certificates and JAR files (contracts.md section 3.1), taken for all formats. */
#define MATERIAL_MAX_FILE ((size_t)50 * 1024)
/* Of a trust store's entry. A key store's chain has fewer (WIRE_SIGNER_MAX_CHAIN). */
#define MATERIAL_MAX_CERTIFICATES 32

/* Zero state: nothing. */
struct material {
    X509 *certificates[MATERIAL_MAX_CERTIFICATES]; /* owned; in the file's order */
    size_t num_certificates;
    EVP_PKEY *key; /* owned; NULL: none */
};

/* material_free frees what |material| owns, the key wiped, and brings it back to its zero state. */
void material_free(struct material *material);

/* material_add_certificate takes |x509| over, whatever it returns. MG_INVALID: there are too many. */
MG_MUST_USE enum mg_status material_add_certificate(struct material *material, X509 *x509, struct mg_error *error);

/* material_add_der adds the certificate that |der| is, with nothing behind it. MG_INVALID. */
MG_MUST_USE enum mg_status material_add_der(struct material *material, struct mg_slice der, struct mg_error *error);

/* material_set_key takes |key| over, whatever it returns. MG_INVALID: there is one already. */
MG_MUST_USE enum mg_status material_set_key(struct material *material, EVP_PKEY *key, struct mg_error *error);

/* material_sort puts the certificate of |material|'s key first and what certifies it behind it, upwards, where a format
 * keeps them in no order (PKCS#12). Those that belong to neither stay behind, for material_check.h to refuse. */
void material_sort(struct material *material);

#endif
