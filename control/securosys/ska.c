/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "control/audit.h"
#include "control/securosys/ska_internal.h"
#include "ossl/base64.h"
#include "ossl/scrypt.h"

#define SCRYPT_N 16384 /* 16 MiB */
#define MAX_PASSWORD 1024

/* ---- transactions ---- */

enum mg_status ska_begin(struct ska_call *call, enum store_access access, struct store_tx **tx)
{
    return store_begin(call->ska->config.store, access, tx, &call->error.why);
}

enum mg_status ska_end(struct ska_call *call, struct store_tx *tx, enum mg_status status)
{
    return store_end(tx, status, &call->error.why);
}

enum mg_status ska_load_key(struct ska_call *call, struct store_tx *tx, const char *label, struct ska_key *out)
{
    enum mg_status status = ska_key_load(tx, label, out, &call->error.why);
    return status == MG_NOT_FOUND ? ska_fail(&call->error, SKA_NO_KEY, "signKeyName, label: there is no such key")
                                  : status;
}

enum mg_status ska_read_key(struct ska_call *call, const char *label, struct ska_key *out)
{
    struct store_tx *tx;
    *out = (struct ska_key){.id = 0};
    enum mg_status status = ska_begin(call, STORE_READ, &tx);
    return status == MG_OK ? ska_end(call, tx, ska_load_key(call, tx, label, out)) : status;
}

enum mg_status ska_audit(struct ska_call *call, struct store_tx *tx, const char *operation, const char *kind,
                         const char *name, const char *detail)
{
    char object[SKA_MAX_LABEL_SIZE + 32];
    snprintf(object, sizeof(object), "%s/%s", kind, name);
    const struct audit_entry entry = {
        .time_us = call->now_us,
        .actor = call->actor,
        .operation = operation,
        .object = object,
        .outcome = AUDIT_DONE,
        .detail = detail == NULL ? "{}" : detail,
    };
    return audit_append(tx, &entry, &call->error.why);
}

/* ---- passwords ---- */

/* join puts the texts of |password| together, as the vendor's clients send characters. False: no such array. */
static bool join(struct mg_buffer *out, const json_t *password)
{
    for (size_t i = 0; i < json_array_size(password); i++) {
        const json_t *item = json_array_get(password, i);
        if (!json_is_string(item)) {
            return false;
        }
        mg_buffer_append_text(out, json_string_value(item));
    }
    return mg_buffer_ok(out);
}

static enum mg_status hash(struct ska_call *call, const json_t *password, uint8_t record[SKA_PASSWORD_LEN])
{
    struct mg_buffer text;
    if (!mg_secret_buffer_init(&text, MAX_PASSWORD)) {
        return mg_error_set(&call->error.why, MG_MEMORY, "no memory for a password");
    }
    enum mg_status status = MG_OK;
    if (!join(&text, password)) {
        status = ska_fail(&call->error, SKA_INPUT, "password: must be an array of characters, %d bytes at most",
                          MAX_PASSWORD);
    } else {
        pthread_mutex_lock(&call->ska->hashing);
        if (!scrypt_derive(mg_buffer_slice(&text), mg_slice_of(record, SKA_SALT_LEN), SCRYPT_N, record + SKA_SALT_LEN,
                           SKA_PASSWORD_LEN - SKA_SALT_LEN)) {
            status = mg_error_set(&call->error.why, MG_INTERNAL, "cannot hash a password");
        }
        pthread_mutex_unlock(&call->ska->hashing);
    }
    mg_secret_free(&text);
    return status;
}

enum mg_status ska_set_password(struct ska_call *call, struct ska_key *key, const json_t *password)
{
    if (json_array_size(password) == 0) {
        return MG_OK;
    }
    if (RAND_bytes(key->password, SKA_SALT_LEN) != 1) {
        return mg_error_set(&call->error.why, MG_INTERNAL, "no randomness");
    }
    key->has_password = true;
    return hash(call, password, key->password);
}

