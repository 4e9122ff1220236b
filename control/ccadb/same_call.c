/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/same_call.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

struct call {
    uint8_t hash[SHA256_DIGEST_LENGTH];
    uint64_t made_ns;
    bool is_used;
};

struct same_calls {
    pthread_mutex_t lock; /* of what follows */
    struct call calls[SAME_CALL_MAX];
};

enum mg_status same_calls_new(struct same_calls **out, struct mg_error *error)
{
    struct same_calls *calls = calloc(1, sizeof(*calls));
    if (calls == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for calls");
    }
    pthread_mutex_init(&calls->lock, NULL);
    *out = calls;
    return MG_OK;
}

void same_calls_free(struct same_calls *calls)
{
    if (calls != NULL) {
        pthread_mutex_destroy(&calls->lock);
        free(calls);
    }
}

/* hash_call hashes the three with a NUL behind each of the texts, so that no two calls run together. */
static bool hash_call(const char *user, const char *path, struct mg_slice body, uint8_t out[SHA256_DIGEST_LENGTH])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, user, strlen(user) + 1) == 1 &&
              EVP_DigestUpdate(context, path, strlen(path) + 1) == 1 &&
              EVP_DigestUpdate(context, body.data, body.len) == 1 && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

/* find returns the call |hash|, or the place for it: a free one, else that of the oldest. */
static struct call *find(struct same_calls *calls, const uint8_t *hash)
{
    struct call *place = &calls->calls[0];
    for (size_t i = 0; i < SAME_CALL_MAX; i++) {
        struct call *call = &calls->calls[i];
        if (call->is_used && memcmp(call->hash, hash, sizeof(call->hash)) == 0) {
            return call;
        }
        if (place->is_used && (!call->is_used || call->made_ns < place->made_ns)) {
            place = call;
        }
    }
    return place;
}

static uint64_t take(struct same_calls *calls, const uint8_t *hash, uint64_t span_ns, uint64_t now_ns)
{
    struct call *call = find(calls, hash);
    bool is_same = call->is_used && memcmp(call->hash, hash, sizeof(call->hash)) == 0;
    uint64_t since_ns = is_same && now_ns > call->made_ns ? now_ns - call->made_ns : 0;
    if (is_same && since_ns < span_ns) {
        return (span_ns - since_ns + MG_NS_PER_SECOND - 1) / MG_NS_PER_SECOND;
    }
    *call = (struct call){.made_ns = now_ns, .is_used = true};
    memcpy(call->hash, hash, sizeof(call->hash));
    return 0;
}

uint64_t same_calls_take(struct same_calls *calls, const char *user, const char *path, struct mg_slice body,
                         uint64_t span_ns, uint64_t now_ns)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (span_ns == 0 || !hash_call(user, path, body, hash)) {
        return 0;
    }
    pthread_mutex_lock(&calls->lock);
    uint64_t wait = take(calls, hash, span_ns, now_ns);
    pthread_mutex_unlock(&calls->lock);
    return wait;
}
