/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/countdown.h"
#include "control/ctl/certificate.h"
#include "control/ctl/status_stores.h"
#include "control/ctl/status_view.h"
#include "control/ctl/table.h"

#define MAX_TEXT (1U << 20)

/* ---- control ---- */

/* subject_of writes the subject of showCert's answer, as in "CN=Corp, O=Example". */
static void subject_of(char *out, size_t size, const json_t *info)
{
    static const struct {
        const char *attribute, *member;
    } attributes[] = {{"CN", "commName"}, {"OU", "deptName"}, {"O", "orgName"},
                      {"L", "city"},      {"ST", "state"},    {"C", "country"}};
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes) && len < size; i++) {
        const char *value = ctl_text(info, attributes[i].member);
        if (value[0] != '\0') {
            int more = snprintf(out + len, size - len, "%s%s=%s", len == 0 ? "" : ", ", attributes[i].attribute, value);
            len += more < 0 ? 0 : (size_t)more;
        }
    }
}

static void write_intermediate(struct mg_buffer *out, const char *label, const json_t *list, int64_t id, int64_t now)
{
    char number[24], end[CERTIFICATE_END_LEN], value[512];
    snprintf(number, sizeof(number), "%" PRId64, id);
    const json_t *cert = certificate_match(list, number);
    if (id == 0 || cert == NULL) {
        table_line(out, label, "none");
        return;
    }
    int64_t not_after = ctl_number(cert, "certExpDate");
    int64_t days = mg_countdown_days(not_after, now);
    table_time(end, not_after);
    if (days < 0) {
        snprintf(value, sizeof(value), "%s (%s), EXPIRED %s", ctl_text(cert, "name"), number, end);
    } else {
        snprintf(value, sizeof(value), "%s (%s), expires %s, in %" PRId64 " days%s", ctl_text(cert, "name"), number,
                 end, days, days < MG_COUNTDOWN_FIRST_DAYS ? ": SOON" : "");
    }
    table_line(out, label, value);
}

static void write_engines(struct mg_buffer *out, const json_t *publication, int64_t epoch)
{
    const json_t *engines = json_object_get(publication, "engines");
    char value[512];
    if (json_array_size(engines) == 0) {
        table_line(out, "engines", "none is connected");
    }
    for (size_t i = 0; i < json_array_size(engines); i++) {
        const json_t *engine = json_array_get(engines, i);
        const char *trouble = ctl_text(engine, "trouble");
        int64_t serves = ctl_number(engine, "epoch");
        snprintf(value, sizeof(value), "process %" PRId64 " serves epoch %" PRId64 "%s%s%s", ctl_number(engine, "pid"),
                 serves, serves == epoch ? "" : ", not the current one", trouble[0] == '\0' ? "" : "; ", trouble);
        table_line(out, "engine", value);
    }
    if (json_is_true(json_object_get(publication, "underWay"))) {
        snprintf(value, sizeof(value), "%" PRId64 " of %" PRId64 " certificates ahead", ctl_number(publication, "done"),
                 ctl_number(publication, "all"));
        table_line(out, "minting", value);
    }
}

static void write_control(struct mg_buffer *out, const json_t *view, int64_t now)
{
    const json_t *chosen = json_object_get(view, "default"), *list = json_object_get(view, "intermediates");
    const json_t *subject = json_object_get(view, "subject");
    int64_t id = ctl_number(chosen, "id"), epoch = ctl_number(chosen, "epoch");
    char number[24], text[512];
    if (json_is_null(list)) {
        table_line(out, "control", "does not answer: what is shown is of engine and signer");
        return;
    }
    snprintf(number, sizeof(number), "%" PRId64, id);
    write_intermediate(out, "default", list, id, now);
    subject_of(text, sizeof(text), subject);
    if (text[0] != '\0') {
        table_line(out, "subject", text);
    }
    write_intermediate(out, "successor", list, ctl_number(certificate_match(list, number), "fallbackCertId"), now);
    write_intermediate(out, "previous", list, ctl_number(chosen, "previousId"), now);
    snprintf(number, sizeof(number), "%" PRId64, epoch);
    table_line(out, "epoch", number);
    write_engines(out, json_object_get(view, "publication"), epoch);
}

/* ---- the engine ---- */

/* write_rate writes "12.0 things/s", or that it is unknown. */
static void write_rate(char *out, size_t size, const json_t *rates, const char *member, const char *things)
{
    const json_t *rate = json_object_get(rates, member);
    if (json_is_real(rate)) {
        snprintf(out, size, "%.1f %s/s", json_real_value(rate), things);
    } else {
        snprintf(out, size, "? %s/s", things);
    }
}

