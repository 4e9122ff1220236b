/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/key_sweep.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/sha.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/doomed_key.h"
#include "control/key_wish.h"

#define PAUSE_MS 500

struct key_sweep {
    struct key_sweep_config config;
    pthread_mutex_t keys; /* held while a key is made or destroyed */

    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool stopping;
    bool due;                 /* something may be left to destroy */
    uint64_t engines_told_ns; /* from then on no engine is waited for */
    struct mg_error said;     /* why keys are left, as it was logged last */
};

/* ---- wishes ---- */

/* token_of names |wish|, so that its key is made once, whatever crashes in between. */
static struct wire_control_token token_of(const struct key_wish *wish)
{
    char text[64];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct wire_control_token token;
    int len = snprintf(text, sizeof(text), "%lld %lld", (long long)wish->intermediate_id, (long long)wish->created_us);
    SHA256((const unsigned char *)text, (size_t)len, digest);
    memcpy(token.bytes, digest, sizeof(token.bytes));
    return token;
}

static enum mg_status ask_for_key(const struct key_sweep *sweep, const struct key_wish *wish, struct wire_key_id *out,
                                  struct mg_error *error)
{
    struct wire_control_token token = token_of(wish);
    char label[WIRE_CONTROL_MAX_LABEL];
    snprintf(label, sizeof(label), "intermediate %lld", (long long)wish->intermediate_id);
    return signer_client_make_key(sweep->config.signer, wish->key_type, &token, label, wish->holder, out, error);
}

static enum mg_status note_wish(const struct key_sweep *sweep, struct key_wish *wish, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(sweep->config.store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, key_wish_add(tx, wish, error), error) : status;
}

enum mg_status key_sweep_make_key(struct key_sweep *sweep, const struct intermediate *record, const char *holder,
                                  struct wire_key_id *out, struct mg_error *error)
{
    struct key_wish wish = {
        .intermediate_id = record->id, .created_us = record->created_us, .key_type = record->key_type};
    snprintf(wish.holder, sizeof(wish.holder), "%s", holder);
    pthread_mutex_lock(&sweep->keys);
    enum mg_status status = note_wish(sweep, &wish, error);
    return status == MG_OK ? ask_for_key(sweep, &wish, out, error) : status;
}

void key_sweep_end_wish(struct key_sweep *sweep)
{
    pthread_mutex_unlock(&sweep->keys);
}

/* ---- destroying ---- */

static enum mg_status next_doomed(const struct key_sweep *sweep, size_t num_passed, struct wire_key_id *out,
                                  struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(sweep->config.store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, doomed_key_next(tx, num_passed, out, error), error) : status;
}

static enum mg_status forget_doomed(const struct key_sweep *sweep, const struct wire_key_id *key,
                                    struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(sweep->config.store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, doomed_key_forget(tx, key, error), error) : status;
}

static enum mg_status next_unwanted(const struct key_sweep *sweep, int64_t after, struct key_wish *out,
                                    struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(sweep->config.store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, key_wish_next_unwanted(tx, after, out, error), error) : status;
}

static enum mg_status forget_wish(const struct key_sweep *sweep, int64_t intermediate_id, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(sweep->config.store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, key_wish_forget(tx, intermediate_id, error), error) : status;
}

/* is_left tells whether a key is left for later, and the next one is to be looked at: its token is away, or not
 * configured at present. */
static bool is_left(enum mg_status status)
{
    return status == MG_AGAIN || status == MG_NOT_FOUND;
}

/* end_of is the result of a round that ended with |status|, MG_NOT_FOUND if there was nothing further. */
static enum mg_status end_of(enum mg_status status, bool was_left)
{
    return status != MG_NOT_FOUND ? status : was_left ? MG_AGAIN : MG_OK;
}

/* destroy_doomed destroys the keys of deleted intermediates. MG_AGAIN: those on tokens that are away are left. */
static enum mg_status destroy_doomed(const struct key_sweep *sweep, struct mg_error *error)
{
    struct wire_key_id key;
    enum mg_status status;
    size_t num_left = 0;
    while ((status = next_doomed(sweep, num_left, &key, num_left == 0 ? error : NULL)) == MG_OK) {
        status = signer_client_destroy(sweep->config.signer, &key, error);
        num_left += is_left(status);
        if (status == MG_OK) {
            status = forget_doomed(sweep, &key, error);
        }
        if (status != MG_OK && !is_left(status)) {
            return status;
        }
    }
    return end_of(status, num_left > 0);
}

/* take_back destroys the key of |wish|. Which that is only asking for it says; if it was not made, it is now. */
static enum mg_status take_back(const struct key_sweep *sweep, const struct key_wish *wish, struct mg_error *error)
{
    struct wire_key_id key;
    enum mg_status status = ask_for_key(sweep, wish, &key, error);
    if (status == MG_LIMIT || status == MG_DENIED) {
        return MG_OK; /* there is no room for one, or the token makes none, so it has not been made */
    }
    return status == MG_OK ? signer_client_destroy(sweep->config.signer, &key, error) : status;
}

/* destroy_unwanted destroys the keys that were wished for by intermediates that were deleted without them. MG_AGAIN as
 * destroy_doomed. */
