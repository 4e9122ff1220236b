/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#define AT(member) offsetof(struct config, member)
#define RULE_AT(member) offsetof(struct config_rule, member)
#define TOKEN_AT(member) offsetof(struct config_token, member)
#define NS_MS UINT64_C(1000000)
#define NS_S UINT64_C(1000000000)
#define NS_DAY (UINT64_C(86400) * NS_S)
#define MIB (UINT64_C(1) << 20)
#define MAX_RATE 1000000

static const struct config_word log_levels[] = {
    {"error", MG_LOG_ERROR}, {"warning", MG_LOG_WARNING}, {"info", MG_LOG_INFO}, {"debug", MG_LOG_DEBUG}, {NULL, 0}};
static const struct config_word actions[] = {{"intercept", CONFIG_ACTION_INTERCEPT},
                                             {"bypass", CONFIG_ACTION_BYPASS},
                                             {"block", CONFIG_ACTION_BLOCK},
                                             {NULL, 0}};
static const struct config_word block_withs[] = {
    {"reset", CONFIG_BLOCK_RESET}, {"alert", CONFIG_BLOCK_ALERT}, {NULL, 0}};
static const struct config_word forward_or_drop[] = {{"forward", CONFIG_FORWARD}, {"drop", CONFIG_DROP}, {NULL, 0}};
static const struct config_word ways_out[] = {
    {"bypass", CONFIG_WAY_OUT_BYPASS}, {"block", CONFIG_WAY_OUT_BLOCK}, {NULL, 0}};
static const struct config_word bad_upstreams[] = {
    {"block", CONFIG_BAD_UPSTREAM_BLOCK}, {"forward-untrust", CONFIG_BAD_UPSTREAM_FORWARD_UNTRUST}, {NULL, 0}};
static const struct config_word ech_words[] = {
    {"intercept", CONFIG_ECH_INTERCEPT}, {"bypass", CONFIG_ECH_BYPASS}, {"block", CONFIG_ECH_BLOCK}, {NULL, 0}};
static const struct config_word weaker_words[] = {
    {"refuse", CONFIG_WEAKER_REFUSE}, {"allow", CONFIG_WEAKER_ALLOW}, {NULL, 0}};
static const struct config_word tls_versions[] = {{"1.2", CONFIG_TLS_1_2}, {"1.3", CONFIG_TLS_1_3}, {NULL, 0}};
static const struct config_word key_types[] = {{"EC_P256", CONFIG_KEY_EC_P256}, {"EC_P384", CONFIG_KEY_EC_P384},
                                               {"RSA_2K", CONFIG_KEY_RSA_2048}, {"RSA_3K", CONFIG_KEY_RSA_3072},
                                               {"RSA_4K", CONFIG_KEY_RSA_4096}, {NULL, 0}};
static const struct config_word crypto_mb_words[] = {
    {"auto", CONFIG_CRYPTO_MB_AUTO}, {"off", CONFIG_CRYPTO_MB_OFF}, {NULL, 0}};
static const struct config_word subscriptions[] = {
    {"software", CONFIG_SUBSCRIPTION_SOFTWARE}, {"hsm", CONFIG_SUBSCRIPTION_HSM}, {NULL, 0}};
static const struct config_word issuer_expiry_words[] = {{"successor", CONFIG_EXPIRY_SUCCESSOR},
                                                         {"bypass", CONFIG_EXPIRY_BYPASS},
                                                         {"block", CONFIG_EXPIRY_BLOCK},
                                                         {NULL, 0}};

static const struct config_word regions[] = {{"GLOBAL", CONFIG_REGION_GLOBAL},
                                             {"ASIA", CONFIG_REGION_ASIA},
                                             {"EUROPE", CONFIG_REGION_EUROPE},
                                             {"US", CONFIG_REGION_US},
                                             {NULL, 0}};

static const struct config_key log_keys[] = {
    {"level", CONFIG_WORD, AT(log_level), "info", 0, 0, log_levels, true,
     "Lowest level written to standard error by every program."},
};

