/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/session_record.h"

#include <arpa/inet.h>
#include <jansson.h>

#include "base/clock.h"

#define HEX_LEN(num_bytes) (2 * (num_bytes) + 1)

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

static const char *hex(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0xf];
    }
    out[2 * len] = '\0';
    return out;
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (value != NULL) {
        (void)json_object_set_new(object, key, value);
    }
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        set(object, key, json_string(text));
    }
}

static void set_endpoint(json_t *object, const char *key, const struct flow_key *flow, const uint8_t *address,
                         uint16_t port)
{
    char name[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];
    if (inet_ntop(flow->is_ipv6 ? AF_INET6 : AF_INET, address, name, sizeof(name)) != NULL) {
        snprintf(text, sizeof(text), flow->is_ipv6 ? "[%s]:%u" : "%s:%u", name, port);
        set_text(object, key, text);
    }
}

static void set_vlan(json_t *object, const struct flow_key *flow)
{
    if (flow->vlan[0] == PACKET_NO_VLAN) {
        return;
    }
    json_t *tags = json_array();
    for (int i = 0; i < 2 && flow->vlan[i] != PACKET_NO_VLAN; i++) {
        (void)json_array_append_new(tags, json_integer(flow->vlan[i]));
    }
    set(object, "vlan", tags);
}

static void set_tls(json_t *object, const struct session_record *record)
{
    set_text(object, "client_version", record->client_tls.version);
    set_text(object, "client_cipher", record->client_tls.cipher);
    set_text(object, "client_group", record->client_tls.group);
    set_text(object, "server_version", record->server_tls.version);
    set_text(object, "server_cipher", record->server_tls.cipher);
    set_text(object, "server_group", record->server_tls.group);
}

static void set_certificates(json_t *object, const struct session_record *record)
{
    char text[HEX_LEN(32)];
    set_text(object, "upstream_verdict", record->upstream_verdict);
    if (record->has_upstream_fingerprint) {
        set_text(object, "upstream_sha256", hex(text, record->upstream_fingerprint, 32));
    }
    if (record->leaf_serial_len > 0) {
        set_text(object, "leaf_serial", hex(text, record->leaf_serial, record->leaf_serial_len));
    }
    if (record->issuer_role != NULL) {
        set_text(object, "issuer", record->issuer_role);
        set(object, "issuer_generation", json_integer((json_int_t)record->issuer_generation));
    }
}

static void set_course(json_t *object, const struct session_record *record)
{
    if (record->client_tls.version != NULL) {
        set(object, "resumed", json_boolean(record->resumed));
    }
    if (record->client_alert >= 0) {
        set(object, "client_alert", json_integer(record->client_alert));
    }
    if (record->server_alert >= 0) {
        set(object, "server_alert", json_integer(record->server_alert));
    }
    set(object, "bytes_from_client", json_integer((json_int_t)record->bytes_from_client));
    set(object, "bytes_from_server", json_integer((json_int_t)record->bytes_from_server));
    json_t *stages = json_object();
    for (int i = 0; i < NUM_STAGES; i++) {
        if (record->stage_us[i] > 0) {
            set(stages, session_stage_name((enum session_stage)i), json_integer((json_int_t)record->stage_us[i]));
        }
    }
    set(object, "stage_us", stages);
}

static int append_text(const char *text, size_t len, void *arg)
{
    mg_buffer_append(arg, text, len);
    return 0;
}

void session_record_write(struct mg_buffer *out, const struct session_record *record)
{
    json_t *object = json_object();
    char time[MG_CLOCK_TEXT_LEN];
    mg_clock_format_us(time, record->time_us);
    set_text(object, "time", time);
    set_endpoint(object, "client", &record->flow, record->flow.client, record->flow.client_port);
    set_endpoint(object, "server", &record->flow, record->flow.server, record->flow.server_port);
    set_vlan(object, &record->flow);
    set_text(object, "sni", record->sni.text);
    set_text(object, "ja4", record->ja4.text);
    set_text(object, "action", record->action);
    set_text(object, "reason", record->reason);
    set_text(object, "rule", record->rule);
    set_tls(object, record);
    set_text(object, "alpn", record->alpn);
    set_certificates(object, record);
    set_course(object, record);
    (void)json_dump_callback(object, append_text, out, JSON_COMPACT | JSON_ENSURE_ASCII);
    mg_buffer_append_text(out, "\n");
    json_decref(object);
}
