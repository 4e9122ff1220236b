/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that a token process has signed with, by id: where the private key is, of what type, and that its public
 * key is the one that the signer means. Looked up once on the token, then here. Any thread; one lock.
 */
#ifndef MINTGATE_HSM_TOKEN_KEYS_H
#define MINTGATE_HSM_TOKEN_KEYS_H

#include "hsm/token/objects.h"

struct token_keys;

/* struct token_key is immutable, and lives until its last reference is released. */
struct token_key {
    struct wire_token_key_ref ref;
    const struct key_type *type;
    CK_OBJECT_HANDLE handle;
    _Atomic unsigned num_references;
};

/* token_keys_new returns NULL if memory is short. There is one for a process, and it is never freed. */
struct token_keys *token_keys_new(void);

/* token_keys_find returns a reference to the key that |ref| means, and asks the token through |at| where it must.
 * NOT_FOUND also for a key with this id and another public key. */
enum wire_token_status token_keys_find(struct token_keys *keys, const struct object_session *at,
                                       const struct wire_token_key_ref *ref, struct token_key **out,
                                       struct token_error *error);
void token_key_release(struct token_key *key);

/* token_keys_forget makes the next search for |id| ask the token again. */
void token_keys_forget(struct token_keys *keys, const struct wire_key_id *id);

/* token_fingerprint writes SHA-256 over |spki|. False: OpenSSL failed. */
MG_MUST_USE bool token_fingerprint(struct mg_slice spki, uint8_t out[WIRE_TOKEN_FINGERPRINT_LEN]);

#endif
