/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/sha.h>

#include "dataplane/session/session_internal.h"

void session_note_tls(struct session_tls *out, const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    *out = (struct session_tls){
        .version = SSL_get_version(ssl),
        .cipher = cipher == NULL ? NULL : SSL_CIPHER_standard_name(cipher),
        .group = SSL_get_curve_name(SSL_get_curve_id(ssl)),
    };
}

void session_note_protocol(struct session *session)
{
    const uint8_t *protocol;
    unsigned len;
    SSL_get0_alpn_selected(session->half[SIDE_CLIENT].ssl, &protocol, &len);
    snprintf(session->record.alpn, sizeof(session->record.alpn), "%.*s", (int)len,
             len > 0 ? (const char *)protocol : "");
}

/* ---- the server's chain ---- */

static void count_verdict(struct session *session)
{
    static const enum counter counters[TRUST_NUM_VERDICTS] = {
        [TRUST_OK] = COUNT_CHAIN_OK,
        [TRUST_EXPIRED] = COUNT_CHAIN_EXPIRED,
        [TRUST_NOT_YET_VALID] = COUNT_CHAIN_NOT_YET_VALID,
        [TRUST_WRONG_NAME] = COUNT_CHAIN_WRONG_NAME,
        [TRUST_SELF_SIGNED] = COUNT_CHAIN_SELF_SIGNED,
        [TRUST_UNKNOWN_ISSUER] = COUNT_CHAIN_UNKNOWN_ISSUER,
        [TRUST_MISSING_INTERMEDIATE] = COUNT_CHAIN_MISSING_INTERMEDIATE,
        [TRUST_WEAK_SIGNATURE] = COUNT_CHAIN_WEAK_SIGNATURE,
        [TRUST_WEAK_KEY] = COUNT_CHAIN_WEAK_KEY,
        [TRUST_INVALID] = COUNT_CHAIN_INVALID,
    };
    count(&session->thread->counters, counters[session->verdict]);
}

static void note_certificate(struct session *session)
{
    session->record.upstream_verdict = trust_verdict_name(session->verdict);
    if (session->mimic != NULL) {
        session->record.has_upstream_fingerprint = true;
        memcpy(session->record.upstream_fingerprint, session->mimic->fingerprint, MIMIC_FINGERPRINT_LEN);
    }
}

/* judge_chain verifies a chain that is not remembered under |trust|. */
static void judge_chain(struct session *session, const struct trust *trust, const STACK_OF(CRYPTO_BUFFER) * chain,
                        const struct chain_key *key)
{
    struct session_thread *thread = session->thread;
    const CRYPTO_BUFFER *first = sk_CRYPTO_BUFFER_value(chain, 0);
    int64_t valid_until = 0;
    if (mimic_new(&session->mimic, mg_slice_of(CRYPTO_BUFFER_data(first), CRYPTO_BUFFER_len(first)), NULL) != MG_OK) {
        session->verdict = TRUST_INVALID;
    } else {
        session->verdict =
            trust_verify(trust, chain, session->mimic, hello_info_sni(&session->hello), thread->now_wall, &valid_until);
    }
    count_verdict(session);
    if (session->verdict == TRUST_OK) {
        int64_t until = thread->now_wall + (int64_t)session->settings->remember_chain_seconds;
        chain_memory_add(thread->dataplane->chains, key, session->mimic, thread->now_wall,
                         until < valid_until ? until : valid_until);
    }
}

/* let_through tells whether a server that did not verify is answered with a leaf of the untrusted issuer. */
static bool let_through(const struct session *session)
{
    const struct policy *policy = mg_rcu_load(&session->thread->dataplane->policy);
    return session->verdict == TRUST_OK ||
           (session->mimic != NULL && policy_settings(policy)->bad_upstream == CONFIG_BAD_UPSTREAM_FORWARD_UNTRUST);
}

static bool judge_server(struct session *session, const SSL *ssl, uint8_t *alert)
{
    struct session_thread *thread = session->thread;
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);
    const struct trust *trust = server_trust_get0(thread->dataplane->trust);
    struct chain_key key;
    chain_key_of(&key, chain, trust_generation(trust));
    session->mimic = chain_memory_find(thread->dataplane->chains, &key, thread->now_wall);
    if (session->mimic != NULL) {
        session->verdict = trust_verify_name(session->mimic, hello_info_sni(&session->hello));
        if (session->verdict == TRUST_OK) {
            count(&thread->counters, COUNT_CHAIN_REMEMBERED);
        } else {
            count_verdict(session);
        }
    } else {
        judge_chain(session, trust, chain, &key);
    }
    note_certificate(session);
    if (!let_through(session)) {
        *alert = SSL_AD_CERTIFICATE_UNKNOWN;
        return false;
    }
    if (session->verdict != TRUST_OK) {
        count(&thread->counters, COUNT_WAY_OUT_BAD_UPSTREAM);
    }
    return true;
}

