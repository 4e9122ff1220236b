/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's keys that are on tokens, managed: made, destroyed, and signing what is not a leaf. Control's thread, as
 * the keystore. All return MG_AGAIN if the token is not up, its process dies meanwhile, or its module fails: whether it
 * was done is not known, and asked again it is done once.
 */
#ifndef MINTGATE_HSM_TOKEN_KEYS_H
#define MINTGATE_HSM_TOKEN_KEYS_H

#include "hsm/backend_pkcs11.h"
#include "hsm/keystore.h"
#include "hsm/token_supervisor.h"

/* struct token_store is where they are; |supervisor| is NULL where no token is configured. All borrowed. */
struct token_store {
    struct keystore *store;
    const struct backend *backend;
    struct token_supervisor *supervisor;
};

/*
 * token_keys_make has the token that info->holder names make a key, and records it. The key's id follows from the token
 * of the wish (info->token), so that a wish that is repeated after a crash finds the key that the first one left on the
 * token. MG_NOT_FOUND: no such token; MG_DENIED: the token does not make such keys, or has one of that id that is not
 * as it must be (token_attributes.h); MG_LIMIT.
 */
MG_MUST_USE enum mg_status token_keys_make(const struct token_store *tokens, const struct key_info *info,
                                           const struct keystore_key **out, struct mg_error *error);

/* token_keys_destroy destroys |key|, which a token holds, there; its record is the caller's to destroy next. MG_OK also
 * if the token has no such key any more. */
MG_MUST_USE enum mg_status token_keys_destroy(const struct token_store *tokens, const struct keystore_key *key,
                                              struct mg_error *error);

/* token_keys_sign has |key|, which a token holds, sign |digest|; *out gets the signature, verified with the key's
 * public key; MG_DENIED if that fails. For certification requests and proofs: what is signed is the caller's to judge.
 */
MG_MUST_USE enum mg_status token_keys_sign(const struct token_store *tokens, const struct keystore_key *key,
                                           enum wire_token_digest hash, struct mg_slice digest,
                                           uint8_t out[WIRE_TOKEN_MAX_SIGNATURE], size_t *out_len,
                                           struct mg_error *error);

/* token_keys_attributes asks the token afresh what it says of |key|: evidence for an attestation. answer->reply holds
 * it. MG_DENIED if the token's public key is not that of the record. */
MG_MUST_USE enum mg_status token_keys_attributes(const struct token_store *tokens, const struct keystore_key *key,
                                                 struct token_answer *answer, struct mg_error *error);

/* token_keys_identity tells who the token of |key| is, as it said when it was opened, and where its module lies; both
 * borrow, *out from |answer|. */
MG_MUST_USE enum mg_status token_keys_identity(const struct token_store *tokens, const struct keystore_key *key,
                                               struct token_answer *answer, struct wire_token_identity *out,
                                               const char **module, struct mg_error *error);

#endif
