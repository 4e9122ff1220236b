/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/backend_pkcs11.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ossl/openssl_error.h"

_Static_assert(BACKEND_MAX_BATCH <= WIRE_TOKEN_MAX_BATCH, "a batch fits a packet");

/* A link's window, and as much again that a partner's death moves to it. */
#define NUM_FLIGHTS (2 * BACKEND_PKCS11_WINDOW)
/* Packets read from one link before the others get their turn. */
#define MAX_PACKETS_A_ROUND 16
#define INBOX_EVENT WIRE_TOKEN_MAX_PLACES

const struct mg_histogram_shape token_latency_shape = {
    .bounds = {100000, 500000, 1000000, 5000000, 20000000, 100000000, 500000000, 2000000000}, .unit = 1e-9};

struct pkcs11_key {
    struct backend_key base;
    size_t place;
    struct wire_token_key_ref ref;
    EVP_PKEY *pkey;
};

/* struct flight is one job that a token works on. */
struct flight {
    struct backend_job *job; /* NULL: the flight is free */
    const struct pkcs11_key *key;
    uint64_t sent_ns;
    uint32_t generation; /* so that a result of an earlier use of this place is known as late */
    bool was_moved;
    struct flight *next, *previous; /* in order of sending; free ones by |next| */
};

/* struct link is a session's way to one token. */
struct link {
    int fd; /* -1: none */
    enum token_mode mode;
    size_t window;
    size_t num_flights;
    struct flight *oldest, *newest, *free;
    _Atomic uint64_t oldest_ns; /* session: rw, supervisor: ro; 0: nothing is under way */
    struct token_counters counters;
    struct flight flights[NUM_FLIGHTS];
};

struct pkcs11_backend {
    struct backend base;
    const struct token_config *tokens;
    size_t num_tokens;
    pthread_mutex_t lock;                                   /* of the next two */
    struct backend_session *sessions[WIRE_TOKEN_MAX_LANES]; /* NULL: ended */
    size_t num_sessions;
};

struct backend_session {
    struct pkcs11_backend *backend;
    int epoll_fd;
    int inbox_read, inbox_write;
    struct link *links; /* one for each token */
    uint8_t sent[WIRE_TOKEN_MAX_PACKET];
    uint8_t received[WIRE_TOKEN_MAX_PACKET]; /* apart, since a result may have a job sent to the partner */
};

/* What the supervisor tells a session, through a pipe: small enough to be written and read whole (pipe(7)). */
struct news {
    size_t place;
    enum token_mode mode;
    int fd; /* the session's from now on; -1: none */
    unsigned num_threads;
};

/* Flights */

static void init_flights(struct link *link)
{
    link->fd = -1;
    link->mode = TOKEN_MODE_RESTARTING;
    for (size_t i = 0; i < NUM_FLIGHTS; i++) {
        link->flights[i].next = link->free;
        link->free = &link->flights[i];
    }
}

static void note_oldest(struct link *link)
{
    uint64_t oldest_ns = link->oldest != NULL ? link->oldest->sent_ns : 0;
    atomic_store_explicit(&link->oldest_ns, oldest_ns, memory_order_relaxed);
}

/* take_off returns a flight for |job|, the newest; NULL if all are in use. */
static struct flight *take_off(struct link *link, struct backend_job *job, const struct pkcs11_key *key,
                               uint64_t now_ns)
{
    struct flight *flight = link->free;
    if (flight == NULL) {
        return NULL;
    }
    link->free = flight->next;
    flight->job = job;
    flight->key = key;
    flight->sent_ns = now_ns;
    flight->generation++;
    flight->was_moved = false;
    flight->next = NULL;
    flight->previous = link->newest;
    *(link->newest != NULL ? &link->newest->next : &link->oldest) = flight;
    link->newest = flight;
    link->num_flights++;
    note_oldest(link);
    return flight;
}

