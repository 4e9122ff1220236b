/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key stores and trust stores: what may be done with them (contracts.md section 3; docs/api/sap.md). Each function is
 * one step: one transaction that checks, changes and writes the audit record, or changes nothing. A private key is with
 * the signer before the transaction that names it, and destroyed if that fails (sap_import.h).
 *
 * Any thread. Every function: MG_INVALID, a field breaks a rule, which the error names; MG_NOT_FOUND; MG_EXISTS;
 * MG_DENIED, something that refers to it, or of another kind, stands in the way; MG_LIMIT, a bound is full, the
 * signer's too; MG_IO, the signer is away or the database failed.
 */
#ifndef MINTGATE_CONTROL_SAP_SAP_H
#define MINTGATE_CONTROL_SAP_SAP_H

#include "control/actor.h"
#include "control/sap/sap_import.h"

#define SAP_MAX_STORES 64
#define SAP_MAX_ENTRIES 64

/* What all steps share; all borrowed. */
struct sap {
    struct store *store; /* with the tables of audit.h, intermediate.h and sap_record.h */
    struct sap_imports *imports;
    /* Called after each change, for whoever serves stores (sap_reading.h); may be NULL. Any thread; must not block. */
    void (*changed)(void *arg);
    void *changed_arg;
};

struct sap_call {
    const struct sap *sap;
    struct control_actor actor;
    int64_t now_us; /* since 1970 */
};

/* sap_store_create: |kind| may be SAP_UNDECIDED, which the first entry decides. |out| may be NULL. */
MG_MUST_USE enum mg_status sap_store_create(const struct sap_call *call, const char *name, enum sap_kind kind,
                                            const char *description, struct sap_store *out, struct mg_error *error);

/* sap_store_delete deletes a store with its entries, whose keys are destroyed. MG_DENIED: a reference names it. */
MG_MUST_USE enum mg_status sap_store_delete(const struct sap_call *call, const char *name, struct mg_error *error);

struct sap_put {
    const char *store, *name;
    struct sap_file file;
    bool ignores_expiry;
    bool must_exist; /* MG_NOT_FOUND where there is no such entry */
};

/* sap_entry_put reads |put->file| and stores it as the entry |put->name|. Where there is one already, that becomes the
 * version before, which can be restored; what was there before that is gone. *overwritten tells. A renewal takes the
 * key of the present version over, for which its first certificate must be. |out|, which may be
 * NULL, is the caller's to free. */
MG_MUST_USE enum mg_status sap_entry_put(const struct sap_call *call, const struct sap_put *put, struct sap_entry *out,
                                         bool *overwritten, struct mg_error *error);

/* sap_entry_restore exchanges an entry with its version before. MG_NOT_FOUND: there is none. */
MG_MUST_USE enum mg_status sap_entry_restore(const struct sap_call *call, const char *store, const char *name,
                                             struct sap_entry *out, struct mg_error *error);

/* sap_entry_delete deletes an entry with its version before; their keys are destroyed. */
MG_MUST_USE enum mg_status sap_entry_delete(const struct sap_call *call, const char *store, const char *name,
                                            struct mg_error *error);

/* sap_reference_create: MG_EXISTS; MG_DENIED: there is no such store, or it is of no kind yet. */
MG_MUST_USE enum mg_status sap_reference_create(const struct sap_call *call, const char *name, const char *store,
                                                struct sap_reference *out, struct mg_error *error);

/* sap_reference_swing makes a reference name another store. MG_DENIED: there is none, or it is of another kind. The
 * same store again is no change. */
MG_MUST_USE enum mg_status sap_reference_swing(const struct sap_call *call, const char *name, const char *store,
                                               struct mg_error *error);
MG_MUST_USE enum mg_status sap_reference_delete(const struct sap_call *call, const char *name, struct mg_error *error);

#endif
