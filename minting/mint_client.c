/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/mint_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/unix_socket.h"
#include "minting/mint_jobs.h"

/* Packets received in one call, so that a busy signer does not keep the thread from its other work. */
#define MAX_PACKETS_PER_TURN 64

enum state { DISCONNECTED, GREETING, READY };

/* A key that is not asked for signatures for a while: the signer was busy. */
struct pause {
    struct wire_key_id key_id;
    uint64_t until_ns;
};

struct mint_client {
    char *socket_path;
    struct leaf_keys *leaf_keys;
    uint64_t timeout_ns;
    int64_t max_validity_seconds;
    struct mint_client_callbacks callbacks;
    struct mint_client_counters counters; /* client's thread: rw, metrics: ro */

    int epoll_fd; /* watches |socket_fd|, and is what the owner watches */
    enum state state;
    int socket_fd;       /* -1 while disconnected */
    uint64_t due_ns;     /* disconnected: the next attempt; greeting: when to give up */
    uint64_t backoff_ns; /* after the next failure */
    struct pause pauses[WIRE_SIGNER_MAX_ISSUERS];
    uint64_t last_pause_ns; /* none ends later */
    uint64_t resume_ns;     /* when the first of the jobs that are held may go; UINT64_MAX: none is held */
    uint64_t sweep_ns;      /* when to look for jobs that nobody wants any more */
    bool verified;          /* a good signature has come over this connection */
    size_t turn;            /* spreads leaves over keys */
    struct mint_jobs jobs;
    struct mg_buffer out; /* the packet to send, in memory that is there from the start */
    bool out_is_waiting;  /* |out| is a packet that the socket has not taken yet */
    uint8_t *in;          /* the packet received */
    uint8_t *scratch;     /* where TBSCertificates are assembled */
};

const char *mint_result_name(enum mint_result result)
{
    static const char *const names[MINT_NUM_RESULTS] = {
        [MINT_OK] = "ok",
        [MINT_REFUSED] = "refused",
        [MINT_TIMED_OUT] = "timed_out",
        [MINT_BAD_SIGNATURE] = "bad_signature",
        [MINT_NO_MEMORY] = "no_memory",
        [MINT_SHUT_DOWN] = "shut_down",
        [MINT_CANCELLED] = "cancelled",
    };
    return (unsigned)result < MINT_NUM_RESULTS ? names[result] : "unknown";
}

/* Making and freeing */

static enum mg_status check_options(const struct mint_client_options *options, struct mg_error *error)
{
    if (options->max_jobs < 1 || options->max_jobs > MINT_CLIENT_MAX_JOBS) {
        return mg_error_set(error, MG_INVALID, "mint client: max_jobs must be 1 to %d", MINT_CLIENT_MAX_JOBS);
    }
    if (options->timeout_ns < MG_NS_PER_MS) {
        return mg_error_set(error, MG_INVALID, "mint client: the timeout must be at least 1 ms");
    }
    if (options->max_validity_seconds < 1) {
        return mg_error_set(error, MG_INVALID, "mint client: the maximum validity must be at least 1 second");
    }
    return MG_OK;
}

static enum mg_status allocate(struct mint_client *client, const struct mint_client_options *options)
{
    uint8_t *out = malloc(WIRE_SIGNER_MAX_PACKET);
    mg_buffer_wrap(&client->out, out, WIRE_SIGNER_MAX_PACKET);
    client->socket_path = strdup(options->socket_path);
    client->in = malloc(WIRE_SIGNER_MAX_PACKET);
    client->scratch = malloc(LEAF_TBS_MAX_LEN);
    if (out == NULL || client->socket_path == NULL || client->in == NULL || client->scratch == NULL) {
        return MG_MEMORY;
    }
    return mint_jobs_init(&client->jobs, options->max_jobs);
}

