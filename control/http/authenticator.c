/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/authenticator.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/siphash.h"
#include "control/http/assertion.h"
#include "control/http/credentials.h"
#include "control/http/throttle.h"

enum result { RESULT_OK, RESULT_DENIED, RESULT_SLOWED, RESULT_BUSY, NUM_RESULTS };

struct seen_assertion {
    uint64_t hash[2]; /* keyed, of client and jti */
    int64_t expires;  /* seconds since 1970; the place is free from then on */
};

struct authenticator {
    struct authenticator_config config;
    struct tickets *tickets;
    struct throttle *throttle;
    struct mg_siphash_key keys[2]; /* of the seen assertions; set once */
    _Atomic uint64_t results[NUM_RESULTS];
    pthread_mutex_t db_lock; /* of config.db */
    pthread_mutex_t lock;    /* of what follows */
    pthread_cond_t free_hash;
    unsigned num_hashes; /* being computed now */
    struct seen_assertion seen[AUTHENTICATOR_MAX_ASSERTIONS];
};

static void init_locks(struct authenticator *authenticator)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&authenticator->db_lock, NULL);
    pthread_mutex_init(&authenticator->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&authenticator->free_hash, &attributes);
    pthread_condattr_destroy(&attributes);
}

enum mg_status authenticator_new(struct authenticator **out, const struct authenticator_config *config,
                                 struct mg_error *error)
{
    struct authenticator *authenticator = calloc(1, sizeof(*authenticator));
    if (authenticator == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for credentials");
    }
    authenticator->config = *config;
    init_locks(authenticator);
    mg_siphash_key_random(&authenticator->keys[0]);
    mg_siphash_key_random(&authenticator->keys[1]);
    enum mg_status status = tickets_new(&authenticator->tickets, error);
    if (status == MG_OK) {
        status = throttle_new(&authenticator->throttle, error);
    }
    if (status != MG_OK) {
        authenticator_free(authenticator);
        return status;
    }
    *out = authenticator;
    return MG_OK;
}

void authenticator_free(struct authenticator *authenticator)
{
    if (authenticator == NULL) {
        return;
    }
    tickets_free(authenticator->tickets);
    throttle_free(authenticator->throttle);
    pthread_cond_destroy(&authenticator->free_hash);
    pthread_mutex_destroy(&authenticator->lock);
    pthread_mutex_destroy(&authenticator->db_lock);
    free(authenticator);
}

/* ---- what all logins share ---- */

static void count(struct authenticator *authenticator, enum mg_status status)
{
    enum result result = status == MG_OK       ? RESULT_OK
                         : status == MG_DENIED ? RESULT_DENIED
                         : status == MG_LIMIT  ? RESULT_SLOWED
                                               : RESULT_BUSY;
    atomic_fetch_add_explicit(&authenticator->results[result], 1, memory_order_relaxed);
}

/* A guess is a login under way: whose, and from where. Nobody guesses the secret or key of a client, which are random;
 * so failures are counted for users alone, and nobody can hold up a client by failing in its name. */
struct guess {
    char subject[HTTP_MAX_NAME + 8]; /* "user:NAME" or "client:ID" */
    const char *user;                /* as failures are counted; "": for the address only */
    const struct http_caller *caller;
};

/* Names beyond what any credential can have are cut, and are nobody's anyway. */
static struct guess guess_user(const char *name, const struct http_caller *caller)
{
    struct guess guess = {.user = name, .caller = caller};
    snprintf(guess.subject, sizeof(guess.subject), "user:%.*s", HTTP_MAX_NAME - 1, name);
    return guess;
}

static struct guess guess_client(const char *id, const struct http_caller *caller)
{
    struct guess guess = {.user = "", .caller = caller};
    snprintf(guess.subject, sizeof(guess.subject), "client:%.*s", HTTP_MAX_NAME - 1, id);
    return guess;
}