static const struct config_key dataplane_keys[] = {
    {"eal", CONFIG_STRINGS, AT(dataplane.eal), "", 0, 0, NULL, false,
     "Arguments for DPDK's EAL: devices, memory (`--no-huge`, or hugepages), cores. See docs/operations.md."},
    {"client_port", CONFIG_STRING, AT(dataplane.client_port), "", 0, 0, NULL, false,
     "DPDK name of the port towards the clients, such as `net_af_xdp0` or `0000:01:00.0`."},
    {"server_port", CONFIG_STRING, AT(dataplane.server_port), "", 0, 0, NULL, false,
     "DPDK name of the port towards the servers."},
    {"workers", CONFIG_COUNT, AT(dataplane.workers), "1", 1, 32, NULL, false,
     "Worker lcores; each has one RX and one TX queue on each port. EAL's `-l` must name that many cores and one "
     "more."},
    {"mtu", CONFIG_COUNT, AT(dataplane.mtu), "1500", 1280, 9000, NULL, false,
     "MTU of both ports and of the stack's TUN device, in bytes of IP packet."},
    {"packet_buffers", CONFIG_COUNT, AT(dataplane.packet_buffers), "32767", 2047, 4194303, NULL, false,
     "Packet buffers in all. Held packets come out of them; a power of two less one wastes least. With the default "
     "`mtu` "
     "one takes 2.4 KiB of the EAL's memory, with AF_XDP ports 4 KiB."},
    {"descriptors", CONFIG_COUNT, AT(dataplane.descriptors), "1024", 64, 8192, NULL, false,
     "RX and TX descriptors of each queue; the port may round it."},
    {"idle_sleep", CONFIG_DURATION, AT(dataplane.idle_sleep_ns), "50us", 0, 10 * NS_MS, NULL, false,
     "Longest sleep of a worker that has found no packet for a while; 0 polls without pause. One that may sleep "
     "preempts "
     "nobody on a processor that it shares (SCHED_BATCH)."},
    {"flows", CONFIG_COUNT, AT(dataplane.flows), "65536", 64, UINT64_C(1) << 24, NULL, false,
     "TCP flows remembered, all workers together. When full, `policy.table_full` applies."},
    {"flow_idle_timeout", CONFIG_DURATION, AT(dataplane.flow_idle_timeout_ns), "30m", NS_S, 7 * NS_DAY, NULL, false,
     "A flow without packets for so long is forgotten; should it go on, it counts as joined in mid-stream."},
    {"flow_opening_timeout", CONFIG_DURATION, AT(dataplane.flow_opening_timeout_ns), "30s", 100 * NS_MS, NS_DAY, NULL,
     false, "The same for a flow whose SYN the server has not answered."},
    {"hold_time", CONFIG_DURATION, AT(dataplane.hold_time_ns), "3s", 10 * NS_MS, 60 * NS_S, NULL, false,
     "How long a flow's first client bytes may be held until the ClientHello is complete; then "
     "`policy.hold_exceeded`."},
    {"hold_packets", CONFIG_COUNT, AT(dataplane.hold_packets), "8192", 16, 1048576, NULL, false,
     "Packets held at one time, all workers together. When full, `policy.table_full` applies."},
    {"hold_hellos", CONFIG_COUNT, AT(dataplane.hold_hellos), "1024", 1, 65536, NULL, false,
     "ClientHellos being put together from several segments at one time, all workers together (up to 66 KiB each). "
     "When full, `policy.table_full` applies."},
    {"kill_switch", CONFIG_STRING, AT(dataplane.kill_switch), "/run/mintgate/bypass", 1, 0, NULL, false,
     "File that turns the engine into a wire until the time in its first line (`mintgatectl bypass`); its directory "
     "must "
     "exist."},
};

