/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_records.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "control/securosys/ska_api_key.h"

/* A request outlives its key; approvals are proofs, and are kept with it. */
static const char *const steps[] = {
    "CREATE TABLE ska_key ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  label TEXT NOT NULL UNIQUE,"
    "  key_type INTEGER NOT NULL,"
    "  token BLOB NOT NULL CHECK (length(token) = 16),"
    "  signer_key BLOB NOT NULL UNIQUE CHECK (length(signer_key) = 16),"
    "  public_key BLOB NOT NULL,"
    "  attributes TEXT NOT NULL,"
    "  policy TEXT,"
    "  password BLOB,"
    "  certificate BLOB,"
    "  created_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TRIGGER ska_key_keeps_its_policy BEFORE UPDATE OF policy, signer_key ON ska_key"
    "  BEGIN SELECT raise(ABORT, 'the policy of a key cannot be changed'); END;"
    "CREATE TABLE ska_approver ("
    "  key_id INTEGER NOT NULL REFERENCES ska_key (id) ON DELETE CASCADE,"
    "  approver BLOB NOT NULL,"
    "  PRIMARY KEY (approver, key_id)"
    ") STRICT;"
    "CREATE TABLE ska_unwanted ("
    "  token BLOB PRIMARY KEY CHECK (length(token) = 16),"
    "  key_type INTEGER NOT NULL,"
    "  label TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE ska_request ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE,"
    "  key_id INTEGER NOT NULL,"
    "  label TEXT NOT NULL,"
    "  operation TEXT NOT NULL,"
    "  state TEXT NOT NULL,"
    "  payload TEXT NOT NULL,"
    "  rule TEXT NOT NULL,"
    "  request_signature TEXT,"
    "  serial BLOB NOT NULL CHECK (length(serial) = 16),"
    "  created_us INTEGER NOT NULL,"
    "  due_us INTEGER NOT NULL,"
    "  executed_us INTEGER NOT NULL,"
    "  result TEXT,"
    "  reason TEXT"
    ") STRICT;"
    "CREATE INDEX ska_request_by_state ON ska_request (state, due_us);"
    "CREATE INDEX ska_request_by_key ON ska_request (key_id);"
    "CREATE TABLE ska_task ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE,"
    "  request TEXT NOT NULL REFERENCES ska_request (id),"
    "  approver BLOB NOT NULL,"
    "  to_be_signed BLOB NOT NULL,"
    "  answer INTEGER NOT NULL,"
    "  answered_us INTEGER NOT NULL,"
    "  fetched_us INTEGER NOT NULL,"
    "  message BLOB,"
    "  signature BLOB,"
    "  digest TEXT,"
    "  UNIQUE (request, approver)"
    ") STRICT;"
    "CREATE INDEX ska_task_by_approver ON ska_task (approver, answer);"
    "CREATE TRIGGER ska_task_keeps_its_answer BEFORE UPDATE OF answer, message, signature, to_be_signed, approver"
    "  ON ska_task WHEN old.answer <> 0"
    "  BEGIN SELECT raise(ABORT, 'an answer cannot be changed'); END;"
    "CREATE TABLE ska_timestamp ("
    "  digest BLOB PRIMARY KEY,"
    "  time_us INTEGER NOT NULL"
    ") STRICT;" SKA_API_KEY_TABLE,
};
const struct store_migrations ska_migrations = {"securosys", steps, MG_ARRAY_LEN(steps)};

/* ---- columns ---- */

/* copy_text copies a column to an array; what does not fit is damage, and reads as empty. */
static void copy_text(struct store_statement *query, char *out, size_t size)
{
    struct mg_slice text = store_column_text(query);
    size_t len = text.len < size ? text.len : 0;
    if (len > 0) {
        memcpy(out, text.data, len);
    }
    out[len] = '\0';
}

static void copy_blob(struct store_statement *query, uint8_t *out, size_t size)
{
    struct mg_slice bytes = store_column_blob(query);
    memset(out, 0, size);
    if (bytes.len == size) {
        memcpy(out, bytes.data, size);
    }
}

/* dup_text returns a copy of a column, NULL for SQL's NULL. */
static char *dup_text(struct store_statement *query)
{
    struct mg_slice text = store_column_text(query);
    return text.data == NULL ? NULL : mg_slice_dup_text(text);
}