static bool verify_server(void *arg, SSL *ssl, uint8_t *alert)
{
    struct session *session = arg;
    enum cpu_stage before = session_cpu_enter(session->thread, CPU_STAGE_VERIFICATION);
    bool good = judge_server(session, ssl, alert);
    session_cpu_enter(session->thread, before);
    return good;
}

/* ---- the client's hello ---- */

/* same_name tells whether the hello that the socket delivered asks for the name that was decided about. The worker saw
 * the segments, the socket put them together anew. */
static bool same_name(const struct session *session, const SSL_CLIENT_HELLO *hello)
{
    const uint8_t *data;
    size_t len;
    struct dns_name name = {0};
    if (SSL_early_callback_ctx_extension_get(hello, TLSEXT_TYPE_server_name, &data, &len)) {
        CBS extension, list, host;
        uint8_t type;
        CBS_init(&extension, data, len);
        if (!CBS_get_u16_length_prefixed(&extension, &list) || !CBS_get_u8(&list, &type) ||
            !CBS_get_u16_length_prefixed(&list, &host)) {
            return false;
        }
        enum dns_name_verdict verdict = dns_name_from_sni(&name, mg_slice_of(CBS_data(&host), CBS_len(&host)));
        if (verdict != DNS_NAME_OK && verdict != DNS_NAME_IP_LITERAL) {
            return false;
        }
    }
    return mg_slice_equal(dns_name_slice(&name), hello_info_sni(&session->hello));
}

/* resumption_context is what a client's old session must have been made with to be taken up again. BoringSSL looks at
 * neither name nor certificate when it resumes. */
static void resumption_context(uint8_t out[SHA256_DIGEST_LENGTH], const struct session *session)
{
    const struct flow_key *flow = &session->record.flow;
    const uint64_t numbers[] = {
        session->leaf->issuer->generation,
        policy_generation(mg_rcu_load(&session->thread->dataplane->policy)),
        session->settings->generation,
        session->verdict,
        flow->is_ipv6,
        flow->server_port,
    };
    SHA256_CTX hash;
    SHA256_Init(&hash);
    SHA256_Update(&hash, numbers, sizeof(numbers));
    SHA256_Update(&hash, flow->server, sizeof(flow->server));
    SHA256_Update(&hash, session->record.upstream_fingerprint, MIMIC_FINGERPRINT_LEN);
    SHA256_Update(&hash, session->hello.sni.text, session->hello.sni.len);
    SHA256_Final(out, &hash);
}

static bool choose_certificate(void *arg, const SSL_CLIENT_HELLO *hello)
{
    struct session *session = arg;
    const struct leaf *leaf = session->leaf;
    if (!same_name(session, hello)) {
        count(&session->thread->counters, COUNT_HELLO_HOSTILE_SNI);
        return false;
    }
    CRYPTO_BUFFER *chain[1 + WIRE_SIGNER_MAX_CHAIN] = {leaf->certificate};
    for (size_t i = 0; i < leaf->issuer->num_chain; i++) {
        chain[1 + i] = leaf->issuer->chain[i];
    }
    uint8_t context[SHA256_DIGEST_LENGTH];
    resumption_context(context, session);
    return SSL_set_chain_and_key(hello->ssl, chain, 1 + leaf->issuer->num_chain, leaf->key->pkey, NULL) == 1 &&
           SSL_set_session_id_context(hello->ssl, context, sizeof(context)) == 1;
}

static struct mg_slice chosen_protocol(void *arg)
{
    const struct session *session = arg;
    const uint8_t *protocol;
    unsigned len;
    SSL_get0_alpn_selected(session->half[SIDE_SERVER].ssl, &protocol, &len);
    return mg_slice_of(protocol, len);
}

/* ---- alerts ---- */

static void alert_received(void *arg, const SSL *ssl, int description)
{
    struct session *session = arg;
    if (description == SSL_AD_CLOSE_NOTIFY) {
        return;
    }
    if (ssl == session->half[SIDE_CLIENT].ssl) {
        session->record.client_alert = description;
    } else {
        session->record.server_alert = description;
    }
}

const struct tls_callbacks session_tls_callbacks = {
    .verify_server = verify_server,
    .client_certificate_asked = proof_asked,
    .choose_certificate = choose_certificate,
    .chosen_protocol = chosen_protocol,
    .alert_received = alert_received,
};