static const struct config_key sessions_keys[] = {
    {"threads", CONFIG_COUNT, AT(sessions.threads), "1", 1, 64, NULL, false,
     "Threads that take flows over and speak TLS."},
    {"max", CONFIG_COUNT, AT(sessions.max), "8192", 1, 1048576, NULL, false,
     "Intercepted connections at one time, each with two sockets; also bounded by the process's limit of descriptors. "
     "When full, `policy.adoption_failed` applies."},
    {"stack_namespace", CONFIG_STRING, AT(sessions.stack_namespace), "mintgate-stack", 0, 0, NULL, false,
     "Network namespace of the adopted sockets: a name below /run/netns, or a path. It must exist; nothing else may "
     "live in it."},
    {"tun", CONFIG_STRING, AT(sessions.tun), "mintgate0", 1, 15, NULL, false,
     "Name of the TUN device made in that namespace."},
    {"handshake_timeout", CONFIG_DURATION, AT(sessions.handshake_timeout_ns), "15s", 100 * NS_MS, 600 * NS_S, NULL,
     false, "Longest time from the takeover to the end of both TLS handshakes."},
    {"idle_timeout", CONFIG_DURATION, AT(sessions.idle_timeout_ns), "30m", NS_S, 7 * NS_DAY, NULL, false,
     "An intercepted connection without a byte in either direction for so long is closed."},
    {"linger", CONFIG_DURATION, AT(sessions.linger_ns), "60s", 10 * NS_MS, 600 * NS_S, NULL, false,
     "How long a connection whose one side is finished waits for the other's end."},
    {"drain", CONFIG_DURATION, AT(sessions.drain_ns), "5s", 0, 600 * NS_S, NULL, false,
     "After SIGTERM new flows are bypassed, and running sessions have so long to end."},
    {"log", CONFIG_STRING, AT(sessions.log), "", 0, 0, NULL, false,
     "File for the session log, one JSON object a line (docs/operations.md); empty: none. Reopened on SIGHUP."},
    {"log_queue", CONFIG_COUNT, AT(sessions.log_queue), "16384", 64, 1048576, NULL, false,
     "Session records waiting to be written; further ones are dropped and counted."},
};

static const struct config_key tls_keys[] = {
    {"trust_store", CONFIG_STRING, AT(tls.trust_store), "/etc/ssl/certs/ca-certificates.crt", 0, 0, NULL, true,
     "PEM file of the roots that servers' chains must end in."},
    {"trust_store_name", CONFIG_STRING, AT(tls.trust_store_name), "", 0, 64, NULL, true,
     "Name of a trust store of the control plane, or of a reference to one, that verifies servers instead of that "
     "file. Nothing in it is trusted before the control plane has sent it. Empty: none."},
    {"trust_store_and_file", CONFIG_BOOL, AT(tls.trust_store_and_file), "false", 0, 0, NULL, true,
     "Where `trust_store_name` is set: the roots of the file `trust_store` are trusted as well."},
    {"intermediates", CONFIG_STRING, AT(tls.intermediates), "", 0, 0, NULL, true,
     "PEM file of intermediates for servers that do not send theirs; empty: none."},
    {"learned_intermediates", CONFIG_COUNT, AT(tls.learned_intermediates), "1024", 0, 65536, NULL, false,
     "Intermediates remembered from chains seen verified, for the same purpose; 0: none."},
    {"min_version", CONFIG_WORD, AT(tls.min_version), "1.2", 0, 0, tls_versions, true,
     "Lowest TLS version spoken to clients and servers. A client that offers only less: `policy.below_minimum`."},
    {"alpn", CONFIG_STRINGS, AT(tls.alpn), "[h2, http/1.1]", 0, 0, NULL, true,
     "Application protocols passed on from the client's ALPN list to the server; the rest is left out."},
    {"client_resumption", CONFIG_BOOL, AT(tls.client_resumption), "true", 0, 0, NULL, true,
     "Give clients session tickets. A ticket is bound to issuer, name, server, its certificate and the policy."},
    {"remember_chains", CONFIG_COUNT, AT(tls.remember_chains), "32768", 0, 1048576, NULL, false,
     "Server chains remembered as verified, so that a warm connection need not verify them again; 0: none."},
    {"remember_chain_time", CONFIG_DURATION, AT(tls.remember_chain_ns), "10m", NS_S, NS_DAY, NULL, true,
     "Longest time that a chain, or the path above its intermediate, is remembered; never past its validity or "
     "a reload of the trust store."},
    {"weaker_upstream", CONFIG_WORD, AT(tls.weaker_upstream), "refuse", 0, 0, weaker_words, true,
     "A server that negotiates a lower TLS version than the client's own minimum."},
};

