/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where private keys live and signatures are made, behind one shape: keys in this process (backend_software.h), and
 * keys on PKCS#11 tokens (backend_pkcs11.h). A backend is shared; each signing thread has a session of its own, so that
 * no call locks. A batch holds digests under one key. Who may ask for a signature over what is decided before
 * (leaf_policy.h).
 */
#ifndef MINTGATE_HSM_BACKEND_H
#define MINTGATE_HSM_BACKEND_H

#include "hsm/key_type.h"

/* The most jobs that one call of |sign| takes: the largest turn of any key type. */
#define BACKEND_MAX_BATCH 64

struct backend;
struct backend_session;

/* struct backend_key begins every backend's key. It outlives every session that has signed with it and was not told to
 * forget it. */
struct backend_key {
    const struct backend *backend;
    const struct key_type *type;
};

/* struct backend_job is one signature: the caller fills in digest and |done|, the backend the rest. It stays where it
 * is until it is done. */
struct backend_job {
    uint8_t digest[KEY_TYPE_MAX_DIGEST]; /* key type's digest_len bytes */
    uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t signature_len; /* the content of signatureValue; 0: the backend could not sign */
    bool is_busy;         /* if it could not: asked again, it may be able to */
    void (*done)(struct backend_job *job);
};

struct backend_ops {
    const char *name;

    /* session_new makes a session for the calling thread. */
    MG_MUST_USE enum mg_status (*session_new)(const struct backend *backend, struct backend_session **out,
                                              struct mg_error *error);
    void (*session_free)(struct backend_session *session);

    /* sign calls |done| of each of |jobs| exactly once, in any order, on the session's thread. The software backend
     * does so before it returns; callers must not count on that, since a token answers later. */
    void (*sign)(struct backend_session *session, const struct backend_key *key, struct backend_job *const *jobs,
                 size_t num_jobs);

    /* forget drops what the session keeps for |key|, with which nothing is under way. */
    void (*forget)(struct backend_session *session, const struct backend_key *key);

    /* has_room tells whether a turn of |key| given to |sign| now would be worked on, and not wait where nobody can
     * take it back: requests wait in the queue instead. NULL: always. After it said no, |ready| will be called. */
    bool (*has_room)(struct backend_session *session, const struct backend_key *key);

    /* poll_fd returns a descriptor that is readable when |ready| is to be called, which calls |done| of the jobs that
     * are done. NULL: |sign| finishes everything itself. */
    int (*poll_fd)(const struct backend_session *session);
    void (*ready)(struct backend_session *session);

    /* key_free frees a key that no session has work for. */
    void (*key_free)(struct backend_key *key);
};

/* struct backend begins every backend. */
struct backend {
    const struct backend_ops *ops;
};

#endif
