/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and certification requests of SKA keys, put together for the signer to sign (wire/signer_control.h,
 * SKA_SIGN_TBS). Requested usages are honoured; the validity is never beyond the issuer's; the serial number is random
 * and never 0. Pure: any thread, and time is a parameter.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_CERTIFICATE_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_CERTIFICATE_H

#include "base/buffer.h"
#include "control/securosys/ska_wish.h"

#define SKA_SERIAL_LEN 16

/* What a certificate is made of. */
struct ska_certificate_plan {
    const struct ska_wish *wish;
    struct mg_slice public_key; /* of the signing key: SubjectPublicKeyInfo */
    struct mg_slice issuer;     /* DER of its certificate; without memory: the certificate signs itself */
    enum wire_ska_digest digest;
    int64_t now; /* seconds since 1970 */
    uint8_t serial[SKA_SERIAL_LEN];
};

/* ska_certificate_request_tbs appends a CertificationRequestInfo with the subject and the usages of |plan|.
 * SKA_INPUT: an attribute is longer than RFC 5280 appendix A.1 allows, no text, or there is none at all. */
MG_MUST_USE enum mg_status ska_certificate_request_tbs(const struct ska_certificate_plan *plan, struct mg_buffer *out,
                                                       struct ska_error *error);

/* ska_certificate_self_tbs appends the TBSCertificate of the key's own certificate, signed by itself. For
 * SKA_MAKE_REQUEST too: then with the request's subject, and no CA. As above. */
MG_MUST_USE enum mg_status ska_certificate_self_tbs(const struct ska_certificate_plan *plan, struct mg_buffer *out,
                                                    struct ska_error *error);

/* ska_certificate_issued_tbs appends the TBSCertificate for wish->csr, whose subject is the common name of |plan| alone
 * (contracts.md section 4.2). SKA_CSR_FORMAT, SKA_INVALID_REQUEST: the CSR does not parse, or is not signed with its
 * own key; SKA_INVALID_CERTIFICATE: the issuer's is not valid now; SKA_FORBIDDEN_FOR_KEY: it is no CA's, or allows no
 * CA below. */
MG_MUST_USE enum mg_status ska_certificate_issued_tbs(const struct ska_certificate_plan *plan, struct mg_buffer *out,
                                                      struct ska_error *error);

/* ska_certificate_parse reads |text|, a certificate in base64 (DER), with PEM's armour or without, and appends its DER.
 * SKA_CERTIFICATE_ENCODING. */
MG_MUST_USE enum mg_status ska_certificate_parse(struct mg_slice text, struct mg_buffer *der, struct ska_error *error);

/* ska_certificate_matches tells whether the certificate |der| holds |public_key|. */
bool ska_certificate_matches(struct mg_slice der, struct mg_slice public_key);

#endif