static const struct config_key policy_keys[] = {
    {"rules", CONFIG_RULES, AT(policy.rules), "[]", 0, 0, NULL, true,
     "Ordered rules; the first that matches decides. Keys of a rule are in the next table."},
    {"default", CONFIG_WORD, AT(policy.default_action), "bypass", 0, 0, actions, true,
     "What happens where no rule matches. As shipped nothing is intercepted until the operator writes a rule that says "
     "so."},
    {"block_with", CONFIG_WORD, AT(policy.block_with), "alert", 0, 0, block_withs, true,
     "How a flow is blocked where no rule says otherwise: a fatal TLS alert (access_denied), which people see as a "
     "clear error and browsers do not retry, or a TCP reset."},
    {"quic", CONFIG_WORD, AT(policy.quic), "drop", 0, 0, forward_or_drop, true,
     "UDP to port 443 between addresses that a rule may intercept or block. Dropped, browsers fall back to TCP; "
     "forwarded, they pass uninspected."},
    {"below_minimum", CONFIG_WORD, AT(policy.below_minimum), "block", 0, 0, ways_out, true,
     "The client offers no TLS version from `tls.min_version` on. Blocked: no current client does, and it would be an "
     "easy way out."},
    {"ech", CONFIG_WORD, AT(policy.ech), "intercept", 0, 0, ech_words, true,
     "The ClientHello has Encrypted Client Hello, real or GREASE (they look the same). Intercepted for the outer name: "
     "browsers send GREASE to every server, and a real one falls back without an error of ours."},
    {"not_tls", CONFIG_WORD, AT(policy.not_tls), "bypass", 0, 0, ways_out, true,
     "The first bytes are not TLS, or the server speaks first. Bypassed: a rule without ports covers SSH and SMTP "
     "too."},
    {"hold_exceeded", CONFIG_WORD, AT(policy.hold_exceeded), "block", 0, 0, ways_out, true,
     "The ClientHello was not complete within `dataplane.hold_time`. Blocked: a real client sends it at once; waiting "
     "is how a bypass is provoked."},
    {"hello_too_large", CONFIG_WORD, AT(policy.hello_too_large), "block", 0, 0, ways_out, true,
     "A ClientHello over 64 KiB, or malformed. Blocked: no real client sends it."},
    {"fragmented", CONFIG_WORD, AT(policy.fragmented), "block", 0, 0, ways_out, true,
     "The first bytes came in IP fragments, or in overlapping segments that disagree. Blocked: TCP avoids fragments, "
     "evasion tools seek them."},
    {"midstream", CONFIG_WORD, AT(policy.midstream), "bypass", 0, 0, ways_out, true,
     "A flow whose beginning was not seen. Bypassed: after a start of the engine every existing connection is one."},
    {"table_full", CONFIG_WORD, AT(policy.table_full), "bypass", 0, 0, ways_out, true,
     "The flow table, the held packets or the held ClientHellos are full. Bypassed: an overload should not cut the "
     "network."},
    {"adoption_failed", CONFIG_WORD, AT(policy.adoption_failed), "bypass", 0, 0, ways_out, true,
     "The flow could not be taken over (kernel, descriptors, `sessions.max`). Bypassed, for the same reason."},
    {"bad_upstream", CONFIG_WORD, AT(policy.bad_upstream), "block", 0, 0, bad_upstreams, true,
     "The server's certificate did not verify. Blocked with an alert; or a leaf from the forward-untrust issuer, so "
     "that the client warns."},
    {"minting_failed", CONFIG_WORD, AT(policy.minting_failed), "block", 0, 0, ways_out, true,
     "No leaf could be had (signer away, refused). The connection fails cleanly; `bypass` lets later ones to this "
     "server and SNI pass for `not_interceptable_time`."},
    {"not_interceptable", CONFIG_WORD, AT(policy.not_interceptable), "block", 0, 0, ways_out, true,
     "The server asks for a client certificate and the rule names none, or it shares no parameters with the engine. As "
     "above. Blocked: a server could ask for a certificate in order to be bypassed; write a rule for those you trust."},
    {"not_interceptable_time", CONFIG_DURATION, AT(policy.not_interceptable_ns), "10m", NS_S, NS_DAY, NULL, true,
     "How long such a server and SNI are then bypassed."},
    {"not_interceptable_entries", CONFIG_COUNT, AT(policy.not_interceptable_entries), "4096", 1, 1048576, NULL, false,
     "How many of them are remembered."},
};

