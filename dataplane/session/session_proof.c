/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proving the appliance to a server that asks for a client certificate:
 *
 *   CertificateRequest ─► proof_asked: rule, store, entry ─► sign: to the signer ─► (other sessions' work)
 *                                                                                        │
 *   CertificateVerify  ◄─ complete ◄─ the session runs again ◄─ on_signed ◄─ SIGNED ◄─────┘
 *
 * All on the session's own thread. A session that ends meanwhile leaves its struct session_proof to on_signed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/log.h"
#include "dataplane/session/session_internal.h"
#include "dataplane/tls/client_choice.h"
#include "minting/mint_client.h"

_Static_assert(RECORD_CLIENT_CERTIFICATE_LEN >= 2 * WIRE_STORE_MAX_NAME + 2, "both names fit into the record");

/* A signature under way. The mint client has it until |is_done|, then the session. */
struct session_proof {
    struct session *session; /* NULL: it does not wait any more */
    bool is_done;
    enum mint_result result;
    uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE]; /* with MINT_OK */
    size_t signature_len;
};

static const struct {
    const char *reason;
    enum counter counter;
} faults[] = {
    [PROOF_FAULT_NONE] = {NULL, COUNT_PROOF_MADE},
    [PROOF_FAULT_NOT_CONFIGURED] = {LEARNED_CLIENT_CERTIFICATE, COUNT_PROOF_NOT_CONFIGURED},
    [PROOF_FAULT_BAD_UPSTREAM] = {"client_certificate_bad_upstream", COUNT_PROOF_BAD_UPSTREAM},
    [PROOF_FAULT_NO_STORE] = {"client_certificate_no_store", COUNT_PROOF_NO_STORE},
    [PROOF_FAULT_NONE_SUITS] = {"client_certificate_none_suits", COUNT_PROOF_NONE_SUITS},
    [PROOF_FAULT_NOT_SIGNED] = {"client_certificate_not_signed", COUNT_PROOF_NOT_SIGNED},
    [PROOF_FAULT_TIMED_OUT] = {"client_certificate_timed_out", COUNT_PROOF_TIMED_OUT},
};

const char *proof_fault_reason(enum proof_fault fault)
{
    return faults[fault].reason;
}

/* conclude notes how it went, which for one session it does once. */
static void conclude(struct session *session, enum proof_fault fault)
{
    session->proof_fault = fault;
    count(&session->thread->counters, faults[fault].counter);
}

/* ---- the signature ---- */

static bool is_wanted(void *arg)
{
    const struct session_proof *proof = arg;
    return proof->session != NULL;
}

static void on_signed(void *arg, const struct mint_outcome *outcome)
{
    struct session_proof *proof = arg;
    if (outcome->result == MINT_REFUSED) {
        mg_log_warning("the signer refused the proof of a client certificate: %s",
                       wire_sign_status_name(outcome->refusal));
    }
    if (proof->session == NULL) {
        free(proof);
        return;
    }
    proof->is_done = true;
    proof->result = outcome->result;
    if (outcome->result == MINT_OK) {
        proof->signature_len = outcome->signature.len; /* at most: wire_signer_decode_signed */
        memcpy(proof->signature, outcome->signature.data, outcome->signature.len);
    }
    session_run_again(proof->session);
}

void proof_leave(struct session *session)
{
    struct session_proof *proof = session->proof;
    if (proof == NULL) {
        return;
    }
    session->proof = NULL;
    count(&session->thread->counters, COUNT_PROOF_ABANDONED);
    if (proof->is_done) {
        free(proof);
    } else {
        proof->session = NULL;
    }
}

static bool submit(struct session *session, uint16_t scheme, struct mg_slice content)
{
    struct session_proof *proof = calloc(1, sizeof(*proof));
    if (proof == NULL) {
        return false;
    }
    proof->session = session;
    const struct mint_proof order = {
        .key_id = session->proof_key,
        .scheme = scheme,
        .content = content,
        .done = on_signed,
        .is_wanted = is_wanted,
        .arg = proof,
    };
    enum mg_status status = mint_client_submit_proof(session->thread->minter, &order, session->thread->now_ns, NULL);
    if (status == MG_LIMIT) {
        count(&session->thread->counters, COUNT_FULL_PENDING_MINTS);
    }
    if (status != MG_OK) {
        free(proof);
        return false;
    }
    session->proof = proof;
    return true;
}

/* ---- BoringSSL's private key ---- */

static enum ssl_private_key_result_t sign(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out, uint16_t scheme,
                                          const uint8_t *in, size_t in_len)
{
    (void)out;
    (void)out_len;
    (void)max_out;
    struct session *session = tls_session_of(ssl);
    if (!submit(session, scheme, mg_slice_of(in, in_len))) {
        conclude(session, PROOF_FAULT_NOT_SIGNED);
        return ssl_private_key_failure;
    }
    return ssl_private_key_retry;
}