static enum mg_status check_throttle(struct authenticator *authenticator, const struct guess *guess,
                                     struct authenticator_grant *grant, struct mg_error *error)
{
    const struct http_caller *caller = guess->caller;
    grant->retry_after = throttle_wait(authenticator->throttle, guess->user, caller->address, caller->monotonic_ns);
    return grant->retry_after == 0 ? MG_OK : mg_error_set(error, MG_LIMIT, "too many failed logins");
}

/* judge counts a failure; a status other than MG_OK and MG_DENIED says nothing about the credential. */
static enum mg_status judge(struct authenticator *authenticator, const struct guess *guess, enum mg_status status,
                            bool is_known)
{
    const struct http_caller *caller = guess->caller;
    if (status == MG_OK) {
        throttle_succeeded(authenticator->throttle, guess->user);
    } else if (status == MG_DENIED) {
        throttle_failed(authenticator->throttle, guess->user, caller->address, caller->monotonic_ns);
        /* A name that nobody has may be a password typed into the wrong field. */
        mg_log_warning("a login of %s from %s failed", is_known ? guess->subject : "somebody unknown",
                       caller->is_local ? "the Unix socket" : caller->address);
        if (authenticator->config.hooks.denied != NULL) {
            authenticator->config.hooks.denied(authenticator->config.hooks.arg, caller, is_known ? guess->subject : "");
        }
    }
    return status;
}

/* grant_ticket makes the session or token of a credential that has proved itself. */
static enum mg_status grant_ticket(struct authenticator *authenticator, enum ticket_kind kind,
                                   const struct ticket_owner *owner, enum http_role role,
                                   const struct http_caller *caller, struct authenticator_grant *grant,
                                   struct mg_error *error)
{
    snprintf(grant->identity.name, sizeof(grant->identity.name), "%s:%s", owner->is_client ? "client" : "user",
             owner->name);
    grant->identity.role = role;
    enum mg_status status =
        tickets_issue(authenticator->tickets, kind, owner, caller->monotonic_ns, grant->ticket, error);
    return status == MG_LIMIT ? MG_AGAIN : status;
}

static enum mg_status denied(struct mg_error *error)
{
    return mg_error_set(error, MG_DENIED, "the credentials are not accepted");
}

/* ---- users ---- */

static enum mg_status take_hash_slot(struct authenticator *authenticator, struct mg_error *error)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += AUTHENTICATOR_MAX_WAIT_SECONDS;
    int result = 0;
    pthread_mutex_lock(&authenticator->lock);
    while (authenticator->num_hashes == AUTHENTICATOR_HASHES && result == 0) {
        result = pthread_cond_timedwait(&authenticator->free_hash, &authenticator->lock, &until);
    }
    bool free = authenticator->num_hashes < AUTHENTICATOR_HASHES;
    authenticator->num_hashes += free;
    pthread_mutex_unlock(&authenticator->lock);
    return free ? MG_OK : mg_error_set(error, MG_AGAIN, "too many logins at one time");
}

static void give_hash_slot(struct authenticator *authenticator)
{
    pthread_mutex_lock(&authenticator->lock);
    authenticator->num_hashes--;
    pthread_cond_signal(&authenticator->free_hash);
    pthread_mutex_unlock(&authenticator->lock);
}

/* find_user reads the user and whether an API key fits, in one go. Nobody's name is no failure: |record| stays "". */
static enum mg_status find_user(struct authenticator *authenticator, const struct authenticator_login *login,
                                struct credentials_user *user, char record[PASSWORD_RECORD_LEN], bool *key_fits,
                                struct mg_error *error)
{
    sqlite3 *db = authenticator->config.db;
    record[0] = '\0';
    *key_fits = login->obfuscated_key.data == NULL;
    pthread_mutex_lock(&authenticator->db_lock);
    enum mg_status status = credentials_user_get(db, login->user, user, record, error);
    if (status == MG_NOT_FOUND) {
        status = MG_OK;
    }
    if (status == MG_OK && !*key_fits) {
        status = credentials_api_key_match(db, login->timestamp_ms, login->obfuscated_key, key_fits, error);
    }
    pthread_mutex_unlock(&authenticator->db_lock);
    return status == MG_OK ? MG_OK : mg_error_set(error, MG_AGAIN, "the database cannot be asked");
}