static const struct config_key minting_keys[] = {
    {"max_validity", CONFIG_SECONDS, AT(minting.max_validity_seconds), "199d", 3600, UINT64_C(825) * 86400, NULL, false,
     "Longest validity of a minted certificate, backdating included; also never beyond the server's, the issuer's, and "
     "what browsers accept at the date."},
    {"ec_keys", CONFIG_COUNT, AT(minting.ec_keys), "8", 1, 256, NULL, false, "P-256 leaf keys held ready."},
    {"rsa_keys", CONFIG_COUNT, AT(minting.rsa_keys), "2", 1, 64, NULL, false,
     "RSA-2048 leaf keys held ready, for clients that offer no ECDSA."},
    {"key_rotation", CONFIG_DURATION, AT(minting.key_rotation_ns), "1h", 60 * NS_S, 365 * NS_DAY, NULL, false,
     "How often the oldest leaf key of each kind is replaced; certificates minted before keep theirs."},
    {"aia_url", CONFIG_STRING, AT(minting.aia_url), "", 0, 0, NULL, false,
     "caIssuers address written into minted certificates; empty: none."},
    {"crl_url", CONFIG_STRING, AT(minting.crl_url), "", 0, 0, NULL, false,
     "CRL address written into minted certificates; empty: none."},
    {"timeout", CONFIG_DURATION, AT(minting.timeout_ns), "3s", 10 * NS_MS, 60 * NS_S, NULL, false,
     "Longest wait for the signer; then `policy.minting_failed`, or a server that asked for a client certificate is "
     "not answered."},
    {"pending", CONFIG_COUNT, AT(minting.pending), "4096", 1, 65536, NULL, false,
     "Certificates being minted, and proofs by client certificates being signed, at one time, by each session thread. "
     "When full, as when the time is over."},
    {"published", CONFIG_STRING, AT(minting.published), "/var/lib/mintgate/engine/published", 0, 0, NULL, false,
     "File in which the engine keeps what the control plane published last, for starts without it; its directory must "
     "exist. Empty: not kept."},
};

static const struct config_key cache_keys[] = {
    {"entries", CONFIG_COUNT, AT(cache.entries), "131072", 1, UINT64_C(1) << 24, NULL, false,
     "Minted certificates kept."},
    {"bytes", CONFIG_BYTES, AT(cache.bytes), "256MiB", 64 * 1024, UINT64_C(1) << 40, NULL, false,
     "Memory for them, all included."},
    {"waiters", CONFIG_COUNT, AT(cache.waiters), "65536", 1, UINT64_C(1) << 24, NULL, false,
     "Connections waiting for a certificate being minted. When full, `policy.minting_failed` applies."},
    {"lifetime", CONFIG_SECONDS, AT(cache.lifetime_seconds), "1d", 1, 365 * 86400, NULL, false,
     "A minted certificate is used for so long, and never beyond half a minute before its end."},
    {"negative", CONFIG_SECONDS, AT(cache.negative_seconds), "2s", 0, 3600, NULL, false,
     "A failed mint is not tried again for so long."},
};

static const struct config_key signer_keys[] = {
    {"engine_socket", CONFIG_STRING, AT(signer.engine_socket), "/run/mintgate/signer-engine.sock", 1, 107, NULL, false,
     "Unix socket on which the signer serves engines."},
    {"control_socket", CONFIG_STRING, AT(signer.control_socket), "/run/mintgate/signer-control.sock", 1, 107, NULL,
     false, "Unix socket on which the signer serves control: keys, certification requests, issuers."},
    {"metrics_socket", CONFIG_STRING, AT(signer.metrics_socket), "/run/mintgate/signer-metrics.sock", 0, 107, NULL,
     false, "Unix socket for the signer's `GET /metrics`; empty: none."},
    {"state_dir", CONFIG_STRING, AT(signer.state_dir), "/var/lib/mintgate/signer", 1, 0, NULL, false,
     "Sealed keys, certificates and the issuance journal."},
    {"key_encryption_key", CONFIG_STRING, AT(signer.key_encryption_key), "/etc/mintgate/signer.kek", 0, 0, NULL, false,
     "File (0600) of the key that seals the others; made at first start. Keep it, and its backup, away from "
     "`state_dir`."},
    {"key_encryption_credential", CONFIG_STRING, AT(signer.key_encryption_credential), "", 0, 0, NULL, false,
     "Name of a systemd credential to use instead of that file."},
    {"builtin_key_type", CONFIG_WORD, AT(signer.builtin_key_type), "EC_P256", 0, 0, key_types, false,
     "Key type of the built-in issuers, when they are made at first start."},
    {"threads", CONFIG_COUNT, AT(signer.threads), "1", 1, 64, NULL, false, "Signing threads."},
    {"queue", CONFIG_COUNT, AT(signer.queue), "4096", 8, 1048576, NULL, false,
     "Requests waiting; further ones are answered with busy."},
    {"crypto_mb", CONFIG_WORD, AT(signer.crypto_mb), "auto", 0, 0, crypto_mb_words, false,
     "Sign eight at a time where the CPU can (AVX-512 IFMA)."},
    {"journal_file_size", CONFIG_BYTES, AT(signer.journal_bytes), "64MiB", 64 * 1024, UINT64_C(1) << 40, NULL, false,
     "Size at which a file of the issuance journal is closed and the next begun."},
    {"tokens", CONFIG_TOKENS, AT(signer.tokens), "[]", 0, 0, NULL, false,
     "PKCS#11 tokens that hold intermediates' keys, each in a process of its own. Keys of a token are in the next "
     "table."},
};