static json_t *load_json(struct store_statement *query)
{
    struct mg_slice text = store_column_text(query);
    return text.data == NULL ? NULL : json_loadb((const char *)text.data, text.len, 0, NULL);
}

static struct mg_slice optional(const char *text)
{
    return text == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(text);
}

static void bind_json(struct store_statement *statement, const json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    store_bind_text(statement, optional(text));
    free(text);
}

static void read_public_key(struct store_statement *query, struct ska_public_key *out)
{
    struct mg_slice bytes = store_column_blob(query);
    out->len = bytes.len <= sizeof(out->spki) ? bytes.len : 0;
    if (out->len > 0) {
        memcpy(out->spki, bytes.data, out->len);
    }
}

/* finish_one ends a query for one row. */
static enum mg_status finish_one(struct store_statement *query, bool found, const char *what, struct mg_error *error)
{
    enum mg_status status = store_finish(query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "%s: does not exist", what) : status;
}

/* read_number runs a query of one number. */
static enum mg_status read_number(struct store_statement *query, int64_t *out, struct mg_error *error)
{
    bool found = store_next(query);
    *out = found ? store_column_int(query) : 0;
    return store_finish(query, error);
}

/* visit_ids runs a query of ids. */
static enum mg_status visit_ids(struct store_statement *query, ska_id_visitor *visit, void *arg, struct mg_error *error)
{
    enum mg_status visited = MG_OK;
    while (visited == MG_OK && store_next(query)) {
        visited = visit(arg, (const char *)store_column_text(query).data);
    }
    enum mg_status status = store_finish(query, error);
    return visited != MG_OK ? visited : status;
}

/* ---- keys ---- */

void ska_key_free(struct ska_key *key)
{
    json_decref(key->attributes);
    json_decref(key->policy);
    mg_buffer_free(&key->certificate);
    *key = (struct ska_key){.id = 0};
}

static void read_key(struct store_statement *query, struct ska_key *out)
{
    struct ska_public_key public_key;
    out->id = store_column_int(query);
    copy_text(query, out->label, sizeof(out->label));
    out->type = (enum wire_key_type)store_column_int(query);
    copy_blob(query, out->token.bytes, sizeof(out->token.bytes));
    copy_blob(query, out->signer_key.bytes, sizeof(out->signer_key.bytes));
    read_public_key(query, &public_key);
    memcpy(out->public_key, public_key.spki, public_key.len);
    out->public_key_len = public_key.len;
    out->attributes = load_json(query);
    out->policy = load_json(query);
    struct mg_slice password = store_column_blob(query);
    out->has_password = password.len == sizeof(out->password);
    if (out->has_password) {
        memcpy(out->password, password.data, sizeof(out->password));
    }
    mg_buffer_init(&out->certificate, SKA_MAX_CERTIFICATE);
    mg_buffer_append_slice(&out->certificate, store_column_blob(query));
    out->created_us = store_column_int(query);
}

enum mg_status ska_key_load(struct store_tx *tx, const char *label, struct ska_key *out, struct mg_error *error)
{
    struct store_statement query;
    *out = (struct ska_key){.id = 0};
    store_prepare(&query, tx,
                  "SELECT id, label, key_type, token, signer_key, public_key, attributes, policy, password,"
                  " certificate, created_us FROM ska_key WHERE label = ?");
    store_bind_text(&query, mg_slice_of_text(label));
    bool found = store_next(&query);
    if (found) {
        read_key(&query, out);
    }
    return finish_one(&query, found, "signKeyName, label", error);
}

