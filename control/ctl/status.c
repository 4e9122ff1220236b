/* SPDX-License-Identifier: Apache-2.0 */
/* One screen: what signs, until when, and what each engine serves. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/api.h"
#include "control/ctl/certificate.h"
#include "control/ctl/commands.h"
#include "control/ctl/table.h"

#define MAX_TEXT (1U << 20)
#define SECONDS_PER_DAY 86400
/* The engine answers from memory. */
#define METRICS_SECONDS 2

/* What is shown of the engine's metrics. */
static const struct sample {
    const char *name;   /* of the metric */
    const char *member; /* of the JSON */
} samples[] = {
    {"mintgate_dataplane_kill_switch_seconds", "killSwitchSeconds"},
    {"mintgate_dataplane_sessions", "sessions"},
    {"mintgate_cache_hits_total", "cacheHits"},
    {"mintgate_cache_misses_total", "cacheMisses"},
};

/* add_sample adds |sample| to |out| if it is a line of |text| (Prometheus text, one metric a line). */
static void add_sample(const char *text, const struct sample *sample, json_t *out)
{
    size_t len = strlen(sample->name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, sample->name, len) == 0 && line[len] == ' ') {
            (void)json_object_set_new(out, sample->member, json_integer(strtoll(line + len, NULL, 10)));
            return;
        }
    }
}

/* ask_engine returns what the engine's metrics say, JSON null where it does not answer: an engine that is down is
 * something to show, not an error. */
static json_t *ask_engine(struct ctl *ctl)
{
    const struct config *config;
    struct client_answer answer;
    struct mg_error error;
    if (ctl_config(ctl, &config, &error) != MG_OK || config->metrics.socket[0] == '\0') {
        return json_null();
    }
    struct client_request request = {
        .socket = config->metrics.socket, .method = "GET", .path = "/metrics", .timeout_seconds = METRICS_SECONDS};
    if (client_call(&request, &answer, &error) != MG_OK) {
        return json_null();
    }
    json_t *out = json_object();
    for (size_t i = 0; out != NULL && answer.code == 200 && i < MG_ARRAY_LEN(samples); i++) {
        add_sample((const char *)answer.body.data, &samples[i], out);
    }
    client_answer_free(&answer);
    return out;
}

/* gather asks for everything, as {"default", "publication", "intermediates", "metrics"}. */
static enum mg_status gather(struct ctl *ctl, json_t **out, struct mg_error *error)
{
    static const struct {
        const char *member, *path;
    } parts[] = {
        {"default", API_MINTGATE "/default"},
        {"publication", API_MINTGATE "/publication"},
        {"intermediates", API_INTERMEDIATES},
    };
    *out = json_object();
    for (size_t i = 0; i < MG_ARRAY_LEN(parts); i++) {
        json_t *part;
        enum mg_status status = api_ask(ctl, "GET", parts[i].path, NULL, &part, error);
        if (status != MG_OK) {
            json_decref(*out);
            return status;
        }
        (void)json_object_set_new(*out, parts[i].member, part);
    }
    (void)json_object_set_new(*out, "metrics", ask_engine(ctl));
    return MG_OK;
}

/* line appends "label  value". */
static void line(struct mg_buffer *out, const char *label, const char *value)
{
    char padded[16];
    snprintf(padded, sizeof(padded), "%-10s", label);
    const char *cells[] = {padded, value};
    table_write(out, cells, 1, MG_ARRAY_LEN(cells));
}

static void write_intermediate(struct mg_buffer *out, const char *label, const json_t *list, int64_t id)
{
    char number[24], end[MG_CLOCK_TEXT_LEN], value[512];
    snprintf(number, sizeof(number), "%" PRId64, id);
    const json_t *cert = certificate_match(list, number);
    if (id == 0 || cert == NULL) {
        line(out, label, "none");
        return;
    }
    int64_t not_after = ctl_number(cert, "certExpDate");
    table_time(end, not_after);
    snprintf(value, sizeof(value), "%s (%s), expires %s, in %" PRId64 " days", ctl_text(cert, "name"), number, end,
             (not_after - mg_clock_wall_seconds()) / SECONDS_PER_DAY);
    line(out, label, value);
}

static void write_engines(struct mg_buffer *out, const json_t *publication, int64_t epoch)
{
    const json_t *engines = json_object_get(publication, "engines");
    char value[512];
    if (json_array_size(engines) == 0) {
        line(out, "engines", "none is connected");
    }
    for (size_t i = 0; i < json_array_size(engines); i++) {
        const json_t *engine = json_array_get(engines, i);
        const char *trouble = ctl_text(engine, "trouble");
        int64_t serves = ctl_number(engine, "epoch");
        snprintf(value, sizeof(value), "process %" PRId64 " serves epoch %" PRId64 "%s%s%s", ctl_number(engine, "pid"),
                 serves, serves == epoch ? "" : ", not the current one", trouble[0] == '\0' ? "" : "; ", trouble);
        line(out, "engine", value);
    }
    if (json_is_true(json_object_get(publication, "underWay"))) {
        snprintf(value, sizeof(value), "%" PRId64 " of %" PRId64 " certificates ahead", ctl_number(publication, "done"),
                 ctl_number(publication, "all"));
        line(out, "minting", value);
    }
}

static void write_metrics(struct mg_buffer *out, const json_t *metrics)
{
    char value[96];
    if (!json_is_object(metrics)) {
        line(out, "traffic", "unknown: the engine's metrics socket does not answer");
        return;
    }
    int64_t left = ctl_number(metrics, "killSwitchSeconds");
    int64_t hits = ctl_number(metrics, "cacheHits"), all = hits + ctl_number(metrics, "cacheMisses");
    snprintf(value, sizeof(value), "on for %" PRId64 " s: nothing is inspected", left);
    line(out, "bypass", left > 0 ? value : "off");
    snprintf(value, sizeof(value), "%" PRId64, ctl_number(metrics, "sessions"));
    line(out, "sessions", value);
    snprintf(value, sizeof(value), "%.1f %% of %" PRId64 " lookups hit",
             all == 0 ? 0.0 : 100.0 * (double)hits / (double)all, all);
    line(out, "cache", value);
}

static enum mg_status print_status(const json_t *all, struct mg_error *error)
{
    const json_t *now = json_object_get(all, "default"), *list = json_object_get(all, "intermediates");
    int64_t epoch = ctl_number(now, "epoch");
    char number[24];
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_TEXT);
    write_intermediate(&text, "default", list, ctl_number(now, "id"));
    write_intermediate(&text, "previous", list, ctl_number(now, "previousId"));
    snprintf(number, sizeof(number), "%" PRId64, epoch);
    line(&text, "epoch", number);
    write_engines(&text, json_object_get(all, "publication"), epoch);
    write_metrics(&text, json_object_get(all, "metrics"));
    return ctl_print(&text, error);
}

enum mg_status status_show(struct ctl *ctl, struct mg_error *error)
{
    json_t *all;
    enum mg_status status = gather(ctl, &all, error);
    if (status == MG_OK) {
        status = ctl->json ? ctl_print_json(all, error) : print_status(all, error);
        json_decref(all);
    }
    return status;
}