static const struct config_key control_keys[] = {
    {"database", CONFIG_STRING, AT(control.database), "/var/lib/mintgate/control/control.db", 1, 0, NULL, false,
     "SQLite database of the control plane (0600); made at first start. No part of the path may be a symbolic link."},
    {"subscription", CONFIG_WORD, AT(control.subscription), "hsm", 0, 0, subscriptions, false,
     "Which custom intermediates may be kept. `software`: 2 of type CUSTOM_SW, 1 enabled; `hsm`: 8 of either type, 4 "
     "enabled."},
    {"socket", CONFIG_STRING, AT(control.socket), "/run/mintgate/control.sock", 1, 107, NULL, false,
     "Unix socket for `mintgatectl`; who connects is told by the kernel."},
    {"engine_socket", CONFIG_STRING, AT(control.engine_socket), "/run/mintgate/control-engine.sock", 1, 107, NULL,
     false, "Unix socket on which engines are told of issuers and stores."},
    {"metrics_socket", CONFIG_STRING, AT(control.metrics_socket), "/run/mintgate/control-metrics.sock", 0, 107, NULL,
     false, "Unix socket for the control plane's `GET /metrics`; empty: none."},
    {"listen", CONFIG_STRING, AT(control.listen), "", 0, 0, NULL, false,
     "ADDRESS:PORT for the APIs over TLS; empty: none. Never an address that clients of the dataplane reach."},
    {"certificate", CONFIG_STRING, AT(control.certificate), "/var/lib/mintgate/control/server.pem", 1, 0, NULL, true,
     "PEM file of the certificate, and its chain, for `listen`; made at first start if missing."},
    {"key", CONFIG_STRING, AT(control.key), "/var/lib/mintgate/control/server.key", 1, 0, NULL, true,
     "PEM file (0600) of its key; made with it."},
    {"crl_listen", CONFIG_STRING, AT(control.crl_listen), "", 0, 0, NULL, false,
     "ADDRESS:PORT for the CRLs of private CAs over plain HTTP, and nothing else; empty: none. For whoever verifies "
     "certificates of those CAs."},
    {"crl_url", CONFIG_STRING, AT(control.crl_url), "", 0, 255, NULL, false,
     "What certificates of private CAs say before `/crl/TAG.crl`, such as `http://crl.example.com`; empty: "
     "`http://` and `crl_listen`; none where that is empty too."},
    {"on_issuer_expiry", CONFIG_WORD, AT(control.on_issuer_expiry), "successor", 0, 0, issuer_expiry_words, true,
     "What happens when the default intermediate, or one that a rule names, expires: its successor signs, and where "
     "there is none new flows are bypassed, with an alarm; bypass at once; or block."},
    {"prepare_time", CONFIG_DURATION, AT(control.prepare_time_ns), "10s", 0, 600 * NS_S, NULL, true,
     "Longest time for minting ahead with a new default before it takes over."},
    {"approve_default", CONFIG_STRING, AT(control.approve_default), "", 0, 0, NULL, false,
     "Label of an SKA key whose quorum must approve before an intermediate is made the default; empty: nobody."},
    {"approve_csr", CONFIG_STRING, AT(control.approve_csr), "", 0, 0, NULL, false,
     "The same before the certification request of an intermediate is signed."},
    {"approve_sub_ca", CONFIG_STRING, AT(control.approve_sub_ca), "", 0, 0, NULL, false,
     "The same before a private CA (NAVER family) signs the certification request of a CA, as an intermediate is."},
};

