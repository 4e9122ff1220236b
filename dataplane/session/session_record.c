/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/session_record.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"

const char *session_stage_name(enum session_stage stage)
{
    static const char *const names[NUM_STAGES] = {
        [STAGE_HELLO] = "hello", [STAGE_TAKEOVER] = "takeover", [STAGE_UPSTREAM] = "upstream",
        [STAGE_LEAF] = "leaf",   [STAGE_CLIENT] = "client",     [STAGE_RELAY] = "relay",
    };
    return names[stage];
}

void session_record_init(struct session_record *record, const struct flow_key *flow)
{
    *record =
        (struct session_record){.time_us = mg_clock_wall_us(), .flow = *flow, .client_alert = -1, .server_alert = -1};
}

/* put_text leaves out what is not known. */
static void put_text(struct mg_buffer *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        mg_json_string(out, key, text);
    }
}

static void put_endpoint(struct mg_buffer *out, const char *key, const struct flow_key *flow, const uint8_t *address,
                         uint16_t port)
{
    char name[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];
    if (inet_ntop(flow->is_ipv6 ? AF_INET6 : AF_INET, address, name, sizeof(name)) != NULL) {
        snprintf(text, sizeof(text), flow->is_ipv6 ? "[%s]:%u" : "%s:%u", name, port);
        mg_json_string(out, key, text);
    }
}

static void put_vlan(struct mg_buffer *out, const struct flow_key *flow)
{
    if (flow->vlan[0] == PACKET_NO_VLAN) {
        return;
    }
    mg_json_begin_array(out, "vlan");
    for (int i = 0; i < 2 && flow->vlan[i] != PACKET_NO_VLAN; i++) {
        mg_json_uint(out, NULL, flow->vlan[i]);
    }
    mg_json_end_array(out);
}

static void put_tls(struct mg_buffer *out, const struct session_record *record)
{
    put_text(out, "client_version", record->client_tls.version);
    put_text(out, "client_cipher", record->client_tls.cipher);
    put_text(out, "client_group", record->client_tls.group);
    put_text(out, "server_version", record->server_tls.version);
    put_text(out, "server_cipher", record->server_tls.cipher);
    put_text(out, "server_group", record->server_tls.group);
}

static void put_certificates(struct mg_buffer *out, const struct session_record *record)
{
    put_text(out, "upstream_verdict", record->upstream_verdict);
    if (record->has_upstream_fingerprint) {
        mg_json_hex(out, "upstream_sha256", record->upstream_fingerprint, sizeof(record->upstream_fingerprint));
    }
    put_text(out, "client_certificate", record->client_certificate);
    if (record->leaf_serial_len > 0) {
        mg_json_hex(out, "leaf_serial", record->leaf_serial, record->leaf_serial_len);
    }
    if (record->issuer_role != NULL) {
        mg_json_string(out, "issuer", record->issuer_role);
        mg_json_uint(out, "issuer_generation", record->issuer_generation);
    }
}

static void put_course(struct mg_buffer *out, const struct session_record *record)
{
    if (record->client_tls.version != NULL) {
        mg_json_bool(out, "resumed", record->resumed);
    }
    if (record->client_alert >= 0) {
        mg_json_uint(out, "client_alert", (uint64_t)record->client_alert);
    }
    if (record->server_alert >= 0) {
        mg_json_uint(out, "server_alert", (uint64_t)record->server_alert);
    }
    mg_json_uint(out, "bytes_from_client", record->bytes_from_client);
    mg_json_uint(out, "bytes_from_server", record->bytes_from_server);
    mg_json_begin_object(out, "stage_us");
    for (int i = 0; i < NUM_STAGES; i++) {
        if (record->stage_us[i] > 0) {
            mg_json_uint(out, session_stage_name((enum session_stage)i), record->stage_us[i]);
        }
    }
    mg_json_end_object(out);
}

void session_record_write(struct mg_buffer *out, const struct session_record *record)
{
    char time[MG_CLOCK_TEXT_LEN];
    mg_clock_format_us(time, record->time_us);
    mg_json_begin_object(out, NULL);
    mg_json_string(out, "time", time);
    put_endpoint(out, "client", &record->flow, record->flow.client, record->flow.client_port);
    put_endpoint(out, "server", &record->flow, record->flow.server, record->flow.server_port);
    put_vlan(out, &record->flow);
    put_text(out, "sni", record->sni.text);
    put_text(out, "ja4", record->ja4.text);
    put_text(out, "action", record->action);
    put_text(out, "reason", record->reason);
    put_text(out, "rule", record->rule);
    put_tls(out, record);
    put_text(out, "alpn", record->alpn);
    put_certificates(out, record);
    put_course(out, record);
    mg_json_end_object(out);
    mg_buffer_append_u8(out, '\n');
}
