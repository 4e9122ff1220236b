/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/session/leaf_order.h"
#include "dataplane/session/session_internal.h"
#include "minting/leaf_names.h"
#include "minting/mint_key.h"

/* After being woken a session looks again; should the leaf be gone already (a tiny cache), it asks so often. */
#define MAX_ATTEMPTS 3
/* ---- names ---- */

/* What policy says about this connection. */
struct question {
    const struct policy *policy;
    struct policy_flow flow;
    struct policy_verdict verdict;
};

static void ask_policy(struct question *out, const struct session *session)
{
    out->policy = mg_rcu_load(&session->thread->dataplane->policy);
    session_policy_flow(session, &out->flow);
    policy_decide(out->policy, &out->flow, hello_info_sni(&session->hello), &out->verdict);
    out->verdict.action = CONFIG_ACTION_INTERCEPT; /* which it is, whatever a reload may have changed meanwhile */
}

/* keep_name drops the names that policy treats otherwise than this connection. */
static bool keep_name(void *arg, enum mimic_name_kind kind, struct mg_slice name)
{
    const struct question *question = arg;
    return kind != MIMIC_NAME_DNS || policy_same_for(question->policy, &question->flow, name, &question->verdict);
}

/* decide_names decides what names the leaf carries: for a bad server nothing that it does not say itself. Where it says
 * none for us to use, the leaf, which nobody trusts, has the subject's host name or the address that was dialled. */
static void decide_names(struct session *session, struct question *question, struct leaf_names *out)
{
    struct mg_slice address = mg_slice_of(question->flow.server, question->flow.is_ipv6 ? 16 : 4);
    leaf_names_keep *keep = policy_names_matter(question->policy, &question->flow) ? keep_name : NULL;
    enum mimic_name_kind kind = MIMIC_NAME_DNS;
    struct mg_slice required = {0};
    if (session->verdict == TRUST_OK) {
        required = hello_info_sni(&session->hello);
        if (required.len == 0 && mimic_covers_ip(session->mimic, address)) {
            kind = MIMIC_NAME_IP;
            required = address;
        }
    }
    leaf_names_decide(out, session->mimic, kind, required, keep, question);
    if (leaf_names_count(out) == 0 && session->verdict != TRUST_OK) {
        bool has_subject = session->mimic->subject_name.len > 0 && !out->drops_subject;
        leaf_names_decide(out, session->mimic, has_subject ? MIMIC_NAME_DNS : MIMIC_NAME_IP,
                          has_subject ? session->mimic->subject_name : address, keep, question);
    }
}

/* choose_issuer says who signs: the one that the rule names or the default; for a bad server the one that nobody
 * trusts. */
static enum issuers_choice choose_issuer(const struct session *session, const struct question *question,
                                         struct issuer **out)
{
    const struct session_thread *thread = session->thread;
    const struct issuers *issuers = thread->dataplane->issuers;
    if (session->verdict != TRUST_OK) {
        *out = issuers_get0(issuers, WIRE_ISSUER_UNTRUST);
        return *out == NULL ? ISSUERS_NONE : ISSUERS_CHOSEN;
    }
    return issuers_choose(issuers, question->verdict.issuer, policy_on_issuer_expiry(question->policy),
                          thread->now_wall, out);
}

static enum leaf_key_type key_type_for(const struct session *session)
{
    const struct hello_info *hello = &session->hello;
    bool ecdsa = hello->max_version >= TLS1_3_VERSION ? hello->takes_ecdsa_tls13 : hello->takes_ecdsa_tls12;
    return ecdsa ? LEAF_KEY_EC_P256 : LEAF_KEY_RSA_2048;
}

/* ---- minting ---- */

/* mint has the leaf made; if it cannot be, the entry has failed and its waiters are being woken. */
static void mint(struct session *session, struct issuer *issuer, const struct leaf_names *names,
                 struct cache_pending *pending)
{
    struct session_thread *thread = session->thread;
    const struct leaf_order order = {
        .issuer = issuer,
        .names = names,
        .key_type = key_type_for(session),
        .now = thread->now_wall,
        .ends_unwanted = true,
        .config = &thread->dataplane->config->cache,
    };
    struct mg_error error;
    enum mg_status status = leaf_order_submit(thread->minter, &order, pending, thread->now_ns, &error);
    if (status == MG_LIMIT) {
        count(&thread->counters, COUNT_FULL_PENDING_MINTS);
    } else if (status != MG_OK) {
        mg_log_warning("no leaf for %s: %s", session->hello.sni.text, error.text);
    }
    if (status != MG_OK) {
        cache_fail(pending, 0);
    }
}

/* ---- waiting ---- */

/* wake is called by whatever thread ends the pending entry. */
static void wake(struct cache_waiter *waiter)
{
    struct leaf_mail *mail = MG_CONTAINER_OF(waiter, struct leaf_mail, waiter);
    mailbox_post(&mail->thread->mailbox, &mail->mail);
    doorbell_ring(&mail->thread->bell);
}

