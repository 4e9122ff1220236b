/* SPDX-License-Identifier: Apache-2.0 */
/* Both backends together: which one a key of the keystore is in. */
#ifndef MINTGATE_HSM_BACKENDS_H
#define MINTGATE_HSM_BACKENDS_H

#include "hsm/backend.h"
#include "hsm/keystore.h"

struct backends {
    const struct backend *software;
    const struct backend *tokens; /* NULL: none are configured */
};

/* backends_add_key prepares |key| for signing where it is. MG_NOT_FOUND if that is a token that is not configured (any
 * more). Freed by the backend's key_free. */
MG_MUST_USE enum mg_status backends_add_key(const struct backends *backends, const struct keystore_key *key,
                                            struct backend_key **out, struct mg_error *error);

#endif
