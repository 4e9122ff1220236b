/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stores hold, for whoever brings them to the engines: a trust store's certificates, a key store's chain and key,
 * by the name of a reference or of a store.
 *
 * The epoch says when to look again. It differs from the one before whenever what is returned may differ: a certificate
 * was put, restored or deleted, or the reference was swung. It grows, but for a database that was restored from a
 * backup: compare it for equality. Reading takes one short transaction; asking again and again is fine.
 *
 * Any thread. MG_NOT_FOUND: there is no reference and no store of this name; MG_DENIED: it is of the other kind, or of
 * none yet.
 */
#ifndef MINTGATE_CONTROL_SAP_SAP_READING_H
#define MINTGATE_CONTROL_SAP_SAP_READING_H

#include "control/sap/sap_record.h"

/* One trusted certificate. */
struct sap_trusted {
    struct mg_slice der; /* owned by the struct sap_trust */
    bool is_anchor;      /* a CA: what it issued is trusted; else this very certificate, and nothing under it */
};

/* Zero state: nothing. */
struct sap_trust {
    char store_name[SAP_NAME_SIZE]; /* that the reference names now */
    int64_t epoch;
    struct sap_trusted *items; /* owned */
    size_t num_items;
};

/* sap_trust_load reads a trust store; the caller frees it with sap_trust_free. An empty one is no failure: it trusts
 * nobody. */
MG_MUST_USE enum mg_status sap_trust_load(struct store *store, const char *name, struct sap_trust *out,
                                          struct mg_error *error);
void sap_trust_free(struct sap_trust *trust);

/* One entry of a key store: what a TLS client proves itself by. */
struct sap_key {
    char name[SAP_NAME_SIZE];
    struct wire_key_id key_id;                           /* of the signer's, with purpose tls-client */
    struct mg_slice certificates[WIRE_SIGNER_MAX_CHAIN]; /* DER, the key's own first; owned by the struct sap_keys */
    size_t num_certificates;
};

/* Zero state: nothing. */
struct sap_keys {
    char store_name[SAP_NAME_SIZE];
    int64_t epoch;
    struct sap_key *items; /* owned; by name */
    size_t num_items;
};

/* sap_keys_load reads a key store; the caller frees it with sap_keys_free. */
MG_MUST_USE enum mg_status sap_keys_load(struct store *store, const char *name, struct sap_keys *out,
                                         struct mg_error *error);
void sap_keys_free(struct sap_keys *keys);

/* sap_epoch_of tells the epoch alone. */
MG_MUST_USE enum mg_status sap_epoch_of(struct store *store, const char *name, int64_t *out, struct mg_error *error);

#endif
