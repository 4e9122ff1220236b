/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* More than an engine can have issuers at one time; of more keys the oldest is looked up again. */
#define NUM_KEPT 64

struct token_keys {
    pthread_mutex_t lock;
    struct token_key *kept[NUM_KEPT]; /* a reference each; NULL: free */
    size_t next;                      /* whose place the next new one takes */
};

struct token_keys *token_keys_new(void)
{
    struct token_keys *keys = calloc(1, sizeof(*keys));
    if (keys != NULL) {
        pthread_mutex_init(&keys->lock, NULL);
    }
    return keys;
}

void token_key_release(struct token_key *key)
{
    if (key != NULL && atomic_fetch_sub_explicit(&key->num_references, 1, memory_order_acq_rel) == 1) {
        free(key);
    }
}

static struct token_key *up_ref(struct token_key *key)
{
    atomic_fetch_add_explicit(&key->num_references, 1, memory_order_relaxed);
    return key;
}

static struct token_key *find_kept(struct token_keys *keys, const struct wire_token_key_ref *ref)
{
    struct token_key *found = NULL;
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < NUM_KEPT && found == NULL; i++) {
        if (keys->kept[i] != NULL && memcmp(&keys->kept[i]->ref, ref, sizeof(*ref)) == 0) {
            found = up_ref(keys->kept[i]);
        }
    }
    pthread_mutex_unlock(&keys->lock);
    return found;
}

static void keep(struct token_keys *keys, struct token_key *key)
{
    pthread_mutex_lock(&keys->lock);
    struct token_key *old = keys->kept[keys->next];
    keys->kept[keys->next] = up_ref(key);
    keys->next = (keys->next + 1) % NUM_KEPT;
    pthread_mutex_unlock(&keys->lock);
    token_key_release(old);
}

void token_keys_forget(struct token_keys *keys, const struct wire_key_id *id)
{
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < NUM_KEPT; i++) {
        if (keys->kept[i] != NULL && memcmp(&keys->kept[i]->ref.id, id, sizeof(*id)) == 0) {
            token_key_release(keys->kept[i]);
            keys->kept[i] = NULL;
        }
    }
    pthread_mutex_unlock(&keys->lock);
}

bool token_fingerprint(struct mg_slice spki, uint8_t out[WIRE_TOKEN_FINGERPRINT_LEN])
{
    return EVP_Digest(spki.data, spki.len, out, NULL, EVP_sha256(), NULL) == 1;
}

/* look_up asks the token for the key that |ref| means. */
static enum wire_token_status look_up(const struct object_session *at, const struct wire_token_key_ref *ref,
                                      struct token_key *out, struct token_error *error)
{
    uint8_t *der, fingerprint[WIRE_TOKEN_FINGERPRINT_LEN];
    size_t der_len;
    enum wire_token_status status = objects_public_key(at, &ref->id, &out->type, &der, &der_len, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    bool is_same = token_fingerprint(mg_slice_of(der, der_len), fingerprint) &&
                   memcmp(fingerprint, ref->fingerprint, sizeof(fingerprint)) == 0;
    OPENSSL_free(der);
    if (!is_same) {
        return token_error_set(error, WIRE_TOKEN_NOT_FOUND, CKR_OK, "key id: the token has another key with this id");
    }
    return objects_find_private(at, &ref->id, &out->handle, error);
}

enum wire_token_status token_keys_find(struct token_keys *keys, const struct object_session *at,
                                       const struct wire_token_key_ref *ref, struct token_key **out,
                                       struct token_error *error)
{
    *out = find_kept(keys, ref);
    if (*out != NULL) {
        return WIRE_TOKEN_OK;
    }
    struct token_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "no memory for a key");
    }
    key->ref = *ref;
    key->num_references = 1;
    enum wire_token_status status = look_up(at, ref, key, error);
    if (status != WIRE_TOKEN_OK) {
        token_key_release(key);
        return status;
    }
    keep(keys, key);
    *out = key;
    return WIRE_TOKEN_OK;
}
