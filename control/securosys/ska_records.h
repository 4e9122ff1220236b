/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Securosys family keeps in the database: keys (their private halves are the signer's), requests for their
 * use, and the tasks of approvers with what these signed, so that every approval can be verified again later.
 * Statements in the caller's transaction; any thread. MG_NOT_FOUND where there is no such record.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_RECORDS_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_RECORDS_H

#include "control/securosys/ska_policy.h"
#include "control/securosys/ska_state.h"
#include "control/securosys/ska_wish.h"
#include "control/store.h"

extern const struct store_migrations ska_migrations;

#define SKA_MAX_LABEL 100 /* characters */
#define SKA_MAX_LABEL_SIZE (4 * SKA_MAX_LABEL + 1)
#define SKA_UUID_SIZE sizeof("9dd448e1-6d34-4b98-a05b-3ec006d99fef")
#define SKA_SALT_LEN 16
#define SKA_PASSWORD_LEN 48 /* salt and scrypt hash */
#define SKA_SERIAL_BYTES 16
#define SKA_MAX_TO_BE_SIGNED 4096

/* ---- keys ---- */

/* Texts and bytes are owned; ska_key_free. Zero state: nothing. */
struct ska_key {
    int64_t id;
    char label[SKA_MAX_LABEL_SIZE];
    enum wire_key_type type;
    struct wire_control_token token; /* of the signer's MAKE_KEY */
    struct wire_key_id signer_key;
    uint8_t public_key[SKA_MAX_PUBLIC_KEY];
    size_t public_key_len;
    json_t *attributes;
    json_t *policy; /* NULL: a key without one, which can never become an SKA key */
    bool has_password;
    uint8_t password[SKA_PASSWORD_LEN];
    struct mg_buffer certificate; /* DER; empty: none */
    int64_t created_us;
};

void ska_key_free(struct ska_key *key);

MG_MUST_USE enum mg_status ska_key_load(struct store_tx *tx, const char *label, struct ska_key *out,
                                        struct mg_error *error);
/* ska_key_insert: MG_EXISTS if the label is taken; key->id is set. */
MG_MUST_USE enum mg_status ska_key_insert(struct store_tx *tx, struct ska_key *key, struct mg_error *error);
/* ska_key_delete also notes its signer's key as unwanted. */
MG_MUST_USE enum mg_status ska_key_delete(struct store_tx *tx, const struct ska_key *key, struct mg_error *error);
/* ska_key_set_certificate: without memory: none. */
MG_MUST_USE enum mg_status ska_key_set_certificate(struct store_tx *tx, int64_t id, struct mg_slice der,
                                                   struct mg_error *error);
/* ska_key_labels appends all labels to the array |out|, in their order. */
MG_MUST_USE enum mg_status ska_key_labels(struct store_tx *tx, json_t *out, struct mg_error *error);
MG_MUST_USE enum mg_status ska_key_count(struct store_tx *tx, int64_t *out, struct mg_error *error);

/* Keys that the signer may have and nobody wants: noted before one is asked for, and when one is deleted. */
struct ska_unwanted {
    struct wire_control_token token;
    enum wire_key_type type;
    char label[WIRE_CONTROL_MAX_LABEL + 1]; /* the signer's */
};

/* ska_unwanted_label fills in the label under which the signer has the key of unwanted->token. */
void ska_unwanted_label(struct ska_unwanted *unwanted);

MG_MUST_USE enum mg_status ska_unwanted_add(struct store_tx *tx, const struct ska_unwanted *unwanted,
                                            struct mg_error *error);
MG_MUST_USE enum mg_status ska_unwanted_next(struct store_tx *tx, struct ska_unwanted *out, struct mg_error *error);
MG_MUST_USE enum mg_status ska_unwanted_forget(struct store_tx *tx, const struct wire_control_token *token,
                                               struct mg_error *error);

/* ---- requests ---- */

/* Texts are owned; ska_request_free. */
struct ska_request {
    char id[SKA_UUID_SIZE];
    int64_t key_id;
    char label[SKA_MAX_LABEL_SIZE]; /* of the key, also when that is gone */
    enum ska_operation operation;
    enum ska_state state;
    char *payload;           /* JSON: what is asked for, without a password */
    char *rule;              /* JSON: the rule that it is judged by, as it was then */
    char *request_signature; /* JSON, or NULL */
    uint8_t serial[SKA_SERIAL_BYTES];
    int64_t created_us;
    int64_t due_us; /* PENDING: when to judge again; APPROVED: when to execute; INT64_MAX: never */
    int64_t executed_us;
    char *result; /* NULL: none yet */
    char *reason; /* of FAILED; NULL */
};

void ska_request_free(struct ska_request *request);
MG_MUST_USE enum mg_status ska_request_load(struct store_tx *tx, const char *id, struct ska_request *out,
                                            struct mg_error *error);
MG_MUST_USE enum mg_status ska_request_insert(struct store_tx *tx, const struct ska_request *request,
                                              struct mg_error *error);
/* ska_request_update writes state, times, result and reason; a request that is no longer PENDING loses the tasks that
 * nobody has answered. */
MG_MUST_USE enum mg_status ska_request_update(struct store_tx *tx, const struct ska_request *request,
                                              struct mg_error *error);
/* ska_request_next_due gives the first open one at or before |now_us|, but for approved ones of Mintgate's own. */
MG_MUST_USE enum mg_status ska_request_next_due(struct store_tx *tx, int64_t now_us, char id[SKA_UUID_SIZE],
                                                struct mg_error *error);
/* ska_request_find gives the newest open one for |key_id| with |operation| and |payload|. */
MG_MUST_USE enum mg_status ska_request_find(struct store_tx *tx, int64_t key_id, enum ska_operation operation,
                                            const char *payload, char id[SKA_UUID_SIZE], struct mg_error *error);
MG_MUST_USE enum mg_status ska_request_count_open(struct store_tx *tx, int64_t *out, struct mg_error *error);

/* ska_request_each calls |visit| with ids, the newest first, at most |max|: in one of |states| (a set), and of |key_id|
 * unless that is 0. */
struct ska_request_filter {
    unsigned states;
    int64_t key_id;
    int64_t max;
};
typedef enum mg_status ska_id_visitor(void *arg, const char *id);
MG_MUST_USE enum mg_status ska_request_each(struct store_tx *tx, const struct ska_request_filter *filter,
                                            ska_id_visitor *visit, void *arg, struct mg_error *error);

/* ---- tasks ---- */

struct ska_task {
    char id[SKA_UUID_SIZE];
    char request[SKA_UUID_SIZE];
    struct ska_public_key approver;
    struct mg_buffer to_be_signed; /* owned; ska_task_free */
    struct ska_vote vote;
};

void ska_task_free(struct ska_task *task);
MG_MUST_USE enum mg_status ska_task_load(struct store_tx *tx, const char *id, struct ska_task *out,
                                         struct mg_error *error);
MG_MUST_USE enum mg_status ska_task_insert(struct store_tx *tx, const struct ska_task *task, struct mg_error *error);
/* ska_task_answer notes task->vote and the proof of it: what was signed (task->to_be_signed, or for a rejection the
 * timestamp), the signature, and the digest's name. MG_NOT_FOUND: it was answered before. */
MG_MUST_USE enum mg_status ska_task_answer(struct store_tx *tx, const struct ska_task *task, struct mg_slice message,
                                           struct mg_slice signature, const char *digest, struct mg_error *error);
/* ska_task_each calls |visit| with each task of a request; the task lives for the call. */
typedef enum mg_status ska_task_visitor(void *arg, const struct ska_task *task);
MG_MUST_USE enum mg_status ska_task_each(struct store_tx *tx, const char *request, ska_task_visitor *visit, void *arg,
                                         struct mg_error *error);

/* What an approver has to answer: the open tasks of pending requests whose time is not out. */
struct ska_inbox {
    const struct ska_public_key *approver;
    const char *task, *request; /* those alone; NULL: all */
    int64_t first, max;
    bool is_by_fetching, is_descending; /* the order: by when it was fetched, else made */
    int64_t now_us;                     /* noted as the time of fetching */
};
MG_MUST_USE enum mg_status ska_task_fetch(struct store_tx *tx, const struct ska_inbox *inbox, ska_id_visitor *visit,
                                          void *arg, struct mg_error *error);

/* ska_approver_add notes that the policy of a key names |approver|; ska_approver_is_known tells whether any does. */
MG_MUST_USE enum mg_status ska_approver_add(struct store_tx *tx, int64_t key_id, const struct ska_public_key *approver,
                                            struct mg_error *error);
MG_MUST_USE enum mg_status ska_approver_is_known(struct store_tx *tx, const struct ska_public_key *key, bool *out,
                                                 struct mg_error *error);

/* ska_timestamp_use notes that |key| has signed |timestamp|, and forgets those that are too old to count. MG_EXISTS: it
 * was noted before. */
MG_MUST_USE enum mg_status ska_timestamp_use(struct store_tx *tx, const struct ska_public_key *key,
                                             const char *timestamp, int64_t now_us, struct mg_error *error);

#endif
