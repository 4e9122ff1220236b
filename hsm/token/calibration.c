/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/calibration.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "hsm/token/signature.h"

#define MAX_STEPS 6 /* 1 to 32 sessions */

/* struct run is one number of sessions being tried. */
struct run {
    const struct token *token;
    CK_OBJECT_HANDLE key;
    const struct key_type *type;
    _Atomic bool is_over;
    _Atomic uint64_t signatures;
};

struct signer {
    struct run *run;
    struct object_session session;
    pthread_t thread;
};

size_t calibration_choose(const size_t *counts, const double *rates, size_t num_counts)
{
    double best = 0;
    for (size_t i = 0; i < num_counts; i++) {
        best = rates[i] > best ? rates[i] : best;
    }
    for (size_t i = 0; i < num_counts; i++) {
        if (rates[i] >= best * 0.95) {
            return counts[i];
        }
    }
    return 1;
}

static void *sign_until_over(void *arg)
{
    struct signer *signer = arg;
    struct run *run = signer->run;
    uint8_t digest[32] = {1}, signature[WIRE_TOKEN_MAX_SIGNATURE];
    struct token_error error;
    size_t len;
    while (!atomic_load_explicit(&run->is_over, memory_order_relaxed)) {
        if (token_sign(&signer->session, run->key, run->type, WIRE_TOKEN_SHA256, mg_slice_of(digest, sizeof(digest)),
                       signature, &len, &error) != WIRE_TOKEN_OK) {
            break;
        }
        atomic_fetch_add_explicit(&run->signatures, 1, memory_order_relaxed);
    }
    return NULL;
}

/* wait_a_step waits for CALIBRATION_STEP_NS, and for at least one signature: some tokens take longer for one. */
static void wait_a_step(const struct run *run, uint64_t start_ns)
{
    uint64_t limit_ns = start_ns + 20 * CALIBRATION_STEP_NS;
    for (;;) {
        uint64_t now_ns = mg_clock_monotonic_ns();
        bool has_signed = atomic_load_explicit(&run->signatures, memory_order_relaxed) > 0;
        if ((has_signed && now_ns - start_ns >= CALIBRATION_STEP_NS) || now_ns >= limit_ns) {
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

/* try_sessions returns the rate with |num_sessions| of |signers|: 0 where a thread could not start. */
static double try_sessions(struct run *run, struct signer *signers, size_t num_sessions)
{
    size_t num_started = 0;
    atomic_store(&run->is_over, false);
    atomic_store(&run->signatures, 0);
    uint64_t start_ns = mg_clock_monotonic_ns();
    while (num_started < num_sessions &&
           pthread_create(&signers[num_started].thread, NULL, sign_until_over, &signers[num_started]) == 0) {
        num_started++;
    }
    if (num_started == num_sessions) {
        wait_a_step(run, start_ns);
    }
    uint64_t signatures = atomic_load(&run->signatures), end_ns = mg_clock_monotonic_ns();
    atomic_store(&run->is_over, true);
    for (size_t i = 0; i < num_started; i++) {
        pthread_join(signers[i].thread, NULL);
    }
    return num_started == num_sessions ? (double)signatures * 1e9 / (double)(end_ns - start_ns) : 0;
}

/* open_sessions opens as many as the token gives, up to CALIBRATION_MAX_SESSIONS. */
static size_t open_sessions(struct run *run, struct signer *signers)
{
    struct token_error error;
    size_t count = 0;
    while (count < CALIBRATION_MAX_SESSIONS && count + 1 < run->token->max_sessions &&
           token_new_session(run->token, &signers[count].session.session, &error) == WIRE_TOKEN_OK) {
        signers[count].run = run;
        signers[count].session.functions = run->token->functions;
        count++;
    }
    return count;
}

static void choose(struct run *run, struct signer *signers, size_t num_open, size_t *num_sessions, uint32_t *rate)
{
    size_t counts[MAX_STEPS] = {1};
    double rates[MAX_STEPS];
    size_t num_steps = 0;
    for (size_t count = 1; count <= num_open && num_steps < MAX_STEPS; count *= 2) {
        counts[num_steps] = count;
        rates[num_steps++] = try_sessions(run, signers, count);
    }
    *num_sessions = calibration_choose(counts, rates, num_steps);
    for (size_t i = 0; i < num_steps; i++) {
        if (counts[i] == *num_sessions) {
            *rate = (uint32_t)rates[i];
        }
    }
}

/* make_key makes the session's key pair: the first of these types that the token has. */
static enum wire_token_status make_key(const struct object_session *at, struct run *run, CK_OBJECT_HANDLE *public_key,
                                       struct token_error *error)
{
    static const enum wire_key_type wanted[] = {WIRE_KEY_EC_P256, WIRE_KEY_RSA_2048};
    enum wire_token_status status = WIRE_TOKEN_REFUSED;
    for (size_t i = 0; status != WIRE_TOKEN_OK && i < MG_ARRAY_LEN(wanted); i++) {
        run->type = key_type_get0(wanted[i]);
        status = objects_generate(at, run->type, false, mg_slice_of(NULL, 0), mg_slice_of_text("calibration"),
                                  public_key, &run->key, error);
    }
    return status;
}

enum wire_token_status calibration_run(const struct token *token, size_t *num_sessions, uint32_t *rate,
                                       struct token_error *error)
{
    struct run run = {.token = token};
    struct signer signers[CALIBRATION_MAX_SESSIONS];
    struct object_session at = {.functions = token->functions, .session = token->session};
    CK_OBJECT_HANDLE public_key;
    enum wire_token_status status = make_key(&at, &run, &public_key, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    *num_sessions = 1;
    *rate = 0;
    size_t num_open = open_sessions(&run, signers);
    choose(&run, signers, num_open, num_sessions, rate);
    for (size_t i = 0; i < num_open; i++) {
        (void)token->functions->C_CloseSession(signers[i].session.session);
    }
    (void)token->functions->C_DestroyObject(token->session, run.key);
    (void)token->functions->C_DestroyObject(token->session, public_key);
    return WIRE_TOKEN_OK;
}