static enum mg_status destroy_unwanted(const struct key_sweep *sweep, struct mg_error *error)
{
    struct key_wish wish = {.intermediate_id = 0};
    enum mg_status status;
    bool was_left = false;
    while ((status = next_unwanted(sweep, wish.intermediate_id, &wish, was_left ? NULL : error)) == MG_OK) {
        status = take_back(sweep, &wish, error);
        was_left = was_left || is_left(status);
        if (status == MG_OK) {
            status = forget_wish(sweep, wish.intermediate_id, error);
        }
        if (status != MG_OK && !is_left(status)) {
            return status;
        }
    }
    return end_of(status, was_left);
}

static enum mg_status destroy_all(struct key_sweep *sweep, struct mg_error *error)
{
    pthread_mutex_lock(&sweep->keys);
    enum mg_status doomed = destroy_doomed(sweep, error), unwanted = MG_OK;
    if (doomed == MG_OK || doomed == MG_AGAIN) {
        unwanted = destroy_unwanted(sweep, doomed == MG_OK ? error : NULL);
    }
    pthread_mutex_unlock(&sweep->keys);
    return doomed != MG_OK ? doomed : unwanted;
}

/* ---- when ---- */

static bool may_destroy(struct key_sweep *sweep)
{
    pthread_mutex_lock(&sweep->lock);
    bool is_late = mg_clock_monotonic_ns() >= sweep->engines_told_ns;
    pthread_mutex_unlock(&sweep->lock);
    return is_late || engines_serve_present(sweep->config.engines);
}

static void set_due(struct key_sweep *sweep, bool due)
{
    pthread_mutex_lock(&sweep->lock);
    sweep->due = due;
    pthread_cond_signal(&sweep->changed);
    pthread_mutex_unlock(&sweep->lock);
}

/* say_why logs why keys are left, unless it was said before: a token may be away for days. "": none is left. */
static void say_why(struct key_sweep *sweep, const struct mg_error *why)
{
    pthread_mutex_lock(&sweep->lock);
    bool is_news = strcmp(sweep->said.text, why->text) != 0;
    sweep->said = *why;
    pthread_mutex_unlock(&sweep->lock);
    if (is_news && why->text[0] != '\0') {
        mg_log_warning("keys that nobody wants any more will be destroyed later: %s", why->text);
    }
}

void key_sweep_now(struct key_sweep *sweep)
{
    struct mg_error error = {""};
    if (!may_destroy(sweep)) {
        set_due(sweep, true);
        return;
    }
    set_due(sweep, false); /* before: what is doomed meanwhile is due again */
    if (destroy_all(sweep, &error) == MG_OK) {
        error.text[0] = '\0';
    } else {
        set_due(sweep, true);
    }
    say_why(sweep, &error);
}

/* wait_until_due waits until something is due, and a moment more: what failed is not tried again at once. False: it is
 * time to stop. The lock is held. */
static bool wait_until_due(struct key_sweep *sweep)
{
    while (!sweep->due && !sweep->stopping) {
        pthread_cond_wait(&sweep->changed, &sweep->lock);
    }
    uint64_t until_ns = mg_clock_monotonic_ns() + PAUSE_MS * MG_NS_PER_MS;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / MG_NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % MG_NS_PER_SECOND)};
    while (!sweep->stopping && mg_clock_monotonic_ns() < until_ns) {
        (void)pthread_cond_timedwait(&sweep->changed, &sweep->lock, &until);
    }
    return !sweep->stopping;
}

static void *sweep_main(void *arg)
{
    struct key_sweep *sweep = arg;
    pthread_setname_np(pthread_self(), "key-sweep");
    pthread_mutex_lock(&sweep->lock);
    while (wait_until_due(sweep)) {
        pthread_mutex_unlock(&sweep->lock);
        key_sweep_now(sweep);
        pthread_mutex_lock(&sweep->lock);
    }
    pthread_mutex_unlock(&sweep->lock);
    return NULL;
}

/* ---- life ---- */

enum mg_status key_sweep_new(struct key_sweep **out, const struct key_sweep_config *config, struct mg_error *error)
{
    struct key_sweep *sweep = calloc(1, sizeof(*sweep));
    if (sweep == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    sweep->config = *config;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sweep->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&sweep->keys, NULL);
    pthread_mutex_init(&sweep->lock, NULL);
    *out = sweep;
    return MG_OK;
}

enum mg_status key_sweep_start(struct key_sweep *sweep, struct mg_error *error)
{
    pthread_mutex_lock(&sweep->lock);
    sweep->engines_told_ns = mg_clock_monotonic_ns() + sweep->config.engines_ms * MG_NS_PER_MS;
    sweep->due = true;
    pthread_mutex_unlock(&sweep->lock);
    if (!sweep->started && pthread_create(&sweep->thread, NULL, sweep_main, sweep) != 0) {
        return mg_error_set(error, MG_INTERNAL, "cannot start a thread");
    }
    sweep->started = true;
    return MG_OK;
}

void key_sweep_free(struct key_sweep *sweep)
{
    if (sweep == NULL) {
        return;
    }
    if (sweep->started) {
        pthread_mutex_lock(&sweep->lock);
        sweep->stopping = true;
        pthread_cond_signal(&sweep->changed);
        pthread_mutex_unlock(&sweep->lock);
        pthread_join(sweep->thread, NULL);
    }
    pthread_mutex_destroy(&sweep->keys);
    pthread_mutex_destroy(&sweep->lock);
    pthread_cond_destroy(&sweep->changed);
    free(sweep);
}
