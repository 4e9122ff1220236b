/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/signer_metrics.h"

#include <stdio.h>

#include "hsm/token_metrics.h"

#define MAX_LOOPS 64

/* Counters of the signing threads, added up. */

static uint64_t sum_at(const struct signer_metrics *metrics, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < metrics->num_loops; i++) {
        const char *counters = (const char *)metrics->loops[i];
        sum += mg_counter_get((const struct mg_counter *)(const void *)(counters + offset));
    }
    return sum;
}

static void render_results(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const char name[] = "mintgate_hsm_results_total";
    char label[64];
    mg_metrics_family(out, name, "counter", "Signature requests answered, by status.");
    for (int status = 0; status < WIRE_SIGN_NUM_STATUSES; status++) {
        snprintf(label, sizeof(label), "status=\"%s\"", wire_sign_status_name((enum wire_sign_status)status));
        size_t offset = offsetof(struct signing_counters, results) + (size_t)status * sizeof(struct mg_counter);
        mg_metrics_sample(out, name, label, sum_at(metrics, offset));
    }
}

#define AT(field) offsetof(struct signing_counters, field)

static void render_reasons(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const char busy[] = "mintgate_hsm_busy_total", refused[] = "mintgate_hsm_refused_connections_total";
    mg_metrics_family(out, busy, "counter", "Requests answered busy, by reason.");
    mg_metrics_sample(out, busy, "reason=\"full\"", sum_at(metrics, AT(busy_full)));
    mg_metrics_sample(out, busy, "reason=\"expired\"", sum_at(metrics, AT(busy_expired)));
    mg_metrics_sample(out, busy, "reason=\"replaced\"", sum_at(metrics, AT(busy_replaced)));
    mg_metrics_sample(out, busy, "reason=\"restarting\"", sum_at(metrics, AT(busy_restarting)));
    mg_metrics_family(out, refused, "counter", "Connections refused, by reason.");
    mg_metrics_sample(out, refused, "reason=\"too_many\"", sum_at(metrics, AT(refused_connections)));
    mg_metrics_sample(out, refused, "reason=\"peer\"", mg_counter_get(metrics->refused_peers));
}

static void render_loops(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } rows[] = {
        {"mintgate_hsm_abandoned_requests_total", "counter", "Requests whose connection went before their answer.",
         AT(abandoned)},
        {"mintgate_hsm_client_signatures_total", "counter",
         "Signatures with which engines proved themselves to servers.", AT(client_signatures)},
        {"mintgate_hsm_cancelled_requests_total", "counter", "Requests taken back before they were signed.",
         AT(cancelled)},
        {"mintgate_hsm_packets_total", "counter", "Packets from engines.", AT(packets)},
        {"mintgate_hsm_invalid_packets_total", "counter", "Packets that closed their connection.", AT(invalid_packets)},
        {"mintgate_hsm_connections_total", "counter", "Connections of engines accepted.", AT(connections)},
        {"mintgate_hsm_slow_peers_total", "counter", "Connections closed because their results were not read.",
         AT(slow_peers)},
        {"mintgate_hsm_connections", "gauge", "Connections of engines now.", AT(connections_now)},
        {"mintgate_hsm_queue_requests", "gauge", "Requests waiting to be signed now.", AT(waiting_now)},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        mg_metrics_family(out, rows[i].name, rows[i].type, rows[i].help);
        mg_metrics_sample(out, rows[i].name, "", sum_at(metrics, rows[i].offset));
    }
}

#undef AT

static void render_histograms(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    const struct mg_histogram *batches[MAX_LOOPS], *waits[MAX_LOOPS];
    size_t count = metrics->num_loops < MAX_LOOPS ? metrics->num_loops : MAX_LOOPS;
    for (size_t i = 0; i < count; i++) {
        batches[i] = &metrics->loops[i]->batch_sizes;
        waits[i] = &metrics->loops[i]->waits;
    }
    mg_metrics_family(out, "mintgate_hsm_batch_requests", "histogram", "Requests signed in one turn of an issuer.");
    mg_histogram_render(out, "mintgate_hsm_batch_requests", &signing_batch_shape, batches, count);
    mg_metrics_family(out, "mintgate_hsm_queue_wait_seconds", "histogram", "Time from receipt to signing.");
    mg_histogram_render(out, "mintgate_hsm_queue_wait_seconds", &signing_wait_shape, waits, count);
}

