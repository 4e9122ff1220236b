/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "dataplane/hello/hello_record.h"
#include "dataplane/net/segment.h"
#include "dataplane/net/tun.h"
#include "dataplane/policy/decision.h"
#include "dataplane/policy/learned.h"
#include "dataplane/session/session_internal.h"
#include "dataplane/worker/worker.h"

/* A client that was sent an alert has so long to take it. */
#define FAILING_TIMEOUT_NS (2 * MG_NS_PER_SECOND)
#define ALERT_RECORD_LEN 7

/* ---- times ---- */

void session_stage_done(struct session *session, enum session_stage stage)
{
    uint64_t now_ns = mg_clock_monotonic_ns();
    session->record.stage_us[stage] = (now_ns - session->stage_start_ns) / MG_NS_PER_US;
    session->stage_start_ns = now_ns;
}

static void set_deadline(struct session *session, uint64_t deadline_ns)
{
    session->deadline_ns = deadline_ns;
    wheel_start(&session->thread->wheel, &session->timer, deadline_ns);
}

void session_policy_flow(const struct session *session, struct policy_flow *out)
{
    const struct flow_key *key = &session->record.flow;
    *out = (struct policy_flow){
        .client = key->client, .server = key->server, .is_ipv6 = key->is_ipv6 != 0, .port = key->server_port};
}

/* ---- end ---- */

/* answer leaves the worker asleep: whoever waits for what it does with the answer wakes it. */
static void answer(struct session_thread *thread, uint16_t worker, struct flow_handle flow,
                   enum takeover_answer_type type, struct takeover *takeover)
{
    const struct takeover_answer message = {.takeover = takeover, .flow = flow, .type = type};
    worker_answer(thread->dataplane->workers[worker], thread->index, &message);
}

