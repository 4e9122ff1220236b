/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/publish/store_intake.h"

#include "base/log.h"

void store_intake_forget(struct store_intake *intake)
{
    trusted_unref(intake->trusted);
    client_key_store_free(intake->keys);
    intake->trusted = NULL;
    intake->keys = NULL;
    intake->num_all = intake->num_taken = 0;
}

static enum mg_status begin(struct store_intake *intake, const struct wire_publish *message)
{
    const struct wire_store_part *part = &message->store.part;
    store_intake_forget(intake);
    intake->epoch = message->epoch;
    intake->num_all = part->num_all;
    enum mg_status status;
    if (part->id.kind == WIRE_STORE_TRUST) {
        status = trusted_new(&intake->trusted, part->id.name, message->epoch);
    } else {
        status = client_key_store_new(&intake->keys, part->id.name, message->epoch, part->num_all);
    }
    if (status == MG_OK && intake->trusted != NULL) {
        intake->trusted->is_missing = part->missing.len > 0;
    } else if (status == MG_OK) {
        intake->keys->is_missing = part->missing.len > 0;
    }
    return status;
}

/* goes_on tells whether |message| is the next part of what is under way. */
static bool goes_on(const struct store_intake *intake, const struct wire_publish *message)
{
    const struct wire_store_part *part = &message->store.part;
    const char *name = intake->trusted != NULL ? intake->trusted->name : intake->keys != NULL ? intake->keys->name : "";
    enum wire_store_kind kind = intake->trusted != NULL ? WIRE_STORE_TRUST : WIRE_STORE_KEYS;
    return part->id.kind == kind && mg_slice_equal(part->id.name, mg_slice_of_text(name)) &&
           message->epoch == intake->epoch && part->first == intake->num_taken && part->num_all == intake->num_all;
}

static enum mg_status add(struct store_intake *intake, const struct wire_store_part *part)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < part->num_items && status == MG_OK; i++) {
        const struct wire_store_item *item = &part->items[i];
        status = intake->trusted != NULL ? trusted_add(intake->trusted, item->certificates[0], item->is_anchor)
                                         : client_key_store_add(intake->keys, item);
        if (status == MG_OK) {
            intake->num_taken++;
        }
    }
    return status;
}

/* put gives the whole store to whoever uses it. One that is not wanted any more is dropped, and no failure: the engine
 * will say, or has said, what it wants instead. */
static enum mg_status put(struct store_intake *intake)
{
    enum mg_status status = intake->trusted != NULL ? server_trust_take(intake->trust, intake->trusted)
                                                    : client_keys_put(intake->client_keys, intake->keys);
    if (status == MG_NOT_FOUND) {
        store_intake_forget(intake);
        return MG_OK;
    }
    if (status == MG_OK) {
        intake->trusted = NULL;
        intake->keys = NULL;
    }
    return status;
}

static void tell(const struct wire_publish *message)
{
    const struct wire_store_part *part = &message->store.part;
    const char *kind = part->id.kind == WIRE_STORE_TRUST ? "trust store" : "key store";
    if (part->missing.len > 0) {
        mg_log_warning("%s %.*s: %.*s; it is taken as empty", kind, (int)part->id.name.len,
                       (const char *)part->id.name.data, (int)part->missing.len, (const char *)part->missing.data);
    } else {
        mg_log_info("%s %.*s is in force: epoch %llu, %u items", kind, (int)part->id.name.len,
                    (const char *)part->id.name.data, (unsigned long long)message->epoch, part->num_all);
    }
}

enum mg_status store_intake_take(struct store_intake *intake, const struct wire_publish *message, uint16_t *num_taken,
                                 struct mg_error *error)
{
    const struct wire_store_part *part = &message->store.part;
    enum mg_status status = MG_OK;
    if (part->first == 0) {
        status = begin(intake, message);
    } else if (!goes_on(intake, message)) {
        return mg_error_set(error, MG_INVALID, "a part of a store from item %u on, which is not the next", part->first);
    }
    if (status == MG_OK) {
        status = add(intake, part);
    }
    *num_taken = intake->num_taken;
    if (status == MG_OK && intake->num_taken == intake->num_all && (status = put(intake)) == MG_OK) {
        tell(message);
    }
    if (status != MG_OK) {
        store_intake_forget(intake);
        return mg_error_set(error, MG_MEMORY, "no room for the store");
    }
    return MG_OK;
}
