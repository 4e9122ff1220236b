/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of CAs (RFC 5280): for a key that signs its own, and for a minting issuer certified by a private CA's
 * key. With OpenSSL's objects, since none of this is on the hot path. Any thread.
 */
#ifndef MINTGATE_HSM_CA_CERTIFICATE_H
#define MINTGATE_HSM_CA_CERTIFICATE_H

#include "base/buffer.h"
#include "hsm/ca_extensions.h"
#include "hsm/keystore.h"

#define CA_CERTIFICATE_NO_PATH_LEN CA_EXTENSIONS_NO_PATH_LEN

/* What a CA certificate says, besides its keys. */
struct ca_profile {
    const char *common_name;
    int64_t not_before, not_after; /* seconds since 1970 */
    int path_len;                  /* pathLenConstraint, or CA_CERTIFICATE_NO_PATH_LEN */
    bool for_servers;              /* extended key usage serverAuth, which then bounds what it may issue */
};

/* ca_certificate_self_sign appends the DER of a certificate for |key|, signed with itself: only to be called when the
 * key is made, since no call of a socket does this. */
MG_MUST_USE enum mg_status ca_certificate_self_sign(const struct keystore_key *key, const struct ca_profile *profile,
                                                    struct mg_buffer *out, struct mg_error *error);

/* ca_certificate_issue appends the DER of a certificate for the public key of |subject|, signed by |issuer|, which has
 * a certificate; its validity is cut to the issuer's. MG_DENIED if the purpose of |issuer| forbids it. */
MG_MUST_USE enum mg_status ca_certificate_issue(const struct keystore_key *issuer, const struct keystore_key *subject,
                                                const struct ca_profile *profile, struct mg_buffer *out,
                                                struct mg_error *error);

/* ca_certificate_check_issued tells whether |certificate| (DER) is by |issuer| (its certificate, DER): name and
 * signature. MG_INVALID if not. */
MG_MUST_USE enum mg_status ca_certificate_check_issued(struct mg_slice certificate, struct mg_slice issuer,
                                                       struct mg_error *error);

#endif