enum mg_status ska_key_insert(struct store_tx *tx, struct ska_key *key, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO ska_key (label, key_type, token, signer_key, public_key, attributes, policy, password,"
                  " created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    store_bind_text(&statement, mg_slice_of_text(key->label));
    store_bind_int(&statement, key->type);
    store_bind_blob(&statement, mg_slice_of(key->token.bytes, sizeof(key->token.bytes)));
    store_bind_blob(&statement, mg_slice_of(key->signer_key.bytes, sizeof(key->signer_key.bytes)));
    store_bind_blob(&statement, mg_slice_of(key->public_key, key->public_key_len));
    bind_json(&statement, key->attributes);
    bind_json(&statement, key->policy);
    store_bind_blob(&statement,
                    key->has_password ? mg_slice_of(key->password, sizeof(key->password)) : mg_slice_of(NULL, 0));
    store_bind_int(&statement, key->created_us);
    enum mg_status status = store_run(&statement, error);
    key->id = status == MG_OK ? store_last_id(tx) : 0;
    return status;
}

enum mg_status ska_key_delete(struct store_tx *tx, const struct ska_key *key, struct mg_error *error)
{
    struct store_statement statement;
    struct ska_unwanted unwanted = {.token = key->token, .type = key->type};
    ska_unwanted_label(&unwanted);
    store_prepare(&statement, tx, "DELETE FROM ska_key WHERE id = ?");
    store_bind_int(&statement, key->id);
    enum mg_status status = store_run(&statement, error);
    return status == MG_OK ? ska_unwanted_add(tx, &unwanted, error) : status;
}

enum mg_status ska_key_set_certificate(struct store_tx *tx, int64_t id, struct mg_slice der, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "UPDATE ska_key SET certificate = ? WHERE id = ?");
    store_bind_blob(&statement, der);
    store_bind_int(&statement, id);
    return store_run(&statement, error);
}

enum mg_status ska_key_labels(struct store_tx *tx, json_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT label FROM ska_key ORDER BY label");
    while (store_next(&query)) {
        (void)json_array_append_new(out, json_string((const char *)store_column_text(&query).data));
    }
    return store_finish(&query, error);
}

enum mg_status ska_key_count(struct store_tx *tx, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT count(*) FROM ska_key");
    return read_number(&query, out, error);
}

/* ---- keys that nobody wants ---- */

void ska_unwanted_label(struct ska_unwanted *unwanted)
{
    struct mg_buffer text;
    mg_buffer_wrap(&text, unwanted->label, sizeof(unwanted->label));
    mg_buffer_append_text(&text, "ska ");
    for (size_t i = 0; i < sizeof(unwanted->token.bytes) / 2; i++) {
        mg_buffer_append_format(&text, "%02x", unwanted->token.bytes[i]);
    }
    mg_buffer_append_u8(&text, '\0');
}

enum mg_status ska_unwanted_add(struct store_tx *tx, const struct ska_unwanted *unwanted, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO ska_unwanted (token, key_type, label) VALUES (?, ?, ?)");
    store_bind_blob(&statement, mg_slice_of(unwanted->token.bytes, sizeof(unwanted->token.bytes)));
    store_bind_int(&statement, unwanted->type);
    store_bind_text(&statement, mg_slice_of_text(unwanted->label));
    return store_run(&statement, error);
}

enum mg_status ska_unwanted_next(struct store_tx *tx, struct ska_unwanted *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT token, key_type, label FROM ska_unwanted LIMIT 1");
    bool found = store_next(&query);
    if (found) {
        copy_blob(&query, out->token.bytes, sizeof(out->token.bytes));
        out->type = (enum wire_key_type)store_column_int(&query);
        copy_text(&query, out->label, sizeof(out->label));
    }
    return finish_one(&query, found, "unwanted key", error);
}

enum mg_status ska_unwanted_forget(struct store_tx *tx, const struct wire_control_token *token, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ska_unwanted WHERE token = ?");
    store_bind_blob(&statement, mg_slice_of(token->bytes, sizeof(token->bytes)));
    return store_run(&statement, error);
}

/* ---- requests ---- */

void ska_request_free(struct ska_request *request)
{
    free(request->payload);
    free(request->rule);
    free(request->request_signature);
    free(request->result);
    free(request->reason);
    *request = (struct ska_request){.key_id = 0};
}

static void read_request(struct store_statement *query, struct ska_request *out)
{
    copy_text(query, out->id, sizeof(out->id));
    out->key_id = store_column_int(query);
    copy_text(query, out->label, sizeof(out->label));
    out->operation = (enum ska_operation)words_value(&ska_operation_words, store_column_text(query));
    out->state = (enum ska_state)words_value(&ska_state_words, store_column_text(query));
    out->payload = dup_text(query);
    out->rule = dup_text(query);
    out->request_signature = dup_text(query);
    copy_blob(query, out->serial, sizeof(out->serial));
    out->created_us = store_column_int(query);
    out->due_us = store_column_int(query);
    out->executed_us = store_column_int(query);
    out->result = dup_text(query);
    out->reason = dup_text(query);
}

