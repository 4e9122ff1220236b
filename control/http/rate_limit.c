/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/rate_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/siphash.h"

static const uint64_t window_seconds[RATE_NUM_WEIGHTS][RATE_NUM_WINDOWS] = {
    [RATE_LIGHT] = {1, 3600},
    [RATE_MEDIUM] = {1, 3600},
    [RATE_HEAVY] = {60, 3600},
    [RATE_CALL] = {60, 3600},
};

/* A bucket is kept as the time at which it will be full again: one request moves it on by window / limit. It refuses
 * what would move it further than one window ahead. */
struct credential {
    uint64_t hash; /* 0: free */
    uint64_t used_ns;
    uint64_t full_ns[RATE_NUM_WEIGHTS][RATE_NUM_WINDOWS];
};

struct rate_limits {
    pthread_mutex_t lock; /* of everything below */
    struct rate_plan plan;
    uint64_t num_refused[RATE_NUM_WEIGHTS];
    uint64_t num_displaced;
    struct credential credentials[RATE_MAX_CREDENTIALS];
    struct mg_siphash_key key; /* set once */
};

enum mg_status rate_limits_new(struct rate_limits **out, const struct rate_plan *plan, struct mg_error *error)
{
    struct rate_limits *limits = calloc(1, sizeof(*limits));
    if (limits == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for rate limits");
    }
    pthread_mutex_init(&limits->lock, NULL);
    mg_siphash_key_random(&limits->key);
    limits->plan = *plan;
    *out = limits;
    return MG_OK;
}

void rate_limits_free(struct rate_limits *limits)
{
    if (limits != NULL) {
        pthread_mutex_destroy(&limits->lock);
        free(limits);
    }
}

void rate_limits_set_plan(struct rate_limits *limits, const struct rate_plan *plan)
{
    pthread_mutex_lock(&limits->lock);
    limits->plan = *plan;
    pthread_mutex_unlock(&limits->lock);
}

/* find returns the place of |hash|; a new one takes a free place, or that of the one longest unused. */
static struct credential *find(struct rate_limits *limits, uint64_t hash)
{
    struct credential *oldest = &limits->credentials[0];
    for (size_t i = 0; i < RATE_MAX_CREDENTIALS; i++) {
        struct credential *credential = &limits->credentials[i];
        if (credential->hash == hash) {
            return credential;
        }
        if (oldest->hash != 0 && (credential->hash == 0 || credential->used_ns < oldest->used_ns)) {
            oldest = credential;
        }
    }
    limits->num_displaced += oldest->hash != 0;
    *oldest = (struct credential){.hash = hash};
    return oldest;
}

static uint64_t seconds_up(uint64_t ns)
{
    return (ns + MG_NS_PER_SECOND - 1) / MG_NS_PER_SECOND;
}

/* judge tells what one bucket, of |limit| requests in |seconds|, says to one request more. */
static struct rate_verdict judge(uint64_t limit, uint64_t seconds, uint64_t full_ns, uint64_t now_ns)
{
    if (limit == 0) {
        return (struct rate_verdict){.is_limited = false};
    }
    uint64_t span_ns = seconds * MG_NS_PER_SECOND, step_ns = span_ns / limit;
    uint64_t ahead_ns = full_ns > now_ns ? full_ns - now_ns : 0;
    uint64_t room_ns = span_ns > ahead_ns ? span_ns - ahead_ns : 0;
    struct rate_verdict verdict = {.is_limited = true,
                                   .limit = limit,
                                   .window = seconds,
                                   .remaining = room_ns / step_ns,
                                   .reset_seconds = seconds_up(ahead_ns)};
    if (verdict.remaining == 0) {
        verdict.retry_after = seconds_up(step_ns - room_ns);
    }
    return verdict;
}

static void judge_all(const struct rate_limits *limits, const struct credential *credential, enum rate_weight weight,
                      uint64_t now_ns, struct rate_verdict verdicts[RATE_NUM_WINDOWS])
{
    for (size_t i = 0; i < RATE_NUM_WINDOWS; i++) {
        verdicts[i] =
            judge(limits->plan.limits[weight][i], window_seconds[weight][i], credential->full_ns[weight][i], now_ns);
    }
}