static void close_half(struct session_half *half, bool abort)
{
    if (half->bio.fd < 0) {
        return;
    }
    if (abort) {
        const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(half->bio.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    close(half->bio.fd); /* epoll forgets it */
    half->bio.fd = -1;
    socket_bio_release(&half->bio);
    SSL_free(half->ssl);
    half->ssl = NULL;
}

/* drop_handshake lets go of what only the handshakes needed. */
static void drop_handshake(struct session *session)
{
    if (session->leaf != NULL) {
        cache_value_unref(&session->leaf->value);
        session->leaf = NULL;
    }
    mimic_unref(session->mimic);
    session->mimic = NULL;
    tls_settings_unref(session->settings);
    session->settings = NULL;
}

void session_end(struct session *session, bool abort)
{
    struct session_thread *thread = session->thread;
    if (session->state == SESSION_RELAY) {
        session_stage_done(session, STAGE_RELAY);
    }
    session->state = SESSION_ENDED;
    wheel_stop(&thread->wheel, &session->timer);
    close_half(&session->half[SIDE_CLIENT], abort);
    close_half(&session->half[SIDE_SERVER], abort);
    relay_free(session);
    leaf_leave(session);
    proof_leave(session);
    drop_handshake(session);
    answer(thread, session->worker, session->flow, TAKEOVER_FINISHED, NULL);
    count_n(&thread->counters, COUNT_BYTES_FROM_CLIENT, session->record.bytes_from_client);
    count_n(&thread->counters, COUNT_BYTES_FROM_SERVER, session->record.bytes_from_server);
    session->record.time_us = mg_clock_wall_us();
    if (!session_log_put(thread->log, &session->record)) {
        count(&thread->counters, COUNT_FULL_LOG);
    }
    if (!session->queued) {
        session->next = thread->ended;
        thread->ended = session;
    }
}

void session_free(struct session *session)
{
    struct session_thread *thread = session->thread;
    session->state = SESSION_FREE;
    session->generation++;
    session->next = thread->free_sessions;
    thread->free_sessions = session;
    atomic_fetch_sub_explicit(&thread->num_sessions, 1, memory_order_relaxed);
}

/* ---- failing ---- */

/* tell_client sends a fatal alert. Before the client's handshake has begun there are no keys: the record is plain. */
static void tell_client(struct session *session, uint8_t alert)
{
    struct session_half *client = &session->half[SIDE_CLIENT];
    if (client->ssl != NULL) {
        (void)SSL_send_fatal_alert(client->ssl, alert);
        ERR_clear_error();
        return;
    }
    const uint8_t record[ALERT_RECORD_LEN] = {21, 3, 3, 0, 2, 2, alert};
    size_t sent;
    enum mg_status ignored = socket_bio_write(&client->bio, record, sizeof(record), &sent);
    (void)ignored; /* the first bytes of a connection: there is room, or nobody to read them */
}

void session_fail(struct session *session, enum counter counter, const char *reason, uint8_t alert)
{
    count(&session->thread->counters, counter);
    session->record.reason = reason;
    if (session->record.action == NULL) {
        session->record.action = "intercept";
    }
    leaf_leave(session);
    proof_leave(session);
    close_half(&session->half[SIDE_SERVER], false);
    if (session->half[SIDE_CLIENT].bio.reset) {
        session_end(session, true);
        return;
    }
    tell_client(session, alert);
    (void)shutdown(session->half[SIDE_CLIENT].bio.fd, SHUT_WR);
    session->state = SESSION_FAILING;
    set_deadline(session, session->thread->now_ns + FAILING_TIMEOUT_NS);
    session_advance(session);
}

/* advance_failing reads what the client still sends, so that closing does not reset the alert away. */
static void advance_failing(struct session *session)
{
    struct socket_bio *bio = &session->half[SIDE_CLIENT].bio;
    for (;;) {
        size_t len;
        enum mg_status status = socket_bio_read(bio, session->thread->chunk, RELAY_CHUNK, &len);
        if (status == MG_AGAIN) {
            return;
        }
        if (status != MG_OK || len == 0) {
            session_end(session, false);
            return;
        }
    }
}

/* fail_learning fails a session in a way that policy may have later ones to the same server pass. */
static void fail_learning(struct session *session, enum counter session_counter, enum counter way_counter,
                          enum config_way_out way, const char *reason, uint8_t alert)
{
    struct session_thread *thread = session->thread;
    const struct policy *policy = mg_rcu_load(&thread->dataplane->policy);
    count(&thread->counters, way_counter);
    if (way == CONFIG_WAY_OUT_BYPASS) {
        struct policy_flow flow;
        session_policy_flow(session, &flow);
        int64_t now = (int64_t)(thread->now_ns / MG_NS_PER_SECOND);
        int64_t seconds = (int64_t)(policy_settings(policy)->not_interceptable_ns / MG_NS_PER_SECOND);
        learned_add(thread->dataplane->learned, &flow, hello_info_sni(&session->hello), reason, now, now + seconds);
    }
    session_fail(session, session_counter, reason, alert);
}

static void fail_not_interceptable(struct session *session, const char *reason, uint8_t alert)
{
    const struct policy *policy = mg_rcu_load(&session->thread->dataplane->policy);
    fail_learning(session, COUNT_SESSION_FAILED_UPSTREAM, COUNT_WAY_OUT_NOT_INTERCEPTABLE,
                  policy_settings(policy)->not_interceptable, reason, alert);
}

void session_fail_minting(struct session *session)
{
    const struct policy *policy = mg_rcu_load(&session->thread->dataplane->policy);
    fail_learning(session, COUNT_SESSION_FAILED_MINT, COUNT_WAY_OUT_MINTING_FAILED,
                  policy_settings(policy)->minting_failed, "minting_failed", SSL_AD_INTERNAL_ERROR);
}

void session_fail_expired(struct session *session)
{
    count(&session->thread->counters, COUNT_WAY_OUT_ISSUER_EXPIRED);
    session_fail(session, COUNT_SESSION_FAILED_MINT, "issuer_expired", SSL_AD_INTERNAL_ERROR);
}

void session_fail_revoked(struct session *session)
{
    count(&session->thread->counters, COUNT_WAY_OUT_ISSUER_REVOKED);
    session_fail(session, COUNT_SESSION_FAILED_MINT, "issuer_revoked", SSL_AD_INTERNAL_ERROR);
}

/* ---- the server's handshake ---- */

/* shares_no_parameters tells whether the handshake failed for want of a common version, cipher suite or group. */
static bool shares_no_parameters(const struct session *session, uint32_t error)
{
    if (session->record.server_alert == SSL_AD_HANDSHAKE_FAILURE ||
        session->record.server_alert == SSL_AD_PROTOCOL_VERSION ||
        session->record.server_alert == SSL_AD_INSUFFICIENT_SECURITY) {
        return true;
    }
    switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_WRONG_CIPHER_RETURNED:
    case SSL_R_UNKNOWN_CIPHER_RETURNED:
    case SSL_R_WRONG_CURVE:
    case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS:
        return true;
    default:
        return false;
    }
}

/* is_weaker_than_client tells whether the server speaks no version from the client's own minimum on, but may well speak
 * one that we would. */
static bool is_weaker_than_client(const struct session *session, uint32_t error)
{
    const struct tls_settings *settings = session->settings;
    bool by_version = session->record.server_alert == SSL_AD_PROTOCOL_VERSION ||
                      (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_UNSUPPORTED_PROTOCOL);
    return by_version && settings->weaker_upstream == CONFIG_WEAKER_REFUSE &&
           session->hello.min_version > (uint16_t)settings->min_version;
}

static void upstream_failed(struct session *session)
{
    uint32_t error = ERR_peek_error();
    ERR_clear_error();
    if (session->proof_fault == PROOF_FAULT_NOT_CONFIGURED) {
        fail_not_interceptable(session, LEARNED_CLIENT_CERTIFICATE, SSL_AD_HANDSHAKE_FAILURE);
    } else if (session->proof_fault != PROOF_FAULT_NONE) {
        /* Nothing that policy should let pass later: what can be put right is to be inspected then. */
        session_fail(session, COUNT_SESSION_FAILED_UPSTREAM, proof_fault_reason(session->proof_fault),
                     SSL_AD_HANDSHAKE_FAILURE);
    } else if (session->verdict != TRUST_OK) {
        count(&session->thread->counters, COUNT_WAY_OUT_BAD_UPSTREAM);
        session->record.action = "block";
        session_fail(session, COUNT_SESSION_FAILED_UPSTREAM, trust_verdict_name(session->verdict),
                     SSL_AD_ACCESS_DENIED);
    } else if (is_weaker_than_client(session, error)) {
        /* Nothing that policy should let pass later, for clients that accept less. */
        session_fail(session, COUNT_SESSION_FAILED_UPSTREAM, "weaker_upstream", SSL_AD_PROTOCOL_VERSION);
    } else if (!session->asked_client_certificate && shares_no_parameters(session, error)) {
        fail_not_interceptable(session, "no_shared_parameters", SSL_AD_HANDSHAKE_FAILURE);
    } else if (session->record.server_alert >= 0) {
        session_fail(session, COUNT_SESSION_FAILED_UPSTREAM,
                     proof_was_refused(session) ? PROOF_REFUSED_REASON : "server_alert",
                     (uint8_t)session->record.server_alert);
    } else if (session->half[SIDE_SERVER].bio.reset) {
        /* The server went away: so do we. */
        count(&session->thread->counters, COUNT_SESSION_FAILED_UPSTREAM);
        session->record.reason = "server_reset";
        session->record.action = "intercept";
        session_end(session, true);
    } else {
        session_fail(session, COUNT_SESSION_FAILED_UPSTREAM, "upstream_handshake", SSL_AD_HANDSHAKE_FAILURE);
    }
}

/* wants_more tells whether |result| of an SSL call only means to wait for an event. */
static bool wants_more(struct session_half *half, int result)
{
    switch (SSL_get_error(half->ssl, result)) {
    case SSL_ERROR_WANT_WRITE:
        session_watch_writes(half);
        return true;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION: /* which has it run again */
        return true;
    default:
        return false;
    }
}

static void begin_upstream(struct session *session)
{
    struct session_half *server = &session->half[SIDE_SERVER];
    session->settings = tls_settings_up_ref(mg_rcu_load(&session->thread->dataplane->tls));
    BIO *bio = socket_bio_new(&server->bio);
    server->ssl = bio == NULL ? NULL : tls_settings_upstream_ssl(session->settings, &session->hello, session, bio);
    if (server->ssl == NULL) {
        session_fail(session, COUNT_SESSION_FAILED_UPSTREAM, "no_memory", SSL_AD_INTERNAL_ERROR);
        return;
    }
    session->state = SESSION_UPSTREAM;
    set_deadline(session, session->thread->now_ns + session->thread->dataplane->config->sessions.handshake_timeout_ns);
    session_advance(session);
}

static void start_upstream(struct session *session)
{
    enum cpu_stage before = session_cpu_enter(session->thread, CPU_STAGE_UPSTREAM);
    begin_upstream(session);
    session_cpu_enter(session->thread, before);
}

static void end_without_client(struct session *session, const char *reason, bool abort)
{
    count(&session->thread->counters, COUNT_SESSION_FAILED_CLIENT);
    session->record.action = "intercept";
    session->record.reason = reason;
    session_end(session, abort);
}

void session_client_closed(struct session *session)
{
    end_without_client(session, "client_closed", false);
}

/* client_gone tells whether the client reset the connection while the server was spoken to; then that ends too. */
static bool client_gone(struct session *session)
{
    struct socket_bio *bio = &session->half[SIDE_CLIENT].bio;
    int error = 0;
    socklen_t len = sizeof(error);
    /* Reading would not tell: before a reset comes what was received, the ClientHello above all. */
    if (!bio->hung_up || getsockopt(bio->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error == 0) {
        return false;
    }
    end_without_client(session, "client_reset", true);
    return true;
}

static void advance_upstream(struct session *session)
{
    struct session_half *server = &session->half[SIDE_SERVER];
    if (client_gone(session)) {
        return;
    }
    int result = SSL_do_handshake(server->ssl);
    if (result == 1) {
        session_note_tls(&session->record.server_tls, server->ssl);
        session_stage_done(session, STAGE_UPSTREAM);
        session->state = SESSION_LEAF;
        leaf_acquire(session);
    } else if (!wants_more(server, result)) {
        upstream_failed(session);
    }
}

/* ---- the client's handshake ---- */

static void advance_leaf(struct session *session)
{
    if (!client_gone(session) && session->half[SIDE_CLIENT].bio.hung_up) {
        leaf_not_for_me(session);
    }
    /* else the leaf's mail goes on */
}

void session_leaf_ready(struct session *session, struct leaf *leaf)
{
    struct session_half *client = &session->half[SIDE_CLIENT];
    session->leaf = leaf;
    session_stage_done(session, STAGE_LEAF);
    BIO *bio = socket_bio_new(&client->bio);
    client->ssl =
        bio == NULL ? NULL : tls_settings_client_ssl(session->settings, session->hello.message_len, session, bio);
    if (client->ssl == NULL) {
        session_fail(session, COUNT_SESSION_FAILED_CLIENT, "no_memory", SSL_AD_INTERNAL_ERROR);
        return;
    }
    session->state = SESSION_CLIENT;
    session_advance(session);
}

/* note_plain_alert notes a fatal alert that came in the clear after TLS 1.3 had keys. OpenSSL's clients send one when
 * they reject the certificate, and BoringSSL takes it for a record that does not decrypt. */
static void note_plain_alert(struct session *session)
{
    static const uint8_t head[] = {21, 3, 3, 0, 2, 2};
    const uint8_t *last = session->half[SIDE_CLIENT].bio.last;
    if (session->record.client_alert < 0 && memcmp(last, head, sizeof(head)) == 0) {
        session->record.client_alert = last[sizeof(head)];
    }
}

static void advance_client(struct session *session)
{
    struct session_half *client = &session->half[SIDE_CLIENT];
    int result = SSL_do_handshake(client->ssl);
    if (result != 1) {
        if (!wants_more(client, result)) {
            ERR_clear_error();
            note_plain_alert(session);
            session_fail(session, COUNT_SESSION_FAILED_CLIENT,
                         session->record.client_alert >= 0 ? "client_alert" : "client_handshake",
                         SSL_AD_HANDSHAKE_FAILURE);
        }
        return;
    }
    session_note_tls(&session->record.client_tls, client->ssl);
    session_note_protocol(session);
    session->record.resumed = SSL_session_reused(client->ssl) != 0;
    if (session->record.resumed) {
        count(&session->thread->counters, COUNT_RESUMED);
    }
    session_stage_done(session, STAGE_CLIENT);
    count(&session->thread->counters, COUNT_SESSION_INTERCEPTED);
    drop_handshake(session);
    session->record.action = "intercept";
    session->record.reason = session->verdict == TRUST_OK ? "rule" : trust_verdict_name(session->verdict);
    session->state = SESSION_RELAY;
    session->last_byte_ns = session->thread->now_ns;
    set_deadline(session, session->last_byte_ns + session->thread->dataplane->config->sessions.idle_timeout_ns);
    session_advance(session);
}

/* ---- the hello of a flow adopted before it was decided ---- */

static void start_raw(struct session *session)
{
    count(&session->thread->counters, COUNT_SESSION_RAW);
    session->raw = true;
    session->state = SESSION_RELAY;
    session->last_byte_ns = session->thread->now_ns;
    set_deadline(session, session->last_byte_ns + session->thread->dataplane->config->sessions.idle_timeout_ns);
    session_advance(session);
}

static void carry_out(struct session *session, const struct decision *decision)
{
    struct session_thread *thread = session->thread;
    struct decision wire;
    if (decision->action != CONFIG_ACTION_BYPASS &&
        kill_switch_is_on(&thread->dataplane->kill_switch, thread->now_ns)) {
        decision_way_out(&wire, mg_rcu_load(&thread->dataplane->policy), COUNT_WAY_OUT_KILL_SWITCH,
                         CONFIG_WAY_OUT_BYPASS, "kill_switch");
        decision = &wire;
    }
    count(&thread->counters, decision->counter);
    session->record.sni = session->hello.sni;
    session->record.ja4 = session->hello.ja4;
    session->record.reason = decision->reason;
    session->record.action = decision_action_name(decision->action);
    snprintf(session->record.rule, sizeof(session->record.rule), "%s", decision->rule);
    switch (decision->action) {
    case CONFIG_ACTION_INTERCEPT:
        session->record.action = NULL; /* until it is one */
        start_upstream(session);
        break;
    case CONFIG_ACTION_BYPASS:
        start_raw(session);
        break;
    case CONFIG_ACTION_BLOCK:
        if (decision->block_with == CONFIG_BLOCK_RESET) {
            count(&thread->counters, COUNT_SESSION_BLOCKED);
            session_end(session, true);
        } else {
            session_fail(session, COUNT_SESSION_BLOCKED, decision->reason, SSL_AD_ACCESS_DENIED);
        }
        break;
    }
}

static void decide_by_message(struct session *session, const struct policy *policy, CBS message,
                              struct decision *decision)
{
    struct session_thread *thread = session->thread;
    struct client_hello parsed;
    if (client_hello_parse(&parsed, message) != MG_OK || !hello_info_of(&session->hello, &parsed, message)) {
        decision_way_out(decision, policy, COUNT_WAY_OUT_HELLO_TOO_LARGE, policy_settings(policy)->hello_too_large,
                         parsed.fault == CLIENT_HELLO_GOOD ? "hostile_sni" : "hello_malformed");
        return;
    }
    struct policy_flow flow;
    session_policy_flow(session, &flow);
    dataplane_decide(decision, thread->dataplane, policy, &flow, &session->hello, thread->now_ns, thread->now_wall);
}

/* advance_hello looks at what the client has sent so far and leaves it in the socket: whoever goes on reads it again.
 */
static void advance_hello(struct session *session)
{
    struct session_thread *thread = session->thread;
    struct socket_bio *bio = &session->half[SIDE_CLIENT].bio;
    const struct policy *policy = mg_rcu_load(&thread->dataplane->policy);
    const struct config_policy *settings = policy_settings(policy);
    ssize_t len = recv(bio->fd, thread->hello_bytes, SESSION_HELLO_MAX, MSG_PEEK);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    struct decision decision;
    struct hello_record record;
    CBS stream;
    CBS_init(&stream, thread->hello_bytes, len > 0 ? (size_t)len : 0);
    switch (len <= 0 ? HELLO_RECORD_NOT_TLS : hello_record_parse(&record, stream, thread->hello_scratch)) {
    case HELLO_RECORD_NEED_MORE:
        if (!bio->hung_up) {
            return;
        }
        decision_way_out(&decision, policy, COUNT_WAY_OUT_NOT_TLS, settings->not_tls, "not_tls");
        break;
    case HELLO_RECORD_COMPLETE:
        decide_by_message(session, policy, record.message, &decision);
        break;
    case HELLO_RECORD_NOT_TLS:
        decision_way_out(&decision, policy, COUNT_WAY_OUT_NOT_TLS, settings->not_tls, "not_tls");
        break;
    case HELLO_RECORD_TOO_LARGE:
    case HELLO_RECORD_MALFORMED:
        decision_way_out(&decision, policy, COUNT_WAY_OUT_HELLO_TOO_LARGE, settings->hello_too_large,
                         "hello_too_large");
        break;
    }
    session_stage_done(session, STAGE_HELLO);
    carry_out(session, &decision);
}

static void hello_timed_out(struct session *session)
{
    const struct policy *policy = mg_rcu_load(&session->thread->dataplane->policy);
    struct decision decision;
    decision_way_out(&decision, policy, COUNT_WAY_OUT_HOLD_EXCEEDED, policy_settings(policy)->hold_exceeded,
                     "hold_exceeded");
    carry_out(session, &decision);
}

/* ---- state machine ---- */

void session_advance(struct session *session)
{
    static const struct {
        void (*advance)(struct session *session);
        enum cpu_stage cpu_stage;
    } states[] = {
        [SESSION_HELLO] = {advance_hello, CPU_STAGE_TAKEOVER},
        [SESSION_UPSTREAM] = {advance_upstream, CPU_STAGE_UPSTREAM},
        [SESSION_CLIENT] = {advance_client, CPU_STAGE_CLIENT},
        [SESSION_RELAY] = {relay_advance, CPU_STAGE_RELAY},
        [SESSION_FAILING] = {advance_failing, CPU_STAGE_RELAY},
        [SESSION_LEAF] = {advance_leaf, CPU_STAGE_MINT},
        [SESSION_FREE] = {NULL, CPU_STAGE_LOOP},
        [SESSION_ENDED] = {NULL, CPU_STAGE_LOOP},
    };
    struct session_thread *thread = session->thread;
    enum session_state state = session->state;
    if (states[state].advance != NULL) {
        enum cpu_stage before = session_cpu_enter(thread, states[state].cpu_stage);
        states[state].advance(session);
        session_cpu_enter(thread, before);
    }
}

void session_half_open(struct session *session)
{
    uint64_t deadline_ns = session->last_byte_ns + session->thread->dataplane->config->sessions.linger_ns;
    if (deadline_ns < session->deadline_ns) {
        set_deadline(session, deadline_ns);
    }
}

void session_timer(struct wheel_timer *timer, void *arg)
{
    struct session_thread *thread = arg;
    struct session *session = MG_CONTAINER_OF(timer, struct session, timer);
    switch (session->state) {
    case SESSION_HELLO:
        hello_timed_out(session);
        break;
    case SESSION_UPSTREAM:
    case SESSION_LEAF:
    case SESSION_CLIENT:
        session_fail(session, COUNT_SESSION_TIMEOUT, "handshake_timeout", SSL_AD_INTERNAL_ERROR);
        break;
    case SESSION_RELAY: {
        const struct config_sessions *config = &thread->dataplane->config->sessions;
        bool half_open = session->half[SIDE_CLIENT].read_closed || session->half[SIDE_SERVER].read_closed;
        uint64_t timeout_ns = half_open ? config->linger_ns : config->idle_timeout_ns;
        if (thread->now_ns < session->last_byte_ns + timeout_ns) {
            set_deadline(session, session->last_byte_ns + timeout_ns);
        } else {
            session->record.reason = half_open ? "linger_timeout" : "idle_timeout";
            session_end(session, false);
        }
        break;
    }
    case SESSION_FAILING:
        session_end(session, false);
        break;
    case SESSION_FREE:
    case SESSION_ENDED:
        break;
    }
}

/* ---- beginning ---- */

/* acknowledge gives the server's half a packet in the server's name, so that it knows the timestamp to echo: without
 * one its first segment would echo 0 (RFC 7323 section 3.2). */
static void acknowledge(const struct session *session)
{
    const struct adopt_end *server = &session->adopt.end[SIDE_SERVER], *client = &session->adopt.end[SIDE_CLIENT];
    bool scaled = server->syn_options.has_window_scale && client->syn_options.has_window_scale;
    uint32_t window = server->window >> (scaled ? server->syn_options.window_scale : 0);
    const struct segment segment = {
        .is_ipv6 = session->adopt.is_ipv6,
        .source = server->address,
        .destination = client->address,
        .source_port = server->port,
        .destination_port = client->port,
        .seq = server->next_seq,
        .ack = client->next_seq,
        .window = window > UINT16_MAX ? UINT16_MAX : (uint16_t)window,
        .flags = TCP_ACK,
        .has_timestamp = true,
        .timestamp_value = server->timestamp,
        .timestamp_echo = client->timestamp,
    };
    uint8_t ip[SEGMENT_MAX_LEN];
    struct iovec parts[2] = {[1] = {ip, segment_build(ip, &segment)}};
    int fd = worker_tun_fd(session->thread->dataplane->workers[session->worker]);
    enum mg_status ignored = tun_write(fd, parts, 2, segment.is_ipv6, 0, 0, (struct tun_offload){0});
    (void)ignored; /* lost: the server's first packet does the same a little later */
}

void session_watch_writes(struct session_half *half)
{
    if (half->wants_write_event) {
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = half};
    half->wants_write_event = epoll_ctl(half->session->thread->epoll_fd, EPOLL_CTL_MOD, half->bio.fd, &event) == 0;
}

void session_run_again(struct session *session)
{
    if (!session->queued) {
        session->queued = true;
        session->next = session->thread->ready;
        session->thread->ready = session;
    }
}

static bool watch_half(struct session *session, enum side side, int fd)
{
    struct session_half *half = &session->half[side];
    *half = (struct session_half){.session = session};
    socket_bio_init(&half->bio, fd, &session->thread->buffers);
    half->bio.readable = side == SIDE_CLIENT; /* whose bytes are waiting; the server's are still to come */
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = half};
    return epoll_ctl(session->thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static struct session *new_session(struct session_thread *thread, const struct takeover *takeover)
{
    struct session *session = thread->free_sessions;
    if (session == NULL) {
        count(&thread->counters, COUNT_FULL_SESSIONS);
        return NULL;
    }
    thread->free_sessions = session->next;
    atomic_fetch_add_explicit(&thread->num_sessions, 1, memory_order_relaxed);
    *session = (struct session){
        .thread = thread,
        .index = session->index,
        .generation = session->generation,
        .worker = takeover->worker,
        .flow = takeover->flow,
        .adopt = takeover->adopt,
        .hello = takeover->hello,
    };
    session_record_init(&session->record, &takeover->key);
    session->record.sni = takeover->hello.sni;
    session->record.ja4 = takeover->hello.ja4;
    memcpy(session->record.rule, takeover->rule, sizeof(session->record.rule));
    session->record.stage_us[STAGE_HELLO] = (takeover->sent_ns - takeover->hold_ns) / MG_NS_PER_US;
    session->stage_start_ns = takeover->sent_ns;
    return session;
}

/* adopt_flow makes the sockets and has them watched. */
static bool adopt_flow(struct session_thread *thread, struct session *session)
{
    int fds[2];
    enum mg_status status = adopt(&session->adopt, fds);
    if (status != MG_OK) {
        if (status == MG_LIMIT) {
            count(&thread->counters, COUNT_FULL_DESCRIPTORS);
        }
        return false;
    }
    if (watch_half(session, SIDE_CLIENT, fds[SIDE_CLIENT]) && watch_half(session, SIDE_SERVER, fds[SIDE_SERVER])) {
        return true;
    }
    adopt_drop(fds[SIDE_CLIENT]);
    adopt_drop(fds[SIDE_SERVER]);
    return false;
}

void session_begin(struct session_thread *thread, struct takeover *takeover)
{
    struct session *session = new_session(thread, takeover);
    if (session == NULL || !adopt_flow(thread, session)) {
        uint16_t worker = takeover->worker; /* the worker's own again, once it has the answer */
        answer(thread, worker, takeover->flow, TAKEOVER_FAILED, takeover);
        worker_ring(thread->dataplane->workers[worker]);
        if (session != NULL) {
            session_free(session);
        }
        return;
    }
    bool forced = takeover->cause != TAKEOVER_DECIDED;
    if (adopt_timestamps(&session->adopt)) {
        acknowledge(session);
    }
    answer(thread, takeover->worker, takeover->flow, TAKEOVER_ADOPTED, takeover);
    session_stage_done(session, STAGE_TAKEOVER);
    session->state = SESSION_HELLO;
    if (forced) {
        worker_ring(thread->dataplane->workers[session->worker]); /* the hello is among what it holds */
        set_deadline(session, thread->now_ns + thread->dataplane->config->dataplane.hold_time_ns);
        session_advance(session);
    } else {
        start_upstream(session); /* which sends: that wakes the worker */
    }
}