static void land(struct link *link, struct flight *flight)
{
    *(flight->previous != NULL ? &flight->previous->next : &link->oldest) = flight->next;
    *(flight->next != NULL ? &flight->next->previous : &link->newest) = flight->previous;
    flight->job = NULL;
    flight->next = link->free;
    link->free = flight;
    link->num_flights--;
    note_oldest(link);
}

static uint64_t id_of(const struct link *link, const struct flight *flight)
{
    return (uint64_t)flight->generation << 32 | (uint64_t)(flight - link->flights);
}

/* find_flight returns the flight that |id| means, NULL if it is over. */
static struct flight *find_flight(struct link *link, uint64_t id)
{
    uint64_t index = id & UINT32_MAX;
    if (index >= NUM_FLIGHTS) {
        return NULL;
    }
    struct flight *flight = &link->flights[index];
    return flight->job != NULL && flight->generation == id >> 32 ? flight : NULL;
}

/* Ends of jobs */

static void finish(struct backend_job *job, size_t signature_len, bool may_be_tried_again)
{
    job->signature_len = signature_len;
    job->is_busy = may_be_tried_again;
    job->done(job);
}

static bool verifies(const struct pkcs11_key *key, const struct backend_job *job, struct mg_slice signature)
{
    if (key->base.type->curve != NULL) {
        return true; /* only an RSA signature gone wrong gives the key away */
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    bool ok = context != NULL && EVP_PKEY_verify_init(context) > 0 &&
              EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0 &&
              EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0 &&
              EVP_PKEY_verify(context, signature.data, signature.len, job->digest, key->base.type->digest_len) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return ok;
}

/* Sending */

static struct link *link_of(struct backend_session *session, size_t place)
{
    return &session->links[place];
}

/* partner_of returns the link that takes over what |place| cannot do, NULL if there is none that is up. */
static struct link *partner_of(struct backend_session *session, size_t place)
{
    size_t partner = session->backend->tokens[place].partner;
    struct link *link = partner < session->backend->num_tokens ? link_of(session, partner) : NULL;
    return link != NULL && link->mode == TOKEN_MODE_UP ? link : NULL;
}

static enum wire_token_digest digest_of(const struct key_type *type)
{
    return type->digest_len == 48 ? WIRE_TOKEN_SHA384 : WIRE_TOKEN_SHA256;
}

/* send_flights sends the flights |first| and all behind it, which are of one key and fit a packet. */
static bool send_flights(struct backend_session *session, struct link *link, const struct flight *first)
{
    struct wire_token_sign sign = {.key = first->key->ref, .digest = digest_of(first->key->base.type)};
    struct mg_buffer packet;
    for (const struct flight *flight = first; flight != NULL; flight = flight->next) {
        sign.jobs[sign.num_jobs].id = id_of(link, flight);
        sign.jobs[sign.num_jobs].octets = mg_slice_of(flight->job->digest, first->key->base.type->digest_len);
        sign.num_jobs++;
    }
    mg_buffer_wrap(&packet, session->sent, sizeof(session->sent));
    wire_token_encode_sign(&packet, &sign);
    return mg_buffer_ok(&packet) && send(link->fd, packet.data, packet.len, MSG_NOSIGNAL) == (ssize_t)packet.len;
}

static void lose_link(struct backend_session *session, size_t place);

/* send_jobs gives |jobs| to the token at |place|, which is up. What there is no room for may be tried again. */
static void send_jobs(struct backend_session *session, size_t place, const struct pkcs11_key *key,
                      struct backend_job *const *jobs, size_t num_jobs, bool are_moved)
{
    struct link *link = link_of(session, place);
    struct flight *first = NULL;
    uint64_t now_ns = mg_clock_monotonic_ns();
    for (size_t i = 0; i < num_jobs; i++) {
        struct flight *flight = take_off(link, jobs[i], key, now_ns);
        if (flight == NULL) {
            mg_counter_add(&link->counters.turned_away, 1);
            finish(jobs[i], 0, true);
            continue;
        }
        flight->was_moved = are_moved;
        first = first != NULL ? first : flight;
    }
    if (first != NULL && !send_flights(session, link, first)) {
        lose_link(session, place);
    }
}

/* move_or_end moves a job that |place| could not do to its partner, once; else it is over. */
static void move_or_end(struct backend_session *session, size_t place, const struct flight *flight,
                        bool may_be_tried_again)
{
    struct link *link = link_of(session, place);
    struct backend_job *job = flight->job;
    if (!flight->was_moved && partner_of(session, place) != NULL) {
        mg_counter_add(&link->counters.moved, 1);
        send_jobs(session, session->backend->tokens[place].partner, flight->key, &job, 1, true);
    } else {
        finish(job, 0, may_be_tried_again);
    }
}

/* lose_link is for a token whose process is gone, with all that was under way there. */
static void lose_link(struct backend_session *session, size_t place)
{
    struct link *link = link_of(session, place);
    if (link->fd >= 0) {
        close(link->fd); /* which takes it out of the epoll set */
        link->fd = -1;
    }
    if (link->mode == TOKEN_MODE_UP) {
        link->mode = TOKEN_MODE_RESTARTING; /* until there is news */
    }
    while (link->oldest != NULL) {
        struct flight lost = *link->oldest;
        land(link, link->oldest);
        mg_counter_add(&link->counters.lost, 1);
        move_or_end(session, place, &lost, link->mode == TOKEN_MODE_RESTARTING);
    }
}

/* choose returns the place that |key| is signed at now; that of its token where nobody is up. */
static size_t choose(struct backend_session *session, const struct pkcs11_key *key)
{
    bool is_up = link_of(session, key->place)->mode == TOKEN_MODE_UP;
    return is_up || partner_of(session, key->place) == NULL ? key->place : session->backend->tokens[key->place].partner;
}

static void turn_away(struct link *link, struct backend_job *const *jobs, size_t num_jobs)
{
    mg_counter_add(&link->counters.turned_away, num_jobs);
    for (size_t i = 0; i < num_jobs; i++) {
        finish(jobs[i], 0, link->mode == TOKEN_MODE_RESTARTING);
    }
}

static void pkcs11_sign(struct backend_session *session, const struct backend_key *key, struct backend_job *const *jobs,
                        size_t num_jobs)
{
    const struct pkcs11_key *pkcs11_key = (const struct pkcs11_key *)key;
    size_t place = choose(session, pkcs11_key);
    struct link *link = link_of(session, place);
    if (link->mode != TOKEN_MODE_UP) {
        turn_away(link, jobs, num_jobs);
        return;
    }
    bool are_moved = place != pkcs11_key->place;
    if (are_moved) {
        mg_counter_add(&link_of(session, pkcs11_key->place)->counters.moved, num_jobs);
    }
    send_jobs(session, place, pkcs11_key, jobs, num_jobs, are_moved);
}

static bool pkcs11_has_room(struct backend_session *session, const struct backend_key *key)
{
    const struct link *link = link_of(session, choose(session, (const struct pkcs11_key *)key));
    size_t window = 2 * key->type->turn > link->window ? 2 * key->type->turn : link->window;
    window = window < BACKEND_PKCS11_WINDOW ? window : BACKEND_PKCS11_WINDOW;
    return link->mode != TOKEN_MODE_UP || link->num_flights + key->type->turn <= window;
}

/* Results */

static void take_result(struct backend_session *session, size_t place, const struct wire_token_result *result,
                        uint64_t now_ns)
{
    struct link *link = link_of(session, place);
    struct flight *found = find_flight(link, result->id);
    if (found == NULL) {
        mg_counter_add(&link->counters.unknown_results, 1);
        return;
    }
    struct flight flight = *found;
    land(link, found);
    mg_counter_add(&link->counters.results[result->status], 1);
    mg_histogram_add(&link->counters.latency, &token_latency_shape, now_ns - flight.sent_ns);
    bool is_good = result->status == WIRE_TOKEN_OK && verifies(flight.key, flight.job, result->signature);
    if (result->status == WIRE_TOKEN_OK && !is_good) {
        mg_counter_add(&link->counters.wrong_signatures, 1);
    }
    if (!is_good) {
        move_or_end(session, place, &flight, false);
        return;
    }
    memcpy(flight.job->signature, result->signature.data, result->signature.len);
    finish(flight.job, result->signature.len, false);
}

static void read_link(struct backend_session *session, size_t place)
{
    struct wire_token_result results[WIRE_TOKEN_MAX_BATCH];
    struct link *link = link_of(session, place);
    for (int i = 0; i < MAX_PACKETS_A_ROUND && link->fd >= 0; i++) {
        size_t num_results;
        ssize_t len = recv(link->fd, session->received, sizeof(session->received), MSG_DONTWAIT | MSG_TRUNC);
        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        struct mg_slice packet = mg_slice_of(session->received, len > 0 ? (size_t)len : 0);
        if (packet.len == 0 || packet.len > sizeof(session->received) ||
            wire_token_decode_signed(packet, results, &num_results, NULL) != MG_OK) {
            lose_link(session, place);
            break;
        }
        uint64_t now_ns = mg_clock_monotonic_ns();
        for (size_t n = 0; n < num_results; n++) {
            take_result(session, place, &results[n], now_ns);
        }
    }
}

/* News */

static void take_news(struct backend_session *session, const struct news *news)
{
    struct link *link = link_of(session, news->place);
    if (link->fd >= 0) {
        link->mode = news->mode == TOKEN_MODE_UP ? TOKEN_MODE_RESTARTING : news->mode;
        lose_link(session, news->place);
    }
    link->mode = news->mode;
    if (news->mode != TOKEN_MODE_UP) {
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = news->place};
    link->fd = news->fd;
    link->window = 2 * (size_t)news->num_threads;
    if (epoll_ctl(session->epoll_fd, EPOLL_CTL_ADD, link->fd, &event) != 0) {
        lose_link(session, news->place);
    }
}

static void read_inbox(struct backend_session *session)
{
    struct news news;
    while (read(session->inbox_read, &news, sizeof(news)) == (ssize_t)sizeof(news)) {
        take_news(session, &news);
    }
}

static int pkcs11_poll_fd(const struct backend_session *session)
{
    return session->epoll_fd;
}

static void pkcs11_ready(struct backend_session *session)
{
    struct epoll_event events[WIRE_TOKEN_MAX_PLACES + 1];
    int count = epoll_wait(session->epoll_fd, events, (int)MG_ARRAY_LEN(events), 0);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == INBOX_EVENT) {
            read_inbox(session);
        } else if (link_of(session, events[i].data.u64)->fd >= 0) {
            read_link(session, events[i].data.u64);
        }
    }
}

