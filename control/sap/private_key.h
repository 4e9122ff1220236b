/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys from files, in DER. What is decrypted is wiped. Each function: MG_INVALID with what is wrong. Any
 * thread.
 */
#ifndef MINTGATE_CONTROL_SAP_PRIVATE_KEY_H
#define MINTGATE_CONTROL_SAP_PRIVATE_KEY_H

#include "control/sap/key_derivation.h"
#include "control/sap/material.h"

/* What opens an encrypted key. */
struct passphrase {
    struct mg_slice text;         /* without memory: none was given */
    struct key_derivation budget; /* begins with KEY_DERIVATION_BUDGET */
};

/* private_key_of_der gives |material| the key that |der| is: PKCS#8 (RFC 5958), or RSA's or EC's own form. */
MG_MUST_USE enum mg_status private_key_of_der(struct material *material, struct mg_slice der, struct mg_error *error);

/* private_key_of_encrypted_der likewise for an EncryptedPrivateKeyInfo (RFC 5958 section 3); private_key_of_encrypted
 * for one that is parsed already, where no passphrase is one too (PKCS#12). */
MG_MUST_USE enum mg_status private_key_of_encrypted_der(struct material *material, struct mg_slice der,
                                                        struct passphrase *passphrase, struct mg_error *error);
MG_MUST_USE enum mg_status private_key_of_encrypted(struct material *material, const X509_SIG *encrypted,
                                                    struct passphrase *passphrase, struct mg_error *error);

/* private_key_of_info takes the key of |info|. */
MG_MUST_USE enum mg_status private_key_of_info(struct material *material, const PKCS8_PRIV_KEY_INFO *info,
                                               struct mg_error *error);

#endif
