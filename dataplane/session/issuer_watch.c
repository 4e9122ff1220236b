/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/issuer_watch.h"

#include "base/json.h"
#include "base/log.h"

/* One issuer of a set at a time. */
struct look {
    const struct issuer_set *set;
    size_t index, signer; /* signer: SIZE_MAX for nobody */
    const char *name;
    const struct issuer *issuer;
    enum config_issuer_expiry on_expiry;
    int64_t now;
};

static const char *name_of(const struct issuer_set *set, size_t index)
{
    const char *name = issuer_set_name(set, index);
    return name[0] == '\0' ? "the signer's default" : name;
}

static void look_at(struct look *out, const struct issuer_set *set, size_t index, enum config_issuer_expiry on_expiry,
                    int64_t now)
{
    *out = (struct look){
        .set = set,
        .index = index,
        .signer = issuer_set_signer(set, index, on_expiry, now),
        .name = name_of(set, index),
        .issuer = issuer_set_get0(set, index),
        .on_expiry = on_expiry,
        .now = now,
    };
}

/* ---- the log ---- */

/* watched_of returns the place for |generation|; one whose issuer is gone is taken for a new one. */
static struct issuer_watched *watched_of(struct issuer_watch *watch, const struct issuer_set *set, uint64_t generation)
{
    struct issuer_watched *free_place = &watch->watched[0];
    for (size_t i = 0; i < MG_ARRAY_LEN(watch->watched); i++) {
        struct issuer_watched *watched = &watch->watched[i];
        if (watched->generation == generation) {
            return watched;
        }
        if (watched->generation == 0 || !issuer_set_uses(set, watched->generation)) {
            free_place = watched;
        }
    }
    *free_place = (struct issuer_watched){.generation = generation};
    return free_place;
}

static void say_spent(const struct look *look)
{
    bool is_revoked = issuer_set_is_revoked(look->set, look->index);
    if (look->signer != SIZE_MAX) {
        mg_log_warning("intermediate %s %s: %s signs in its place", look->name,
                       is_revoked ? "is revoked" : "has expired", name_of(look->set, look->signer));
    } else if (is_revoked) {
        mg_log_error("ALARM " ISSUER_REVOKED_ALARM ": intermediate %s is revoked, and nobody signs in its place: what "
                     "it would sign for goes as ccadb.revoked_default says",
                     look->name);
    } else {
        mg_log_error("ALARM " ISSUER_ALARM ": intermediate %s has expired, and nobody signs in its place: what "
                     "it would sign for is %s",
                     look->name, look->on_expiry == CONFIG_EXPIRY_BLOCK ? "blocked" : "bypassed");
    }
}

static bool say(struct issuer_watched *watched, const struct look *look)
{
    bool is_spent = !issuer_set_is_usable(look->set, look->index, look->now);
    bool is_alarm = look->signer == SIZE_MAX;
    bool is_new = is_spent != watched->is_spent || is_alarm != watched->is_alarm;
    bool is_due = mg_countdown_warns(&watched->countdown, look->issuer->last_use, look->now);
    watched->is_spent = is_spent;
    watched->is_alarm = is_alarm;
    if (is_spent && (is_new || is_due)) {
        say_spent(look);
        return true;
    }
    if (is_due) {
        mg_log_warning("intermediate %s expires in %lld days", look->name,
                       (long long)mg_countdown_days(look->issuer->last_use, look->now));
    }
    return is_due;
}

unsigned issuer_watch_look(struct issuer_watch *watch, const struct issuers *issuers,
                           enum config_issuer_expiry on_expiry, int64_t now)
{
    const struct issuer_set *set = issuers_get0_set(issuers);
    unsigned num_lines = 0;
    for (size_t i = 0; set != NULL && i < issuer_set_count(set); i++) {
        struct look look;
        look_at(&look, set, i, on_expiry, now);
        if (!issuer_set_is_reserve(set, i)) {
            num_lines += say(watched_of(watch, set, look.issuer->generation), &look);
        }
    }
    return num_lines;
}

/* ---- health ---- */

void issuer_health_of(struct issuer_health *out, const struct issuers *issuers, enum config_issuer_expiry on_expiry,
                      int64_t now)
{
    const struct issuer_set *set = issuers_get0_set(issuers);
    *out = (struct issuer_health){.generation = 0};
    for (size_t i = 0; set != NULL && i < issuer_set_count(set); i++) {
        struct look look;
        look_at(&look, set, i, on_expiry, now);
        if (i == 0) {
            const struct issuer *shown = look.signer == SIZE_MAX ? look.issuer : issuer_set_get0(set, look.signer);
            out->generation = shown->generation;
            out->not_after = shown->not_after;
            out->remaining = look.signer == SIZE_MAX ? 0 : shown->last_use - now;
        }
        if (!issuer_set_is_reserve(set, i)) {
            bool is_revoked = issuer_set_is_revoked(set, i);
            out->num_expired += issuer_is_spent(look.issuer, now);
            out->num_revoked += is_revoked;
            out->num_unserved += look.signer == SIZE_MAX && !is_revoked;
            out->num_unserved_revoked += look.signer == SIZE_MAX && is_revoked;
        }
    }
}

void issuer_health_write(const struct issuer_health *health, struct mg_buffer *out)
{
    bool is_alarm = health->num_unserved + health->num_unserved_revoked > 0;
    mg_json_begin_object(out, NULL);
    mg_json_string(out, "status", is_alarm ? "alarm" : "ok");
    mg_json_begin_array(out, "alarms");
    if (health->num_unserved > 0) {
        mg_json_string(out, NULL, ISSUER_ALARM);
    }
    if (health->num_unserved_revoked > 0) {
        mg_json_string(out, NULL, ISSUER_REVOKED_ALARM);
    }
    mg_json_end_array(out);
    mg_json_end_object(out);
    mg_buffer_append_u8(out, '\n');
}
