/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every key has one purpose, fixed when it is made and sealed with it; every call that signs what it is given accepts
 * exactly one purpose, the other calls a set of them (design.md section 1). One table says which. Any thread.
 */
#ifndef MINTGATE_HSM_PURPOSE_H
#define MINTGATE_HSM_PURPOSE_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are stored with the keys: never change one. */
enum key_purpose {
    KEY_MINTING = 1,    /* signs leaves for the engine */
    KEY_PRIVATE_CA = 2, /* signs the certificates of minting issuers; its own certificate is a root */
    KEY_SKA = 3,        /* keys kept for others */
    KEY_TLS_CLIENT = 4, /* the appliance as a TLS client */
    KEY_SERVER_TLS = 5, /* the appliance's own servers */
};
#define KEY_PURPOSE_FIRST KEY_MINTING
#define KEY_PURPOSE_LAST KEY_SERVER_TLS

/* What can be asked of a private key. */
enum key_call {
    KEY_CALL_SIGN_LEAF,   /* the engine's SIGN: a TBSCertificate that the leaf policy accepts; and to be issued with */
    KEY_CALL_SIGN_CA,     /* certify a minting issuer's key; control's SIGN_CERTIFICATE and SIGN_CRL */
    KEY_CALL_SIGN_CSR,    /* control's MAKE_CSR: a request for its own certificate */
    KEY_CALL_MAKE,        /* control's MAKE_KEY: to be made on demand */
    KEY_CALL_DESTROY,     /* control's DESTROY */
    KEY_CALL_ATTEST,      /* control's ATTEST: sign what its token says of it */
    KEY_CALL_INSTALL,     /* control's INSTALL: to be given its certificates */
    KEY_CALL_SKA_SIGN,    /* control's SKA_SIGN_TBS and SKA_SIGN_PAYLOAD */
    KEY_CALL_IMPORT,      /* control's IMPORT_KEY: to come from outside */
    KEY_CALL_CLIENT_SIGN, /* the engine's CLIENT_SIGN: what a TLS client signs, and nothing else */
};
#define KEY_NUM_CALLS 10

/* key_purpose_is_known tells whether |number| is a purpose. */
bool key_purpose_is_known(uint8_t number);

/* key_purpose_name returns a static word such as "minting". */
const char *key_purpose_name(enum key_purpose purpose);

/* key_purpose_allows tells whether a key of |purpose| may serve |call|. */
bool key_purpose_allows(enum key_purpose purpose, enum key_call call);

#endif
