/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/client_keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct client_key {
    struct wire_key_id id;
    const struct key_type *type;
    EVP_PKEY *pkey; /* a reference */
};

struct client_keys {
    pthread_mutex_t lock; /* of all below; held for a look, never while signing */
    struct client_key items[KEYSTORE_MAX_KEYS];
    size_t num_items;
};

enum mg_status client_keys_new(struct client_keys **out, const struct keystore *store, struct mg_error *error)
{
    struct client_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the keys of TLS clients");
    }
    pthread_mutex_init(&keys->lock, NULL);
    for (size_t i = 0; i < keystore_num_keys(store); i++) {
        client_keys_add(keys, keystore_get0(store, i));
    }
    *out = keys;
    return MG_OK;
}

void client_keys_free(struct client_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->num_items; i++) {
        EVP_PKEY_free(keys->items[i].pkey);
    }
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

/* find returns where the key with |id| is, NULL if there is none. Under the lock. */
static struct client_key *find(struct client_keys *keys, const struct wire_key_id *id)
{
    for (size_t i = 0; i < keys->num_items; i++) {
        if (memcmp(&keys->items[i].id, id, sizeof(*id)) == 0) {
            return &keys->items[i];
        }
    }
    return NULL;
}

void client_keys_add(struct client_keys *keys, const struct keystore_key *key)
{
    bool is_held = key->info.holder[0] != '\0'; /* by a token, which takes no keys from outside */
    if (is_held || !key_purpose_allows(key->info.purpose, KEY_CALL_CLIENT_SIGN)) {
        return;
    }
    pthread_mutex_lock(&keys->lock);
    if (find(keys, &key->info.id) == NULL && keys->num_items < KEYSTORE_MAX_KEYS && EVP_PKEY_up_ref(key->pkey) == 1) {
        keys->items[keys->num_items++] = (struct client_key){.id = key->info.id, .type = key->type, .pkey = key->pkey};
    }
    pthread_mutex_unlock(&keys->lock);
}

void client_keys_remove(struct client_keys *keys, const struct wire_key_id *id)
{
    pthread_mutex_lock(&keys->lock);
    struct client_key *key = find(keys, id);
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        *key = keys->items[--keys->num_items];
    }
    pthread_mutex_unlock(&keys->lock);
}

EVP_PKEY *client_keys_get(struct client_keys *keys, const struct wire_key_id *id, const struct key_type **type)
{
    EVP_PKEY *pkey = NULL;
    pthread_mutex_lock(&keys->lock);
    const struct client_key *key = find(keys, id);
    if (key != NULL && EVP_PKEY_up_ref(key->pkey) == 1) {
        pkey = key->pkey;
        *type = key->type;
    }
    pthread_mutex_unlock(&keys->lock);
    return pkey;
}
