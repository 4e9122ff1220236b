/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lifecycle_step.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "control/audit.h"
#include "control/lifecycle_counters.h"

#define MAX_DETAIL 8192

enum mg_status step_refuse(struct lifecycle_call *call, enum mg_status status, const char *code, struct mg_error *error,
                           const char *format, ...)
{
    call->code = code;
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return status;
}

int64_t step_now_seconds(const struct lifecycle_call *call)
{
    return call->now_us / 1000000;
}

enum mg_status step_judge(struct step *step, enum lifecycle_operation operation, struct mg_error *error)
{
    struct lifecycle_verdict verdict =
        lifecycle_judge(operation, step->record.type, step->record.state, step->call->actor.role);
    const struct lifecycle_refusal *refusal = verdict.refusal;
    step->operation = operation;
    step->next = verdict.next;
    return refusal == NULL ? MG_OK
                           : step_refuse(step->call, refusal->status, refusal->code, error, "%s", refusal->text);
}

enum mg_status step_load(struct step *step, int64_t id, struct mg_error *error)
{
    /* ids begin at 1, and 0 is asked for by what has none yet */
    enum mg_status status = id > 0 ? intermediate_load(step->tx, id, &step->record, error) : MG_NOT_FOUND;
    return status == MG_NOT_FOUND ? MG_OK : status;
}

enum mg_status step_begin(struct step *step, struct lifecycle_call *call, enum lifecycle_operation operation,
                          int64_t id, struct mg_error *error)
{
    call->code = NULL;
    *step = (struct step){.call = call, .operation = operation};
    mg_buffer_init(&step->detail, MAX_DETAIL);
    enum mg_status status = store_begin(call->lifecycle->store, STORE_WRITE, &step->tx, error);
    if (status != MG_OK) {
        return status;
    }
    mg_json_begin_object(&step->detail, NULL);
    status = step_load(step, id, error);
    return status == MG_OK ? step_judge(step, operation, error) : status;
}

enum mg_status step_audit(struct step *step, enum lifecycle_operation operation, int64_t id, const char *detail,
                          struct mg_error *error)
{
    char object[40];
    snprintf(object, sizeof(object), "intermediate/%lld", (long long)id);
    const struct audit_entry entry = {
        .time_us = step->call->now_us,
        .actor = step->call->actor,
        .operation = lifecycle_operation_name(operation),
        .object = object,
        .outcome = AUDIT_DONE,
        .detail = detail,
    };
    return audit_append(step->tx, &entry, error);
}

/* finish writes what the step has come to. */
static enum mg_status finish(struct step *step, struct mg_error *error)
{
    struct mg_buffer *detail = &step->detail;
    struct intermediate *record = &step->record;
    mg_json_string(detail, "name", record->name);
    if (step->next != record->state) {
        mg_json_string(detail, "from", words_name(&intermediate_state_words, record->state));
        mg_json_string(detail, "to", words_name(&intermediate_state_words, step->next));
    }
    mg_json_end_object(detail);
    mg_buffer_append_u8(detail, 0);
    if (!mg_buffer_ok(detail)) {
        return mg_error_set(error, MG_MEMORY, "no memory for an audit record");
    }
    enum mg_status status = MG_OK;
    if (!step->is_saved) {
        record->state = step->next;
        record->updated_us = step->call->now_us;
        status = intermediate_update(step->tx, record, error);
    }
    if (status == MG_OK && !step->is_silent) {
        status = step_audit(step, step->operation, record->id, (const char *)detail->data, error);
    }
    return status;
}

/* code_of names what no rule has refused by a code of its own. */
static const char *code_of(enum mg_status status)
{
    switch (status) {
    case MG_INVALID:
        return "INVALID_INPUT_ARGUMENT";
    case MG_EXISTS:
        return "DUPLICATE_ITEM";
    case MG_NOT_FOUND:
        return "RESOURCE_NOT_FOUND";
    default:
        return "UNEXPECTED_ERROR";
    }
}

enum mg_status step_end(struct step *step, enum mg_status status, struct intermediate *out, struct mg_error *error)
{
    if (status == MG_OK) {
        status = finish(step, error);
    }
    if (step->tx != NULL) {
        status = store_end(step->tx, status, error);
    }
    if (status == MG_OK && out != NULL) {
        *out = step->record;
    } else {
        intermediate_free(&step->record);
    }
    if (status != MG_OK && step->call->code == NULL) {
        step->call->code = code_of(status);
    }
    lifecycle_count(step->call->lifecycle, step->operation, status);
    mg_buffer_free(&step->detail);
    return status;
}

void step_abandon(struct step *step)
{
    enum mg_status undone = store_end(step->tx, MG_AGAIN, NULL); /* anything but MG_OK */
    (void)undone;
    intermediate_free(&step->record);
    mg_buffer_free(&step->detail);
}
