/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CAs that every installation has from its first start: a root of its own (a private CA, whose certificate is what
 * clients are given), a built-in issuing CA below it, the first default of the engine, and the forward-untrust issuer,
 * which signs itself, is related to neither and is never given to clients.
 */
#ifndef MINTGATE_HSM_BUILTIN_H
#define MINTGATE_HSM_BUILTIN_H

#include "hsm/keystore.h"

/* builtin_ensure makes what is missing of the three, keys of |type|, and writes the root's certificate to |root_path|
 * (PEM, 0644). Each step is whole by itself and done only if its result is not there, so that after a crash the next
 * start goes on where it ended; what is there is never replaced. |now|: seconds since 1970. */
MG_MUST_USE enum mg_status builtin_ensure(struct keystore *store, enum wire_key_type type, const char *root_path,
                                          int64_t now, struct mg_error *error);

#endif
