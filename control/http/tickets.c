/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/tickets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "ossl/openssl_error.h"

#define HASH_LEN 32
#define MAX_RANDOM 32

static const struct rule {
    size_t random_bytes;
    uint64_t idle_ns; /* 0: no such end */
    uint64_t whole_ns;
    size_t per_owner;
} rules[TICKET_NUM_KINDS] = {
    [TICKET_SESSION] = {16, TICKET_SESSION_IDLE_SECONDS *MG_NS_PER_SECOND, TICKET_SESSION_SECONDS *MG_NS_PER_SECOND,
                        256},
    [TICKET_TOKEN] = {32, 0, TICKET_TOKEN_SECONDS *MG_NS_PER_SECOND, 512},
};

struct ticket {
    bool is_used;
    enum ticket_kind kind;
    uint8_t hash[HASH_LEN];
    uint64_t made_ns, used_ns;
    struct ticket_owner owner;
};

struct tickets {
    pthread_mutex_t lock; /* of what follows */
    struct ticket tickets[TICKETS_MAX];
    uint64_t num_replaced;
};

enum mg_status tickets_new(struct tickets **out, struct mg_error *error)
{
    struct tickets *tickets = calloc(1, sizeof(*tickets));
    if (tickets == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for sessions");
    }
    pthread_mutex_init(&tickets->lock, NULL);
    *out = tickets;
    return MG_OK;
}

void tickets_free(struct tickets *tickets)
{
    if (tickets != NULL) {
        pthread_mutex_destroy(&tickets->lock);
        free(tickets);
    }
}

/* since: of two threads one may come with a time a little before the other's. */
static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
    return now_ns > then_ns ? now_ns - then_ns : 0;
}

static bool counts(const struct ticket *ticket, uint64_t now_ns)
{
    const struct rule *rule = &rules[ticket->kind];
    return ticket->is_used && since(ticket->made_ns, now_ns) < rule->whole_ns &&
           (rule->idle_ns == 0 || since(ticket->used_ns, now_ns) < rule->idle_ns);
}

static bool same_owner(const struct ticket *ticket, enum ticket_kind kind, const struct ticket_owner *owner)
{
    return ticket->kind == kind && ticket->owner.is_client == owner->is_client &&
           strcmp(ticket->owner.name, owner->name) == 0;
}

/* find_place returns where a new ticket of |owner| goes: the place of the owner's oldest if there are enough of them,
 * else one whose ticket counts no longer; NULL if there is none. */
static struct ticket *find_place(struct tickets *tickets, enum ticket_kind kind, const struct ticket_owner *owner,
                                 uint64_t now_ns)
{
    struct ticket *unused = NULL, *oldest = NULL;
    size_t num_owned = 0;
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *ticket = &tickets->tickets[i];
        if (!counts(ticket, now_ns)) {
            unused = ticket;
        } else if (same_owner(ticket, kind, owner)) {
            num_owned++;
            oldest = oldest == NULL || ticket->made_ns < oldest->made_ns ? ticket : oldest;
        }
    }
    return num_owned >= rules[kind].per_owner ? oldest : unused;
}

static bool hash_text(struct mg_slice text, uint8_t out[HASH_LEN])
{
    return EVP_Digest(text.data, text.len, out, NULL, EVP_sha256(), NULL) == 1;
}

static bool make_text(enum ticket_kind kind, char out[TICKET_TEXT_LEN])
{
    uint8_t random[MAX_RANDOM];
    size_t len = rules[kind].random_bytes;
    if (RAND_bytes(random, (int)len) != 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    }
    mg_secret_wipe(random, sizeof(random));
    return true;
}

enum mg_status tickets_issue(struct tickets *tickets, enum ticket_kind kind, const struct ticket_owner *owner,
                             uint64_t now_ns, char out[TICKET_TEXT_LEN], struct mg_error *error)
{
    struct ticket made = {.is_used = true, .kind = kind, .made_ns = now_ns, .used_ns = now_ns, .owner = *owner};
    if (!make_text(kind, out) || !hash_text(mg_slice_of_text(out), made.hash)) {
        return openssl_error_set(error, "cannot make a session");
    }
    pthread_mutex_lock(&tickets->lock);
    struct ticket *place = find_place(tickets, kind, owner, now_ns);
    if (place != NULL) {
        tickets->num_replaced += counts(place, now_ns);
        *place = made;
    }
    pthread_mutex_unlock(&tickets->lock);
    if (place == NULL) {
        mg_secret_wipe(out, TICKET_TEXT_LEN);
        return mg_error_set(error, MG_LIMIT, "more than %d sessions and tokens", TICKETS_MAX);
    }
    return MG_OK;
}

/* find returns the ticket whose hash is |hash|, or NULL. What is compared are hashes: the time tells nothing about the
 * texts. */
static struct ticket *find(struct tickets *tickets, enum ticket_kind kind, const uint8_t hash[HASH_LEN])
{
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *ticket = &tickets->tickets[i];
        if (ticket->is_used && ticket->kind == kind && CRYPTO_memcmp(ticket->hash, hash, HASH_LEN) == 0) {
            return ticket;
        }
    }
    return NULL;
}

bool tickets_use(struct tickets *tickets, enum ticket_kind kind, struct mg_slice text, uint64_t now_ns,
                 struct ticket_owner *out)
{
    uint8_t hash[HASH_LEN];
    if (text.len != 2 * rules[kind].random_bytes || !hash_text(text, hash)) {
        return false;
    }
    pthread_mutex_lock(&tickets->lock);
    struct ticket *ticket = find(tickets, kind, hash);
    bool found = ticket != NULL && counts(ticket, now_ns);
    if (found) {
        ticket->used_ns = now_ns > ticket->used_ns ? now_ns : ticket->used_ns;
        *out = ticket->owner;
    }
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

void tickets_end(struct tickets *tickets, enum ticket_kind kind, struct mg_slice text)
{
    uint8_t hash[HASH_LEN];
    if (!hash_text(text, hash)) {
        return;
    }
    pthread_mutex_lock(&tickets->lock);
    struct ticket *ticket = find(tickets, kind, hash);
    if (ticket != NULL) {
        *ticket = (struct ticket){.is_used = false};
    }
    pthread_mutex_unlock(&tickets->lock);
}

size_t tickets_count(struct tickets *tickets, enum ticket_kind kind, uint64_t now_ns)
{
    size_t num = 0;
    pthread_mutex_lock(&tickets->lock);
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        num += tickets->tickets[i].kind == kind && counts(&tickets->tickets[i], now_ns);
    }
    pthread_mutex_unlock(&tickets->lock);
    return num;
}

uint64_t tickets_num_replaced(struct tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    uint64_t num = tickets->num_replaced;
    pthread_mutex_unlock(&tickets->lock);
    return num;
}