enum mg_status mint_client_new(struct mint_client **out, const struct mint_client_options *options,
                               const struct mint_client_callbacks *callbacks, struct mg_error *error)
{
    enum mg_status status = check_options(options, error);
    if (status != MG_OK) {
        return status;
    }
    struct mint_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return mg_error_set(error, MG_MEMORY, "mint client: no memory");
    }
    client->leaf_keys = options->leaf_keys;
    client->timeout_ns = options->timeout_ns;
    client->max_validity_seconds = options->max_validity_seconds;
    client->callbacks = *callbacks;
    client->socket_fd = -1;
    client->backoff_ns = MINT_CLIENT_FIRST_BACKOFF_NS;
    client->resume_ns = UINT64_MAX;
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    status = client->epoll_fd < 0 ? mg_error_errno(error, "mint client: cannot make an epoll descriptor")
                                  : allocate(client, options);
    if (status != MG_OK) {
        mint_client_free(client);
        return status;
    }
    *out = client;
    return MG_OK;
}

static void close_socket(struct mint_client *client)
{
    if (client->socket_fd >= 0) {
        close(client->socket_fd); /* and with it its place in the epoll set */
        client->socket_fd = -1;
    }
}

void mint_client_free(struct mint_client *client)
{
    if (client == NULL) {
        return;
    }
    (void)mint_jobs_finish_all(&client->jobs, UINT64_MAX, MINT_SHUT_DOWN);
    mint_jobs_free(&client->jobs);
    close_socket(client);
    if (client->epoll_fd >= 0) {
        close(client->epoll_fd);
    }
    free(client->out.data);
    free(client->socket_path);
    free(client->in);
    free(client->scratch);
    free(client);
}

/* The connection */

/* disconnect drops the connection, if there is one, and sets when to try again. */
static void disconnect(struct mint_client *client, uint64_t now_ns)
{
    if (client->socket_fd >= 0) {
        mg_counter_add(&client->counters.lost, 1);
        mg_counter_add(&client->counters.resent, mint_jobs_requeue_all(&client->jobs));
    }
    close_socket(client);
    client->state = DISCONNECTED;
    client->out_is_waiting = false;
    client->due_ns = now_ns + client->backoff_ns;
    client->backoff_ns *= 2;
    if (client->backoff_ns > MINT_CLIENT_LAST_BACKOFF_NS) {
        client->backoff_ns = MINT_CLIENT_LAST_BACKOFF_NS;
    }
}

static void protocol_error(struct mint_client *client, uint64_t now_ns)
{
    mg_counter_add(&client->counters.protocol_errors, 1);
    disconnect(client, now_ns);
}

static bool watch(struct mint_client *client, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(client->epoll_fd, operation, client->socket_fd, &event) == 0;
}

/* send_packet sends |client->out|. If the socket is full the packet waits, and false is returned, as it is when the
 * connection is lost. */