enum mg_status ska_check_password(struct ska_call *call, const struct ska_key *key, const json_t *password)
{
    uint8_t record[SKA_PASSWORD_LEN];
    if (!key->has_password) {
        return json_array_size(password) == 0 ? MG_OK
                                              : ska_fail(&call->error, SKA_PASSWORD, "keyPassword: the key has none");
    }
    memcpy(record, key->password, SKA_SALT_LEN);
    enum mg_status status = hash(call, password, record);
    if (status == MG_OK && CRYPTO_memcmp(record, key->password, sizeof(record)) != 0) {
        status = ska_fail(&call->error, SKA_PASSWORD, "keyPassword: is not the key's");
    }
    mg_secret_wipe(record, sizeof(record));
    return status;
}

/* ---- forms ---- */

void ska_pem(struct mg_buffer *out, const char *what, struct mg_slice der)
{
    mg_buffer_append_format(out, "-----BEGIN %s-----\n", what);
    base64_encode(out, der);
    mg_buffer_append_format(out, "\n-----END %s-----", what);
}

enum mg_status ska_uuid(char out[SKA_UUID_SIZE], struct ska_error *error)
{
    uint8_t b[16];
    if (RAND_bytes(b, sizeof(b)) != 1) {
        return mg_error_set(&error->why, MG_INTERNAL, "no randomness");
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, SKA_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return MG_OK;
}

/* ---- what is due ---- */

static enum mg_status next_due(struct ska *ska, int64_t now_us, char id[SKA_UUID_SIZE], struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(ska->config.store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, ska_request_next_due(tx, now_us, id, error), error) : status;
}

/* settle_due settles until nothing is due, or the same is due again: the signer is away. */
static void settle_due(struct ska *ska, int64_t now_us)
{
    char id[SKA_UUID_SIZE], last[SKA_UUID_SIZE] = "";
    while (next_due(ska, now_us, id, NULL) == MG_OK && strcmp(id, last) != 0) {
        memcpy(last, id, sizeof(last));
        ska_settle(ska, id, now_us);
    }
}

static bool wait_a_second(struct ska *ska)
{
    uint64_t until_ns = mg_clock_monotonic_ns() + MG_NS_PER_SECOND;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / MG_NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % MG_NS_PER_SECOND)};
    pthread_mutex_lock(&ska->lock);
    while (!ska->stopping && pthread_cond_timedwait(&ska->stop, &ska->lock, &until) != ETIMEDOUT) {
    }
    bool goes_on = !ska->stopping;
    pthread_mutex_unlock(&ska->lock);
    return goes_on;
}

static void *ska_main(void *arg)
{
    struct ska *ska = arg;
    struct mg_error error;
    bool said = false;
    pthread_setname_np(pthread_self(), "ska");
    do {
        settle_due(ska, mg_clock_wall_us());
        bool failed = ska_destroy_unwanted(ska, &error) != MG_OK;
        if (failed && !said) {
            mg_log_warning("SKA keys that nobody wants will be destroyed later: %s", error.text);
        }
        said = failed;
    } while (wait_a_second(ska));
    return NULL;
}

/* ---- life ---- */

enum mg_status ska_new(struct ska **out, const struct ska_config *config, struct mg_error *error)
{
    struct ska *ska = calloc(1, sizeof(*ska));
    if (ska == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    ska->config = *config;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ska->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&ska->work, NULL);
    pthread_mutex_init(&ska->hashing, NULL);
    pthread_mutex_init(&ska->lock, NULL);
    *out = ska;
    return MG_OK;
}

enum mg_status ska_start(struct ska *ska, struct mg_error *error)
{
    if (!ska->started && pthread_create(&ska->thread, NULL, ska_main, ska) != 0) {
        return mg_error_set(error, MG_INTERNAL, "cannot start a thread");
    }
    ska->started = true;
    return MG_OK;
}

void ska_free(struct ska *ska)
{
    if (ska == NULL) {
        return;
    }
    if (ska->started) {
        pthread_mutex_lock(&ska->lock);
        ska->stopping = true;
        pthread_cond_signal(&ska->stop);
        pthread_mutex_unlock(&ska->lock);
        pthread_join(ska->thread, NULL);
    }
    pthread_cond_destroy(&ska->stop);
    pthread_mutex_destroy(&ska->work);
    pthread_mutex_destroy(&ska->hashing);
    pthread_mutex_destroy(&ska->lock);
    free(ska);
}
