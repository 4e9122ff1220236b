/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access keys of the NAVER family, and the signatures that were used up. Secrets lie in the database as they are, since
 * a MAC needs them, like the API keys of the ZIA family. Each function is called within the caller's transaction.
 */
#ifndef MINTGATE_CONTROL_NAVER_NAVER_KEY_H
#define MINTGATE_CONTROL_NAVER_NAVER_KEY_H

#include "control/http/identity.h"
#include "control/naver/naver_signature.h"
#include "control/store.h"

extern const struct store_migrations naver_key_migrations;

#define NAVER_ACCESS_KEY_SIZE 21 /* as the vendor's: 20 letters and digits */
#define NAVER_SECRET_SIZE 41
#define NAVER_MAX_KEYS 1000

struct naver_key {
    char access_key[NAVER_ACCESS_KEY_SIZE];
    enum http_role role;
    int64_t created_us;
    char secret[NAVER_SECRET_SIZE]; /* the caller wipes it */
};

/* naver_key_make draws a key and its secret, and writes them. MG_LIMIT: there are NAVER_MAX_KEYS. */
MG_MUST_USE enum mg_status naver_key_make(struct store_tx *tx, enum http_role role, int64_t now_us,
                                          struct naver_key *out, struct mg_error *error);

/* naver_key_load, naver_key_delete: MG_NOT_FOUND. */
MG_MUST_USE enum mg_status naver_key_load(struct store_tx *tx, const char *access_key, struct naver_key *out,
                                          struct mg_error *error);
MG_MUST_USE enum mg_status naver_key_delete(struct store_tx *tx, const char *access_key, struct mg_error *error);

/* naver_key_each visits all, without their secrets. */
typedef void naver_key_visitor(void *arg, const struct naver_key *key);
MG_MUST_USE enum mg_status naver_key_each(struct store_tx *tx, naver_key_visitor *visit, void *arg,
                                          struct mg_error *error);

/* naver_signature_use_up notes a signature until its timestamp is too old to be accepted, and forgets those of which
 * that is so at |now_ms|. MG_EXISTS: it was used before. */
MG_MUST_USE enum mg_status naver_signature_use_up(struct store_tx *tx, const uint8_t mac[NAVER_MAC_LEN],
                                                  int64_t timestamp_ms, int64_t now_ms, struct mg_error *error);

#endif