static bool send_packet(struct mint_client *client, uint64_t now_ns)
{
    ssize_t sent = send(client->socket_fd, client->out.data, client->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    bool full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    if (full != client->out_is_waiting) {
        client->out_is_waiting = full;
        if (!watch(client, EPOLL_CTL_MOD, full ? EPOLLIN | EPOLLOUT : EPOLLIN)) {
            disconnect(client, now_ns);
            return false;
        }
    }
    if (sent < 0 && !full) {
        disconnect(client, now_ns);
    }
    return sent >= 0;
}

static void connect_to_signer(struct mint_client *client, uint64_t now_ns)
{
    if (mg_unix_connect(client->socket_path, SOCK_SEQPACKET, &client->socket_fd, NULL) != MG_OK) {
        disconnect(client, now_ns);
        return;
    }
    client->state = GREETING;
    client->due_ns = now_ns + MINT_CLIENT_GREETING_TIMEOUT_NS;
    client->verified = false;
    mg_buffer_clear(&client->out);
    wire_signer_encode_hello(&client->out);
    if (!watch(client, EPOLL_CTL_ADD, EPOLLIN)) {
        disconnect(client, now_ns);
        return;
    }
    (void)send_packet(client, now_ns);
}

/* Sending */

static uint32_t remaining_ms(uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t remaining = deadline_ns > now_ns ? (deadline_ns - now_ns) / MG_NS_PER_MS : 0;
    return remaining < 1 ? 1 : remaining > UINT32_MAX ? UINT32_MAX : (uint32_t)remaining;
}

static const struct wire_key_id *key_of(const struct mint_slot *slot)
{
    return slot->is_proof ? &slot->proof.key_id : &slot->issuer->key_id;
}

static uint64_t end_of_pause(const struct mint_client *client, const struct wire_key_id *key_id, uint64_t now_ns)
{
    for (size_t i = 0; now_ns < client->last_pause_ns && i < MG_ARRAY_LEN(client->pauses); i++) {
        if (memcmp(&client->pauses[i].key_id, key_id, sizeof(*key_id)) == 0) {
            return client->pauses[i].until_ns;
        }
    }
    return 0;
}

/* pause_key begins or prolongs the pause of a key; with more keys than there are places, the one that ends first is
 * forgotten. */
static void pause_key(struct mint_client *client, const struct wire_key_id *key_id, uint64_t until_ns)
{
    struct pause *place = &client->pauses[0];
    for (size_t i = 0; i < MG_ARRAY_LEN(client->pauses); i++) {
        struct pause *pause = &client->pauses[i];
        if (memcmp(&pause->key_id, key_id, sizeof(*key_id)) == 0) {
            place = pause;
            break;
        }
        if (pause->until_ns < place->until_ns) {
            place = pause;
        }
    }
    *place = (struct pause){.key_id = *key_id, .until_ns = until_ns};
    client->last_pause_ns = until_ns;
}

/* hold sets a job aside until the pause of its key ends. */
static void hold(struct mint_client *client, struct mint_slot *slot, uint64_t until_ns)
{
    mint_jobs_hold(&client->jobs, slot);
    if (until_ns < client->resume_ns) {
        client->resume_ns = until_ns;
    }
}

/* next_job returns the first queued job whose key may be asked, and holds those before it whose key may not. */
static struct mint_slot *next_job(struct mint_client *client, uint64_t now_ns)
{
    struct mint_slot *slot;
    while ((slot = TAILQ_FIRST(&client->jobs.queued)) != NULL) {
        uint64_t until_ns = end_of_pause(client, key_of(slot), now_ns);
        if (until_ns <= now_ns) {
            return slot;
        }
        hold(client, slot, until_ns);
    }
    return NULL;
}

static void fill_with_proof(struct mint_client *client, struct mint_slot *slot)
{
    wire_signer_encode_client_sign(&client->out, &slot->proof);
    mint_jobs_mark_sent(&client->jobs, slot);
}

/* fill_with_leaves moves leaves into |client->out| for as long as they fit, or up to a proof. */
static void fill_with_leaves(struct mint_client *client, uint64_t now_ns)
{
    struct mint_slot *slot;
    wire_signer_begin_sign(&client->out);
    while ((slot = next_job(client, now_ns)) != NULL && !slot->is_proof) {
        const struct wire_sign_request request = {
            .id = mint_jobs_id(&client->jobs, slot),
            .key_id = slot->issuer->key_id,
            .timeout_ms = remaining_ms(slot->deadline_ns, now_ns),
            .tbs = slot->tbs.der,
        };
        if (!wire_signer_add_sign(&client->out, &request)) {
            break;
        }
        mint_jobs_mark_sent(&client->jobs, slot);
    }
    (void)wire_signer_end_batch(&client->out); /* not empty: an empty one has room for any leaf */
}

/* fill_packet moves queued jobs into |client->out|: some leaves, or one proof. False if there is none. */
static bool fill_packet(struct mint_client *client, uint64_t now_ns)
{
    struct mint_slot *first = next_job(client, now_ns);
    mg_buffer_clear(&client->out);
    if (first == NULL) {
        return false;
    }
    if (first->is_proof) {
        fill_with_proof(client, first);
    } else {
        fill_with_leaves(client, now_ns);
    }
    return true;
}

void mint_client_flush(struct mint_client *client, uint64_t now_ns)
{
    if (now_ns >= client->resume_ns) {
        mint_jobs_release(&client->jobs);
        client->resume_ns = UINT64_MAX;
    }
    while (client->state == READY && !client->out_is_waiting && fill_packet(client, now_ns)) {
        mg_counter_add(&client->counters.packets, 1);
        if (!send_packet(client, now_ns)) {
            return;
        }
    }
}

/* Receiving */

static void finish(struct mint_client *client, struct mint_slot *slot, struct mint_outcome outcome)
{
    mint_jobs_finish(&client->jobs, slot, &outcome);
}

static bool is_believed(struct mint_client *client, const struct mint_slot *slot, struct mg_slice signature)
{
    if (client->verified && !slot->verify) {
        return true;
    }
    client->verified = issuer_signed(slot->issuer, slot->tbs.der, signature);
    return client->verified;
}

static void on_signature(struct mint_client *client, struct mint_slot *slot, struct mg_slice signature)
{
    if (!is_believed(client, slot, signature)) {
        mg_counter_add(&client->counters.bad_signatures, 1);
        finish(client, slot, (struct mint_outcome){.result = MINT_BAD_SIGNATURE});
        return;
    }
    struct leaf *leaf;
    if (leaf_new_from_signature(&leaf, &slot->tbs, slot->issuer, slot->key, signature) != MG_OK) {
        finish(client, slot, (struct mint_outcome){.result = MINT_NO_MEMORY});
        return;
    }
    mg_counter_add(&client->counters.minted, 1);
    finish(client, slot, (struct mint_outcome){.result = MINT_OK, .leaf = leaf});
}

static void on_proof(struct mint_client *client, struct mint_slot *slot, struct mg_slice signature)
{
    mg_counter_add(&client->counters.proofs_signed, 1);
    finish(client, slot, (struct mint_outcome){.result = MINT_OK, .signature = signature});
}

static void on_result(struct mint_client *client, const struct wire_sign_result *result, uint64_t now_ns)
{
    struct mint_slot *slot = mint_jobs_find_sent(&client->jobs, result->id);
    if (slot == NULL) {
        mg_counter_add(&client->counters.dropped_replies, 1);
        return;
    }
    if (result->status == WIRE_SIGN_OK) {
        if (slot->is_proof) {
            on_proof(client, slot, result->signature);
        } else {
            on_signature(client, slot, result->signature);
        }
        return;
    }
    mg_counter_add(&client->counters.refused[result->status], 1);
    if (result->status == WIRE_SIGN_BUSY) {
        pause_key(client, key_of(slot), now_ns + MINT_CLIENT_BUSY_PAUSE_NS);
        hold(client, slot, now_ns + MINT_CLIENT_BUSY_PAUSE_NS);
        return;
    }
    finish(client, slot, (struct mint_outcome){.result = MINT_REFUSED, .refusal = result->status});
}

static bool on_issuers(struct mint_client *client, struct mg_slice packet)
{
    struct wire_issuers issuers;
    if (wire_signer_decode_issuers(packet, &issuers, NULL) != MG_OK) {
        return false;
    }
    if (client->state != READY) {
        client->state = READY;
        client->backoff_ns = MINT_CLIENT_FIRST_BACKOFF_NS;
        mg_counter_add(&client->counters.connections, 1);
    }
    client->callbacks.issuers(client->callbacks.arg, &issuers);
    return true;
}

static bool on_signed(struct mint_client *client, struct mg_slice packet, uint64_t now_ns)
{
    struct wire_sign_result results[WIRE_SIGNER_MAX_BATCH];
    size_t num_results;
    if (client->state != READY || wire_signer_decode_signed(packet, results, &num_results, NULL) != MG_OK) {
        return false;
    }
    for (size_t i = 0; i < num_results; i++) {
        on_result(client, &results[i], now_ns);
    }
    return true;
}

/* on_packet returns false if the signer is broken. */
static bool on_packet(struct mint_client *client, struct mg_slice packet, uint64_t now_ns)
{
    enum wire_signer_type type;
    if (wire_signer_type_of(packet, &type) != MG_OK) {
        return false;
    }
    switch (type) {
    case WIRE_SIGNER_ISSUERS:
        return on_issuers(client, packet);
    case WIRE_SIGNER_SIGNED:
        return on_signed(client, packet, now_ns);
    default:
        return false;
    }
}

static void receive(struct mint_client *client, uint64_t now_ns)
{
    for (int i = 0; i < MAX_PACKETS_PER_TURN && client->state != DISCONNECTED; i++) {
        /* MSG_TRUNC returns the packet's own length, which says when it did not fit. */
        ssize_t len = recv(client->socket_fd, client->in, WIRE_SIGNER_MAX_PACKET, MSG_DONTWAIT | MSG_TRUNC);
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            return;
        }
        if (len <= 0) {
            disconnect(client, now_ns);
        } else if (len > WIRE_SIGNER_MAX_PACKET || !on_packet(client, mg_slice_of(client->in, (size_t)len), now_ns)) {
            protocol_error(client, now_ns);
        }
    }
}

