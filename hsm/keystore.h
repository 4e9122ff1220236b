/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private keys of this signer, each in files of its own below one directory:
 *
 *   ID.key             the key, sealed (sealed_key.h); of a key that a PKCS#11 token holds: which token, and the
 *                      public key
 *   ID.pem             its certificate and what certifies that, once there is one
 *   ID.removed.pem     instead of ID.pem: it is not to issue any more, and its certificate is kept
 *   ID.key.destroyed   instead of ID.key: it is being destroyed; the next start goes on with that
 *
 * Every file is replaced whole or not at all, and every change is one rename. A key that does not open is fatal: to go
 * on without it would be to make another one in its place.
 *
 * Loaded whole at start. One thread at a time. Private keys lie in OpenSSL's secure heap where it was set up.
 */
#ifndef MINTGATE_HSM_KEYSTORE_H
#define MINTGATE_HSM_KEYSTORE_H

#include "hsm/key_type.h"
#include "hsm/sealed_key.h"

#define KEYSTORE_MAX_KEYS 256
#define KEYSTORE_MAX_CERTIFICATE 16384
/* Of one key, all together. */
#define KEYSTORE_MAX_CHAIN_BYTES WIRE_CONTROL_MAX_CHAIN_BYTES

struct keystore;

/* struct keystore_key belongs to its keystore and lives as long, or until it is destroyed. */
struct keystore_key {
    struct key_info info;
    const struct key_type *type;
    EVP_PKEY *pkey; /* the public key alone where a token holds the key (info.holder) */
    /* The key's own certificate first, then upwards; DER; borrowed from the keystore. */
    struct mg_slice chain[WIRE_SIGNER_MAX_CHAIN];
    size_t num_chain; /* 0: not certified yet */
    bool is_removed;  /* certified, but not to issue any more */
};

/* keystore_directory_has_keys tells whether |directory| exists and holds sealed keys, without opening them. */
bool keystore_directory_has_keys(const char *directory);

/* keystore_open loads every key below |directory|, which is made (0700) if missing, and removes what a crash left of
 * unfinished writes. |kek| is borrowed as long as the keystore lives. */
MG_MUST_USE enum mg_status keystore_open(struct keystore **out, const char *directory, const struct kek *kek,
                                         struct mg_error *error);
void keystore_free(struct keystore *store);

size_t keystore_num_keys(const struct keystore *store);
/* keystore_get0 returns the key at |index|, which is below keystore_num_keys. */
const struct keystore_key *keystore_get0(const struct keystore *store, size_t index);
/* keystore_find0_origin returns the key with |origin|, NULL if there is none. */
const struct keystore_key *keystore_find0_origin(const struct keystore *store, enum key_origin origin);

/* keystore_find0 returns the key with |id|, NULL if there is none. */
const struct keystore_key *keystore_find0(const struct keystore *store, const struct wire_key_id *id);
/* keystore_find0_token returns the key that control had made with |token|, which is not zero; NULL if there is none. */
const struct keystore_key *keystore_find0_token(const struct keystore *store, const struct wire_control_token *token);
/* keystore_next0 returns the key whose id comes next behind |id| in the order of their bytes; NULL if there is none. */
const struct keystore_key *keystore_next0(const struct keystore *store, const struct wire_key_id *id);

/* keystore_make generates a key, seals it and writes it. |info|: everything but |id|, which is drawn here, filled in by
 * the caller. MG_LIMIT when the keystore is full. */
MG_MUST_USE enum mg_status keystore_make(struct keystore *store, const struct key_info *info,
                                         const struct keystore_key **out, struct mg_error *error);

/* keystore_import takes a key from outside, seals it and writes it: |secret| is PKCS#8, in DER, with nothing behind it.
 * |info|: as for keystore_make, but for |type|, which is what the key is of. MG_INVALID: it does not parse, is of no
 * type that is supported, or contradicts itself; MG_LIMIT. */
MG_MUST_USE enum mg_status keystore_import(struct keystore *store, const struct key_info *info, struct mg_slice secret,
                                           const struct keystore_key **out, struct mg_error *error);
/* keystore_add_held records a key that a token holds: |info| complete, id and holder too, and its public key |pkey|
 * (shared: a reference is taken). MG_EXISTS if there is a key with that id; MG_INVALID for a key of another type than
 * |info| says; MG_LIMIT. */
MG_MUST_USE enum mg_status keystore_add_held(struct keystore *store, const struct key_info *info, EVP_PKEY *pkey,
                                             const struct keystore_key **out, struct mg_error *error);

/* keystore_set1_chain writes the certificates of |key| (of this keystore), its own first, and ends its removal.
 * MG_INVALID if that one does not hold its public key or any does not parse; nothing is changed then. */
MG_MUST_USE enum mg_status keystore_set1_chain(struct keystore *store, const struct keystore_key *key,
                                               const struct mg_slice *certificates, size_t num_certificates,
                                               struct mg_error *error);

/* keystore_remove notes that |key| (of this keystore, certified) is not to issue any more. It outlives a restart; MG_OK
 * also if it was noted before. */
MG_MUST_USE enum mg_status keystore_remove(struct keystore *store, const struct keystore_key *key,
                                           struct mg_error *error);

/* keystore_destroy overwrites and unlinks the file of the key with |id|, with its certificates, and frees the key.
 * MG_OK also if there is no such key (any more). After an error the key may be gone already; asked again it goes on. */
MG_MUST_USE enum mg_status keystore_destroy(struct keystore *store, const struct wire_key_id *id,
                                            struct mg_error *error);

#endif
