/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/leaf_signer.h"

#include <stdlib.h>

#include "ossl/openssl_error.h"

/* struct hash is a context that was given its algorithm once. */
struct hash {
    const char *name;
    EVP_MD_CTX *context;
};

struct leaf_signer {
    struct leaf_signer_config config;
    struct backend_session *sessions[LEAF_SIGNER_MAX_BACKENDS]; /* in the order of the backends */
    struct journal_batch batch;
    struct hash hashes[2]; /* one for each digest of key_type.h */
};

static enum mg_status init_hash(struct hash *hash, const char *name, struct mg_error *error)
{
    EVP_MD *algorithm = EVP_MD_fetch(NULL, name, NULL);
    hash->name = name;
    hash->context = EVP_MD_CTX_new();
    bool ok = algorithm != NULL && hash->context != NULL && EVP_DigestInit_ex2(hash->context, algorithm, NULL) == 1;
    EVP_MD_free(algorithm);
    return ok ? MG_OK : openssl_error_set(error, "cannot prepare %s", name);
}

static enum mg_status open_sessions(struct leaf_signer *signer, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < signer->config.num_backends; i++) {
        const struct backend *backend = signer->config.backends[i];
        status = backend->ops->session_new(backend, &signer->sessions[i], error);
    }
    return status;
}

enum mg_status leaf_signer_new(struct leaf_signer **out, const struct leaf_signer_config *config,
                               struct mg_error *error)
{
    struct leaf_signer *signer = calloc(1, sizeof(*signer));
    if (signer == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a signing thread");
    }
    signer->config = *config;
    enum mg_status status = init_hash(&signer->hashes[0], "SHA256", error);
    if (status == MG_OK) {
        status = init_hash(&signer->hashes[1], "SHA384", error);
    }
    if (status == MG_OK) {
        status = journal_batch_init(&signer->batch, error);
    }
    if (status == MG_OK) {
        status = open_sessions(signer, error);
    }
    if (status != MG_OK) {
        leaf_signer_free(signer);
        return status;
    }
    *out = signer;
    return MG_OK;
}

void leaf_signer_free(struct leaf_signer *signer)
{
    if (signer == NULL) {
        return;
    }
    for (size_t i = 0; i < signer->config.num_backends; i++) {
        if (signer->sessions[i] != NULL) {
            signer->config.backends[i]->ops->session_free(signer->sessions[i]);
        }
    }
    journal_batch_free(&signer->batch);
    for (size_t i = 0; i < MG_ARRAY_LEN(signer->hashes); i++) {
        EVP_MD_CTX_free(signer->hashes[i].context);
    }
    free(signer);
}

static bool hash_tbs(struct leaf_signer *signer, const struct key_type *type, struct mg_slice tbs, uint8_t *digest)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(signer->hashes); i++) {
        EVP_MD_CTX *context = signer->hashes[i].context;
        if (strcmp(signer->hashes[i].name, type->digest_name) == 0) {
            return EVP_DigestInit_ex2(context, NULL, NULL) == 1 && EVP_DigestUpdate(context, tbs.data, tbs.len) == 1 &&
                   EVP_DigestFinal_ex(context, digest, NULL) == 1;
        }
    }
    return false;
}

enum wire_sign_status leaf_signer_admit(struct leaf_signer *signer, const struct issuer *issuer, struct mg_slice tbs,
                                        int64_t now, struct leaf_request *request, struct mg_error *error)
{
    struct tbs parsed;
    struct mg_slice names;
    if (tbs_parse(tbs, &parsed, error) != MG_OK) {
        return WIRE_SIGN_BAD_TBS;
    }
    enum wire_sign_status status =
        leaf_policy_check(&parsed, &issuer->facts, signer->config.max_validity_seconds, now, &names, error);
    if (status != WIRE_SIGN_OK) {
        return status;
    }
    if (!hash_tbs(signer, issuer->facts.key_type, tbs, request->job.digest)) {
        (void)openssl_error_set(error, "cannot hash");
        return WIRE_SIGN_FAILED;
    }
    request->job.signature_len = 0;
    request->job.is_busy = false;
    request->issuer = issuer;
    request->record = (struct journal_record){
        .issuer = &issuer->key_id, .serial = parsed.serial, .names = names, .spki = parsed.spki};
    return WIRE_SIGN_OK;
}

static enum mg_status record(struct leaf_signer *signer, struct leaf_request *const *requests, size_t num_requests,
                             int64_t now_us, struct mg_error *error)
{
    journal_batch_start(&signer->batch, now_us);
    for (size_t i = 0; i < num_requests; i++) {
        if (!journal_batch_add(&signer->batch, &requests[i]->record)) {
            return mg_error_set(error, MG_IO, "a batch does not fit the issuance journal");
        }
    }
    return journal_commit(signer->config.journal, &signer->batch, now_us, error);
}

/* session_of returns this signer's session of the backend that |key| is in. */
static struct backend_session *session_of(const struct leaf_signer *signer, const struct backend_key *key)
{
    size_t i = 0;
    while (signer->config.backends[i] != key->backend) {
        i++; /* one of them is: issuers are made with these backends alone */
    }
    return signer->sessions[i];
}

enum mg_status leaf_signer_sign(struct leaf_signer *signer, struct leaf_request *const *requests, size_t num_requests,
                                int64_t now_us, struct mg_error *error)
{
    struct backend_job *jobs[BACKEND_MAX_BATCH];
    const struct issuer *issuer = requests[0]->issuer;
    for (size_t i = 0; i < num_requests; i++) {
        jobs[i] = &requests[i]->job;
    }
    if (record(signer, requests, num_requests, now_us, error) != MG_OK) {
        for (size_t i = 0; i < num_requests; i++) {
            jobs[i]->done(jobs[i]);
        }
        return MG_IO;
    }
    issuer->key->backend->ops->sign(session_of(signer, issuer->key), issuer->key, jobs, num_requests);
    return MG_OK;
}

bool leaf_signer_has_room(struct leaf_signer *signer, const struct issuer *issuer)
{
    const struct backend_ops *ops = issuer->key->backend->ops;
    return ops->has_room == NULL || ops->has_room(session_of(signer, issuer->key), issuer->key);
}

int leaf_signer_poll_fd(const struct leaf_signer *signer, size_t index)
{
    const struct backend *backend = index < signer->config.num_backends ? signer->config.backends[index] : NULL;
    return backend != NULL && backend->ops->poll_fd != NULL ? backend->ops->poll_fd(signer->sessions[index]) : -1;
}

void leaf_signer_ready(struct leaf_signer *signer, size_t index)
{
    signer->config.backends[index]->ops->ready(signer->sessions[index]);
}

void leaf_signer_forget(struct leaf_signer *signer, const struct issuer *issuer)
{
    issuer->key->backend->ops->forget(session_of(signer, issuer->key), issuer->key);
}