static void spend(uint64_t *full_ns, const struct rate_verdict *verdict, uint64_t now_ns)
{
    if (verdict->is_limited) {
        *full_ns = *full_ns > now_ns ? *full_ns : now_ns;
        *full_ns += verdict->window * MG_NS_PER_SECOND / verdict->limit;
    }
}

/* stricter returns the one that limits at all, else the one that refuses longer, else the one with less left. */
static const struct rate_verdict *stricter(const struct rate_verdict verdicts[RATE_NUM_WINDOWS])
{
    const struct rate_verdict *brief = &verdicts[RATE_SHORT], *hour = &verdicts[RATE_HOUR];
    if (brief->is_limited != hour->is_limited) {
        return brief->is_limited ? brief : hour;
    }
    if (brief->retry_after != hour->retry_after) {
        return brief->retry_after > hour->retry_after ? brief : hour;
    }
    return brief->remaining <= hour->remaining ? brief : hour;
}

static bool take(struct rate_limits *limits, uint64_t hash, enum rate_weight weight, uint64_t now_ns,
                 struct rate_verdict *out)
{
    struct credential *credential = find(limits, hash);
    struct rate_verdict verdicts[RATE_NUM_WINDOWS];
    credential->used_ns = now_ns;
    judge_all(limits, credential, weight, now_ns, verdicts);
    bool allowed = verdicts[RATE_SHORT].retry_after == 0 && verdicts[RATE_HOUR].retry_after == 0;
    if (allowed) {
        for (size_t i = 0; i < RATE_NUM_WINDOWS; i++) {
            spend(&credential->full_ns[weight][i], &verdicts[i], now_ns);
        }
        judge_all(limits, credential, weight, now_ns, verdicts);
        verdicts[RATE_SHORT].retry_after = verdicts[RATE_HOUR].retry_after = 0;
    }
    limits->num_refused[weight] += !allowed;
    *out = *stricter(verdicts);
    return allowed;
}

static bool is_unlimited(const struct rate_plan *plan, enum rate_weight weight)
{
    return plan->limits[weight][RATE_SHORT] == 0 && plan->limits[weight][RATE_HOUR] == 0;
}

bool rate_limits_take(struct rate_limits *limits, const char *credential, enum rate_weight weight, uint64_t now_ns,
                      struct rate_verdict *verdict)
{
    *verdict = (struct rate_verdict){.is_limited = false};
    if (weight == RATE_NONE) {
        return true;
    }
    uint64_t hash = mg_siphash(&limits->key, credential, strlen(credential)) | 1; /* 0 marks a free place */
    pthread_mutex_lock(&limits->lock);
    bool allowed = is_unlimited(&limits->plan, weight) || take(limits, hash, weight, now_ns, verdict);
    pthread_mutex_unlock(&limits->lock);
    return allowed;
}

void rate_limits_metrics(struct rate_limits *limits, struct mg_buffer *out)
{
    static const char *const labels[RATE_NUM_WEIGHTS] = {[RATE_LIGHT] = "weight=\"light\"",
                                                         [RATE_MEDIUM] = "weight=\"medium\"",
                                                         [RATE_HEAVY] = "weight=\"heavy\"",
                                                         [RATE_CALL] = "weight=\"call\""};
    pthread_mutex_lock(&limits->lock);
    mg_metrics_family(out, "mintgate_control_rate_limited_total", "counter", "Requests over a rate limit, by weight.");
    for (size_t i = RATE_LIGHT; i < RATE_NUM_WEIGHTS; i++) {
        mg_metrics_sample(out, "mintgate_control_rate_limited_total", labels[i], limits->num_refused[i]);
    }
    mg_metrics_family(out, "mintgate_control_rate_displaced_total", "counter",
                      "Credentials whose rates were forgotten for want of room.");
    mg_metrics_sample(out, "mintgate_control_rate_displaced_total", "", limits->num_displaced);
    pthread_mutex_unlock(&limits->lock);
}

const char *rate_window_name(uint64_t window)
{
    return window == 1 ? "SECOND" : window == 60 ? "MINUTE" : "HOUR";
}
