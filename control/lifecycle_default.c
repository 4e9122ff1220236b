/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lifecycle_default.h"

#include <string.h>

#include "base/json.h"
#include "control/lifecycle_quota.h"
#include "control/lifecycle_step.h"

/* prepare checks the step's record and enables it: what both steps have in common, the first undoing it. */
static enum mg_status prepare(struct step *step, struct mg_error *error)
{
    if (step_now_seconds(step->call) > step->record.not_after) {
        return step_refuse(step->call, MG_DENIED, "INVALID_OPERATION", error,
                           "The certificate has expired and cannot be the default");
    }
    if (step->record.is_revoked) {
        return step_refuse(step->call, MG_DENIED, "INVALID_OPERATION", error,
                           "The certificate is revoked (its CCADB record says so) and cannot be the default");
    }
    return lifecycle_quota_enable_default(step, error);
}

/* undo ends a step that only looked: |status| without a commit, and the record as it was. */
static enum mg_status undo(struct step *step, enum mg_status status, int64_t id, struct intermediate *out,
                           struct mg_error *error)
{
    if (status != MG_OK) {
        return step_end(step, status, NULL, error);
    }
    struct lifecycle_call *call = step->call;
    step_abandon(step);
    return lifecycle_check(call, LIFECYCLE_MAKE_DEFAULT, id, out, error);
}

enum mg_status lifecycle_check_default(struct lifecycle_call *call, int64_t id, struct intermediate *out,
                                       struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_MAKE_DEFAULT, id, error);
    if (status == MG_OK) {
        status = prepare(&step, error);
    }
    return undo(&step, status, id, out, error);
}

static enum mg_status load_default(struct lifecycle_call *call, struct default_issuer *out, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(call->lifecycle->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, default_issuer_load(tx, out, error), error) : status;
}

enum mg_status lifecycle_check_previous(struct lifecycle_call *call, struct intermediate *out, struct mg_error *error)
{
    struct default_issuer now;
    enum mg_status status = load_default(call, &now, error);
    if (status != MG_OK && status != MG_NOT_FOUND) {
        call->code = "UNEXPECTED_ERROR";
        return status;
    }
    if (now.previous_id == 0) {
        return step_refuse(call, MG_NOT_FOUND, "RESOURCE_NOT_FOUND", error, "There was no other default before");
    }
    status = lifecycle_check_default(call, now.previous_id, out, error);
    if (status == MG_NOT_FOUND) {
        return step_refuse(call, status, "RESOURCE_NOT_FOUND", error,
                           "The default before (id %lld) has been deleted since", (long long)now.previous_id);
    }
    return status;
}

/* switch_to makes the step's record the default. */
static enum mg_status switch_to(struct step *step, struct default_issuer *now, struct mg_error *error)
{
    enum mg_status status = prepare(step, error);
    if (status == MG_OK) {
        status = default_issuer_set(step->tx, step->record.id, error);
    }
    if (status == MG_OK) {
        status = default_issuer_load(step->tx, now, error);
    }
    if (status == MG_OK) {
        step->record.is_default = true;
        mg_json_uint(&step->detail, "epoch", (uint64_t)now->epoch);
        mg_json_uint(&step->detail, "previous", (uint64_t)now->previous_id);
    }
    return status;
}

enum mg_status lifecycle_commit_default(struct lifecycle_call *call, int64_t id, struct default_issuer *now,
                                        struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_MAKE_DEFAULT, id, error);
    if (status == MG_OK && step.record.is_default) {
        step.is_saved = step.is_silent = true;
        status = default_issuer_load(step.tx, now, error);
    } else if (status == MG_OK) {
        status = switch_to(&step, now, error);
    }
    return step_end(&step, status, out, error);
}

/* The built-in. */

static bool same_text(const char *stored, struct mg_slice given)
{
    return stored == NULL ? given.data == NULL : mg_slice_equal(mg_slice_of_text(stored), given);
}

static bool is_current(const struct intermediate *record, const struct lifecycle_builtin *builtin)
{
    return record->state == INTERMEDIATE_CERT_READY && same_text(record->certificate, builtin->certificate) &&
           same_text(record->chain, builtin->chain) && same_text(record->public_key, builtin->public_key) &&
           memcmp(&record->key_id, &builtin->key_id, sizeof(record->key_id)) == 0;
}

/* take_over writes what |builtin| says into the step's record. */
static enum mg_status take_over(struct step *step, const struct lifecycle_builtin *builtin,
                                const struct certificate_facts *facts, struct mg_error *error)
{
    static const struct text_rule name_rule = {"name of the built-in", 1, INTERMEDIATE_MAX_NAME, NULL};
    struct intermediate *record = &step->record;
    record->type = INTERMEDIATE_BUILTIN;
    record->region = INTERMEDIATE_GLOBAL;
    record->status = INTERMEDIATE_ENABLED;
    record->state = INTERMEDIATE_CERT_READY;
    record->key_type = builtin->key_type;
    record->key_id = builtin->key_id;
    record->key_time = facts->not_before;
    record->not_before = facts->not_before;
    record->not_after = facts->not_after;
    step->next = record->state;
    mg_json_hex(&step->detail, "sha256", facts->sha256, sizeof(facts->sha256));
    enum mg_status status = text_set(record->name, mg_slice_of_text(builtin->name), &name_rule, error);
    if (status == MG_OK) {
        status = intermediate_set1(&record->public_key, builtin->public_key, error);
    }
    if (status == MG_OK) {
        status = intermediate_set1(&record->certificate, builtin->certificate, error);
    }
    return status == MG_OK ? intermediate_set1(&record->chain, builtin->chain, error) : status;
}

/* save_builtin inserts the first one, or updates, and moves the epoch where engines must hear of it. */
static enum mg_status save_builtin(struct step *step, struct mg_error *error)
{
    struct intermediate *record = &step->record;
    bool is_first = record->id == 0;
    enum mg_status status = MG_OK;
    record->updated_us = step->call->now_us;
    if (is_first) {
        record->id = INTERMEDIATE_BUILTIN_ID;
        record->created_us = step->call->now_us;
        status = intermediate_insert(step->tx, record, error);
    } else {
        status = intermediate_update(step->tx, record, error);
    }
    step->is_saved = true;
    if (status == MG_OK && (is_first || record->is_default)) {
        status = default_issuer_set(step->tx, record->id, error);
    }
    return status;
}

static enum mg_status install(struct step *step, const struct lifecycle_builtin *builtin,
                              const struct certificate_facts *facts, struct mg_error *error)
{
    if (is_current(&step->record, builtin)) {
        step->is_saved = step->is_silent = true;
        return MG_OK;
    }
    enum mg_status status = take_over(step, builtin, facts, error);
    return status == MG_OK ? save_builtin(step, error) : status;
}

enum mg_status lifecycle_install_builtin(struct lifecycle_call *call, const struct lifecycle_builtin *builtin,
                                         struct mg_error *error)
{
    struct certificate_facts facts;
    enum mg_status status = certificate_describe(builtin->certificate, &facts, error);
    if (status != MG_OK) {
        call->code = "UNEXPECTED_ERROR";
        return status;
    }
    struct step step;
    status = step_begin(&step, call, LIFECYCLE_INSTALL, INTERMEDIATE_BUILTIN_ID, error);
    if (status == MG_OK) {
        status = install(&step, builtin, &facts, error);
    }
    return step_end(&step, status, NULL, error);
}