static void render_journal(const struct journal *journal, struct mg_buffer *out)
{
    const struct journal_counters *counters = journal_counters(journal);
    const struct {
        const char *name, *help;
        const struct mg_counter *counter;
    } rows[] = {
        {"mintgate_hsm_journal_records_total", "Certificates recorded in the issuance journal.", &counters->records},
        {"mintgate_hsm_journal_batches_total", "Batches written to it.", &counters->batches},
        {"mintgate_hsm_journal_bytes_total", "Bytes written to it.", &counters->bytes},
        {"mintgate_hsm_journal_files_total", "Files of it begun.", &counters->files},
        {"mintgate_hsm_journal_write_errors_total", "Batches that it could not take, and that were not signed.",
         &counters->write_errors},
        {"mintgate_hsm_journal_sync_errors_total", "Failed syncs, after which nothing is signed.",
         &counters->sync_errors},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        mg_metrics_family(out, rows[i].name, "counter", rows[i].help);
        mg_metrics_sample(out, rows[i].name, "", mg_counter_get(rows[i].counter));
    }
    mg_metrics_family(out, "mintgate_hsm_journal_writable", "gauge", "1 while the issuance journal can be written.");
    mg_metrics_sample(out, "mintgate_hsm_journal_writable", "", journal_is_writable(journal) ? 1 : 0);
}

static const char *role_name(enum wire_issuer_role role)
{
    switch (role) {
    case WIRE_ISSUER_DEFAULT:
        return "default";
    case WIRE_ISSUER_UNTRUST:
        return "untrust";
    case WIRE_ISSUER_OFFERED:
        return "offered";
    }
    return "unknown";
}

static void render_issuers(struct issuer_publisher *publisher, struct mg_buffer *out)
{
    static const char name[] = "mintgate_hsm_issuer_not_after_seconds";
    mg_metrics_family(out, name, "gauge", "End of each minting issuer's validity, seconds since 1970.");
    struct issuer_set *issuers = issuer_publisher_get(publisher);
    for (size_t i = 0; i < issuers->num_issuers; i++) {
        const struct issuer *issuer = issuers->issuers[i];
        char id[2 * sizeof(issuer->key_id.bytes) + 1], label[128];
        journal_hex(id, issuer->key_id.bytes, sizeof(issuer->key_id.bytes));
        snprintf(label, sizeof(label), "issuer=\"%s\",role=\"%s\",type=\"%s\"", id, role_name(issuer->facts.role),
                 issuer->facts.key_type->name);
        mg_metrics_sample(out, name, label, (uint64_t)issuer->facts.not_after);
    }
    issuer_set_free(issuers);
}

static void render_control(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    static const char calls[] = "mintgate_hsm_control_calls_total", results[] = "mintgate_hsm_control_results_total",
                      refused[] = "mintgate_hsm_control_refused_connections_total";
    const struct control_server_counters *server = metrics->control_server;
    char label[64];
    mg_metrics_family(out, calls, "counter", "Requests of control, by call.");
    for (unsigned call = WIRE_CONTROL_LIST; call <= WIRE_CONTROL_LAST_CALL; call++) {
        if (wire_control_call_is_known(call)) {
            snprintf(label, sizeof(label), "call=\"%s\"", wire_control_call_name((enum wire_control_call)call));
            mg_metrics_sample(out, calls, label, mg_counter_get(&metrics->control->calls[call]));
        }
    }
    mg_metrics_family(out, results, "counter", "Requests of control, by the status of their reply.");
    for (int status = 0; status < WIRE_CONTROL_NUM_STATUSES; status++) {
        snprintf(label, sizeof(label), "status=\"%s\"", wire_control_status_name((enum wire_control_status)status));
        mg_metrics_sample(out, results, label, mg_counter_get(&metrics->control->results[status]));
    }
    mg_metrics_family(out, "mintgate_hsm_control_connections_total", "counter", "Connections of control accepted.");
    mg_metrics_sample(out, "mintgate_hsm_control_connections_total", "", mg_counter_get(&server->connections));
    mg_metrics_family(out, refused, "counter", "Connections to the control socket refused, by reason.");
    mg_metrics_sample(out, refused, "reason=\"peer\"", mg_counter_get(&server->refused_peers));
    mg_metrics_sample(out, refused, "reason=\"too_many\"", mg_counter_get(&server->refused_connections));
    mg_metrics_family(out, "mintgate_hsm_control_invalid_packets_total", "counter",
                      "Packets on the control socket that closed their connection.");
    mg_metrics_sample(out, "mintgate_hsm_control_invalid_packets_total", "", mg_counter_get(&server->invalid_packets));
}

void signer_metrics_render(const struct signer_metrics *metrics, struct mg_buffer *out)
{
    render_results(metrics, out);
    render_reasons(metrics, out);
    render_loops(metrics, out);
    render_histograms(metrics, out);
    render_journal(metrics->journal, out);
    render_issuers(metrics->issuers, out);
    render_control(metrics, out);
    if (metrics->tokens != NULL) {
        token_metrics_render(metrics, out);
    }
    mg_metrics_family(out, "mintgate_hsm_lanes", "gauge", "1 if batches are signed eight at a time by crypto_mb.");
    mg_metrics_sample(out, "mintgate_hsm_lanes", "", metrics->uses_lanes ? 1 : 0);
}
