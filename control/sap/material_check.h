/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of certificates before a store takes them (contracts.md section 3.1). Each refusal is MG_INVALID with a
 * text that names the certificate and the rule. Pure: any thread, and time is a parameter. */
#ifndef MINTGATE_CONTROL_SAP_MATERIAL_CHECK_H
#define MINTGATE_CONTROL_SAP_MATERIAL_CHECK_H

#include "control/sap/material.h"

struct material_terms {
    int64_t now; /* seconds since 1970 */
    bool ignores_expiry;
    bool has_no_key; /* of a key store: it is the caller's to tell whose the first certificate is */
};

/* material_check_key_store: the key is the first certificate's; each further one has issued the one before it, up to a
 * root or to where the chain leaves off; at most WIRE_SIGNER_MAX_CHAIN; none has expired. */
MG_MUST_USE enum mg_status material_check_key_store(const struct material *material, const struct material_terms *terms,
                                                    struct mg_error *error);

/* material_check_trust_store: there is no key, and no certificate has expired. Their order does not matter. */
MG_MUST_USE enum mg_status material_check_trust_store(const struct material *material,
                                                      const struct material_terms *terms, struct mg_error *error);

/* material_is_anchor tells whether |x509| may vouch for others: a CA (basicConstraints CA:TRUE; keyCertSign where there
 * is a keyUsage: RFC 5280 sections 4.2.1.9 and 4.2.1.3). Every other certificate is trusted as exactly itself. */
MG_MUST_USE bool material_is_anchor(X509 *x509);

#endif
