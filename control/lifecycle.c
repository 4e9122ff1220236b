/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lifecycle.h"

#include <stdlib.h>

#include "base/json.h"
#include "control/doomed_key.h"
#include "control/key_wish.h"
#include "control/lifecycle_counters.h"
#include "control/lifecycle_quota.h"
#include "control/lifecycle_step.h"

#define BAD_INPUT "INVALID_INPUT_ARGUMENT"

/* Names of certificates and of files end up in Content-Disposition. */
static const struct text_rule name_rule = {"name", 1, INTERMEDIATE_MAX_NAME, "\"/\\"};
static const struct text_rule description_rule = {"description", 0, INTERMEDIATE_MAX_DESCRIPTION, NULL};
static const struct text_rule file_rule = {"fileUpload filename", 0, INTERMEDIATE_MAX_FILE_NAME, "\"/\\"};

/* Looking. */

enum mg_status lifecycle_check(struct lifecycle_call *call, enum lifecycle_operation operation, int64_t id,
                               struct intermediate *out, struct mg_error *error)
{
    struct step step = {.call = call};
    call->code = NULL;
    enum mg_status status = store_begin(call->lifecycle->store, STORE_READ, &step.tx, error);
    if (status == MG_OK) {
        status = store_end(step.tx, step_load(&step, id, error), error);
    }
    if (status == MG_OK) {
        status = step_judge(&step, operation, error);
    }
    if (status == MG_OK && out != NULL) {
        *out = step.record;
        return status;
    }
    intermediate_free(&step.record);
    if (status != MG_OK && call->code == NULL) {
        call->code = "UNEXPECTED_ERROR";
    }
    if (status != MG_OK) {
        lifecycle_count(call->lifecycle, operation, status);
    }
    return status;
}

enum mg_status lifecycle_read(struct lifecycle_call *call, enum lifecycle_operation operation, int64_t id,
                              struct intermediate *out, struct mg_error *error)
{
    struct intermediate record = {.id = 0};
    enum mg_status status = lifecycle_check(call, operation, id, &record, error);
    if (status != MG_OK) {
        return status;
    }
    bool moves = lifecycle_judge(operation, record.type, record.state, call->actor.role).next != record.state;
    if (!moves && out != NULL) {
        *out = record;
        return MG_OK;
    }
    intermediate_free(&record);
    if (!moves) {
        return MG_OK;
    }
    struct step step;
    status = step_begin(&step, call, operation, id, error);
    return step_end(&step, status, out, error);
}

/* Creating and changing. */

/* check_place checks type, region and key type, which never change afterwards. */
static enum mg_status check_place(struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                  struct mg_error *error)
{
    if (draft->type == 0) {
        return step_refuse(call, MG_INVALID, BAD_INPUT, error, "Certificate type is required.");
    }
    if (draft->type == INTERMEDIATE_BUILTIN) {
        return step_refuse(call, MG_INVALID, BAD_INPUT, error, "type: must be CUSTOM_SW or CUSTOM_HSM");
    }
    if (draft->type == INTERMEDIATE_SOFTWARE) {
        return draft->region == 0 || draft->region == INTERMEDIATE_GLOBAL
                   ? MG_OK
                   : step_refuse(call, MG_INVALID, BAD_INPUT, error, "region: must be GLOBAL for type CUSTOM_SW");
    }
    if (!lifecycle_quota_of(call->lifecycle->subscription)->allows_hsm) {
        return step_refuse(call, MG_DENIED, "NOT_SUBSCRIBED", error,
                           "type: the software subscription has no certificates of type CUSTOM_HSM");
    }
    if (draft->region == 0) {
        return step_refuse(call, MG_INVALID, BAD_INPUT, error, "region: is required for type CUSTOM_HSM");
    }
    if (!call->lifecycle->has_token[draft->region]) {
        return step_refuse(call, MG_INVALID, BAD_INPUT, error, "region: no token keeps keys in %s",
                           words_name(&intermediate_region_words, draft->region));
    }
    return MG_OK;
}

/* check_successor: |id| has not been given an id yet when it is 0. */
static enum mg_status check_successor(struct step *step, int64_t id, int64_t successor_id, struct mg_error *error)
{
    struct intermediate successor = {.id = 0};
    if (successor_id == 0) {
        return MG_OK;
    }
    if (successor_id == id) {
        return step_refuse(step->call, MG_INVALID, BAD_INPUT, error,
                           "fallbackCertId: a certificate cannot be its own successor");
    }
    enum mg_status status = intermediate_load(step->tx, successor_id, &successor, error);
    intermediate_free(&successor);
    if (status == MG_NOT_FOUND) {
        return step_refuse(step->call, MG_INVALID, BAD_INPUT, error, "fallbackCertId: there is no certificate %lld",
                           (long long)successor_id);
    }
    return status;
}

