/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks an SKA key to do: the bodies of contracts.md section 4.2, read. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_WISH_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_WISH_H

#include <jansson.h>

#include "control/securosys/ska_error.h"
#include "control/words.h"
#include "wire/signer_control.h"

enum ska_operation {
    SKA_MAKE_REQUEST = 1, /* a certification request for the key */
    SKA_SELF_SIGN,
    SKA_CERTIFY, /* sign somebody's certification request */
    SKA_SIGN,    /* a payload */
    /* Mintgate's own operations, which wait for approvals by this key's policy (ska_gate.h): from here on. */
    SKA_GATE_DEFAULT,
    SKA_GATE_CSR,
    SKA_GATE_SUB_CA,
};

extern const struct words ska_operation_words;

/* ska_operation_is_gate tells whether |operation| is Mintgate's own. */
bool ska_operation_is_gate(enum ska_operation operation);

#define SKA_DEFAULT_DAYS 90
#define SKA_MAX_DAYS 7300
#define SKA_MAX_WISH ((size_t)64 * 1024)

/* The attributes of a subject, in the order in which they stand in its name. */
enum ska_attribute {
    SKA_COUNTRY,
    SKA_STATE_OR_PROVINCE,
    SKA_LOCALITY,
    SKA_ORGANIZATION,
    SKA_ORGANIZATION_IDENTIFIER,
    SKA_ORGANIZATION_UNIT,
    SKA_COMMON_NAME,
    SKA_EMAIL,
    SKA_TITLE,
    SKA_SURNAME,
    SKA_GIVEN_NAME,
    SKA_INITIALS,
    SKA_PSEUDONYM,
    SKA_GENERATION_QUALIFIER,
};
#define SKA_NUM_ATTRIBUTES 14

/* A bit for each usage, in the order of RFC 5280 section 4.2.1.3 and of the vendor's list. */
#define SKA_USAGE_KEY_CERT_SIGN (1U << 5)
#define SKA_NUM_KEY_USAGES 9
#define SKA_NUM_EXTENDED_USAGES 7

/* All texts are borrowed from the JSON. */
struct ska_wish {
    enum ska_operation operation;
    const char *key_label;
    const json_t *password;          /* NULL: none */
    const char *signature_algorithm; /* NULL: SHA-256 with the key's own */
    int64_t days;
    const char *subject[SKA_NUM_ATTRIBUTES]; /* NULL: left out */
    bool is_ca;
    unsigned key_usage, extended_key_usage; /* bits */
    const char *csr;                        /* SKA_CERTIFY: PEM or base64 */
    const char *payload;                    /* SKA_SIGN: base64 */
    const char *meta_data, *meta_data_signature;
};

/* ska_password_check: a password is NULL or an array of texts, as the vendor's clients send characters. SKA_INPUT. */
MG_MUST_USE enum mg_status ska_password_check(const json_t *password, struct ska_error *error);

/* ska_wish_read reads |body| as |operation| wants it: SKA_INPUT; SKA_INVALID_ENUM for a usage that there is not. */
MG_MUST_USE enum mg_status ska_wish_read(const json_t *body, enum ska_operation operation, struct ska_wish *out,
                                         struct ska_error *error);

/* ska_wish_digest tells what `signatureAlgorithm` means for a key of |type|: SKA_INVALID_ENUM, no such word;
 * SKA_ALGORITHM_OF_KEY, not for such a key. */
MG_MUST_USE enum mg_status ska_wish_digest(const struct ska_wish *wish, enum wire_key_type type,
                                           enum wire_ska_digest *out, struct ska_error *error);

#endif