/* Nothing is kept for a key. */
static void pkcs11_forget(struct backend_session *session, const struct backend_key *key)
{
    (void)session;
    (void)key;
}

/* Sessions */

static void free_session(struct backend_session *session)
{
    struct news news;
    while (session->inbox_read >= 0 && read(session->inbox_read, &news, sizeof(news)) == (ssize_t)sizeof(news)) {
        if (news.fd >= 0) {
            close(news.fd);
        }
    }
    for (size_t i = 0; i < session->backend->num_tokens; i++) {
        if (session->links != NULL && session->links[i].fd >= 0) {
            close(session->links[i].fd);
        }
    }
    int descriptors[] = {session->epoll_fd, session->inbox_read, session->inbox_write};
    for (size_t i = 0; i < MG_ARRAY_LEN(descriptors); i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    free(session->links);
    free(session);
}

static void pkcs11_session_free(struct backend_session *session)
{
    if (session == NULL) {
        return;
    }
    struct pkcs11_backend *backend = session->backend;
    pthread_mutex_lock(&backend->lock);
    for (size_t i = 0; i < backend->num_sessions; i++) {
        if (backend->sessions[i] == session) {
            backend->sessions[i] = NULL;
        }
    }
    pthread_mutex_unlock(&backend->lock);
    free_session(session);
}

static enum mg_status open_session(struct backend_session *session, struct mg_error *error)
{
    int inbox[2];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = INBOX_EVENT};
    session->links = calloc(session->backend->num_tokens, sizeof(*session->links));
    if (session->links == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a signing session");
    }
    for (size_t i = 0; i < session->backend->num_tokens; i++) {
        init_flights(&session->links[i]);
    }
    session->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (session->epoll_fd < 0 || pipe2(inbox, O_CLOEXEC | O_NONBLOCK) != 0) {
        return mg_error_errno(error, "cannot prepare a signing session");
    }
    session->inbox_read = inbox[0];
    session->inbox_write = inbox[1];
    return epoll_ctl(session->epoll_fd, EPOLL_CTL_ADD, session->inbox_read, &event) == 0
               ? MG_OK
               : mg_error_errno(error, "cannot prepare a signing session");
}

