/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's client certificates: what the key stores hold that policy rules name (policy.h: client_certificate), as
 * the control plane sent it last (wire/publish_store.h). The keys are the signer's. Each store is one immutable object,
 * replaced whole under RCU; the stores that are not wanted any more are dropped.
 */
#ifndef MINTGATE_DATAPLANE_TLS_CLIENT_KEYS_H
#define MINTGATE_DATAPLANE_TLS_CLIENT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/pool.h>

#include "base/buffer.h"
#include "base/status.h"
#include "wire/publish_store.h"

/* One entry of a key store. */
struct client_key {
    char name[WIRE_STORE_MAX_NAME + 1];
    struct wire_key_id key_id; /* of the signer's key, whose purpose is tls-client */
    enum wire_key_type key_type;
    int64_t not_before, not_after;                  /* of its certificate; seconds since 1970, inclusive */
    CRYPTO_BUFFER *chain[WIRE_SIGNER_MAX_CHAIN];    /* DER, its own first; owned */
    struct mg_slice issuers[WIRE_SIGNER_MAX_CHAIN]; /* of each, its issuer's name in DER; empty: cannot be read */
    size_t num_chain;
};

struct client_key_store {
    char name[WIRE_STORE_MAX_NAME + 1]; /* by which the configuration knows it */
    uint64_t epoch;
    bool is_missing;         /* the control plane has no such store now; it is empty then */
    struct client_key *keys; /* owned; by name */
    size_t num_keys, max_keys;
    size_t num_unusable; /* entries that were left out: see client_key_store_add */
};

/* client_key_store_new makes an empty one for at most |max_keys|. Any thread. */
MG_MUST_USE enum mg_status client_key_store_new(struct client_key_store **out, struct mg_slice name, uint64_t epoch,
                                                size_t max_keys);
void client_key_store_free(struct client_key_store *store);

/* client_key_store_add copies an entry, before the store is put. One by which no client can prove itself is left out,
 * logged with the reason, and counted: its first certificate cannot be read, has a key of a type that the signer has
 * not, a keyUsage without digitalSignature (RFC 8446 section 4.4.2.3), or an extKeyUsage with neither clientAuth nor
 * anyExtendedKeyUsage. MG_MEMORY, MG_LIMIT: it was not added. */
MG_MUST_USE enum mg_status client_key_store_add(struct client_key_store *store, const struct wire_store_item *item);

struct client_keys;

MG_MUST_USE enum mg_status client_keys_new(struct client_keys **out);
/* client_keys_free: nobody reads any more. */
void client_keys_free(struct client_keys *keys);

/* client_keys_put takes |store| over, in the place of the one of its name. On failure it is still the caller's. Waits
 * for readers. The publisher's thread alone, online. */
MG_MUST_USE enum mg_status client_keys_put(struct client_keys *keys, struct client_key_store *store);

/* client_keys_drop_others drops the stores that |wants| does not name. Likewise. */
MG_MUST_USE enum mg_status client_keys_drop_others(struct client_keys *keys, const struct wire_store_wants *wants);

/* client_keys_get0 returns the store that the configuration calls |name|, or NULL: the control plane has not sent it
 * yet. Borrowed until the caller's next quiescent state; certificates that are needed longer are up-ref'd. RCU reader.
 */
const struct client_key_store *client_keys_get0(const struct client_keys *keys, const char *name);

/* client_keys_write appends the stores as elements of a JSON array. RCU reader. */
void client_keys_write(const struct client_keys *keys, struct mg_buffer *out);

/* client_keys_metrics appends how many there are. RCU reader. */
void client_keys_metrics(const struct client_keys *keys, struct mg_buffer *out);

#endif