/* check_password compares whatever there is, so that all failures take as long. */
static enum mg_status check_password(struct authenticator *authenticator, const struct authenticator_login *login,
                                     const struct guess *guess, struct credentials_user *user, struct mg_error *error)
{
    char record[PASSWORD_RECORD_LEN];
    bool key_fits = false;
    enum mg_status status = find_user(authenticator, login, user, record, &key_fits, error);
    if (status != MG_OK) {
        return status;
    }
    bool fits = password_verify(login->password, record) && key_fits && !user->is_disabled;
    mg_secret_wipe(record, sizeof(record));
    return judge(authenticator, guess, fits ? MG_OK : denied(error), user->name[0] != '\0');
}

static enum mg_status take_password_away(struct authenticator *authenticator, const struct http_caller *caller,
                                         const char *user, struct mg_error *error)
{
    const struct authenticator_hooks *hooks = &authenticator->config.hooks;
    if (hooks->use_up != NULL) {
        return hooks->use_up(hooks->arg, caller, user, error);
    }
    pthread_mutex_lock(&authenticator->db_lock);
    enum mg_status status = credentials_use_up(authenticator->config.db, user, error);
    pthread_mutex_unlock(&authenticator->db_lock);
    return status;
}

/* use_up ends the first credential: of two logins at once only one gets through. */
static enum mg_status use_up(struct authenticator *authenticator, const struct http_caller *caller,
                             const struct credentials_user *user, struct mg_error *error)
{
    enum mg_status status = take_password_away(authenticator, caller, user->name, error);
    if (status != MG_OK) {
        return status == MG_NOT_FOUND ? denied(error) : mg_error_set(error, MG_AGAIN, "the database cannot be asked");
    }
    const char *path = authenticator->config.first_credential_file;
    if (path != NULL && unlink(path) != 0) {
        mg_log_warning("cannot remove %s; the password in it is used up", path);
    }
    return MG_OK;
}

static enum mg_status login_in_slot(struct authenticator *authenticator, const struct http_caller *caller,
                                    const struct authenticator_login *login, struct authenticator_grant *grant,
                                    struct mg_error *error)
{
    struct guess guess = guess_user(login->user, caller);
    struct credentials_user user = {.name = ""};
    /* Looked at in the slot, not before: so a crowd of guesses at once does not slip in ahead of its first failure. */
    enum mg_status status = check_throttle(authenticator, &guess, grant, error);
    if (status == MG_OK) {
        status = check_password(authenticator, login, &guess, &user, error);
    }
    if (status == MG_OK && user.is_one_time) {
        status = use_up(authenticator, caller, &user, error);
    }
    if (status != MG_OK) {
        return status;
    }
    struct ticket_owner owner = {.reach = login->reach, .stamp = user.stamp};
    memcpy(owner.name, user.name, sizeof(owner.name));
    return grant_ticket(authenticator, TICKET_SESSION, &owner, user.role, caller, grant, error);
}

enum mg_status authenticator_login(struct authenticator *authenticator, const struct http_caller *caller,
                                   const struct authenticator_login *login, struct authenticator_grant *grant,
                                   struct mg_error *error)
{
    *grant = (struct authenticator_grant){.retry_after = 0};
    enum mg_status status = take_hash_slot(authenticator, error);
    if (status == MG_OK) {
        bool is_stale =
            login->obfuscated_key.data != NULL && !obfuscated_key_is_fresh(login->timestamp_ms, caller->wall_us);
        status = is_stale ? denied(error) : login_in_slot(authenticator, caller, login, grant, error);
        give_hash_slot(authenticator);
    }
    count(authenticator, status);
    return status;
}