static enum mg_status set_name(struct step *step, struct mg_slice name, struct mg_error *error)
{
    return text_set(step->record.name, name, &name_rule, error);
}

/* fill makes the record of a new certificate from |draft|. */
static enum mg_status fill(struct step *step, const struct lifecycle_draft *draft, struct mg_error *error)
{
    step->record = (struct intermediate){
        .type = draft->type,
        .region = draft->region != 0 ? draft->region : INTERMEDIATE_GLOBAL,
        .status = draft->status != 0 ? draft->status : INTERMEDIATE_DISABLED,
        .state = step->next,
        .key_type = draft->key_type != 0 ? draft->key_type : WIRE_KEY_RSA_2048,
        .fallback_id = draft->fallback_id > 0 ? draft->fallback_id : 0,
        .created_us = step->call->now_us,
        .updated_us = step->call->now_us,
    };
    enum mg_status status = set_name(step, draft->name, error);
    if (status == MG_OK) {
        status = text_set(step->record.description, draft->description, &description_rule, error);
    }
    if (status == MG_OK) {
        status = check_successor(step, 0, step->record.fallback_id, error);
    }
    return status;
}

enum mg_status lifecycle_create(struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_CREATE, 0, error);
    if (status == MG_OK) {
        status = check_place(call, draft, error);
    }
    if (status == MG_OK) {
        status = fill(&step, draft, error);
    }
    if (status == MG_OK) {
        status = lifecycle_quota_check_create(&step, error);
    }
    if (status == MG_OK) {
        status = intermediate_insert(step.tx, &step.record, error);
    }
    if (status == MG_OK) {
        mg_json_string(&step.detail, "type", words_name(&intermediate_type_words, step.record.type));
        mg_json_string(&step.detail, "region", words_name(&intermediate_region_words, step.record.region));
        mg_json_string(&step.detail, "status", words_name(&intermediate_status_words, step.record.status));
        mg_json_string(&step.detail, "keyType", words_name(&intermediate_key_type_words, step.record.key_type));
        step.is_saved = true;
    }
    return step_end(&step, status, out, error);
}

/* differs tells whether a text was given and is another. */
static bool differs(struct mg_slice given, const char *now)
{
    return given.data != NULL && !mg_slice_equal(given, mg_slice_of_text(now));
}

static enum mg_status check_immutable(struct step *step, const struct lifecycle_draft *draft, struct mg_error *error)
{
    const struct {
        const char *field;
        unsigned given, now;
    } fields[] = {
        {"type", draft->type, step->record.type},
        {"region", draft->region, step->record.region},
        {"keyType", draft->key_type, step->record.key_type},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(fields); i++) {
        if (fields[i].given != 0 && fields[i].given != fields[i].now) {
            return step_refuse(step->call, MG_INVALID, BAD_INPUT, error,
                               "%s: cannot be changed after the certificate is created", fields[i].field);
        }
    }
    return MG_OK;
}

static enum mg_status change_status(struct step *step, enum intermediate_status wanted, struct mg_error *error)
{
    if (wanted == 0 || wanted == step->record.status) {
        return MG_OK;
    }
    if (step->record.is_default) {
        return step_refuse(step->call, MG_DENIED, "INVALID_OPERATION", error,
                           "status: the default certificate cannot be disabled");
    }
    if (wanted == INTERMEDIATE_ENABLED && step->record.is_revoked) {
        return step_refuse(step->call, MG_DENIED, "INVALID_OPERATION", error,
                           "status: the certificate is revoked (its CCADB record says so) and cannot be enabled");
    }
    enum mg_status status = wanted == INTERMEDIATE_ENABLED ? lifecycle_quota_check_enable(step, error) : MG_OK;
    if (status == MG_OK) {
        step->record.status = wanted;
        mg_json_string(&step->detail, "status", words_name(&intermediate_status_words, wanted));
    }
    return status;
}

/* change_draft changes what only a draft may, as is_draft_change tells it. */
static enum mg_status change_draft(struct step *step, const struct lifecycle_draft *draft, struct mg_error *error)
{
    struct intermediate *record = &step->record;
    enum mg_status status = MG_OK;
    if (differs(draft->name, record->name)) {
        mg_json_string(&step->detail, "oldName", record->name);
        status = set_name(step, draft->name, error);
    }
    if (status == MG_OK && differs(draft->description, record->description)) {
        mg_json_bool(&step->detail, "description", true);
        status = text_set(record->description, draft->description, &description_rule, error);
    }
    if (status == MG_OK && draft->fallback_id >= 0 && draft->fallback_id != record->fallback_id) {
        mg_json_uint(&step->detail, "fallbackCertId", (uint64_t)draft->fallback_id);
        record->fallback_id = draft->fallback_id;
        status = check_successor(step, record->id, draft->fallback_id, error);
    }
    return status;
}