/* Cancelling */

static bool is_unwanted(const struct mint_slot *slot)
{
    return slot->is_wanted != NULL && !slot->is_wanted(slot->arg);
}

static void cancel(struct mint_client *client, struct mint_slot *slot)
{
    mg_counter_add(&client->counters.cancelled, 1);
    finish(client, slot, (struct mint_outcome){.result = MINT_CANCELLED});
}

/* cancel_unsent ends jobs of |list|, which the signer does not have. */
static void cancel_unsent(struct mint_client *client, struct mint_slot_list *list)
{
    struct mint_slot *next;
    for (struct mint_slot *slot = TAILQ_FIRST(list); slot != NULL; slot = next) {
        next = TAILQ_NEXT(slot, link);
        if (is_unwanted(slot)) {
            cancel(client, slot);
        }
    }
}

/* cancel_sent ends jobs that the signer has, and tells it, as many as one packet takes; a reply that is under way
 * already comes late. Returns false if there may be more. */
static bool cancel_sent(struct mint_client *client, uint64_t now_ns)
{
    struct wire_sign_cancel taken_back = {.num_ids = 0};
    struct mint_slot *next;
    for (struct mint_slot *slot = TAILQ_FIRST(&client->jobs.sent);
         slot != NULL && taken_back.num_ids < WIRE_SIGNER_MAX_BATCH; slot = next) {
        next = TAILQ_NEXT(slot, link);
        if (is_unwanted(slot)) {
            taken_back.ids[taken_back.num_ids++] = mint_jobs_id(&client->jobs, slot);
            cancel(client, slot);
        }
    }
    if (taken_back.num_ids > 0) {
        mg_buffer_clear(&client->out);
        wire_signer_encode_cancel(&client->out, &taken_back);
        (void)send_packet(client, now_ns);
    }
    return taken_back.num_ids < WIRE_SIGNER_MAX_BATCH;
}