static enum mg_status add_session(struct pkcs11_backend *backend, struct backend_session *session,
                                  struct mg_error *error)
{
    enum mg_status status = MG_OK;
    pthread_mutex_lock(&backend->lock);
    if (backend->num_sessions == WIRE_TOKEN_MAX_LANES) {
        status = mg_error_set(error, MG_LIMIT, "more than %d signing threads", WIRE_TOKEN_MAX_LANES);
    } else {
        backend->sessions[backend->num_sessions++] = session;
    }
    pthread_mutex_unlock(&backend->lock);
    return status;
}

static enum mg_status pkcs11_session_new(const struct backend *base, struct backend_session **out,
                                         struct mg_error *error)
{
    struct pkcs11_backend *backend = MG_UNCONST(base); /* whose list is under its lock */
    struct backend_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a signing session");
    }
    session->backend = backend;
    session->epoll_fd = session->inbox_read = session->inbox_write = -1;
    enum mg_status status = open_session(session, error);
    if (status == MG_OK) {
        status = add_session(backend, session, error);
    }
    if (status != MG_OK) {
        free_session(session);
        return status;
    }
    *out = session;
    return MG_OK;
}

/* The backend and its keys */

static void pkcs11_key_free(struct backend_key *base)
{
    struct pkcs11_key *key = (struct pkcs11_key *)base;
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

static const struct backend_ops pkcs11_ops = {
    .name = "pkcs11",
    .session_new = pkcs11_session_new,
    .session_free = pkcs11_session_free,
    .sign = pkcs11_sign,
    .forget = pkcs11_forget,
    .has_room = pkcs11_has_room,
    .poll_fd = pkcs11_poll_fd,
    .ready = pkcs11_ready,
    .key_free = pkcs11_key_free,
};

enum mg_status backend_pkcs11_new(struct backend **out, const struct token_config *tokens, size_t num_tokens,
                                  struct mg_error *error)
{
    struct pkcs11_backend *backend = calloc(1, sizeof(*backend));
    if (backend == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the tokens' backend");
    }
    backend->base.ops = &pkcs11_ops;
    backend->tokens = tokens;
    backend->num_tokens = num_tokens;
    pthread_mutex_init(&backend->lock, NULL);
    *out = &backend->base;
    return MG_OK;
}

void backend_pkcs11_free(struct backend *base)
{
    struct pkcs11_backend *backend = (struct pkcs11_backend *)base;
    if (backend != NULL) {
        pthread_mutex_destroy(&backend->lock);
        free(backend);
    }
}

bool backend_pkcs11_find_token(const struct backend *base, const char *name, size_t *place)
{
    const struct pkcs11_backend *backend = (const struct pkcs11_backend *)base;
    for (size_t i = 0; i < backend->num_tokens; i++) {
        if (strcmp(backend->tokens[i].name, name) == 0) {
            *place = i;
            return true;
        }
    }
    return false;
}

enum mg_status backend_pkcs11_key_ref(const struct wire_key_id *id, EVP_PKEY *pkey, struct wire_token_key_ref *out,
                                      struct mg_error *error)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    out->id = *id;
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, out->fingerprint, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok ? MG_OK : openssl_error_set(error, "cannot hash a public key");
}