static bool is_draft_change(const struct intermediate *record, const struct lifecycle_draft *draft)
{
    return differs(draft->name, record->name) || differs(draft->description, record->description) ||
           (draft->fallback_id >= 0 && draft->fallback_id != record->fallback_id);
}

enum mg_status lifecycle_update(struct lifecycle_call *call, int64_t id, const struct lifecycle_draft *draft,
                                struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_SET_STATUS, id, error);
    if (status == MG_OK) {
        status = check_immutable(&step, draft, error);
    }
    bool changes_draft = status == MG_OK && is_draft_change(&step.record, draft);
    bool changes_status = status == MG_OK && draft->status != 0 && draft->status != step.record.status;
    if (changes_draft) {
        status = step_judge(&step, LIFECYCLE_UPDATE, error);
    }
    step.is_saved = step.is_silent = !changes_draft && !changes_status;
    if (status == MG_OK) {
        status = change_draft(&step, draft, error);
    }
    if (status == MG_OK) {
        status = change_status(&step, draft->status, error);
    }
    return step_end(&step, status, out, error);
}

enum mg_status lifecycle_set_successor(struct lifecycle_call *call, int64_t id, int64_t successor_id,
                                       struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_SET_SUCCESSOR, id, error);
    if (status == MG_OK) {
        status = check_successor(&step, id, successor_id, error);
    }
    if (status == MG_OK) {
        step.record.fallback_id = successor_id;
        mg_json_uint(&step.detail, "fallbackCertId", (uint64_t)successor_id);
    }
    return step_end(&step, status, out, error);
}

enum mg_status lifecycle_delete(struct lifecycle_call *call, int64_t id, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_DELETE, id, error);
    if (status == MG_OK && step.record.is_default) {
        status = step_refuse(call, MG_DENIED, "INVALID_OPERATION", error, "The default certificate cannot be deleted");
    }
    if (status == MG_OK && intermediate_has_key(&step.record)) {
        status = doomed_key_add(step.tx, &step.record.key_id, call->now_us, error);
    }
    if (status == MG_OK) {
        status = intermediate_delete(step.tx, id, error);
    }
    step.is_saved = true;
    return step_end(&step, status, NULL, error);
}

/* Key and CSR. */

enum mg_status lifecycle_key_made(struct lifecycle_call *call, int64_t id, const struct wire_key_id *key_id,
                                  struct mg_slice public_key, struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_MAKE_KEY, id, error);
    if (status == MG_OK) {
        step.record.key_id = *key_id;
        step.record.key_time = step_now_seconds(call);
        mg_json_hex(&step.detail, "keyId", key_id->bytes, sizeof(key_id->bytes));
        status = intermediate_set1(&step.record.public_key, public_key, error);
    }
    if (status == MG_OK) {
        status = key_wish_forget(step.tx, id, error);
    }
    return step_end(&step, status, out, error);
}

enum mg_status lifecycle_attestation_verified(struct lifecycle_call *call, int64_t id, struct intermediate *out,
                                              struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_VERIFY_ATTESTATION, id, error);
    step.record.attestation_time = step_now_seconds(call);
    return step_end(&step, status, out, error);
}

static void drop_text(char **field)
{
    free(*field);
    *field = NULL;
}

static void drop_certificate(struct intermediate *record)
{
    drop_text(&record->certificate);
    drop_text(&record->chain);
    record->certificate_file[0] = '\0';
    record->not_before = record->not_after = 0;
}

enum mg_status lifecycle_csr_made(struct lifecycle_call *call, int64_t id, const struct intermediate_csr *csr,
                                  struct mg_slice pem, struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_MAKE_CSR, id, error);
    if (status == MG_OK) {
        step.record.csr = *csr;
        step.record.csr_time = step_now_seconds(call);
        mg_json_string(&step.detail, "commName", csr->common_name);
        drop_certificate(&step.record);
        status = intermediate_set1(&step.record.csr_pem, pem, error);
    }
    return step_end(&step, status, out, error);
}

/* Certificate and chain. */

