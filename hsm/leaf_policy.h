/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TBSCertificate must be before an issuer's key touches it: an end-entity certificate for a TLS server, of this
 * issuer, within its validity, and nothing more (design.md sections 1 and 3; RFC 5280 sections 4.1 and 4.2). The
 * engine may be compromised; this check is what then bounds the harm. No allocation. Pure: any thread.
 */
#ifndef MINTGATE_HSM_LEAF_POLICY_H
#define MINTGATE_HSM_LEAF_POLICY_H

#include "hsm/ca_extensions.h"
#include "hsm/key_type.h"
#include "hsm/tbs.h"

#define LEAF_POLICY_DEFAULT_MAX_VALIDITY (200 * 86400)
/* How far the notBefore of a leaf for a verified server may lie ahead of this machine's clock. */
#define LEAF_POLICY_CLOCK_SKEW 300

/* What the policy needs to know of an issuer. The slices borrow from its certificate. */
struct leaf_issuer {
    enum wire_issuer_role role;
    const struct key_type *key_type;
    struct mg_slice subject; /* whole Name */
    struct mg_slice ski;     /* subjectKeyIdentifier as its certificate stores it; empty: it has none */
    uint8_t computed_ski[CA_KEY_IDENTIFIER_LEN]; /* then this: ca_compute_key_identifier */
    struct mg_slice spki;                        /* whole SubjectPublicKeyInfo */
    int64_t not_before, not_after;
};

/* leaf_issuer_key_identifier is what its leaves name in authorityKeyIdentifier. It borrows from |issuer|. */
struct mg_slice leaf_issuer_key_identifier(const struct leaf_issuer *issuer);

/* leaf_issuer_from_certificate fills |out| from |certificate| (DER, kept by the caller as long as |out|). MG_INVALID
 * if it does not parse. */
MG_MUST_USE enum mg_status leaf_issuer_from_certificate(struct mg_slice certificate, enum wire_issuer_role role,
                                                        const struct key_type *key_type, struct leaf_issuer *out,
                                                        struct mg_error *error);

/* leaf_policy_check judges |tbs| for |issuer| at time |now| (seconds since 1970). |max_validity_seconds| bounds
 * notAfter - notBefore. WIRE_SIGN_OK, and *names is the content of the subjectAltName (GeneralNames, not empty); or the
 * status of the first rule broken, and |error| (may be NULL) says which. */
enum wire_sign_status leaf_policy_check(const struct tbs *tbs, const struct leaf_issuer *issuer,
                                        int64_t max_validity_seconds, int64_t now, struct mg_slice *names,
                                        struct mg_error *error);

#endif