/* verify_in_slot finds the user whose password |login| has, if that is not for one login only. */
static enum mg_status verify_in_slot(struct authenticator *authenticator, const struct http_caller *caller,
                                     const struct authenticator_login *login, struct credentials_user *user,
                                     struct authenticator_grant *grant, struct mg_error *error)
{
    struct guess guess = guess_user(login->user, caller);
    enum mg_status status = check_throttle(authenticator, &guess, grant, error);
    if (status == MG_OK) {
        status = check_password(authenticator, login, &guess, user, error);
    }
    return status == MG_OK && user->is_one_time ? denied(error) : status;
}

static enum mg_status verify(struct authenticator *authenticator, const struct http_caller *caller, const char *user,
                             struct mg_slice password, struct credentials_user *out, struct authenticator_grant *grant,
                             struct mg_error *error)
{
    const struct authenticator_login login = {.user = user, .password = password};
    *grant = (struct authenticator_grant){.retry_after = 0};
    enum mg_status status = take_hash_slot(authenticator, error);
    if (status == MG_OK) {
        status = verify_in_slot(authenticator, caller, &login, out, grant, error);
        give_hash_slot(authenticator);
    }
    count(authenticator, status);
    return status;
}

enum mg_status authenticator_verify(struct authenticator *authenticator, const struct http_caller *caller,
                                    const char *user, struct mg_slice password, struct http_identity *out,
                                    struct mg_error *error)
{
    struct credentials_user found = {.name = ""};
    struct authenticator_grant grant;
    enum mg_status status = verify(authenticator, caller, user, password, &found, &grant, error);
    if (status == MG_OK) {
        snprintf(out->name, sizeof(out->name), "user:%s", found.name);
        out->role = found.role;
    }
    return status;
}

enum mg_status authenticator_token_by_password(struct authenticator *authenticator, const struct http_caller *caller,
                                               const char *user, struct mg_slice password, unsigned reach,
                                               struct authenticator_grant *grant, struct mg_error *error)
{
    struct credentials_user found = {.name = ""};
    enum mg_status status = verify(authenticator, caller, user, password, &found, grant, error);
    if (status != MG_OK) {
        return status;
    }
    struct ticket_owner owner = {.reach = reach, .stamp = found.stamp};
    memcpy(owner.name, found.name, sizeof(owner.name));
    return grant_ticket(authenticator, TICKET_TOKEN, &owner, found.role, caller, grant, error);
}

/* ---- OAuth2 clients ---- */

/* finish_token ends a token request whose credential was found to be |status|. */
static enum mg_status finish_token(struct authenticator *authenticator, const struct guess *guess,
                                   enum mg_status status, const struct credentials_client *client,
                                   struct authenticator_grant *grant, struct mg_error *error)
{
    bool is_known = client->id[0] != '\0';
    if (status == MG_NOT_FOUND || status == MG_INVALID || (status == MG_OK && client->is_disabled)) {
        status = denied(error);
    }
    if (status == MG_OK || status == MG_DENIED) {
        status = judge(authenticator, guess, status, is_known);
    } else if (status != MG_AGAIN) {
        status = mg_error_set(error, MG_AGAIN, "the database cannot be asked");
    }
    if (status == MG_OK) {
        struct ticket_owner owner = {.is_client = true, .reach = client->reach, .stamp = client->stamp};
        memcpy(owner.name, client->id, sizeof(owner.name));
        status = grant_ticket(authenticator, TICKET_TOKEN, &owner, client->role, guess->caller, grant, error);
    }
    return status;
}

enum mg_status authenticator_token_by_secret(struct authenticator *authenticator, const struct http_caller *caller,
                                             const char *id, struct mg_slice secret, struct authenticator_grant *grant,
                                             struct mg_error *error)
{
    struct guess guess = guess_client(id, caller);
    struct credentials_client client = {.id = ""};
    *grant = (struct authenticator_grant){.retry_after = 0};
    enum mg_status status = check_throttle(authenticator, &guess, grant, error);
    if (status == MG_OK) {
        pthread_mutex_lock(&authenticator->db_lock);
        status = credentials_client_check_secret(authenticator->config.db, id, secret, &client, error);
        pthread_mutex_unlock(&authenticator->db_lock);
        status = finish_token(authenticator, &guess, status, &client, grant, error);
    }
    count(authenticator, status);
    return status;
}

