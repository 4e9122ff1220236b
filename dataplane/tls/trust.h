/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification of servers as a browser would do it: chain to a root of the trust store, validity, purpose, name (RFC
 * 9525), and, on the chain that was built, strength of signatures and keys, which BoringSSL leaves to its callers. The
 * roots and the bundle are an immutable snapshot; intermediates learned from verified chains live beside it.
 *
 * Trusted are the roots of the file tls.trust_store, or what the control plane's store tls.trust_store_name holds, or
 * both, as configured. Its anchors need not be self-signed. A certificate that it holds for itself alone is trusted
 * where it is the server's own, byte by byte: its validity, key, purpose and name are checked, its signature and issuer
 * are not, and nothing that it has signed is trusted for that.
 */
#ifndef MINTGATE_DATAPLANE_TLS_TRUST_H
#define MINTGATE_DATAPLANE_TLS_TRUST_H

#include <stdint.h>

#include <openssl/pool.h>

#include "base/slice.h"
#include "base/status.h"
#include "config/config.h"
#include "dataplane/tls/trusted.h"
#include "minting/mimic.h"

/* What is wrong with a server's chain, told apart for log and policy. The first that applies, in this order of the
 * check, not of this list: chain, validity, strength, name. */
enum trust_verdict {
    TRUST_OK,
    TRUST_EXPIRED,
    TRUST_NOT_YET_VALID,
    TRUST_WRONG_NAME,
    TRUST_SELF_SIGNED,          /* the end-entity certificate names itself as its issuer */
    TRUST_UNKNOWN_ISSUER,       /* the chain that was sent ends in no root of the store */
    TRUST_MISSING_INTERMEDIATE, /* only the end-entity certificate was sent, and its issuer is known nowhere */
    TRUST_WEAK_SIGNATURE,       /* MD5 or SHA-1 (below the root), under RSASSA-PSS too */
    TRUST_WEAK_KEY,             /* RSA under 2048 bits, EC under 256 */
    TRUST_INVALID,              /* anything else: not parsable, not for servers, a broken signature */
    TRUST_NUM_VERDICTS,
};

/* trust_verdict_name returns a static word such as "wrong_name", as in the session log. */
const char *trust_verdict_name(enum trust_verdict verdict);

struct intermediates; /* learned ones */

/* intermediates_new makes an empty store of at most |max| certificates; the oldest gives way. */
MG_MUST_USE enum mg_status intermediates_new(struct intermediates **out, size_t max);
void intermediates_free(struct intermediates *store);

struct trust_base; /* what the configuration alone says, its files read */

/* trust_base_new reads the configured PEM files, but for tls.trust_store where a store replaces it. MG_INVALID: a file
 * has no certificate, or one that cannot be read; |error| names file and certificate. Keeps no pointer into |config|.
 * Not for workers. */
MG_MUST_USE enum mg_status trust_base_new(struct trust_base **out, const struct config_tls *config,
                                          struct mg_error *error);
void trust_base_free(struct trust_base *base);
/* trust_base_store_name returns tls.trust_store_name, in WIRE_STORE_MAX_NAME + 1 bytes; "": none. NULL |base|: "". */
const char *trust_base_store_name(const struct trust_base *base);

struct trust;

/* trust_new makes the snapshot of |base| and of |store|, which it takes a reference to; NULL: none, or not there yet.
 * |generation| counts snapshots. |learned| is borrowed and outlives it; |base| is not needed later. MG_MEMORY. Not for
 * workers. */
MG_MUST_USE enum mg_status trust_new(struct trust **out, const struct trust_base *base, struct trusted *store,
                                     uint64_t generation, struct intermediates *learned, struct mg_error *error);
void trust_free(struct trust *trust);
uint64_t trust_generation(const struct trust *trust);

/* What a snapshot trusts. */
struct trust_report {
    uint64_t generation;
    size_t num_file_roots;
    char store_name[WIRE_STORE_MAX_NAME + 1]; /* as configured; "": none */
    bool has_store;                           /* the control plane has sent it, and it exists */
    uint64_t epoch;                           /* its */
    size_t num_anchors, num_exact, num_unusable;
};
void trust_report(const struct trust *trust, struct trust_report *out);

/* trust_verify verifies |chain| as the server sent it, the end-entity certificate first; |mimic| is that one, parsed.
 * |name| is the canonical SNI; empty: the client named no host and judges the names itself, which the leaf copies.
 * *valid_until is set to the earliest end of validity in the chain if it is TRUST_OK. Where what was sent leads
 * to no root, the bundle and what was learned are tried before it. Session threads; about 150 us. */
enum trust_verdict trust_verify(const struct trust *trust, const STACK_OF(CRYPTO_BUFFER) * chain,
                                const struct mimic *mimic, struct mg_slice name, int64_t now, int64_t *valid_until);

/* trust_verify_name is the last step of it, for a chain that is remembered: whether the certificate covers |name|
 * (RFC 9525), any if that is empty: TRUST_OK or TRUST_WRONG_NAME. Pure. */
enum trust_verdict trust_verify_name(const struct mimic *mimic, struct mg_slice name);

#endif
