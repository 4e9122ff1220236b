/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures by keys with the purpose ska, which are kept for others (control/securosys). A certificate or a
 * certification request is signed only whole: it is parsed here, and put together with its signature here, so that what
 * leaves is what was looked at. Which requests were approved is control's to know. Any thread; for a certificate, the
 * one that the journal's record belongs to.
 */
#ifndef MINTGATE_HSM_SKA_SIGNATURE_H
#define MINTGATE_HSM_SKA_SIGNATURE_H

#include "base/buffer.h"
#include "hsm/keystore.h"
#include "hsm/tbs.h"

/* Who writes the record of a certificate into the issuance journal (journal.h) before it is signed; |names| is the
 * content of its GeneralNames. A failure is passed on, and nothing is signed. It runs on the caller's thread, and fixes
 * which that may be: ca_signer_record (ca_signer.h) is for control's alone. */
struct ska_signature_journal {
    enum mg_status (*record)(void *arg, const struct keystore_key *key, const struct tbs *tbs, struct mg_slice names,
                             struct mg_error *error);
    void *arg;
};

/*
 * ska_signature_of_structure appends the DER of the Certificate or CertificationRequest whose to-be-signed part is
 * |wanted|. MG_DENIED if the key's purpose forbids it or a token holds the key. MG_INVALID for what is not of the
 * shape: of a TBSCertificate (RFC 5280 section 4.1.2) version 3, a positive serial number of at most 20 octets,
 * the algorithm of this key and digest, an issuer, and a validity that does not end before it begins; of a
 * CertificationRequestInfo (RFC 2986 section 4.1) version 0 and this very key's public key. A certificate is in
 * |journal| first.
 */
MG_MUST_USE enum mg_status ska_signature_of_structure(const struct keystore_key *key,
                                                      const struct wire_control_ska_sign *wanted,
                                                      const struct ska_signature_journal *journal,
                                                      struct mg_buffer *out, struct mg_error *error);

/* ska_signature_of_payload appends the signature over |wanted|. MG_DENIED as above, and if the payload is one DER or
 * BER SEQUENCE: certificates, requests for them and revocation lists are, and they have the call above, or none. */
MG_MUST_USE enum mg_status ska_signature_of_payload(const struct keystore_key *key,
                                                    const struct wire_control_ska_sign *wanted, struct mg_buffer *out,
                                                    struct mg_error *error);

#endif