enum mg_status ska_request_load(struct store_tx *tx, const char *id, struct ska_request *out, struct mg_error *error)
{
    struct store_statement query;
    *out = (struct ska_request){.key_id = 0};
    store_prepare(&query, tx,
                  "SELECT id, key_id, label, operation, state, payload, rule, request_signature, serial, created_us,"
                  " due_us, executed_us, result, reason FROM ska_request WHERE id = ?");
    store_bind_text(&query, mg_slice_of_text(id));
    bool found = store_next(&query);
    if (found) {
        read_request(&query, out);
    }
    enum mg_status status = finish_one(&query, found, "request", error);
    if (status == MG_OK && (out->payload == NULL || out->rule == NULL)) {
        status = mg_error_set(error, MG_MEMORY, "no memory for a request");
    }
    if (status != MG_OK) {
        ska_request_free(out);
    }
    return status;
}

enum mg_status ska_request_insert(struct store_tx *tx, const struct ska_request *request, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO ska_request (id, key_id, label, operation, state, payload, rule, request_signature,"
                  " serial, created_us, due_us, executed_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)");
    store_bind_text(&statement, mg_slice_of_text(request->id));
    store_bind_int(&statement, request->key_id);
    store_bind_text(&statement, mg_slice_of_text(request->label));
    store_bind_text(&statement, mg_slice_of_text(words_name(&ska_operation_words, request->operation)));
    store_bind_text(&statement, mg_slice_of_text(words_name(&ska_state_words, request->state)));
    store_bind_text(&statement, mg_slice_of_text(request->payload));
    store_bind_text(&statement, mg_slice_of_text(request->rule));
    store_bind_text(&statement, optional(request->request_signature));
    store_bind_blob(&statement, mg_slice_of(request->serial, sizeof(request->serial)));
    store_bind_int(&statement, request->created_us);
    store_bind_int(&statement, request->due_us);
    return store_run(&statement, error);
}

static enum mg_status drop_open_tasks(struct store_tx *tx, const char *request, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ska_task WHERE request = ? AND answer = 0");
    store_bind_text(&statement, mg_slice_of_text(request));
    return store_run(&statement, error);
}

enum mg_status ska_request_update(struct store_tx *tx, const struct ska_request *request, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "UPDATE ska_request SET state = ?, due_us = ?, executed_us = ?, result = ?, reason = ? WHERE id = ?");
    store_bind_text(&statement, mg_slice_of_text(words_name(&ska_state_words, request->state)));
    store_bind_int(&statement, request->due_us);
    store_bind_int(&statement, request->executed_us);
    store_bind_text(&statement, optional(request->result));
    store_bind_text(&statement, optional(request->reason));
    store_bind_text(&statement, mg_slice_of_text(request->id));
    enum mg_status status = store_run(&statement, error);
    return status == MG_OK && request->state != SKA_PENDING ? drop_open_tasks(tx, request->id, error) : status;
}

/* read_id runs a query of one id. */
static enum mg_status read_id(struct store_statement *query, char id[SKA_UUID_SIZE], struct mg_error *error)
{
    bool found = store_next(query);
    if (found) {
        copy_text(query, id, SKA_UUID_SIZE);
    }
    return finish_one(query, found, "request", error);
}

enum mg_status ska_request_next_due(struct store_tx *tx, int64_t now_us, char id[SKA_UUID_SIZE], struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT id FROM ska_request WHERE due_us <= ? AND (state = 'PENDING' OR (state = 'APPROVED'"
                  " AND operation NOT LIKE 'MINTGATE%')) ORDER BY due_us LIMIT 1");
    store_bind_int(&query, now_us);
    return read_id(&query, id, error);
}

enum mg_status ska_request_find(struct store_tx *tx, int64_t key_id, enum ska_operation operation, const char *payload,
                                char id[SKA_UUID_SIZE], struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT id FROM ska_request WHERE key_id = ? AND operation = ? AND payload = ?"
                  " AND state IN ('PENDING', 'APPROVED') ORDER BY number DESC LIMIT 1");
    store_bind_int(&query, key_id);
    store_bind_text(&query, mg_slice_of_text(words_name(&ska_operation_words, operation)));
    store_bind_text(&query, mg_slice_of_text(payload));
    return read_id(&query, id, error);
}