static struct leaf_mail *new_mail(const struct session *session)
{
    struct leaf_mail *mail = malloc(sizeof(*mail));
    if (mail != NULL) {
        *mail = (struct leaf_mail){
            .waiter = {.wake = wake},
            .thread = session->thread,
            .session = session->index,
        };
    }
    return mail;
}

static void use(struct session *session, struct cache_value *value)
{
    struct leaf *leaf = leaf_of_value(value);
    cache_value_up_ref(value);
    session->record.leaf_serial_len = LEAF_SERIAL_LEN;
    memcpy(session->record.leaf_serial, leaf->serial, LEAF_SERIAL_LEN);
    session->record.issuer_generation = leaf->issuer->generation;
    session->record.issuer_role = leaf->issuer->role == WIRE_ISSUER_DEFAULT ? "trust" : "untrust";
    enum cpu_stage before = session_cpu_enter(session->thread, CPU_STAGE_CLIENT);
    session_leaf_ready(session, leaf);
    session_cpu_enter(session->thread, before);
}

/* is_closed tells whether the client has sent its FIN. */
static bool is_closed(const struct session *session)
{
    return session->half[SIDE_CLIENT].bio.hung_up;
}

static void await_mail(struct session *session, struct leaf_mail *mail)
{
    session->leaf_mail = mail;
    if (is_closed(session)) {
        leaf_not_for_me(session);
    }
}

static void claim(struct session *session, struct issuer *issuer, const struct leaf_names *names, struct mg_slice key)
{
    struct session_thread *thread = session->thread;
    struct cache_value *value;
    struct cache_pending *pending;
    struct leaf_mail *mail = new_mail(session);
    if (mail == NULL) {
        session_fail_minting(session);
        return;
    }
    switch (cache_claim(thread->dataplane->leaves, key, thread->now_wall, &mail->waiter, &value, &pending)) {
    case CACHE_CLAIM_ELECTED:
        await_mail(session, mail);
        mint(session, issuer, names, pending);
        return;
    case CACHE_CLAIM_WAITING:
        await_mail(session, mail);
        return;
    case CACHE_CLAIM_HIT:
        free(mail);
        use(session, value);
        return;
    case CACHE_CLAIM_FULL:
        count(&thread->counters, COUNT_FULL_PENDING_MINTS);
        break;
    case CACHE_CLAIM_NEGATIVE:
        break;
    }
    free(mail);
    session_fail_minting(session);
}

static void acquire(struct session *session)
{
    struct session_thread *thread = session->thread;
    struct question question;
    ask_policy(&question, session);
    struct issuer *issuer;
    enum issuers_choice choice = choose_issuer(session, &question, &issuer);
    if (session->leaf_attempts == 0) {
        session->leaf_since_ns = thread->now_ns;
    }
    bool late = thread->now_ns - session->leaf_since_ns >= thread->dataplane->config->minting.timeout_ns;
    if (choice == ISSUERS_SPENT) {
        session_fail_expired(session);
        return;
    }
    if (choice == ISSUERS_REVOKED) {
        session_fail_revoked(session);
        return;
    }
    if (choice == ISSUERS_NONE || late || session->leaf_attempts++ == MAX_ATTEMPTS) {
        session_fail_minting(session);
        return;
    }
    struct leaf_names names;
    struct mint_key key;
    struct cache_value *value;
    decide_names(session, &question, &names);
    mint_key_build(&key, issuer, key_type_for(session), &names);
    if (cache_lookup(thread->dataplane->leaves, mint_key_slice(&key), thread->now_wall, &value) == CACHE_HIT) {
        use(session, value);
    } else if (session->leaf_attempts > 1 && is_closed(session)) {
        session_client_closed(session);
    } else {
        claim(session, issuer, &names, mint_key_slice(&key));
    }
}

void leaf_acquire(struct session *session)
{
    enum cpu_stage before = session_cpu_enter(session->thread, CPU_STAGE_MINT);
    acquire(session);
    session_cpu_enter(session->thread, before);
}

void leaf_woken(struct session_thread *thread, struct mail *posted)
{
    struct leaf_mail *mail = MG_CONTAINER_OF(posted, struct leaf_mail, mail);
    struct session *session = &thread->sessions[mail->session];
    if (session->leaf_mail == mail) {
        session->leaf_mail = NULL;
        leaf_acquire(session);
    }
    free(mail);
}

void leaf_not_for_me(struct session *session)
{
    if (session->leaf_mail != NULL) {
        cache_waiter_leave(&session->leaf_mail->waiter);
    }
}

void leaf_leave(struct session *session)
{
    leaf_not_for_me(session);
    session->leaf_mail = NULL;
}
