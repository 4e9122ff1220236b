/* SPDX-License-Identifier: Apache-2.0 */
/* Between PEM, which the store and the APIs have, and DER, which the signer and the engines have. Pure: any thread. */
#ifndef MINTGATE_CONTROL_SERVICE_PEM_H
#define MINTGATE_CONTROL_SERVICE_PEM_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"
#include "wire/signer.h"

/* pem_encode appends |der| to |out| as PEM (RFC 7468) with |label|, such as "PUBLIC KEY". */
MG_MUST_USE enum mg_status pem_encode(struct mg_buffer *out, const char *label, struct mg_slice der,
                                      struct mg_error *error);

/* Certificates in DER, one behind the other. Zero state: none, and nothing owned. */
struct der_chain {
    struct mg_slice certificates[WIRE_SIGNER_MAX_CHAIN];
    size_t num_certificates;
    unsigned char *blocks[WIRE_SIGNER_MAX_CHAIN]; /* owned: what the slices are of */
};

/* der_chain_add appends every certificate of |pem| (NULL: none): MG_LIMIT, there are more than fit; MG_INVALID, it is
 * no PEM. der_chain_free frees, also after a failure. */
MG_MUST_USE enum mg_status der_chain_add(struct der_chain *chain, const char *pem, struct mg_error *error);
void der_chain_free(struct der_chain *chain);

#endif
