/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One intercepted, blocked or failed session, for the session log: by value, filled where it happens, written
 * elsewhere. Its text form is documented in docs/operations.md; keys are stable.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_SESSION_RECORD_H
#define MINTGATE_DATAPLANE_SESSION_SESSION_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "dataplane/flow/flow.h"
#include "dataplane/hello/ja4.h"
#include "minting/names.h"

#define RECORD_RULE_LEN 65
#define RECORD_ALPN_LEN 32
#define RECORD_SERIAL_LEN 20
#define RECORD_CLIENT_CERTIFICATE_LEN 130 /* both names and what is between them */

/* The stages of an intercepted connection, timed one after the other. */
enum session_stage {
    STAGE_HELLO,    /* first client byte held to ClientHello complete */
    STAGE_TAKEOVER, /* to both sockets adopted */
    STAGE_UPSTREAM, /* to the server's handshake done, verification included */
    STAGE_LEAF,     /* to the leaf at hand */
    STAGE_CLIENT,   /* to the client's handshake done */
    STAGE_RELAY,    /* to the end */
    NUM_STAGES,
};
const char *session_stage_name(enum session_stage stage);

/* Static names, as OpenSSL's and IANA's; NULL: no handshake came about. */
struct session_tls {
    const char *version;
    const char *cipher;
    const char *group;
};

struct session_record {
    int64_t time_us; /* wall clock, of the end */
    struct flow_key flow;
    struct dns_name sni;
    struct ja4 ja4;
    const char *action; /* static: "intercept", "bypass", "block" */
    const char *reason; /* static: why it ended so, such as "rule", "quic", "expired", "minting_failed" */
    char rule[RECORD_RULE_LEN];
    struct session_tls client_tls;
    struct session_tls server_tls;
    char alpn[RECORD_ALPN_LEN];
    const char *upstream_verdict; /* static; NULL: none */
    bool has_upstream_fingerprint;
    uint8_t upstream_fingerprint[32];
    char client_certificate[RECORD_CLIENT_CERTIFICATE_LEN]; /* "store/entry", given to the server; "": none */
    uint8_t leaf_serial[RECORD_SERIAL_LEN];
    uint8_t leaf_serial_len;
    uint64_t issuer_generation; /* 0: none */
    const char *issuer_role;    /* static: "trust", "untrust"; NULL: none */
    bool resumed;
    int client_alert; /* sent by the client; -1: none */
    int server_alert; /* sent by the server; -1: none */
    uint64_t bytes_from_client;
    uint64_t bytes_from_server;
    uint64_t stage_us[NUM_STAGES];
};

/* session_record_init sets |record| to nothing known, at the time of now. */
void session_record_init(struct session_record *record, const struct flow_key *flow);

/* session_record_write appends |record| as one line of JSON. */
void session_record_write(struct mg_buffer *out, const struct session_record *record);

#endif