/* The defaults are those of contracts.md section 1.7. */
static const struct config_key rate_limits_keys[] = {
    {"enabled", CONFIG_BOOL, AT(rate_limits.enabled), "true", 0, 0, NULL, true, "false: there are no limits at all."},
    {"get_per_second", CONFIG_COUNT, AT(rate_limits.get_per_second), "2", 0, MAX_RATE, NULL, true,
     "Requests that read, in a second. Here and below 0: no such limit."},
    {"get_per_hour", CONFIG_COUNT, AT(rate_limits.get_per_hour), "1000", 0, MAX_RATE, NULL, true,
     "The same in an hour."},
    {"change_per_second", CONFIG_COUNT, AT(rate_limits.change_per_second), "1", 0, MAX_RATE, NULL, true,
     "Requests that make or change something, in a second."},
    {"change_per_hour", CONFIG_COUNT, AT(rate_limits.change_per_hour), "400", 0, MAX_RATE, NULL, true,
     "The same in an hour."},
    {"delete_per_minute", CONFIG_COUNT, AT(rate_limits.delete_per_minute), "1", 0, MAX_RATE, NULL, true,
     "Requests that delete something, in a minute."},
    {"delete_per_hour", CONFIG_COUNT, AT(rate_limits.delete_per_hour), "4", 0, MAX_RATE, NULL, true,
     "The same in an hour."},
};

/* The limits are those of contracts.md section 2.3. */
static const struct config_key ccadb_keys[] = {
    {"revoked_default", CONFIG_WORD, AT(ccadb.revoked_default), "bypass", 0, 0, ways_out, true,
     "What happens to new flows when the record of the default intermediate says Revoked and it has no successor: they "
     "are bypassed, with an alarm, or blocked. Nothing is signed with it in either case."},
    {"crl_pointers", CONFIG_BOOL, AT(ccadb.crl_pointers), "false", 0, 0, NULL, false,
     "Minted certificates carry the CRL address of their intermediate's record, where it has one, instead of "
     "`minting.crl_url`."},
    {"calls_per_minute", CONFIG_COUNT, AT(ccadb.calls_per_minute), "240", 0, MAX_RATE, NULL, true,
     "Calls of one CCADB user in a minute, token requests left out; 0, or `rate_limits.enabled: false`: no such "
     "limit."},
    {"same_call", CONFIG_DURATION, AT(ccadb.same_call_ns), "60s", 0, 3600 * NS_S, NULL, true,
     "The same call of the same user is refused for so long; 0, or `rate_limits.enabled: false`: it is not."},
};

static const struct config_key metrics_keys[] = {
    {"socket", CONFIG_STRING, AT(metrics.socket), "/run/mintgate/metrics.sock", 0, 107, NULL, false,
     "Unix socket for the engine's `GET /metrics`, `/health`, `/bypasses`, `/cache` and `/policy/explain`; empty: "
     "none."},
    {"tcp", CONFIG_STRING, AT(metrics.tcp), "", 0, 0, NULL, false,
     "ADDRESS:PORT for `GET /metrics` over TCP; empty: none. Never an address that clients of the dataplane reach."},
};

const struct config_key config_rule_keys[] = {
    {"name", CONFIG_STRING, RULE_AT(name), NULL, 1, 64, NULL, true, "Shown in logs and by `--explain`; unique."},
    {"sni", CONFIG_STRINGS, RULE_AT(sni), "", 0, 0, NULL, true,
     "`www.example.com` (that name), `*.example.com` (every name below it, at any depth, not itself), `none` (no SNI). "
     "Unicode names are taken as their A-labels."},
    {"client", CONFIG_PREFIXES, RULE_AT(client), "", 0, 0, NULL, true,
     "Client addresses: `10.1.0.0/16`, `2001:db8::/32`."},
    {"server", CONFIG_PREFIXES, RULE_AT(server), "", 0, 0, NULL, true, "Server addresses."},
    {"port", CONFIG_PORTS, RULE_AT(port), "", 0, 0, NULL, true, "Server ports: `443`, `8000-8999`."},
    {"action", CONFIG_WORD, RULE_AT(action), NULL, 0, 0, actions, true, "What to do."},
    {"block_with", CONFIG_WORD, RULE_AT(block_with), "", 0, 0, block_withs, true,
     "For `action: block`; default `policy.block_with`."},
    {"issuer", CONFIG_STRING, RULE_AT(issuer), "", 0, 255, NULL, true,
     "For `action: intercept`: the name of an enabled intermediate that signs for it. The default one serves the rest, "
     "and where that intermediate is not there."},
    {"client_certificate", CONFIG_STRING, RULE_AT(client_certificate), "", 0, 64, NULL, true,
     "For `action: intercept`: the name of a key store of the control plane, or of a reference to one, by which the "
     "engine proves itself to servers that ask for a client certificate. They are then never bypassed for asking."},
};
const size_t config_num_rule_keys = MG_ARRAY_LEN(config_rule_keys);