enum mg_status ska_request_count_open(struct store_tx *tx, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT count(*) FROM ska_request WHERE state IN ('PENDING', 'APPROVED')");
    return read_number(&query, out, error);
}

/* bind_states binds the word of each state, or NULL, which equals nothing. */
static void bind_states(struct store_statement *query, unsigned states)
{
    for (unsigned state = 1; state < SKA_NUM_STATES; state++) {
        bool is_wanted = (states & SKA_STATE_BIT(state)) != 0;
        store_bind_text(query,
                        is_wanted ? mg_slice_of_text(words_name(&ska_state_words, state)) : mg_slice_of(NULL, 0));
    }
}

enum mg_status ska_request_each(struct store_tx *tx, const struct ska_request_filter *filter, ska_id_visitor *visit,
                                void *arg, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT id FROM ska_request WHERE (?1 = 0 OR key_id = ?1) AND state IN (?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                  " ORDER BY number DESC LIMIT ?9");
    store_bind_int(&query, filter->key_id);
    bind_states(&query, filter->states);
    store_bind_int(&query, filter->max);
    return visit_ids(&query, visit, arg, error);
}

/* ---- tasks ---- */

void ska_task_free(struct ska_task *task)
{
    mg_buffer_free(&task->to_be_signed);
}

static void read_task(struct store_statement *query, struct ska_task *out)
{
    copy_text(query, out->id, sizeof(out->id));
    copy_text(query, out->request, sizeof(out->request));
    read_public_key(query, &out->approver);
    mg_buffer_init(&out->to_be_signed, SKA_MAX_TO_BE_SIGNED);
    mg_buffer_append_slice(&out->to_be_signed, store_column_blob(query));
    out->vote.answer = (enum ska_answer)store_column_int(query);
    out->vote.time_us = store_column_int(query);
}

#define TASK_COLUMNS "SELECT id, request, approver, to_be_signed, answer, answered_us FROM ska_task "

enum mg_status ska_task_load(struct store_tx *tx, const char *id, struct ska_task *out, struct mg_error *error)
{
    struct store_statement query;
    *out = (struct ska_task){.id = ""};
    store_prepare(&query, tx, TASK_COLUMNS "WHERE id = ?");
    store_bind_text(&query, mg_slice_of_text(id));
    bool found = store_next(&query);
    if (found) {
        read_task(&query, out);
    }
    return finish_one(&query, found, "task", error);
}

enum mg_status ska_task_insert(struct store_tx *tx, const struct ska_task *task, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO ska_task (id, request, approver, to_be_signed, answer, answered_us, fetched_us)"
                  " VALUES (?, ?, ?, ?, 0, 0, 0)");
    store_bind_text(&statement, mg_slice_of_text(task->id));
    store_bind_text(&statement, mg_slice_of_text(task->request));
    store_bind_blob(&statement, ska_public_key_slice(&task->approver));
    store_bind_blob(&statement, mg_buffer_slice(&task->to_be_signed));
    return store_run(&statement, error);
}

enum mg_status ska_task_answer(struct store_tx *tx, const struct ska_task *task, struct mg_slice message,
                               struct mg_slice signature, const char *digest, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "UPDATE ska_task SET answer = ?, answered_us = ?, message = ?, signature = ?, digest = ?"
                  " WHERE id = ? AND answer = 0");
    store_bind_int(&statement, task->vote.answer);
    store_bind_int(&statement, task->vote.time_us);
    store_bind_blob(&statement, message);
    store_bind_blob(&statement, signature);
    store_bind_text(&statement, optional(digest));
    store_bind_text(&statement, mg_slice_of_text(task->id));
    enum mg_status status = store_run(&statement, error);
    return status == MG_OK && store_num_changed(tx) == 0
               ? mg_error_set(error, MG_NOT_FOUND, "task: has been answered before")
               : status;
}

enum mg_status ska_task_each(struct store_tx *tx, const char *request, ska_task_visitor *visit, void *arg,
                             struct mg_error *error)
{
    struct store_statement query;
    enum mg_status visited = MG_OK;
    store_prepare(&query, tx, TASK_COLUMNS "WHERE request = ? ORDER BY number");
    store_bind_text(&query, mg_slice_of_text(request));
    while (visited == MG_OK && store_next(&query)) {
        struct ska_task task;
        read_task(&query, &task);
        visited = visit(arg, &task);
        ska_task_free(&task);
    }
    enum mg_status status = store_finish(&query, error);
    return visited != MG_OK ? visited : status;
}

