/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/throttle.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/siphash.h"

#define FORGET_NS (900 * MG_NS_PER_SECOND)
#define MAX_WAIT_NS (60 * MG_NS_PER_SECOND)

enum subject_kind { SUBJECT_USER, SUBJECT_ADDRESS, NUM_SUBJECT_KINDS };

static const uint32_t free_failures[NUM_SUBJECT_KINDS] = {[SUBJECT_USER] = 3, [SUBJECT_ADDRESS] = 20};

struct subject {
    uint64_t hash; /* 0: free */
    uint64_t failed_ns;
    uint64_t until_ns; /* refused before */
    uint32_t num_failures;
};

struct throttle {
    pthread_mutex_t lock; /* of the subjects and num_displaced */
    struct subject subjects[THROTTLE_MAX_SUBJECTS];
    uint64_t num_displaced;
    struct mg_siphash_key keys[NUM_SUBJECT_KINDS]; /* set once; one each, so that a user's name is no address */
};

enum mg_status throttle_new(struct throttle **out, struct mg_error *error)
{
    struct throttle *throttle = calloc(1, sizeof(*throttle));
    if (throttle == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory to count failed logins");
    }
    pthread_mutex_init(&throttle->lock, NULL);
    for (size_t i = 0; i < NUM_SUBJECT_KINDS; i++) {
        mg_siphash_key_random(&throttle->keys[i]);
    }
    *out = throttle;
    return MG_OK;
}

void throttle_free(struct throttle *throttle)
{
    if (throttle != NULL) {
        pthread_mutex_destroy(&throttle->lock);
        free(throttle);
    }
}

static uint64_t hash_user(const struct throttle *throttle, const char *user)
{
    return mg_siphash(&throttle->keys[SUBJECT_USER], user, strlen(user)) | 1; /* 0 marks a free place */
}

/* hash_address: whoever has one IPv6 address mostly has its /64. */
static uint64_t hash_address(const struct throttle *throttle, const char *address)
{
    struct in6_addr ipv6;
    const struct mg_siphash_key *key = &throttle->keys[SUBJECT_ADDRESS];
    bool is_ipv6 = inet_pton(AF_INET6, address, &ipv6) == 1 && !IN6_IS_ADDR_V4MAPPED(&ipv6);
    return (is_ipv6 ? mg_siphash(key, &ipv6, 8) : mg_siphash(key, address, strlen(address))) | 1;
}

/* is_forgotten: of two threads one may come with a time a little before the other's. */
static bool is_forgotten(const struct subject *subject, uint64_t now_ns)
{
    return subject->hash != 0 && now_ns > subject->failed_ns && now_ns - subject->failed_ns > FORGET_NS;
}

/* find returns the place of |hash|, or NULL; what was forgotten is freed on the way. |*oldest| is where a new one
 * goes. */
static struct subject *find(struct throttle *throttle, uint64_t hash, uint64_t now_ns, struct subject **oldest)
{
    *oldest = &throttle->subjects[0];
    for (size_t i = 0; i < THROTTLE_MAX_SUBJECTS; i++) {
        struct subject *subject = &throttle->subjects[i];
        if (is_forgotten(subject, now_ns)) {
            *subject = (struct subject){.hash = 0};
        }
        if (subject->hash == hash) {
            return subject;
        }
        if (subject->failed_ns < (*oldest)->failed_ns) {
            *oldest = subject;
        }
    }
    return NULL;
}

static uint64_t wait_ns(struct throttle *throttle, uint64_t hash, uint64_t now_ns)
{
    struct subject *oldest;
    const struct subject *subject = find(throttle, hash, now_ns, &oldest);
    return subject != NULL && subject->until_ns > now_ns ? subject->until_ns - now_ns : 0;
}

uint64_t throttle_wait(struct throttle *throttle, const char *user, const char *address, uint64_t now_ns)
{
    uint64_t user_hash = hash_user(throttle, user), address_hash = hash_address(throttle, address);
    pthread_mutex_lock(&throttle->lock);
    uint64_t by_user = user[0] == '\0' ? 0 : wait_ns(throttle, user_hash, now_ns);
    uint64_t by_address = address[0] == '\0' ? 0 : wait_ns(throttle, address_hash, now_ns);
    pthread_mutex_unlock(&throttle->lock);
    uint64_t longer = by_user > by_address ? by_user : by_address;
    return (longer + MG_NS_PER_SECOND - 1) / MG_NS_PER_SECOND;
}

static void add_failure(struct throttle *throttle, uint64_t hash, enum subject_kind kind, uint64_t now_ns)
{
    struct subject *oldest, *subject = find(throttle, hash, now_ns, &oldest);
    if (subject == NULL) {
        subject = oldest;
        throttle->num_displaced += subject->hash != 0;
        *subject = (struct subject){.hash = hash};
    }
    subject->num_failures++;
    subject->failed_ns = now_ns;
    if (subject->num_failures > free_failures[kind]) {
        uint32_t doublings = subject->num_failures - free_failures[kind] - 1;
        uint64_t wait = doublings < 6 ? MG_NS_PER_SECOND << doublings : MAX_WAIT_NS;
        subject->until_ns = now_ns + wait;
    }
}

void throttle_failed(struct throttle *throttle, const char *user, const char *address, uint64_t now_ns)
{
    uint64_t user_hash = hash_user(throttle, user), address_hash = hash_address(throttle, address);
    pthread_mutex_lock(&throttle->lock);
    if (user[0] != '\0') {
        add_failure(throttle, user_hash, SUBJECT_USER, now_ns);
    }
    if (address[0] != '\0') {
        add_failure(throttle, address_hash, SUBJECT_ADDRESS, now_ns);
    }
    pthread_mutex_unlock(&throttle->lock);
}

void throttle_succeeded(struct throttle *throttle, const char *user)
{
    uint64_t hash = hash_user(throttle, user);
    pthread_mutex_lock(&throttle->lock);
    for (size_t i = 0; i < THROTTLE_MAX_SUBJECTS; i++) {
        if (throttle->subjects[i].hash == hash) {
            throttle->subjects[i] = (struct subject){.hash = 0};
        }
    }
    pthread_mutex_unlock(&throttle->lock);
}

uint64_t throttle_num_displaced(struct throttle *throttle)
{
    pthread_mutex_lock(&throttle->lock);
    uint64_t num = throttle->num_displaced;
    pthread_mutex_unlock(&throttle->lock);
    return num;
}
