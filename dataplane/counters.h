/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the dataplane counts: one table, from which the metrics and docs/operations.md's table are made. Each thread has
 * an array of its own; the metrics sum them up.
 */
#ifndef MINTGATE_DATAPLANE_COUNTERS_H
#define MINTGATE_DATAPLANE_COUNTERS_H

#include "base/metrics.h"

/* X(identifier, metric name, labels, help). Lines of one metric stand together; the first one's help is shown. */
#define COUNTERS(X)                                                                                                    \
    X(RX_CLIENT, "mintgate_dataplane_port_rx_packets_total", "port=\"client\"", "Frames received.")                    \
    X(RX_SERVER, "mintgate_dataplane_port_rx_packets_total", "port=\"server\"", "")                                    \
    X(TX_CLIENT, "mintgate_dataplane_port_tx_packets_total", "port=\"client\"", "Frames sent.")                        \
    X(TX_SERVER, "mintgate_dataplane_port_tx_packets_total", "port=\"server\"", "")                                    \
    X(RX_CLIENT_BYTES, "mintgate_dataplane_port_rx_bytes_total", "port=\"client\"", "Bytes of frames received.")       \
    X(RX_SERVER_BYTES, "mintgate_dataplane_port_rx_bytes_total", "port=\"server\"", "")                                \
    X(DROP_TX_FULL, "mintgate_dataplane_packets_dropped_total", "reason=\"tx_full\"", "Packets lost, by reason.")      \
    X(DROP_NO_BUFFER, "mintgate_dataplane_packets_dropped_total", "reason=\"no_buffer\"", "")                          \
    X(DROP_RING_FULL, "mintgate_dataplane_packets_dropped_total", "reason=\"worker_ring_full\"", "")                   \
    X(DROP_TUN_FULL, "mintgate_dataplane_packets_dropped_total", "reason=\"tun_full\"", "")                            \
    X(DROP_TUN_NO_FLOW, "mintgate_dataplane_packets_dropped_total", "reason=\"stack_without_flow\"", "")               \
    X(DROP_TUN_INVALID, "mintgate_dataplane_packets_dropped_total", "reason=\"stack_invalid\"", "")                    \
    X(DROP_FRAGMENTS, "mintgate_dataplane_packets_dropped_total", "reason=\"fragments\"", "")                          \
    X(FOREIGN_PACKETS, "mintgate_dataplane_worker_foreign_packets_total", "",                                          \
      "Packets passed to the worker that owns the flow.")                                                              \
    X(IDLE_POLLS, "mintgate_dataplane_worker_idle_polls_total", "",                                                    \
      "Sleeps of workers to their end, behind which there was nothing to do.")                                         \
    X(STACK_TX_PACKETS, "mintgate_dataplane_stack_tx_packets_total", "",                                               \
      "Packets given to the stack, merged ones once.")                                                                 \
    X(STACK_TX_SEGMENTS, "mintgate_dataplane_stack_tx_segments_total", "", "Segments given to the stack.")             \
    X(STACK_RX_PACKETS, "mintgate_dataplane_stack_rx_packets_total", "", "Packets taken from the stack, uncut.")       \
    X(STACK_RX_SEGMENTS, "mintgate_dataplane_stack_rx_segments_total", "", "Segments they were cut into.")             \
    X(STACK_ICMP, "mintgate_dataplane_stack_icmp_total", "",                                                           \
      "ICMP errors about intercepted flows, given to the stack.")                                                      \
    X(LATE_ANSWERED, "mintgate_dataplane_stack_late_answered_total", "", "Late FINs answered by the dataplane.")       \
    X(FLOWS_OPENED, "mintgate_dataplane_flows_opened_total", "",                                                       \
      "TCP flows whose SYN was seen and may be intercepted.")                                                          \
    X(FLOWS_CLOSED, "mintgate_dataplane_flows_closed_total", "", "Flows forgotten.")                                   \
    X(SYN_NEUTRALIZED, "mintgate_dataplane_syn_neutralized_total", "",                                                 \
      "SYNs that lost Fast Open, Multipath TCP or ECN.")                                                               \
    X(HELLO_SEGMENTED, "mintgate_dataplane_hello_segmented_total", "", "ClientHellos that came in several segments.")  \
    X(HELLO_HOSTILE_SNI, "mintgate_dataplane_hello_hostile_sni_total", "",                                             \
      "ClientHellos whose server name is no host name.")                                                               \
    X(DECIDED_INTERCEPT, "mintgate_dataplane_decisions_total", "action=\"intercept\"", "Flows decided, by action.")    \
    X(DECIDED_BYPASS, "mintgate_dataplane_decisions_total", "action=\"bypass\"", "")                                   \
    X(DECIDED_BLOCK, "mintgate_dataplane_decisions_total", "action=\"block\"", "")                                     \
    X(WAY_OUT_QUIC, "mintgate_dataplane_ways_out_total", "reason=\"quic\"",                                            \
      "What could not be judged or handled, by reason.")                                                               \
    X(WAY_OUT_BELOW_MINIMUM, "mintgate_dataplane_ways_out_total", "reason=\"below_minimum\"", "")                      \
    X(WAY_OUT_ECH, "mintgate_dataplane_ways_out_total", "reason=\"ech\"", "")                                          \
    X(WAY_OUT_NOT_TLS, "mintgate_dataplane_ways_out_total", "reason=\"not_tls\"", "")                                  \
    X(WAY_OUT_HOLD_EXCEEDED, "mintgate_dataplane_ways_out_total", "reason=\"hold_exceeded\"", "")                      \
    X(WAY_OUT_HELLO_TOO_LARGE, "mintgate_dataplane_ways_out_total", "reason=\"hello_too_large\"", "")                  \
    X(WAY_OUT_FRAGMENTED, "mintgate_dataplane_ways_out_total", "reason=\"fragmented\"", "")                            \
    X(WAY_OUT_MIDSTREAM, "mintgate_dataplane_ways_out_total", "reason=\"midstream\"", "")                              \
    X(WAY_OUT_TABLE_FULL, "mintgate_dataplane_ways_out_total", "reason=\"table_full\"", "")                            \
    X(WAY_OUT_ADOPTION_FAILED, "mintgate_dataplane_ways_out_total", "reason=\"adoption_failed\"", "")                  \
    X(WAY_OUT_BAD_UPSTREAM, "mintgate_dataplane_ways_out_total", "reason=\"bad_upstream\"", "")                        \
    X(WAY_OUT_MINTING_FAILED, "mintgate_dataplane_ways_out_total", "reason=\"minting_failed\"", "")                    \
    X(WAY_OUT_NOT_INTERCEPTABLE, "mintgate_dataplane_ways_out_total", "reason=\"not_interceptable\"", "")              \
    X(WAY_OUT_ISSUER_EXPIRED, "mintgate_dataplane_ways_out_total", "reason=\"issuer_expired\"", "")                    \
    X(WAY_OUT_ISSUER_REVOKED, "mintgate_dataplane_ways_out_total", "reason=\"issuer_revoked\"", "")                    \
    X(WAY_OUT_LEARNED, "mintgate_dataplane_ways_out_total", "reason=\"learned_bypass\"", "")                           \
    X(WAY_OUT_KILL_SWITCH, "mintgate_dataplane_ways_out_total", "reason=\"kill_switch\"", "")                          \
    X(WAY_OUT_DRAINING, "mintgate_dataplane_ways_out_total", "reason=\"draining\"", "")                                \
    X(FULL_FLOWS, "mintgate_dataplane_bound_hit_total", "bound=\"flows\"", "Times that a bound was hit.")              \
    X(FULL_HOLD_PACKETS, "mintgate_dataplane_bound_hit_total", "bound=\"hold_packets\"", "")                           \
    X(FULL_HOLD_HELLOS, "mintgate_dataplane_bound_hit_total", "bound=\"hold_hellos\"", "")                             \
    X(FULL_FRAGMENTS, "mintgate_dataplane_bound_hit_total", "bound=\"fragments\"", "")                                 \
    X(FULL_TAKEOVERS, "mintgate_dataplane_bound_hit_total", "bound=\"takeovers\"", "")                                 \
    X(FULL_SESSIONS, "mintgate_dataplane_bound_hit_total", "bound=\"sessions\"", "")                                   \
    X(FULL_DESCRIPTORS, "mintgate_dataplane_bound_hit_total", "bound=\"descriptors\"", "")                             \
    X(FULL_PENDING_MINTS, "mintgate_dataplane_bound_hit_total", "bound=\"pending_mints\"", "")                         \
    X(FULL_LOG, "mintgate_dataplane_bound_hit_total", "bound=\"session_log\"", "")                                     \
    X(ADOPTED, "mintgate_dataplane_adoptions_total", "cause=\"decided\"", "Flows taken over, by cause.")               \
    X(ADOPTED_SENT_AGAIN, "mintgate_dataplane_adoptions_total", "cause=\"retransmission\"", "")                        \
    X(ADOPTED_MANY_SEGMENTS, "mintgate_dataplane_adoptions_total", "cause=\"many_segments\"", "")                      \
    X(SESSION_INTERCEPTED, "mintgate_dataplane_sessions_total", "end=\"intercepted\"",                                 \
      "Taken-over flows, by how far they came.")                                                                       \
    X(SESSION_RAW, "mintgate_dataplane_sessions_total", "end=\"relayed_uninspected\"", "")                             \
    X(SESSION_BLOCKED, "mintgate_dataplane_sessions_total", "end=\"blocked\"", "")                                     \
    X(SESSION_FAILED_UPSTREAM, "mintgate_dataplane_sessions_total", "end=\"upstream_failed\"", "")                     \
    X(SESSION_FAILED_CLIENT, "mintgate_dataplane_sessions_total", "end=\"client_failed\"", "")                         \
    X(SESSION_FAILED_MINT, "mintgate_dataplane_sessions_total", "end=\"minting_failed\"", "")                          \
    X(SESSION_TIMEOUT, "mintgate_dataplane_sessions_total", "end=\"handshake_timeout\"", "")                           \
    X(RESUMED, "mintgate_dataplane_sessions_resumed_total", "", "Client handshakes that resumed a session.")           \
    X(CHAIN_REMEMBERED, "mintgate_dataplane_upstream_chains_total", "verdict=\"remembered\"",                          \
      "Server chains, by verdict.")                                                                                    \
    X(CHAIN_OK, "mintgate_dataplane_upstream_chains_total", "verdict=\"ok\"", "")                                      \
    X(CHAIN_EXPIRED, "mintgate_dataplane_upstream_chains_total", "verdict=\"expired\"", "")                            \
    X(CHAIN_NOT_YET_VALID, "mintgate_dataplane_upstream_chains_total", "verdict=\"not_yet_valid\"", "")                \
    X(CHAIN_WRONG_NAME, "mintgate_dataplane_upstream_chains_total", "verdict=\"wrong_name\"", "")                      \
    X(CHAIN_SELF_SIGNED, "mintgate_dataplane_upstream_chains_total", "verdict=\"self_signed\"", "")                    \
    X(CHAIN_UNKNOWN_ISSUER, "mintgate_dataplane_upstream_chains_total", "verdict=\"unknown_issuer\"", "")              \
    X(CHAIN_MISSING_INTERMEDIATE, "mintgate_dataplane_upstream_chains_total", "verdict=\"missing_intermediate\"", "")  \
    X(CHAIN_WEAK_SIGNATURE, "mintgate_dataplane_upstream_chains_total", "verdict=\"weak_signature\"", "")              \
    X(CHAIN_WEAK_KEY, "mintgate_dataplane_upstream_chains_total", "verdict=\"weak_key\"", "")                          \
    X(CHAIN_INVALID, "mintgate_dataplane_upstream_chains_total", "verdict=\"invalid\"", "")                            \
    X(PROOF_MADE, "mintgate_dataplane_client_certificates_total", "result=\"proved\"",                                 \
      "Servers that asked for a client certificate, by what became of it.")                                            \
    X(PROOF_NOT_CONFIGURED, "mintgate_dataplane_client_certificates_total", "result=\"not_configured\"", "")           \
    X(PROOF_BAD_UPSTREAM, "mintgate_dataplane_client_certificates_total", "result=\"bad_upstream\"", "")               \
    X(PROOF_NO_STORE, "mintgate_dataplane_client_certificates_total", "result=\"no_store\"", "")                       \
    X(PROOF_NONE_SUITS, "mintgate_dataplane_client_certificates_total", "result=\"none_suits\"", "")                   \
    X(PROOF_NOT_SIGNED, "mintgate_dataplane_client_certificates_total", "result=\"not_signed\"", "")                   \
    X(PROOF_TIMED_OUT, "mintgate_dataplane_client_certificates_total", "result=\"timed_out\"", "")                     \
    X(PROOF_ABANDONED, "mintgate_dataplane_client_certificates_total", "result=\"abandoned\"", "")                     \
    X(PROOF_REFUSED, "mintgate_dataplane_client_certificates_refused_total", "",                                       \
      "Servers that would not have the client certificate that they were given.")                                      \
    X(BYTES_FROM_CLIENT, "mintgate_dataplane_session_plaintext_bytes_total", "from=\"client\"", "Plaintext relayed.")  \
    X(BYTES_FROM_SERVER, "mintgate_dataplane_session_plaintext_bytes_total", "from=\"server\"", "")

enum counter {
#define COUNTER_ENUM(identifier, name, labels, help) COUNT_##identifier,
    COUNTERS(COUNTER_ENUM)
#undef COUNTER_ENUM
        NUM_COUNTERS
};

struct counters {
    struct mg_counter values[NUM_COUNTERS]; /* its thread: rw, metrics: ro */
} MG_CACHE_ALIGNED;

static inline void count(struct counters *counters, enum counter counter)
{
    mg_counter_add(&counters->values[counter], 1);
}

static inline void count_n(struct counters *counters, enum counter counter, uint64_t n)
{
    mg_counter_add(&counters->values[counter], n);
}

/* counters_write appends the metrics' text, summed over |num| threads. Any thread. */
void counters_write(struct mg_buffer *out, const struct counters *const *counters, size_t num);

#endif
