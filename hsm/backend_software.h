/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend whose keys are in this process's memory: batches through crypto_mb's eight lanes where the CPU can, else,
 * and for fewer jobs than are worth it, OpenSSL one after the other. RSA signatures are verified with the public key
 * before they leave, either way.
 */
#ifndef MINTGATE_HSM_BACKEND_SOFTWARE_H
#define MINTGATE_HSM_BACKEND_SOFTWARE_H

#include "hsm/backend.h"

/* How many keys a session keeps OpenSSL contexts for; for the others it makes them anew each time. */
#define BACKEND_SOFTWARE_CACHED_KEYS WIRE_SIGNER_MAX_ISSUERS

/* backend_software_new makes the backend. |use_lanes| allows crypto_mb; it is used only where it runs. Free it after
 * its keys and sessions. */
MG_MUST_USE enum mg_status backend_software_new(struct backend **out, bool use_lanes, struct mg_error *error);
void backend_software_free(struct backend *backend);

/* backend_software_uses_lanes tells whether batches go through crypto_mb. */
bool backend_software_uses_lanes(const struct backend *backend);

/* backend_software_add_key prepares |key| (shared: a reference is taken) for signing. Freeing it wipes what was
 * prepared; sessions have forgotten it by then. */
MG_MUST_USE enum mg_status backend_software_add_key(const struct backend *backend, EVP_PKEY *key,
                                                    struct backend_key **out, struct mg_error *error);
void backend_software_free_key(struct backend_key *key);

#endif