enum mg_status backend_pkcs11_add_key(const struct backend *backend, size_t place, const struct wire_key_id *id,
                                      EVP_PKEY *pkey, struct backend_key **out, struct mg_error *error)
{
    const struct key_type *type = key_type_of_key(pkey);
    if (type == NULL) {
        return mg_error_set(error, MG_INVALID, "a key of a type that the signer does not sign with");
    }
    struct pkcs11_key *key = calloc(1, sizeof(*key));
    if (key == NULL || EVP_PKEY_up_ref(pkey) != 1) {
        free(key);
        return mg_error_set(error, MG_MEMORY, "no memory for a key");
    }
    key->base = (struct backend_key){.backend = backend, .type = type};
    key->place = place;
    key->pkey = pkey;
    enum mg_status status = backend_pkcs11_key_ref(id, pkey, &key->ref, error);
    if (status != MG_OK) {
        pkcs11_key_free(&key->base);
        return status;
    }
    *out = &key->base;
    return MG_OK;
}

/* The supervisor's half */

static struct pkcs11_backend *mine(const struct backend *base)
{
    return MG_UNCONST(base); /* what changes is under its lock, or atomic */
}

size_t backend_pkcs11_num_sessions(const struct backend *base)
{
    struct pkcs11_backend *backend = mine(base);
    pthread_mutex_lock(&backend->lock);
    size_t count = backend->num_sessions;
    pthread_mutex_unlock(&backend->lock);
    return count;
}

