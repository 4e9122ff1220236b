/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much work a file may ask for before its password is known to be right: the iterations of all its key derivations
 * (RFC 8018, RFC 7292) come out of one budget, which is looked at before anything is derived. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_SAP_KEY_DERIVATION_H
#define MINTGATE_CONTROL_SAP_KEY_DERIVATION_H

#include <openssl/x509.h>

#include "base/status.h"

/* A second or two on a slow machine; common programs use 2,048 to 600,000. */
#define KEY_DERIVATION_BUDGET 2000000

struct key_derivation {
    uint64_t left; /* iterations */
};

/* key_derivation_spend takes |iterations| out of the budget. MG_INVALID: fewer than one, or more than are left. */
MG_MUST_USE enum mg_status key_derivation_spend(struct key_derivation *budget, const ASN1_INTEGER *iterations,
                                                struct mg_error *error);

/* key_derivation_spend_for takes what a password-based encryption by |algorithm| needs. MG_INVALID also where that
 * cannot be told: PBES2 with another function than PBKDF2, malformed parameters. */
MG_MUST_USE enum mg_status key_derivation_spend_for(struct key_derivation *budget, const X509_ALGOR *algorithm,
                                                    struct mg_error *error);

#endif
