/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/backend_software.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "hsm/lanes.h"
#include "ossl/openssl_error.h"

/* What the callers hold begins each of these, so that a cast goes from one to the other. */
struct software_backend {
    struct backend base;
    bool use_lanes;
};

struct software_key {
    struct backend_key base;
    EVP_PKEY *pkey;
    struct lane_key *lane_key; /* NULL: OpenSSL alone */
};

/* OpenSSL's contexts for one key: making one costs as much as a tenth of a P-256 signature. */
struct contexts {
    const struct software_key *key; /* NULL: free */
    EVP_PKEY_CTX *sign;
    EVP_PKEY_CTX *verify; /* RSA only */
};

struct backend_session {
    struct lanes *lanes; /* NULL: not used */
    struct contexts cached[BACKEND_SOFTWARE_CACHED_KEYS];
};

/* Contexts */

static bool set_rsa_padding(EVP_PKEY_CTX *context)
{
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0 &&
           EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0;
}

static void free_contexts(struct contexts *contexts)
{
    EVP_PKEY_CTX_free(contexts->sign);
    EVP_PKEY_CTX_free(contexts->verify);
    *contexts = (struct contexts){.key = NULL};
}

static bool make_contexts(struct contexts *out, const struct software_key *key)
{
    bool is_rsa = key->base.type->curve == NULL;
    out->sign = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    bool ok = out->sign != NULL && EVP_PKEY_sign_init(out->sign) > 0;
    if (ok && is_rsa) {
        out->verify = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
        ok = out->verify != NULL && EVP_PKEY_verify_init(out->verify) > 0 && set_rsa_padding(out->sign) &&
             set_rsa_padding(out->verify);
    }
    if (!ok) {
        free_contexts(out);
        return false;
    }
    out->key = key;
    return true;
}

/* contexts_of finds the contexts of |key|, or makes them, in the cache if it has room, else in |own|. */
static struct contexts *contexts_of(struct backend_session *session, const struct software_key *key,
                                    struct contexts *own)
{
    struct contexts *place = own;
    for (size_t i = MG_ARRAY_LEN(session->cached); i-- > 0;) {
        if (session->cached[i].key == key) {
            return &session->cached[i];
        }
        if (session->cached[i].key == NULL) {
            place = &session->cached[i];
        }
    }
    return make_contexts(place, key) ? place : NULL;
}

/* Signing */

static size_t sign_one(const struct contexts *contexts, struct backend_job *job)
{
    const struct key_type *type = contexts->key->base.type;
    size_t len = sizeof(job->signature);
    if (EVP_PKEY_sign(contexts->sign, job->signature, &len, job->digest, type->digest_len) <= 0) {
        return 0;
    }
    if (contexts->verify != NULL &&
        EVP_PKEY_verify(contexts->verify, job->signature, len, job->digest, type->digest_len) != 1) {
        return 0;
    }
    return len;
}

static void sign_one_by_one(struct backend_session *session, const struct software_key *key,
                            struct backend_job *const *jobs, size_t num_jobs)
{
    struct contexts own = {.key = NULL};
    const struct contexts *contexts = contexts_of(session, key, &own);
    for (size_t i = 0; i < num_jobs; i++) {
        jobs[i]->signature_len = contexts != NULL ? sign_one(contexts, jobs[i]) : 0;
    }
    free_contexts(&own);
    ERR_clear_error();
}

static void software_sign(struct backend_session *session, const struct backend_key *key,
                          struct backend_job *const *jobs, size_t num_jobs)
{
    const struct software_key *software_key = (const struct software_key *)key;
    for (size_t start = 0; start < num_jobs; start += LANES_WIDTH) {
        size_t count = num_jobs - start < LANES_WIDTH ? num_jobs - start : LANES_WIDTH;
        if (software_key->lane_key != NULL && count >= lanes_worthwhile(key->type)) {
            lanes_sign(session->lanes, software_key->lane_key, jobs + start, count);
        } else {
            sign_one_by_one(session, software_key, jobs + start, count);
        }
    }
    for (size_t i = 0; i < num_jobs; i++) {
        jobs[i]->done(jobs[i]);
    }
}

static void software_forget(struct backend_session *session, const struct backend_key *key)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(session->cached); i++) {
        if (session->cached[i].key != NULL && &session->cached[i].key->base == key) {
            free_contexts(&session->cached[i]);
        }
    }
}

/* Sessions */

static void software_session_free(struct backend_session *session)
{
    if (session == NULL) {
        return;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(session->cached); i++) {
        free_contexts(&session->cached[i]);
    }
    lanes_free(session->lanes);
    free(session);
}

static enum mg_status software_session_new(const struct backend *backend, struct backend_session **out,
                                           struct mg_error *error)
{
    struct backend_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a signing session");
    }
    if (backend_software_uses_lanes(backend)) {
        enum mg_status status = lanes_new(&session->lanes, error);
        if (status != MG_OK) {
            free(session);
            return status;
        }
    }
    *out = session;
    return MG_OK;
}

/* The backend and its keys */

static const struct backend_ops software_ops = {
    .name = "software",
    .session_new = software_session_new,
    .session_free = software_session_free,
    .sign = software_sign,
    .forget = software_forget,
    .key_free = backend_software_free_key,
};

enum mg_status backend_software_new(struct backend **out, bool use_lanes, struct mg_error *error)
{
    struct software_backend *backend = calloc(1, sizeof(*backend));
    if (backend == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the software backend");
    }
    backend->base.ops = &software_ops;
    backend->use_lanes = use_lanes && lanes_available();
    *out = &backend->base;
    return MG_OK;
}

void backend_software_free(struct backend *backend)
{
    if (backend != NULL) {
        free((struct software_backend *)backend);
    }
}

bool backend_software_uses_lanes(const struct backend *backend)
{
    return ((const struct software_backend *)backend)->use_lanes;
}

enum mg_status backend_software_add_key(const struct backend *backend, EVP_PKEY *pkey, struct backend_key **out,
                                        struct mg_error *error)
{
    const struct key_type *type = key_type_of_key(pkey);
    if (type == NULL) {
        return mg_error_set(error, MG_INVALID, "a key of a type that the signer does not sign with");
    }
    struct software_key *key = calloc(1, sizeof(*key));
    if (key == NULL || EVP_PKEY_up_ref(pkey) != 1) {
        free(key);
        return mg_error_set(error, MG_MEMORY, "no memory for a key");
    }
    key->base = (struct backend_key){.backend = backend, .type = type};
    key->pkey = pkey;
    if (backend_software_uses_lanes(backend)) {
        enum mg_status status = lane_key_new(&key->lane_key, pkey, type, error);
        if (status != MG_OK) {
            backend_software_free_key(&key->base);
            return status;
        }
    }
    *out = &key->base;
    return MG_OK;
}

void backend_software_free_key(struct backend_key *base)
{
    if (base == NULL) {
        return;
    }
    struct software_key *key = (struct software_key *)base;
    lane_key_free(key->lane_key);
    EVP_PKEY_free(key->pkey);
    free(key);
}