static enum proof_fault fault_of(const struct session_proof *proof, size_t max_len)
{
    if (proof->result == MINT_TIMED_OUT) {
        return PROOF_FAULT_TIMED_OUT;
    }
    return proof->result == MINT_OK && proof->signature_len <= max_len ? PROOF_FAULT_NONE : PROOF_FAULT_NOT_SIGNED;
}

static enum ssl_private_key_result_t complete(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    struct session *session = tls_session_of(ssl);
    struct session_proof *proof = session->proof;
    if (!proof->is_done) {
        return ssl_private_key_retry;
    }
    enum proof_fault fault = fault_of(proof, max_out);
    if (fault == PROOF_FAULT_NONE) {
        memcpy(out, proof->signature, proof->signature_len);
        *out_len = proof->signature_len;
    }
    conclude(session, fault);
    session->proof = NULL;
    free(proof);
    return fault == PROOF_FAULT_NONE ? ssl_private_key_success : ssl_private_key_failure;
}

/* decrypt is for servers: a client's key only signs. */
static enum ssl_private_key_result_t decrypt(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out, const uint8_t *in,
                                             size_t in_len)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in;
    (void)in_len;
    return ssl_private_key_failure;
}

static const SSL_PRIVATE_KEY_METHOD signer_key = {.sign = sign, .decrypt = decrypt, .complete = complete};

/* ---- the certificate ---- */

/* store_name returns the key store that policy names for the session now; "": none. */
static const char *store_name(const struct session *session)
{
    struct policy_flow flow;
    struct policy_verdict verdict;
    session_policy_flow(session, &flow);
    policy_decide(mg_rcu_load(&session->thread->dataplane->policy), &flow, hello_info_sni(&session->hello), &verdict);
    return verdict.client_certificate;
}

static void read_request(struct client_request *out, const SSL *ssl)
{
    *out = (struct client_request){
        .is_tls13 = SSL_version(ssl) >= TLS1_3_VERSION,
        .authorities = SSL_get0_server_requested_CAs(ssl),
    };
    out->num_schemes = SSL_get0_peer_verify_algorithms(ssl, &out->schemes);
    out->num_types = SSL_get0_certificate_types(ssl, &out->types);
}

static bool use(struct session *session, SSL *ssl, const struct client_key_store *store, const struct client_key *key)
{
    if (SSL_set_signing_algorithm_prefs(ssl, client_schemes, CLIENT_NUM_SCHEMES) != 1 ||
        SSL_set_chain_and_key(ssl, key->chain, key->num_chain, NULL, &signer_key) != 1) {
        return false;
    }
    session->proof_key = key->key_id;
    snprintf(session->record.client_certificate, sizeof(session->record.client_certificate), "%s/%s", store->name,
             key->name);
    return true;
}

static enum proof_fault answer(struct session *session, SSL *ssl)
{
    const struct session_thread *thread = session->thread;
    const char *name = store_name(session);
    if (name[0] == '\0') {
        return PROOF_FAULT_NOT_CONFIGURED;
    }
    if (session->verdict != TRUST_OK) {
        return PROOF_FAULT_BAD_UPSTREAM; /* it learns not even who we are */
    }
    const struct client_key_store *store = client_keys_get0(thread->dataplane->client_keys, name);
    if (store == NULL || store->is_missing) {
        return PROOF_FAULT_NO_STORE;
    }
    struct client_request request;
    read_request(&request, ssl);
    const struct client_key *key = client_choose(store, &request, thread->now_wall);
    return key != NULL && use(session, ssl, store, key) ? PROOF_FAULT_NONE : PROOF_FAULT_NONE_SUITS;
}

bool proof_asked(void *arg, SSL *ssl)
{
    struct session *session = arg;
    session->asked_client_certificate = true;
    enum proof_fault fault = answer(session, ssl);
    if (fault != PROOF_FAULT_NONE) {
        conclude(session, fault);
    }
    return fault == PROOF_FAULT_NONE;
}

/* ---- the server's judgement ---- */

bool proof_was_refused(const struct session *session)
{
    /* RFC 8446 section 6.2; in TLS 1.3 it may come behind our end of the handshake, but before anything else. */
    static const int alerts[] = {
        SSL_AD_HANDSHAKE_FAILURE,    SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE,
        SSL_AD_CERTIFICATE_REVOKED,  SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN,
        SSL_AD_UNKNOWN_CA,           SSL_AD_ACCESS_DENIED,       SSL_AD_DECRYPT_ERROR,
        SSL_AD_CERTIFICATE_REQUIRED,
    };
    const struct session_record *record = &session->record;
    if (record->client_certificate[0] == '\0' || record->bytes_from_server > 0) {
        return false;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(alerts); i++) {
        if (record->server_alert == alerts[i]) {
            count(&session->thread->counters, COUNT_PROOF_REFUSED);
            return true;
        }
    }
    return false;
}