/* sweep ends the jobs that nobody wants any more. */
static void sweep(struct mint_client *client, uint64_t now_ns)
{
    cancel_unsent(client, &client->jobs.queued);
    cancel_unsent(client, &client->jobs.held);
    bool is_done = client->state != READY || client->out_is_waiting || cancel_sent(client, now_ns);
    client->sweep_ns = is_done ? now_ns + MINT_CLIENT_SWEEP_NS : now_ns;
}

/* The owner's side */

static void keep_connected(struct mint_client *client, uint64_t now_ns)
{
    if (client->state == GREETING && now_ns >= client->due_ns) {
        disconnect(client, now_ns);
    }
    if (client->state == DISCONNECTED && now_ns >= client->due_ns) {
        connect_to_signer(client, now_ns);
    }
}

void mint_client_process(struct mint_client *client, uint64_t now_ns)
{
    receive(client, now_ns);
    if (now_ns >= client->jobs.earliest_deadline_ns) {
        mg_counter_add(&client->counters.timed_out, mint_jobs_finish_all(&client->jobs, now_ns, MINT_TIMED_OUT));
    }
    if (client->jobs.num_cancellable > 0 && now_ns >= client->sweep_ns) {
        sweep(client, now_ns);
    }
    keep_connected(client, now_ns);
    if (client->out_is_waiting) {
        (void)send_packet(client, now_ns);
    }
    mint_client_flush(client, now_ns);
}

