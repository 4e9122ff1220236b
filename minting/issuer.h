/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One issuer as the engine uses it: a snapshot of what the signer said about it, checked, with every part of a leaf
 * that depends on the issuer alone encoded ahead. Immutable from issuer_new to its last reference, so any thread may
 * read one it holds a reference to. There is no private key here: that one never leaves the signer.
 */
#ifndef MINTGATE_MINTING_ISSUER_H
#define MINTGATE_MINTING_ISSUER_H

#include <openssl/base.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"
#include "wire/signer.h"

/* struct issuer_options is what the configuration adds to each leaf. All may be NULL: then the extension is left out.
 */
struct issuer_options {
    const char *ca_issuers_url; /* authorityInfoAccess, id-ad-caIssuers: where the issuer's certificate is */
    const char *ocsp_url;       /* authorityInfoAccess, id-ad-ocsp */
    const char *crl_url;        /* cRLDistributionPoints */
};
#define ISSUER_MAX_URL_LEN 1024

struct issuer {
    uint64_t generation; /* as given to issuer_new */
    struct wire_key_id key_id;
    enum wire_key_type key_type;
    enum wire_issuer_role role;
    int64_t not_before; /* seconds since 1970, of the issuer's own certificate */
    int64_t not_after;  /* inclusive */
    int64_t last_use;   /* no leaf of it is shown after that: see issuer_is_spent */

    /* What goes to clients behind a leaf: the issuer's certificate, then upwards, without a self-signed root. Empty if
     * the issuer is itself self-signed. */
    CRYPTO_BUFFER *chain[WIRE_SIGNER_MAX_CHAIN];
    size_t num_chain;

    CRYPTO_BUFFER *certificate; /* its own */
    EVP_PKEY *public_key;       /* its own */
    struct mg_slice spki;       /* its own SubjectPublicKeyInfo, DER element */

    /* The parts of its leaves, in DER. */
    struct mg_slice signature_algorithm; /* AlgorithmIdentifier, by its own key (RFC 5758 section 3.2, RFC 4055 section
                                            5): SHA-256, but SHA-384 for P-384 */
    struct mg_slice issuer_name;         /* Name: byte-equal to its subject */
    struct mg_slice extensions;          /* Extensions: basicConstraints, extKeyUsage, AKI, pointers */
};

/*
 * issuer_new makes |*out| from what the signer said (|wire| is not kept) at the time |now| (seconds since 1970).
 * |generation| is unique among all issuers that the process ever makes. The caller owns one reference.
 *
 * MG_INVALID, with a text that names certificate and rule, unless
 * - every certificate of the chain parses, has begun its validity at |now|, and is signed by the next (one that has
 *   expired is an issuer too, so that it is known as what must not be used: issuer_is_spent);
 * - the issuer may sign certificates: cA, keyCertSign (RFC 5280 section 4.2.1.3), an extKeyUsage that allows
 *   serverAuth, if it has one; the path lengths above it allow leaves below it; its subject is not empty;
 * - its key is of the type that the signer said;
 * - the options' URLs are ASCII without spaces and control characters, at most ISSUER_MAX_URL_LEN.
 *
 * Its leaves have its subjectKeyIdentifier (section 4.2.1.2) as authorityKeyIdentifier, or cert_compute_key_id of its
 * key if it has none.
 */
MG_MUST_USE enum mg_status issuer_new(struct issuer **out, const struct wire_issuer *wire, uint64_t generation,
                                      const struct issuer_options *options, int64_t now, struct mg_error *error);

/* issuer_up_ref takes one more reference and returns |issuer|; issuer_unref (NULL is fine) gives one back. Any
 * thread. */
struct issuer *issuer_up_ref(struct issuer *issuer);
void issuer_unref(struct issuer *issuer);

/* issuer_is_spent tells whether nothing is to be signed with it any more, and nothing shown that it has signed: at
 * |now| a certificate of its chain has expired, or is about to: a client's clock may be ahead by ISSUER_SPARE_SECONDS,
 * or by a twentieth of the issuer's own life where that is less. Any thread. */
#define ISSUER_SPARE_SECONDS 30
static inline bool issuer_is_spent(const struct issuer *issuer, int64_t now)
{
    return now > issuer->last_use;
}

/* issuer_signed tells whether |signature| is this issuer's over |tbs|. About 50 µs for P-256. Any thread. */
MG_MUST_USE bool issuer_signed(const struct issuer *issuer, struct mg_slice tbs, struct mg_slice signature);

#endif
