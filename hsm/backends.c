/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/backends.h"

#include "hsm/backend_pkcs11.h"
#include "hsm/backend_software.h"

enum mg_status backends_add_key(const struct backends *backends, const struct keystore_key *key,
                                struct backend_key **out, struct mg_error *error)
{
    size_t place;
    if (key->info.holder[0] == '\0') {
        return backend_software_add_key(backends->software, key->pkey, out, error);
    }
    if (backends->tokens == NULL || !backend_pkcs11_find_token(backends->tokens, key->info.holder, &place)) {
        return mg_error_set(error, MG_NOT_FOUND, "token %s is not configured", key->info.holder);
    }
    return backend_pkcs11_add_key(backends->tokens, place, &key->info.id, key->pkey, out, error);
}