const struct config_key config_token_keys[] = {
    {"name", CONFIG_STRING, TOKEN_AT(name), NULL, 1, 32, NULL, false,
     "What keys, metrics and logs call it; unique; letters, digits, `.`, `_`, `-`. A key remembers the name of its "
     "token: don't change it."},
    {"module", CONFIG_STRING, TOKEN_AT(module), NULL, 1, 1023, NULL, false, "Path of the PKCS#11 module."},
    {"token", CONFIG_STRING, TOKEN_AT(token), NULL, 1, 1023, NULL, false,
     "The token's label, or a `pkcs11:` URI (RFC 7512) with token, serial, manufacturer, model; never with a PIN."},
    {"pin_file", CONFIG_STRING, TOKEN_AT(pin_file), "", 0, 1023, NULL, false,
     "File (0600) with the user PIN in one line. Looked at again when the token has refused it."},
    {"pin_credential", CONFIG_STRING, TOKEN_AT(pin_credential), "", 0, 255, NULL, false,
     "Name of a systemd credential to use instead."},
    {"pin_descriptor", CONFIG_COUNT, TOKEN_AT(pin_descriptor), "0", 0, 1023, NULL, false,
     "Or the number, from 3 on, of a descriptor that the signer inherits, of a regular file or memfd."},
    {"region", CONFIG_WORD, TOKEN_AT(region), "GLOBAL", 0, 0, regions, false,
     "Where it is: an intermediate of type CUSTOM_HSM is made on a token of its region."},
    {"sessions", CONFIG_COUNT, TOKEN_AT(sessions), "0", 0, 64, NULL, false,
     "Sessions to sign on at one time; 0: as many as a short calibration at its start finds best."},
    {"partner", CONFIG_STRING, TOKEN_AT(partner), "", 0, 32, NULL, false,
     "Name of the token that takes over its work: one that the vendor's replication keeps equal."},
    {"deadline", CONFIG_DURATION, TOKEN_AT(deadline_ns), "2s", 100 * NS_MS, 600 * NS_S, NULL, false,
     "A signature or a ping that takes longer means that the token hangs: its process is killed and started again, and "
     "its "
     "work goes to its partner. Below `minting.timeout`, so that clients still get their leaves."},
};
const size_t config_num_token_keys = MG_ARRAY_LEN(config_token_keys);

#define SECTION(name, help)                                                                                            \
    {                                                                                                                  \
#name, help, name##_keys, MG_ARRAY_LEN(name##_keys)                                                            \
    }
const struct config_section config_sections[] = {
    SECTION(log, "The process log."),
    SECTION(dataplane, "Ports, workers and flows."),
    SECTION(sessions, "Takeover and intercepted connections."),
    SECTION(tls, "Both TLS sides."),
    SECTION(policy, "What is intercepted, and what happens on each way out."),
    SECTION(minting, "Minted certificates."),
    SECTION(cache, "The cache of minted certificates."),
    SECTION(signer, "The signer process."),
    SECTION(control, "The control plane."),
    SECTION(rate_limits,
            "How often one credential may ask the control plane over TLS (docs/api/zia.md says how a client is told). "
            "Requests over the Unix socket are not counted."),
    SECTION(ccadb, "The CCADB family of the control plane's APIs, and what its records do to the dataplane."),
    SECTION(metrics, "The engine's metrics."),
};
const size_t config_num_sections = MG_ARRAY_LEN(config_sections);

const char *config_kind_name(enum config_kind kind)
{
    static const char *const names[] = {
        [CONFIG_STRING] = "text",         [CONFIG_BOOL] = "true or false",  [CONFIG_COUNT] = "number",
        [CONFIG_BYTES] = "size",          [CONFIG_DURATION] = "duration",   [CONFIG_SECONDS] = "duration",
        [CONFIG_WORD] = "word",           [CONFIG_STRINGS] = "list",        [CONFIG_PREFIXES] = "list of prefixes",
        [CONFIG_PORTS] = "list of ports", [CONFIG_RULES] = "list of rules", [CONFIG_TOKENS] = "list of tokens",
    };
    return names[kind];
}
