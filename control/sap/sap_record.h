/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores, their entries and the references to them, as they are kept (contracts.md sections 3.1 and 3.2). No rules
 * about who may change what: those are in sap.h, which alone changes records.
 *
 * An entry has its present version and, once it was overwritten, the one before that; a third does not exist. Private
 * keys are the signer's: a record names them (docs/adr/0027-sap-stores.md).
 *
 * The epoch is one number that grows by one with each change. A store and a reference remember the one of their last
 * change: see sap_reading.h.
 */
#ifndef MINTGATE_CONTROL_SAP_SAP_RECORD_H
#define MINTGATE_CONTROL_SAP_SAP_RECORD_H

#include "control/sap/sap_file.h"
#include "control/store.h"
#include "control/text.h"
#include "wire/signer.h"

#define SAP_MAX_NAME 64
#define SAP_NAME_SIZE (SAP_MAX_NAME + 1)
#define SAP_MAX_DESCRIPTION 1024
#define SAP_ACTOR_SIZE 80
#define SAP_TOKEN_LEN 16

/* The tables of this module. */
extern const struct store_migrations sap_migrations;

/* When, in microseconds since 1970, and who. */
struct sap_stamp {
    int64_t time_us;
    char by[SAP_ACTOR_SIZE];
};

struct sap_store {
    int64_t id;
    char name[SAP_NAME_SIZE];
    enum sap_kind kind;
    char description[TEXT_SIZE(SAP_MAX_DESCRIPTION)];
    int64_t epoch;
    struct sap_stamp created, changed;
};

/* Zero state: none, which owns nothing. */
struct sap_entry {
    int64_t id, store_id;
    char name[SAP_NAME_SIZE];
    enum sap_format format; /* of the file that it came from */
    char *certificates;     /* PEM, the chain from the key's own certificate upwards, or a trust store's; owned */
    char *csr;              /* PEM; NULL: there is no key; owned */
    bool has_key;
    struct wire_key_id key_id;
    bool has_previous; /* a version that can be restored */
    struct sap_stamp created;
};

struct sap_reference {
    char name[SAP_NAME_SIZE];
    int64_t store_id;
    char store_name[SAP_NAME_SIZE];
    enum sap_kind kind; /* the store's */
    int64_t epoch;
    struct sap_stamp created, changed;
};

/* sap_name_check: 1 to SAP_MAX_NAME of letters, digits, '.', '_' and '-', not beginning with '.' or '-'. |field| is
 * what errors call it. MG_INVALID. */
MG_MUST_USE enum mg_status sap_name_check(const char *field, const char *name, struct mg_error *error);

/* sap_epoch_next makes the next epoch. */
MG_MUST_USE enum mg_status sap_epoch_next(struct store_tx *tx, int64_t *out, struct mg_error *error);

/* Visitors are given records that live for the call; anything but MG_OK ends the walk with that. */
typedef enum mg_status sap_store_visitor(void *arg, const struct sap_store *store, struct mg_error *error);
typedef enum mg_status sap_entry_visitor(void *arg, const struct sap_entry *entry, struct mg_error *error);
typedef enum mg_status sap_reference_visitor(void *arg, const struct sap_reference *reference, struct mg_error *error);

/* Stores. Walks are in the order of names. MG_NOT_FOUND, MG_EXISTS. sap_store_remove removes an empty one: MG_INTERNAL
 * if something still refers to it. */
MG_MUST_USE enum mg_status sap_store_load(struct store_tx *tx, const char *name, struct sap_store *out,
                                          struct mg_error *error);
MG_MUST_USE enum mg_status sap_store_each(struct store_tx *tx, sap_store_visitor *visit, void *arg,
                                          struct mg_error *error);
MG_MUST_USE enum mg_status sap_store_insert(struct store_tx *tx, struct sap_store *store, struct mg_error *error);
MG_MUST_USE enum mg_status sap_store_update(struct store_tx *tx, const struct sap_store *store, struct mg_error *error);
MG_MUST_USE enum mg_status sap_store_remove(struct store_tx *tx, int64_t id, struct mg_error *error);

/* Entries: the present versions, unless said. sap_entry_free frees what |entry| owns and zeroes it. */
void sap_entry_free(struct sap_entry *entry);
MG_MUST_USE enum mg_status sap_entry_load(struct store_tx *tx, int64_t store_id, const char *name,
                                          struct sap_entry *out, struct mg_error *error);
MG_MUST_USE enum mg_status sap_entry_each(struct store_tx *tx, int64_t store_id, sap_entry_visitor *visit, void *arg,
                                          struct mg_error *error);
/* sap_entry_insert adds a present version, where there is none. */
MG_MUST_USE enum mg_status sap_entry_insert(struct store_tx *tx, struct sap_entry *entry, struct mg_error *error);
/* sap_entry_swap makes the version before the present one, and the other way round; either may be missing. */
MG_MUST_USE enum mg_status sap_entry_swap(struct store_tx *tx, int64_t store_id, const char *name,
                                          struct mg_error *error);
/* sap_entry_drop_previous and sap_entry_drop_all remove the version before, or both; of the store |store_id|, and of
 * all its entries where |name| is NULL. Keys that were theirs are doomed (control/doomed_key.h). */
MG_MUST_USE enum mg_status sap_entry_drop_previous(struct store_tx *tx, int64_t store_id, const char *name,
                                                   int64_t now_us, struct mg_error *error);
MG_MUST_USE enum mg_status sap_entry_drop_all(struct store_tx *tx, int64_t store_id, const char *name, int64_t now_us,
                                              struct mg_error *error);

/* sap_key_is_used tells whether a version of an entry, or an intermediate, has the key |key_id|. */
MG_MUST_USE enum mg_status sap_key_is_used(struct store_tx *tx, const struct wire_key_id *key_id, bool *out,
                                           struct mg_error *error);

/* References. sap_reference_save adds or replaces. */
MG_MUST_USE enum mg_status sap_reference_load(struct store_tx *tx, const char *name, struct sap_reference *out,
                                              struct mg_error *error);
MG_MUST_USE enum mg_status sap_reference_each(struct store_tx *tx, sap_reference_visitor *visit, void *arg,
                                              struct mg_error *error);
MG_MUST_USE enum mg_status sap_reference_save(struct store_tx *tx, const struct sap_reference *reference,
                                              struct mg_error *error);
MG_MUST_USE enum mg_status sap_reference_remove(struct store_tx *tx, const char *name, struct mg_error *error);

/* sap_count counts all stores, or the entries of the store |store_id| where that is not 0. */
MG_MUST_USE enum mg_status sap_count(struct store_tx *tx, int64_t store_id, int64_t *out, struct mg_error *error);

/* Wishes for keys to be imported, noted before the signer is asked: the token says which key that was. sap_wish_next
 * gives any: MG_NOT_FOUND. */
MG_MUST_USE enum mg_status sap_wish_add(struct store_tx *tx, const uint8_t token[SAP_TOKEN_LEN],
                                        struct mg_error *error);
MG_MUST_USE enum mg_status sap_wish_next(struct store_tx *tx, uint8_t token[SAP_TOKEN_LEN], struct mg_error *error);
MG_MUST_USE enum mg_status sap_wish_forget(struct store_tx *tx, const uint8_t token[SAP_TOKEN_LEN],
                                           struct mg_error *error);

#endif