/* remember makes sure that the assertion was not seen before. MG_DENIED: it was; MG_AGAIN: no room to remember it. */
static enum mg_status remember(struct authenticator *authenticator, const struct assertion *assertion,
                               int64_t now_seconds, struct mg_error *error)
{
    if (assertion->jti == NULL) {
        return MG_OK;
    }
    char text[ASSERTION_MAX + HTTP_MAX_NAME + 2];
    int len = snprintf(text, sizeof(text), "%s\n%s", assertion->client_id, assertion->jti);
    struct seen_assertion seen = {
        .hash = {mg_siphash(&authenticator->keys[0], text, (size_t)len),
                 mg_siphash(&authenticator->keys[1], text, (size_t)len)},
        .expires = assertion->expires + ASSERTION_SKEW_SECONDS,
    };
    struct seen_assertion *place = NULL;
    bool is_known = false;
    pthread_mutex_lock(&authenticator->lock);
    for (size_t i = 0; i < AUTHENTICATOR_MAX_ASSERTIONS; i++) {
        struct seen_assertion *at = &authenticator->seen[i];
        if (at->expires <= now_seconds) {
            place = at;
        } else if (at->hash[0] == seen.hash[0] && at->hash[1] == seen.hash[1]) {
            is_known = true;
        }
    }
    if (!is_known && place != NULL) {
        *place = seen;
    }
    pthread_mutex_unlock(&authenticator->lock);
    if (is_known) {
        return mg_error_set(error, MG_DENIED, "jti: was used before");
    }
    return place != NULL ? MG_OK : mg_error_set(error, MG_AGAIN, "too many assertions at one time");
}

static enum mg_status check_assertion(struct authenticator *authenticator, const struct assertion *assertion,
                                      int64_t now_seconds, struct credentials_client *client, struct mg_error *error)
{
    EVP_PKEY *key = NULL;
    pthread_mutex_lock(&authenticator->db_lock);
    enum mg_status status =
        credentials_client_get1_key(authenticator->config.db, assertion->client_id, client, &key, error);
    pthread_mutex_unlock(&authenticator->db_lock);
    if (status == MG_OK) {
        status = assertion_check_signature(assertion, key, error);
    }
    if (status == MG_OK) {
        status = assertion_check_claims(assertion, authenticator->config.audiences, now_seconds, error);
    }
    if (status == MG_OK) {
        status = remember(authenticator, assertion, now_seconds, error);
    }
    EVP_PKEY_free(key);
    return status;
}

enum mg_status authenticator_token_by_assertion(struct authenticator *authenticator, const struct http_caller *caller,
                                                const char *id, struct mg_slice text, struct authenticator_grant *grant,
                                                struct mg_error *error)
{
    struct assertion assertion;
    struct credentials_client client = {.id = ""};
    *grant = (struct authenticator_grant){.retry_after = 0};
    if (assertion_parse(text, &assertion, error) != MG_OK) {
        struct guess nobody = guess_client(id == NULL ? "" : id, caller);
        enum mg_status refused = judge(authenticator, &nobody, denied(error), false);
        count(authenticator, refused);
        return refused;
    }
    struct guess guess = guess_client(assertion.client_id, caller);
    enum mg_status status = check_throttle(authenticator, &guess, grant, error);
    if (status == MG_OK) {
        status = id != NULL && strcmp(id, assertion.client_id) != 0
                     ? denied(error)
                     : check_assertion(authenticator, &assertion, caller->wall_us / 1000000, &client, error);
        status = finish_token(authenticator, &guess, status, &client, grant, error);
    }
    assertion_free(&assertion);
    count(authenticator, status);
    return status;
}

/* ---- sessions and tokens ---- */