/* The orders are literals, since no parameter can stand there. */
#define INBOX(order)                                                                                                   \
    "SELECT t.id FROM ska_task t JOIN ska_request r ON r.id = t.request"                                               \
    " WHERE t.approver = ?1 AND t.answer = 0 AND r.state = 'PENDING' AND r.due_us > ?6 AND (?2 IS NULL OR t.id = ?2)"  \
    " AND (?3 IS NULL OR r.id = ?3) ORDER BY " order " LIMIT ?4 OFFSET ?5"

static enum mg_status note_fetching(struct store_tx *tx, const struct ska_inbox *inbox, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "UPDATE ska_task SET fetched_us = ? WHERE approver = ? AND answer = 0");
    store_bind_int(&statement, inbox->now_us);
    store_bind_blob(&statement, ska_public_key_slice(inbox->approver));
    return store_run(&statement, error);
}

enum mg_status ska_task_fetch(struct store_tx *tx, const struct ska_inbox *inbox, ska_id_visitor *visit, void *arg,
                              struct mg_error *error)
{
    static const char *const queries[2][2] = {
        {INBOX("t.number"), INBOX("t.number DESC")},
        {INBOX("t.fetched_us, t.number"), INBOX("t.fetched_us DESC, t.number DESC")},
    };
    struct store_statement query;
    store_prepare(&query, tx, queries[inbox->is_by_fetching][inbox->is_descending]);
    store_bind_blob(&query, ska_public_key_slice(inbox->approver));
    store_bind_text(&query, optional(inbox->task));
    store_bind_text(&query, optional(inbox->request));
    store_bind_int(&query, inbox->max);
    store_bind_int(&query, inbox->first);
    store_bind_int(&query, inbox->now_us);
    enum mg_status status = visit_ids(&query, visit, arg, error);
    return status == MG_OK ? note_fetching(tx, inbox, error) : status;
}

enum mg_status ska_approver_add(struct store_tx *tx, int64_t key_id, const struct ska_public_key *approver,
                                struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO ska_approver (key_id, approver) VALUES (?, ?) ON CONFLICT DO NOTHING");
    store_bind_int(&statement, key_id);
    store_bind_blob(&statement, ska_public_key_slice(approver));
    return store_run(&statement, error);
}

enum mg_status ska_approver_is_known(struct store_tx *tx, const struct ska_public_key *key, bool *out,
                                     struct mg_error *error)
{
    struct store_statement query;
    int64_t number;
    store_prepare(&query, tx, "SELECT count(*) FROM (SELECT 1 FROM ska_approver WHERE approver = ? LIMIT 1)");
    store_bind_blob(&query, ska_public_key_slice(key));
    enum mg_status status = read_number(&query, &number, error);
    *out = status == MG_OK && number > 0;
    return status;
}

static enum mg_status forget_timestamps(struct store_tx *tx, int64_t now_us, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ska_timestamp WHERE time_us < ?");
    store_bind_int(&statement, now_us - SKA_TIMESTAMP_MAX_AGE_SECONDS * INT64_C(1000000));
    return store_run(&statement, error);
}

enum mg_status ska_timestamp_use(struct store_tx *tx, const struct ska_public_key *key, const char *timestamp,
                                 int64_t now_us, struct mg_error *error)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct store_statement statement;
    struct mg_buffer text;
    mg_buffer_init(&text, SKA_MAX_PUBLIC_KEY + 256);
    mg_buffer_append_slice(&text, ska_public_key_slice(key));
    mg_buffer_append_text(&text, timestamp);
    SHA256(text.data, text.len, digest);
    mg_buffer_free(&text);
    enum mg_status status = forget_timestamps(tx, now_us, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, "INSERT INTO ska_timestamp (digest, time_us) VALUES (?, ?) ON CONFLICT DO NOTHING");
    store_bind_blob(&statement, mg_slice_of(digest, sizeof(digest)));
    store_bind_int(&statement, now_us);
    status = store_run(&statement, error);
    return status == MG_OK && store_num_changed(tx) == 0
               ? mg_error_set(error, MG_EXISTS, "timestamp: has been used before")
               : status;
}
