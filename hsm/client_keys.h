/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys with which engines prove the appliance to servers that ask for a client's certificate (purpose tls-client),
 * where signing threads find them. They come and go with the keystore: control_service.c adds what is imported and
 * removes what is destroyed. Any thread.
 */
#ifndef MINTGATE_HSM_CLIENT_KEYS_H
#define MINTGATE_HSM_CLIENT_KEYS_H

#include "hsm/keystore.h"

struct client_keys;

/* client_keys_new takes all keys of |store| with the purpose. */
MG_MUST_USE enum mg_status client_keys_new(struct client_keys **out, const struct keystore *store,
                                           struct mg_error *error);
void client_keys_free(struct client_keys *keys);

/* client_keys_add takes |key| too, if it is of the purpose and not there yet; there is room for as many as a keystore
 * has. */
void client_keys_add(struct client_keys *keys, const struct keystore_key *key);

/* client_keys_remove forgets the key with |id|; there may be none. What it signs already is finished. */
void client_keys_remove(struct client_keys *keys, const struct wire_key_id *id);

/* client_keys_get returns the key with |id|, for the caller to free with EVP_PKEY_free, and its type; NULL: there is
 * none. */
EVP_PKEY *client_keys_get(struct client_keys *keys, const struct wire_key_id *id, const struct key_type **type);

#endif
