/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths from an intermediate up to a root that were verified a moment ago. Most servers that are new to us have an
 * issuer that is not: under it one signature is left to verify, the end-entity certificate's. What else a path demands
 * of the certificate below is seen anew by who uses it; a path that demands more than its lowest certificate says (name
 * constraints higher up) is not remembered. Belongs to one snapshot of the trust store, and goes with it.
 */
#ifndef MINTGATE_DATAPLANE_TLS_KNOWN_PATHS_H
#define MINTGATE_DATAPLANE_TLS_KNOWN_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/pool.h>
#include <openssl/x509.h>

#include "base/status.h"

struct known_paths;

/* known_paths_new makes an empty memory for at most |max| paths, the oldest gives way, each for |seconds|. Neither 0.
 */
MG_MUST_USE enum mg_status known_paths_new(struct known_paths **out, size_t max, int64_t seconds);
void known_paths_free(struct known_paths *paths);

/* known_paths_add remembers the path above the first certificate of |built|, a chain that was verified at |now| up to
 * its root and is valid until |valid_until|. Session threads. */
void known_paths_add(struct known_paths *paths, const STACK_OF(X509) * built, int64_t now, int64_t valid_until);

/* known_paths_find looks for the path that begins with |issuer|. The caller gets a reference to |*store|, which trusts
 * that intermediate alone, and has X509_V_FLAG_PARTIAL_CHAIN set; |*valid_until| is the path's. Session threads. */
MG_MUST_USE bool known_paths_find(struct known_paths *paths, const CRYPTO_BUFFER *issuer, int64_t now,
                                  X509_STORE **store, int64_t *valid_until);

#endif
