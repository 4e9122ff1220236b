/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TBSCertificate (RFC 5280 section 4.1) as a struct of views: parsed whole, nothing left over at any level, before
 * any of it is judged (leaf_policy.h). It accepts what is well-formed, also what no leaf may be. No allocation.
 * Pure: any thread.
 */
#ifndef MINTGATE_HSM_TBS_H
#define MINTGATE_HSM_TBS_H

#include "base/slice.h"
#include "base/status.h"

/* More than any certificate needs; one with more is refused. */
#define TBS_MAX_EXTENSIONS 32

struct tbs_extension {
    struct mg_slice oid;   /* content of the OBJECT IDENTIFIER */
    struct mg_slice value; /* content of the OCTET STRING */
    bool critical;
};

/* Every slice borrows from the DER that was parsed. */
struct tbs {
    unsigned version;                    /* 1 to 3 */
    struct mg_slice serial;              /* content of the INTEGER: two's complement, shortest form */
    struct mg_slice signature_algorithm; /* whole AlgorithmIdentifier */
    struct mg_slice issuer;              /* whole Name */
    int64_t not_before, not_after;       /* seconds since 1970 */
    struct mg_slice subject;             /* whole Name */
    struct mg_slice spki;                /* whole SubjectPublicKeyInfo */
    struct mg_slice key_algorithm;       /* in it: whole AlgorithmIdentifier */
    struct mg_slice public_key;          /* in it: content of subjectPublicKey, without the count of unused bits, 0 */
    bool has_unique_ids;                 /* issuerUniqueID or subjectUniqueID is there */
    struct tbs_extension extensions[TBS_MAX_EXTENSIONS];
    size_t num_extensions;
};

/* tbs_parse reads |der|, one whole TBSCertificate. MG_INVALID: |error| (may be NULL) names the field that broke. */
MG_MUST_USE enum mg_status tbs_parse(struct mg_slice der, struct tbs *out, struct mg_error *error);

/* tbs_parse_certificate reads the TBSCertificate of |der|, one whole Certificate, whose signature it does not check. */
MG_MUST_USE enum mg_status tbs_parse_certificate(struct mg_slice der, struct tbs *out, struct mg_error *error);

/* tbs_take_extension takes one Extension off |in|; false if it is none. */
MG_MUST_USE bool tbs_take_extension(struct mg_slice *in, struct tbs_extension *out);

/* tbs_name_is_empty tells whether |name| (a whole Name as in struct tbs) has no attribute. */
bool tbs_name_is_empty(struct mg_slice name);

#endif