uint64_t mint_client_next_timeout_ns(const struct mint_client *client)
{
    uint64_t next_ns = client->jobs.earliest_deadline_ns;
    if (client->state != READY && client->due_ns < next_ns) {
        next_ns = client->due_ns;
    }
    if (client->state == READY && !client->out_is_waiting) {
        if (!TAILQ_EMPTY(&client->jobs.queued)) {
            return 0;
        }
        if (client->resume_ns < next_ns) {
            next_ns = client->resume_ns;
        }
    }
    if (client->jobs.num_cancellable > 0 && client->sweep_ns < next_ns) {
        next_ns = client->sweep_ns;
    }
    return next_ns;
}

/* make_room prepares for another job, if there may be one. */
static enum mg_status make_room(struct mint_client *client, uint64_t now_ns, struct mg_error *error)
{
    if (TAILQ_EMPTY(&client->jobs.free)) {
        mg_counter_add(&client->counters.full, 1);
        return mg_error_set(error, MG_LIMIT, "mint: %zu jobs are under way", client->jobs.num_slots);
    }
    if (client->jobs.num_cancellable == 0) {
        client->sweep_ns = now_ns + MINT_CLIENT_SWEEP_NS;
    }
    return MG_OK;
}

enum mg_status mint_client_submit(struct mint_client *client, const struct mint_job *job, uint64_t now_ns,
                                  struct mg_error *error)
{
    enum mg_status status = make_room(client, now_ns, error);
    if (status != MG_OK) {
        return status;
    }
    struct leaf_key *key = leaf_keys_pick(client->leaf_keys, job->key_type, client->turn++);
    struct leaf_params params = {
        .issuer = job->issuer,
        .names = job->names,
        .key = key,
        .now = job->now,
        .max_validity_seconds = client->max_validity_seconds,
    };
    RAND_bytes(params.random_serial, sizeof(params.random_serial)); /* BoringSSL aborts where it cannot */
    struct leaf_tbs tbs;
    status = leaf_tbs_build(&tbs, client->scratch, LEAF_TBS_MAX_LEN, &params, error);
    if (status == MG_OK) {
        status = mint_jobs_add(&client->jobs, job, &tbs, key, now_ns + client->timeout_ns);
    }
    if (status == MG_OK) {
        mg_counter_add(&client->counters.requested, 1);
    }
    return status;
}

enum mg_status mint_client_submit_proof(struct mint_client *client, const struct mint_proof *proof, uint64_t now_ns,
                                        struct mg_error *error)
{
    if (proof->content.len < 1 || proof->content.len > WIRE_SIGNER_MAX_CONTENT) {
        return mg_error_set(error, MG_INVALID, "proof: content of %zu bytes: must be 1 to %d", proof->content.len,
                            WIRE_SIGNER_MAX_CONTENT);
    }
    enum mg_status status = make_room(client, now_ns, error);
    if (status == MG_OK) {
        status = mint_jobs_add_proof(&client->jobs, proof, now_ns + client->timeout_ns);
    }
    if (status == MG_OK) {
        mg_counter_add(&client->counters.proofs_requested, 1);
    } else if (status == MG_MEMORY) {
        (void)mg_error_set(error, status, "proof: out of memory");
    }
    return status;
}

int mint_client_fd(const struct mint_client *client)
{
    return client->epoll_fd;
}

bool mint_client_is_ready(const struct mint_client *client)
{
    return client->state == READY;
}

const struct mint_client_counters *mint_client_counters(const struct mint_client *client)
{
    return &client->counters;
}