void backend_pkcs11_set_mode(const struct backend *base, size_t place, enum token_mode mode, const int *lanes,
                             size_t num_sessions, unsigned num_threads)
{
    struct pkcs11_backend *backend = mine(base);
    pthread_mutex_lock(&backend->lock);
    for (size_t i = 0; i < num_sessions; i++) {
        struct news news = {
            .place = place, .mode = mode, .fd = lanes != NULL ? lanes[i] : -1, .num_threads = num_threads};
        /* a session that has ended, or whose inbox is full, takes no socket; the token's process sees it close */
        if ((backend->sessions[i] == NULL ||
             write(backend->sessions[i]->inbox_write, &news, sizeof(news)) != (ssize_t)sizeof(news)) &&
            news.fd >= 0) {
            close(news.fd);
        }
    }
    pthread_mutex_unlock(&backend->lock);
}

uint64_t backend_pkcs11_oldest_ns(const struct backend *base, size_t place)
{
    struct pkcs11_backend *backend = mine(base);
    uint64_t oldest_ns = 0;
    pthread_mutex_lock(&backend->lock);
    for (size_t i = 0; i < backend->num_sessions; i++) {
        const struct backend_session *session = backend->sessions[i];
        uint64_t its =
            session != NULL ? atomic_load_explicit(&session->links[place].oldest_ns, memory_order_relaxed) : 0;
        oldest_ns = its != 0 && (oldest_ns == 0 || its < oldest_ns) ? its : oldest_ns;
    }
    pthread_mutex_unlock(&backend->lock);
    return oldest_ns;
}

const struct token_counters *backend_pkcs11_counters(const struct backend *base, size_t index, size_t place)
{
    struct pkcs11_backend *backend = mine(base);
    pthread_mutex_lock(&backend->lock);
    const struct backend_session *session = index < backend->num_sessions ? backend->sessions[index] : NULL;
    pthread_mutex_unlock(&backend->lock);
    return session != NULL ? &session->links[place].counters : NULL;
}
