/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of a certificate, and of a chain, before an intermediate takes it: that clients and engines will accept
 * leaves under it. Each refusal is MG_INVALID with a text that names the part and the rule (RFC 5280 unless said).
 * Files come from outside: PEM, with or without text around it, or DER. Pure: any thread, and time is a parameter.
 */
#ifndef MINTGATE_CONTROL_CERTIFICATE_CHECK_H
#define MINTGATE_CONTROL_CERTIFICATE_CHECK_H

#include "base/slice.h"
#include "base/status.h"
#include "control/text.h"

#define CERTIFICATE_MAX_FILE ((size_t)64 * 1024)
#define CERTIFICATE_MAX_CHAIN_FILE ((size_t)256 * 1024)
/* The certificate itself included: WIRE_SIGNER_MAX_CHAIN. */
#define CERTIFICATE_MAX_CHAIN 8
#define CERTIFICATE_MAX_SKI 64
/* The longest upper bound of RFC 5280 appendix A.1 among the attributes below. */
#define CERTIFICATE_MAX_ATTRIBUTE 128

/* The first of each attribute of a subject; "" where there is none. */
struct certificate_subject {
    char common_name[TEXT_SIZE(CERTIFICATE_MAX_ATTRIBUTE)];
    char organization[TEXT_SIZE(CERTIFICATE_MAX_ATTRIBUTE)];
    char unit[TEXT_SIZE(CERTIFICATE_MAX_ATTRIBUTE)];
    char locality[TEXT_SIZE(CERTIFICATE_MAX_ATTRIBUTE)];
    char state[TEXT_SIZE(CERTIFICATE_MAX_ATTRIBUTE)];
    char country[TEXT_SIZE(CERTIFICATE_MAX_ATTRIBUTE)];
};

struct certificate_facts {
    struct certificate_subject subject;
    int64_t not_before, not_after; /* seconds since 1970 */
    uint8_t ski[CERTIFICATE_MAX_SKI];
    size_t ski_len;
    bool ski_computed;  /* the certificate has none: RFC 7093 section 2 method 1 */
    uint8_t sha256[32]; /* of the DER */
};

/* certificate_check_intermediate checks |file|, at most CERTIFICATE_MAX_FILE bytes with exactly one certificate: a CA
 * with keyCertSign, whose extended key usage and name constraints allow leaves for servers, valid at |now| (seconds
 * since 1970), with a signature that is strong enough, and for the key |public_key| (PEM). *out_pem is the certificate
 * in PEM and nothing else: the caller frees it with free. */
MG_MUST_USE enum mg_status certificate_check_intermediate(struct mg_slice file, struct mg_slice public_key, int64_t now,
                                                          struct certificate_facts *facts, char **out_pem,
                                                          struct mg_error *error);

/* certificate_check_chain checks |file|, at most CERTIFICATE_MAX_CHAIN_FILE bytes: the certificates above |certificate|
 * (PEM, which certificate_check_intermediate gave) in order, each the issuer of the one before it, with or without the
 * root, with or without |certificate| itself at the front. Each is a CA that allows what is below it. *out_pem is the
 * chain without |certificate|: the caller frees it with free. */
MG_MUST_USE enum mg_status certificate_check_chain(struct mg_slice file, struct mg_slice certificate, int64_t now,
                                                   char **out_pem, struct mg_error *error);

/* certificate_describe says what is in |certificate| (PEM or DER), checking no rule. */
MG_MUST_USE enum mg_status certificate_describe(struct mg_slice certificate, struct certificate_facts *facts,
                                                struct mg_error *error);

#endif