static enum mg_status take_certificate(struct step *step, struct mg_slice file, struct mg_slice file_name,
                                       struct mg_error *error)
{
    struct intermediate *record = &step->record;
    struct certificate_facts facts;
    char *pem = NULL;
    drop_certificate(record);
    enum mg_status status = text_set(record->certificate_file, file_name, &file_rule, error);
    if (status == MG_OK) {
        status = certificate_check_intermediate(file, mg_slice_of_text(record->public_key),
                                                step_now_seconds(step->call), &facts, &pem, error);
    }
    if (status == MG_OK) {
        record->certificate = pem;
        record->not_before = facts.not_before;
        record->not_after = facts.not_after;
        mg_json_hex(&step->detail, "sha256", facts.sha256, sizeof(facts.sha256));
    }
    return status;
}

enum mg_status lifecycle_upload_certificate(struct lifecycle_call *call, int64_t id, struct mg_slice file,
                                            struct mg_slice file_name, struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_UPLOAD_CERTIFICATE, id, error);
    if (status == MG_OK) {
        status = take_certificate(&step, file, file_name, error);
    }
    return step_end(&step, status, out, error);
}

static enum mg_status take_chain(struct step *step, struct mg_slice file, struct mg_error *error)
{
    struct intermediate *record = &step->record;
    drop_text(&record->chain);
    return certificate_check_chain(file, mg_slice_of_text(record->certificate), step_now_seconds(step->call),
                                   &record->chain, error);
}

enum mg_status lifecycle_upload_chain(struct lifecycle_call *call, int64_t id, struct mg_slice file,
                                      struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_UPLOAD_CHAIN, id, error);
    if (status == MG_OK) {
        status = take_chain(&step, file, error);
    }
    return step_end(&step, status, out, error);
}

/* Import. */

static enum mg_status take_imported(struct step *step, const struct lifecycle_import *import,
                                    const struct wire_key_id *key_id, struct mg_error *error)
{
    step->record.key_id = *key_id;
    step->record.key_time = step_now_seconds(step->call);
    enum mg_status status = intermediate_set1(&step->record.public_key, import->public_key, error);
    if (status == MG_OK) {
        status = take_certificate(step, import->certificate, mg_slice_of_text(""), error);
    }
    return status == MG_OK && import->chain.len > 0 ? take_chain(step, import->chain, error) : status;
}

/* import fills the step's record and inserts it. */
static enum mg_status import(struct step *step, const struct lifecycle_draft *draft,
                             const struct lifecycle_import *wanted, const struct wire_key_id *key_id,
                             struct mg_error *error)
{
    enum mg_status status = check_place(step->call, draft, error);
    if (status == MG_OK) {
        status = fill(step, draft, error);
    }
    if (status == MG_OK) {
        status = take_imported(step, wanted, key_id, error);
    }
    if (status == MG_OK) {
        status = lifecycle_quota_check_create(step, error);
    }
    if (status == MG_OK) {
        status = intermediate_insert(step->tx, &step->record, error);
    }
    mg_json_string(&step->detail, "type", words_name(&intermediate_type_words, step->record.type));
    mg_json_string(&step->detail, "status", words_name(&intermediate_status_words, step->record.status));
    mg_json_string(&step->detail, "keyType", words_name(&intermediate_key_type_words, step->record.key_type));
    mg_json_hex(&step->detail, "keyId", key_id->bytes, sizeof(key_id->bytes));
    step->is_saved = true;
    return status;
}

enum mg_status lifecycle_import(struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                const struct lifecycle_import *wanted, const struct wire_key_id *key_id,
                                struct intermediate *out, struct mg_error *error)
{
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_IMPORT, 0, error);
    if (status == MG_OK) {
        status = import(&step, draft, wanted, key_id, error);
    }
    return step_end(&step, status, out, error);
}

enum mg_status lifecycle_check_import(struct lifecycle_call *call, const struct lifecycle_draft *draft,
                                      const struct lifecycle_import *wanted, struct intermediate *out,
                                      struct mg_error *error)
{
    static const struct wire_key_id any_key = {{1}};
    struct step step;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_IMPORT, 0, error);
    if (status == MG_OK) {
        status = import(&step, draft, wanted, &any_key, error);
    }
    if (status != MG_OK) {
        return step_end(&step, status, NULL, error);
    }
    *out = step.record;
    step.record = (struct intermediate){.id = 0};
    step_abandon(&step);
    return MG_OK;
}

enum mg_status lifecycle_finalize(struct lifecycle_call *call, int64_t id, struct intermediate *out,
                                  struct mg_error *error)
{
    struct step step;
    const struct lifecycle_hooks *hooks = call->lifecycle->hooks;
    enum mg_status status = step_begin(&step, call, LIFECYCLE_FINALIZE, id, error);
    if (status == MG_OK && hooks != NULL) {
        status = hooks->finalizing(hooks->arg, call, step.tx, &step.record, error);
    }
    return step_end(&step, status, out, error);
}
