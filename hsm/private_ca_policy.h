/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a key for private CAs may sign (design.md section 1): certificates of CAs below it, certificates of
 * end-entities, its CRLs, and, as long as it has no certificate, one for itself. Each is parsed whole from DER (RFC
 * 5280 sections 4.1 and 5.1) and judged before it is signed, so that a control plane that was taken over gets nothing
 * else. Pure but for OpenSSL's reading of public keys: any thread.
 */
#ifndef MINTGATE_HSM_PRIVATE_CA_POLICY_H
#define MINTGATE_HSM_PRIVATE_CA_POLICY_H

#include "hsm/keystore.h"
#include "hsm/leaf_policy.h"
#include "hsm/tbs.h"

#define PRIVATE_CA_NO_PATH_LEN (-1)

/* The CA of a key. */
struct private_ca {
    /* Of its certificate; borrows from the keystore. Of a CA without one: key type and public key alone. */
    struct leaf_issuer facts;
    bool has_certificate;
    int path_len;        /* its pathLenConstraint, or PRIVATE_CA_NO_PATH_LEN */
    uint8_t *public_key; /* owned; facts.spki of a CA without certificate */
};

/* private_ca_read reads what is known of the CA of |key|, which must outlive it. The caller frees it with
 * private_ca_free, also after a failure. */
MG_MUST_USE enum mg_status private_ca_read(struct private_ca *out, const struct keystore_key *key,
                                           struct mg_error *error);
void private_ca_free(struct private_ca *ca);

/*
 * private_ca_check_certificate tells whether |ca| may sign |tbs|. MG_INVALID: |error| names field and rule (RFC 5280):
 *   issuer and authorityKeyIdentifier are the CA's, the signature algorithm its key's, and the validity within its own;
 *   of a CA: pathLenConstraint below its own, keyUsage with keyCertSign, a subject that is not its own; of an
 * end-entity: neither keyCertSign nor cRLSign; a public key of at least 112 bits of security that is not the CA's; no
 * extension but those of the table in private_ca_policy.c. A CA without certificate may sign a CA certificate with its
 * own name and key and nothing else. *names gets the GeneralNames of the subjectAltName, for the journal; empty where
 * there is none.
 */
MG_MUST_USE enum mg_status private_ca_check_certificate(const struct private_ca *ca, const struct tbs *tbs,
                                                        struct mg_slice *names, struct mg_error *error);

/* private_ca_check_crl tells whether |ca|, which has a certificate, may sign |der|, a TBSCertList: a whole CRL of its
 * own certificates (no delta, not indirect), v2, with authorityKeyIdentifier, cRLNumber and nextUpdate. MG_INVALID. */
MG_MUST_USE enum mg_status private_ca_check_crl(const struct private_ca *ca, struct mg_slice der,
                                                struct mg_error *error);

/* private_ca_check_chain tells whether |certificates| (DER) may be installed for a private CA's key: the first is of a
 * CA with keyCertSign, and each is signed by the next. Whose key the first holds is the keystore's to check. */
MG_MUST_USE enum mg_status private_ca_check_chain(const struct mg_slice *certificates, size_t num_certificates,
                                                  struct mg_error *error);

#endif
