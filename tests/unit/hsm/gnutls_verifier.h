/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certification authority and a verifier that have no code in common with what they judge: GnuTLS, whose arithmetic
 * is nettle's and GMP's, against OpenSSL, crypto_mb and PKCS#11 tokens. Nothing here includes a libcrypto. One thread.
 * What is no certificate's fault (memory, GnuTLS itself) fails the test.
 */
#ifndef MINTGATE_TESTS_GNUTLS_VERIFIER_H
#define MINTGATE_TESTS_GNUTLS_VERIFIER_H

#include "base/buffer.h"
#include "base/slice.h"
#include "wire/signer.h"

#define WISH_MAX_NAMES 24
#define WISH_MAX_NAME 64
#define WISH_SERIAL_LEN 16

/* What a leaf was asked to be. */
struct leaf_wish {
    uint8_t serial[WISH_SERIAL_LEN]; /* as encoded */
    int64_t not_before, not_after;   /* seconds since 1970 */
    size_t num_names;
    char names[WISH_MAX_NAMES][WISH_MAX_NAME]; /* DNS */
    bool has_address, has_subject;             /* the subject is one commonName, the first name */
    uint8_t address[4];
    struct mg_slice spki; /* whole SubjectPublicKeyInfo */
};

struct verifier;

/* verifier_new makes a root of its own. */
struct verifier *verifier_new(void);
void verifier_free(struct verifier *verifier);

/* verifier_new_spki appends the SubjectPublicKeyInfo of a new key: P-256, or RSA-2048 if |is_rsa|. */
void verifier_new_spki(bool is_rsa, struct mg_buffer *out);

/* verifier_certify certifies the key of |spki| as a CA by the root, and takes it for the issuer of what is verified
 * from then on. verifier_issuer and verifier_root return the certificates (DER, borrowed until the next call);
 * verifier_issuer_name and verifier_issuer_key_id what its leaves must name: the whole Name, and the content of its
 * subjectKeyIdentifier. */
void verifier_certify(struct verifier *verifier, struct mg_slice spki);
struct mg_slice verifier_issuer(const struct verifier *verifier);
struct mg_slice verifier_root(const struct verifier *verifier);
struct mg_slice verifier_issuer_name(const struct verifier *verifier);
struct mg_slice verifier_issuer_key_id(const struct verifier *verifier);

/* verifier_check tells whether |certificate| (DER) verifies against issuer and root, is signed with the algorithm that
 * keys of |type| have, and says what |wish| says and no more. NULL if it is so, else a static text of what is wrong. */
const char *verifier_check(const struct verifier *verifier, struct mg_slice certificate, enum wire_key_type type,
                           const struct leaf_wish *wish);

#endif
