/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lifecycle_quota.h"

#include "base/json.h"

static const struct lifecycle_quota quotas[] = {
    [CONFIG_SUBSCRIPTION_SOFTWARE] = {"software", 2, 1, false},
    [CONFIG_SUBSCRIPTION_HSM] = {"hsm", 8, 4, true},
};

const struct lifecycle_quota *lifecycle_quota_of(enum config_subscription subscription)
{
    return &quotas[subscription];
}

static const struct lifecycle_quota *quota_of(const struct step *step)
{
    return lifecycle_quota_of(step->call->lifecycle->subscription);
}

static enum mg_status check_enabled(struct step *step, const struct intermediate_counts *counts, struct mg_error *error)
{
    const struct lifecycle_quota *quota = quota_of(step);
    return counts->num_enabled < quota->max_enabled
               ? MG_OK
               : step_refuse(
                     step->call, MG_LIMIT, "INVALID_OPERATION", error,
                     "status: the %s subscription allows %lld enabled custom certificates: disable another first",
                     quota->name, (long long)quota->max_enabled);
}

enum mg_status lifecycle_quota_check_enable(struct step *step, struct mg_error *error)
{
    struct intermediate_counts counts;
    enum mg_status status = intermediate_count(step->tx, &counts, error);
    return status == MG_OK ? check_enabled(step, &counts, error) : status;
}

enum mg_status lifecycle_quota_check_create(struct step *step, struct mg_error *error)
{
    const struct lifecycle_quota *quota = quota_of(step);
    struct intermediate_counts counts;
    enum mg_status status = intermediate_count(step->tx, &counts, error);
    if (status == MG_OK && counts.num_custom >= quota->max_custom) {
        status = step_refuse(step->call, MG_LIMIT, "INVALID_OPERATION", error,
                             "The %s subscription allows %lld custom certificates: delete another first", quota->name,
                             (long long)quota->max_custom);
    }
    if (status == MG_OK && step->record.status == INTERMEDIATE_ENABLED) {
        status = check_enabled(step, &counts, error);
    }
    return status;
}

static enum mg_status disable(struct step *step, struct intermediate *other, struct mg_error *error)
{
    uint8_t text[64];
    struct mg_buffer detail;
    mg_buffer_wrap(&detail, text, sizeof(text));
    mg_json_begin_object(&detail, NULL);
    mg_json_string(&detail, "status", words_name(&intermediate_status_words, INTERMEDIATE_DISABLED));
    mg_json_uint(&detail, "for", (uint64_t)step->record.id);
    mg_json_end_object(&detail);
    mg_buffer_append_u8(&detail, 0);
    if (!mg_buffer_ok(&detail)) {
        return mg_error_set(error, MG_INTERNAL, "an audit record does not fit");
    }
    other->status = INTERMEDIATE_DISABLED;
    other->updated_us = step->call->now_us;
    enum mg_status status = intermediate_update(step->tx, other, error);
    return status == MG_OK ? step_audit(step, LIFECYCLE_SET_STATUS, other->id, (const char *)text, error) : status;
}

static enum mg_status disable_others(struct step *step, struct mg_error *error)
{
    struct intermediate_list list;
    enum mg_status status = intermediate_list_load(step->tx, INTERMEDIATE_ALL, &list, error);
    if (status != MG_OK) {
        return status;
    }
    for (size_t i = 0; i < list.num_items && status == MG_OK; i++) {
        struct intermediate *other = &list.items[i];
        if (other->type != INTERMEDIATE_BUILTIN && other->status == INTERMEDIATE_ENABLED) {
            status = disable(step, other, error);
        }
    }
    intermediate_list_free(&list);
    return status;
}

enum mg_status lifecycle_quota_enable_default(struct step *step, struct mg_error *error)
{
    if (step->record.status == INTERMEDIATE_ENABLED) {
        return MG_OK;
    }
    enum mg_status status =
        quota_of(step)->max_enabled == 1 ? disable_others(step, error) : lifecycle_quota_check_enable(step, error);
    if (status == MG_OK) {
        step->record.status = INTERMEDIATE_ENABLED;
        mg_json_string(&step->detail, "status", words_name(&intermediate_status_words, INTERMEDIATE_ENABLED));
    }
    return status;
}