static void write_issuer(struct mg_buffer *out, const json_t *metrics)
{
    char value[160];
    int64_t generation = ctl_number(metrics, "issuerGeneration"), left = ctl_number(metrics, "issuerRemainingSeconds");
    if (generation == 0 || left == 0) {
        snprintf(value, sizeof(value), "epoch %" PRId64 ", policy %" PRId64 ", nobody signs",
                 ctl_number(metrics, "epoch"), ctl_number(metrics, "policyGeneration"));
    } else {
        snprintf(value, sizeof(value),
                 "epoch %" PRId64 ", policy %" PRId64 ", issuer generation %" PRId64 " for %" PRId64 " days",
                 ctl_number(metrics, "epoch"), ctl_number(metrics, "policyGeneration"), generation,
                 left / MG_COUNTDOWN_SECONDS_PER_DAY);
    }
    table_line(out, "serves", value);
}

static void write_metrics(struct mg_buffer *out, const json_t *view)
{
    const json_t *metrics = json_object_get(view, "metrics"), *rates = json_object_get(view, "rates");
    char value[192], connections[48], minted[48];
    if (!json_is_object(metrics)) {
        table_line(out, "traffic", "unknown: the engine does not answer");
        return;
    }
    write_issuer(out, metrics);
    int64_t left = ctl_number(metrics, "killSwitchSeconds");
    snprintf(value, sizeof(value), "on for %" PRId64 " s: nothing is inspected", left);
    table_line(out, "bypass", left > 0 ? value : "off");
    snprintf(value, sizeof(value), "%" PRId64 " of %" PRId64 " flows", ctl_number(metrics, "sessions"),
             ctl_number(metrics, "flows"));
    table_line(out, "sessions", value);
    write_rate(connections, sizeof(connections), rates, "connections", "connections");
    write_rate(minted, sizeof(minted), rates, "minted", "certificates");
    snprintf(value, sizeof(value), "%s, %s", connections, minted);
    table_line(out, "rates", value);
    int64_t hits = ctl_number(metrics, "cacheHits"), all = hits + ctl_number(metrics, "cacheMisses");
    snprintf(value, sizeof(value), "%.1f %% of %" PRId64 " lookups hit; %" PRId64 " certificates in %" PRId64 " KiB",
             all == 0 ? 0.0 : 100.0 * (double)hits / (double)all, all, ctl_number(metrics, "cacheEntries"),
             ctl_number(metrics, "cacheBytes") / 1024);
    table_line(out, "cache", value);
}

static void write_signer(struct mg_buffer *out, const json_t *view)
{
    const json_t *signer = json_object_get(view, "signer");
    char value[256], rate[48];
    if (!json_is_object(signer)) {
        table_line(out, "signer", "does not answer");
        return;
    }
    int64_t signatures = ctl_number(signer, "signatures");
    write_rate(rate, sizeof(rate), json_object_get(view, "rates"), "signatures", "signatures");
    snprintf(value, sizeof(value), "%s, %" PRId64 " in all; %" PRId64 " refused, %" PRId64 " waiting%s", rate,
             signatures, ctl_number(signer, "results") - signatures, ctl_number(signer, "queue"),
             ctl_number(signer, "journalWritable") == 1 ? "" : "; ITS JOURNAL CANNOT BE WRITTEN: it signs nothing");
    table_line(out, "signer", value);
}

/* meaning_of says what an engine's alarm is about; "": that is not known. */
static const char *meaning_of(const char *alarm)
{
    if (strcmp(alarm, "issuer_expired") == 0) {
        return ": an intermediate has expired, and nobody signs in its place";
    }
    return strcmp(alarm, "issuer_revoked") == 0 ? ": the default is revoked, and nobody signs in its place" : "";
}

static void write_alarms(struct mg_buffer *out, const json_t *view)
{
    const json_t *alarms = json_object_get(view, "alarms");
    for (size_t i = 0; i < json_array_size(alarms); i++) {
        const char *name = json_string_value(json_array_get(alarms, i));
        char value[160];
        snprintf(value, sizeof(value), "%s%s", name == NULL ? "?" : name, name == NULL ? "" : meaning_of(name));
        table_line(out, "ALARM", value);
    }
}

enum mg_status status_view_print(const json_t *view, int64_t now, struct mg_error *error)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_TEXT);
    write_control(&text, view, now);
    write_metrics(&text, view);
    status_stores_write(&text, view);
    write_signer(&text, view);
    write_alarms(&text, view);
    return ctl_print(&text, error);
}