/* look_up asks whether the owner of a ticket still has the stamp that the ticket was made under. */
static enum mg_status look_up(struct authenticator *authenticator, const struct ticket_owner *owner,
                              enum http_role *role, struct mg_error *error)
{
    struct credentials_user user = {.name = ""};
    struct credentials_client client = {.id = ""};
    pthread_mutex_lock(&authenticator->db_lock);
    enum mg_status status = owner->is_client
                                ? credentials_client_get(authenticator->config.db, owner->name, &client, error)
                                : credentials_user_get(authenticator->config.db, owner->name, &user, NULL, error);
    pthread_mutex_unlock(&authenticator->db_lock);
    bool is_disabled = owner->is_client ? client.is_disabled : user.is_disabled;
    int64_t stamp = owner->is_client ? client.stamp : user.stamp;
    if (status == MG_NOT_FOUND || (status == MG_OK && (is_disabled || stamp != owner->stamp))) {
        return mg_error_set(error, MG_DENIED, "the credential was changed since");
    }
    *role = owner->is_client ? client.role : user.role;
    return status;
}

enum mg_status authenticator_identify(struct authenticator *authenticator, const struct http_caller *caller,
                                      enum ticket_kind kind, struct mg_slice text, unsigned reach,
                                      struct http_identity *out, struct mg_error *error)
{
    struct ticket_owner owner;
    enum http_role role = HTTP_ROLE_ANONYMOUS;
    if (!tickets_use(authenticator->tickets, kind, text, caller->monotonic_ns, &owner)) {
        return mg_error_set(error, MG_DENIED, "there is no such session or token");
    }
    if ((owner.reach & reach) == 0) {
        return mg_error_set(error, MG_DENIED, "the session or token counts in other families");
    }
    enum mg_status status = look_up(authenticator, &owner, &role, error);
    if (status == MG_OK) {
        snprintf(out->name, sizeof(out->name), "%s:%s", owner.is_client ? "client" : "user", owner.name);
        out->role = role;
    } else if (status == MG_DENIED) {
        tickets_end(authenticator->tickets, kind, text);
    }
    return status;
}

void authenticator_end(struct authenticator *authenticator, enum ticket_kind kind, struct mg_slice text)
{
    tickets_end(authenticator->tickets, kind, text);
}

void authenticator_metrics(struct authenticator *authenticator, uint64_t now_ns, struct mg_buffer *out)
{
    static const char *const results[NUM_RESULTS] = {
        [RESULT_OK] = "ok", [RESULT_DENIED] = "denied", [RESULT_SLOWED] = "slowed", [RESULT_BUSY] = "busy"};
    static const char *const kinds[TICKET_NUM_KINDS] = {[TICKET_SESSION] = "session", [TICKET_TOKEN] = "token"};
    char label[32];
    mg_metrics_family(out, "mintgate_control_logins_total", "counter", "Logins and token requests, by result.");
    for (size_t i = 0; i < NUM_RESULTS; i++) {
        snprintf(label, sizeof(label), "result=\"%s\"", results[i]);
        mg_metrics_sample(out, "mintgate_control_logins_total", label,
                          atomic_load_explicit(&authenticator->results[i], memory_order_relaxed));
    }
    mg_metrics_family(out, "mintgate_control_tickets", "gauge", "Sessions and tokens that count now.");
    for (size_t i = 0; i < TICKET_NUM_KINDS; i++) {
        snprintf(label, sizeof(label), "kind=\"%s\"", kinds[i]);
        mg_metrics_sample(out, "mintgate_control_tickets", label,
                          tickets_count(authenticator->tickets, (enum ticket_kind)i, now_ns));
    }
    mg_metrics_family(out, "mintgate_control_tickets_replaced_total", "counter",
                      "Sessions and tokens whose owner had too many and made a new one.");
    mg_metrics_sample(out, "mintgate_control_tickets_replaced_total", "", tickets_num_replaced(authenticator->tickets));
    mg_metrics_family(out, "mintgate_control_failures_displaced_total", "counter",
                      "Users and addresses whose failed logins were forgotten for want of room.");
    mg_metrics_sample(out, "mintgate_control_failures_displaced_total", "",
                      throttle_num_displaced(authenticator->throttle));
}
