/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/known_paths.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/sha.h>

struct path {
    uint8_t issuer[SHA256_DIGEST_LENGTH]; /* of its lowest certificate */
    X509_STORE *store;                    /* NULL: a free place */
    int64_t valid_until;
    int64_t forgotten_at;
};

struct known_paths {
    pthread_mutex_t lock;
    int64_t seconds;
    size_t max;
    size_t next; /* place of the next one */
    struct path *paths;
};

enum mg_status known_paths_new(struct known_paths **out, size_t max, int64_t seconds)
{
    struct known_paths *paths = calloc(1, sizeof(*paths));
    struct path *places = calloc(max, sizeof(*places));
    if (paths == NULL || places == NULL) {
        free(paths);
        free(places);
        return MG_MEMORY;
    }
    paths->seconds = seconds;
    paths->max = max;
    paths->paths = places;
    pthread_mutex_init(&paths->lock, NULL);
    *out = paths;
    return MG_OK;
}

void known_paths_free(struct known_paths *paths)
{
    if (paths == NULL) {
        return;
    }
    for (size_t i = 0; i < paths->max; i++) {
        X509_STORE_free(paths->paths[i].store);
    }
    pthread_mutex_destroy(&paths->lock);
    free(paths->paths);
    free(paths);
}

/* demands_more tells whether a certificate above the lowest one of the path constrains names. Lengths of paths are no
 * matter: they were right for an end-entity certificate in this place, and will be. */
static bool demands_more(const STACK_OF(X509) * built)
{
    for (size_t i = 2; i < sk_X509_num(built); i++) {
        if (X509_get_ext_by_NID(sk_X509_value(built, i), NID_name_constraints, -1) >= 0) {
            return true;
        }
    }
    return false;
}

static X509_STORE *store_of(X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();
    if (store != NULL &&
        (!X509_STORE_add_cert(store, issuer) || !X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN))) {
        X509_STORE_free(store);
        store = NULL;
    }
    return store;
}

/* place_of returns the place of |issuer|, or NULL. The lock is held. */
static struct path *place_of(struct known_paths *paths, const uint8_t issuer[SHA256_DIGEST_LENGTH])
{
    for (size_t i = 0; i < paths->max; i++) {
        struct path *path = &paths->paths[i];
        if (path->store != NULL && memcmp(path->issuer, issuer, SHA256_DIGEST_LENGTH) == 0) {
            return path;
        }
    }
    return NULL;
}

void known_paths_add(struct known_paths *paths, const STACK_OF(X509) * built, int64_t now, int64_t valid_until)
{
    if (sk_X509_num(built) < 3 || demands_more(built)) {
        return;
    }
    X509 *issuer = sk_X509_value(built, 1);
    struct path made = {.valid_until = valid_until, .forgotten_at = now + paths->seconds};
    if (!X509_digest(issuer, EVP_sha256(), made.issuer, NULL) || (made.store = store_of(issuer)) == NULL) {
        ERR_clear_error();
        return;
    }
    pthread_mutex_lock(&paths->lock);
    struct path *path = place_of(paths, made.issuer);
    if (path == NULL) {
        path = &paths->paths[paths->next];
        paths->next = (paths->next + 1) % paths->max;
    }
    X509_STORE *old = path->store;
    *path = made;
    pthread_mutex_unlock(&paths->lock);
    X509_STORE_free(old);
}

bool known_paths_find(struct known_paths *paths, const CRYPTO_BUFFER *issuer, int64_t now, X509_STORE **store,
                      int64_t *valid_until)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(CRYPTO_BUFFER_data(issuer), CRYPTO_BUFFER_len(issuer), digest);
    pthread_mutex_lock(&paths->lock);
    const struct path *path = place_of(paths, digest);
    bool found = path != NULL && now < path->forgotten_at && now <= path->valid_until;
    if (found) {
        *store = path->store;
        *valid_until = path->valid_until;
        X509_STORE_up_ref(*store);
    }
    pthread_mutex_unlock(&paths->lock);
    return found;
}
