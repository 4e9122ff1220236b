/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/publish/publisher.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pool.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/unix_socket.h"
#include "cache/rcu.h"
#include "dataplane/publish/premint.h"
#include "dataplane/publish/store_intake.h"
#include "dataplane/session/issuers.h"
#include "minting/mint_key.h"

#define FIRST_BACKOFF_NS (50 * MG_NS_PER_MS)
#define LAST_BACKOFF_NS (2 * MG_NS_PER_SECOND)
#define PROGRESS_EVERY_NS (200 * MG_NS_PER_MS)
#define MAX_WAIT_MS 100
/* Beside a busy worker and session the thread gets about a twentieth of a processor, and all that they leave over. */
#define BACKGROUND_NICE 10
/* The name in the leaf that shows that the signer signs with an issuer (RFC 6761 section 6.4). */
#define PROBE_NAME "probe.invalid"
/* Of the cache, as much as may be leaves that were minted ahead: the rest is for those that are in use. */
#define PREMINT_SHARE 2

enum stage { WAITING, PROBING, MINTING, READY };

struct preparation {
    enum stage stage;
    uint64_t number; /* of all that there ever were */
    uint64_t epoch;
    struct issuer_set *set;
    struct mg_buffer packet; /* as it came, for the file */
    uint32_t premint_ms;
    size_t num_probes; /* under way */
    struct premint *premint;
    uint64_t began_ns;      /* minting ahead */
    uint64_t minted_before; /* of the client's counter, when that began */
    uint64_t deadline_ns;   /* of minting ahead */
    uint64_t progress_ns;   /* when it was told last */
};

struct publisher {
    struct dataplane *dataplane;
    const char *socket_path;
    const char *file; /* "": none */
    struct mint_client *minter;
    int epoll_fd;
    int stop_fd;       /* an eventfd: written to stop */
    _Atomic bool stop; /* main: wo, thread: ro */
    sem_t settled;     /* the thread has made the last system calls that are forbidden later */
    pthread_t thread;
    bool started;

    int fd;              /* of the control plane; -1 */
    uint64_t due_ns;     /* the next attempt to connect */
    uint64_t backoff_ns; /* after the next failure */
    uint64_t now_ns;
    struct preparation preparation;
    struct store_intake stores;
    uint64_t said_generation; /* of the policy whose stores the control plane knows to be wanted; 0: of none */
    bool has_wanted;          /* it was told of stores on this connection */
    uint8_t *in;
    struct mg_buffer out;

    _Atomic bool connected;                        /* thread: wo, metrics: ro */
    struct mg_counter committed, refused, aborted; /* thread: rw, metrics: ro */
    struct mg_counter minted_ahead;                /* leaves; likewise */
    struct mg_counter minting_ahead_ns;            /* likewise */
};

/* A probe under way: it may end after its preparation did. */
struct probe {
    struct publisher *publisher;
    uint64_t number; /* of its preparation */
};

/* ---- to the control plane ---- */

static void disconnect(struct publisher *publisher);

/* tell sends |message|. Where the socket does not take it the control plane does not read: it will be told what stands
 * when it connects again. */
static void tell(struct publisher *publisher, const struct wire_publish *message)
{
    if (publisher->fd < 0) {
        return;
    }
    mg_buffer_clear(&publisher->out);
    wire_publish_encode(&publisher->out, message);
    ssize_t len = send(publisher->fd, publisher->out.data, publisher->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (len < 0 && message->type != WIRE_PUBLISH_PROGRESS) {
        disconnect(publisher);
    }
}

static void tell_progress(struct publisher *publisher)
{
    struct preparation *preparation = &publisher->preparation;
    size_t num_done, num_all;
    premint_progress(preparation->premint, &num_done, &num_all);
    preparation->progress_ns = publisher->now_ns;
    const struct wire_publish message = {
        .type = WIRE_PUBLISH_PROGRESS,
        .epoch = preparation->epoch,
        .num_done = (uint32_t)num_done,
        .num_all = (uint32_t)num_all,
    };
    tell(publisher, &message);
}

/* ---- a preparation ---- */

static uint64_t num_minted(const struct publisher *publisher)
{
    return mg_counter_get(&mint_client_counters(publisher->minter)->minted);
}

/* end_minting ends minting ahead, if it is under way, and counts what came of it. */
static void end_minting(struct publisher *publisher)
{
    struct preparation *preparation = &publisher->preparation;
    if (preparation->premint != NULL) {
        mg_counter_add(&publisher->minted_ahead, num_minted(publisher) - preparation->minted_before);
        mg_counter_add(&publisher->minting_ahead_ns, publisher->now_ns - preparation->began_ns);
        premint_free(preparation->premint);
        preparation->premint = NULL;
    }
}

static void end_preparation(struct publisher *publisher)
{
    struct preparation *preparation = &publisher->preparation;
    end_minting(publisher);
    issuer_set_free(preparation->set);
    mg_buffer_free(&preparation->packet);
    *preparation = (struct preparation){.number = preparation->number + 1};
}

static void refuse(struct publisher *publisher, uint64_t epoch, const char *reason)
{
    mg_log_warning("publication %llu cannot be prepared: %s", (unsigned long long)epoch, reason);
    mg_counter_add(&publisher->refused, 1);
    end_preparation(publisher);
    struct mg_slice text = mg_slice_of_text(reason);
    text.len = text.len > WIRE_PUBLISH_MAX_TEXT ? WIRE_PUBLISH_MAX_TEXT : text.len;
    const struct wire_publish message = {.type = WIRE_PUBLISH_PREPARED, .epoch = epoch, .reason = text};
    tell(publisher, &message);
}

static void ready(struct publisher *publisher)
{
    struct preparation *preparation = &publisher->preparation;
    if (preparation->premint != NULL) {
        tell_progress(publisher);
    }
    end_minting(publisher);
    preparation->stage = READY;
    const struct wire_publish message = {
        .type = WIRE_PUBLISH_PREPARED,
        .epoch = preparation->epoch,
        .ready = true,
    };
    tell(publisher, &message);
}

/* begin_minting mints ahead what the present default serves, if there is another one to come. */
static void begin_minting(struct publisher *publisher)
{
    struct preparation *preparation = &publisher->preparation;
    struct dataplane *dataplane = publisher->dataplane;
    struct issuer *present, *next = issuer_set_get0_default(preparation->set);
    int64_t now = mg_clock_wall_seconds();
    (void)issuers_choose(dataplane->issuers, "", CONFIG_EXPIRY_SUCCESSOR, now, &present);
    const struct premint_options options = {
        .leaves = dataplane->leaves,
        .config = &dataplane->config->cache,
        .minter = publisher->minter,
        .from = present == NULL ? 0 : present->generation,
        .to = next,
        .max = dataplane->config->cache.entries / PREMINT_SHARE,
    };
    preparation->stage = MINTING;
    preparation->began_ns = publisher->now_ns;
    preparation->minted_before = num_minted(publisher);
    preparation->deadline_ns = publisher->now_ns + preparation->premint_ms * MG_NS_PER_MS;
    bool needed = preparation->premint_ms > 0 && present != NULL && present->generation != next->generation &&
                  issuer_set_is_usable(preparation->set, 0, now);
    if (!needed) {
        ready(publisher);
    } else if (premint_new(&preparation->premint, &options) != MG_OK) {
        mg_log_warning("nothing is minted ahead: out of memory");
        ready(publisher);
    }
}

static void probe_done(void *arg, const struct mint_outcome *outcome)
{
    struct probe *probe = arg;
    struct publisher *publisher = probe->publisher;
    struct preparation *preparation = &publisher->preparation;
    bool wanted = probe->number == preparation->number && preparation->stage == PROBING;
    free(probe);
    if (outcome->result == MINT_OK) {
        cache_value_unref(&outcome->leaf->value);
    }
    if (!wanted) {
        return;
    }
    preparation->num_probes--;
    if (outcome->result != MINT_OK) {
        char reason[WIRE_PUBLISH_MAX_TEXT];
        snprintf(reason, sizeof(reason), "the signer does not sign with an issuer: %s",
                 outcome->result == MINT_REFUSED ? wire_sign_status_name(outcome->refusal)
                                                 : mint_result_name(outcome->result));
        refuse(publisher, preparation->epoch, reason);
    } else if (preparation->num_probes == 0) {
        begin_minting(publisher);
    }
}

/* probe has the signer sign a leaf that nobody is shown: named PROBE_NAME, and as valid as the issuer. */
static enum mg_status probe(struct publisher *publisher, struct issuer *issuer, struct mg_error *error)
{
    struct probe *context = malloc(sizeof(*context));
    struct mimic *mimic = NULL;
    enum mg_status status = MG_MEMORY;
    if (context != NULL) {
        *context = (struct probe){.publisher = publisher, .number = publisher->preparation.number};
        status = mimic_new(&mimic,
                           mg_slice_of(CRYPTO_BUFFER_data(issuer->certificate), CRYPTO_BUFFER_len(issuer->certificate)),
                           error);
    }
    if (status == MG_OK) {
        struct leaf_names names;
        leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of_text(PROBE_NAME), NULL, NULL);
        const struct mint_job job = {
            .issuer = issuer,
            .names = &names,
            .key_type = LEAF_KEY_EC_P256,
            .now = mg_clock_wall_seconds(),
            .done = probe_done,
            .arg = context,
            .verify = true,
        };
        status = mint_client_submit(publisher->minter, &job, publisher->now_ns, error);
    }
    mimic_unref(mimic);
    if (status != MG_OK) {
        free(context);
        return status;
    }
    publisher->preparation.num_probes++;
    return MG_OK;
}

/* probe_all probes all issuers of the preparation that are to sign: one that has expired, or is revoked, is known, and
 * no more. */
static enum mg_status probe_all(struct publisher *publisher, struct mg_error *error)
{
    const struct issuer_set *set = publisher->preparation.set;
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < issuer_set_count(set); i++) {
        if (issuer_set_is_usable(set, i, mg_clock_wall_seconds())) {
            status = probe(publisher, issuer_set_get0(set, i), error);
        }
    }
    return status;
}

/* ---- from the control plane ---- */

/* prepare begins. The engine's own words for what is wrong go back to the control plane. */
static void prepare(struct publisher *publisher, const struct wire_publish *message, struct mg_slice packet)
{
    struct preparation *preparation = &publisher->preparation;
    struct mg_error error = {"out of memory"};
    end_preparation(publisher);
    enum mg_status status =
        issuers_prepare(publisher->dataplane->issuers, message, mg_clock_wall_seconds(), &preparation->set, &error);
    if (status == MG_OK) {
        preparation->stage = PROBING;
        preparation->epoch = message->epoch;
        preparation->premint_ms = message->premint_ms;
        mg_buffer_init(&preparation->packet, WIRE_PUBLISH_MAX_PACKET);
        mg_buffer_append_slice(&preparation->packet, packet);
        status = mg_buffer_ok(&preparation->packet) ? MG_OK : MG_MEMORY;
    }
    if (status == MG_OK) {
        status = probe_all(publisher, &error);
    }
    if (status != MG_OK) {
        refuse(publisher, message->epoch, error.text);
    } else if (preparation->num_probes == 0) {
        begin_minting(publisher);
    }
    mint_client_flush(publisher->minter, publisher->now_ns);
}

static bool is_retired(struct mg_slice key, struct cache_value *value, void *arg)
{
    const struct issuer_set *const *in_use = arg;
    (void)value;
    return !issuer_set_uses(*in_use, mint_key_generation(key));
}

/* reclaim takes leaves of issuers that are gone out of the cache. Sessions that have one keep it. */
static void reclaim(struct publisher *publisher)
{
    const struct issuer_set *in_use = issuers_get0_set(publisher->dataplane->issuers);
    size_t num = cache_remove_if(publisher->dataplane->leaves, is_retired, &in_use);
    mg_log_info("publication %llu is served; %zu leaves of former issuers left the cache",
                (unsigned long long)issuers_epoch(publisher->dataplane->issuers), num);
}

static void keep(const struct publisher *publisher, struct mg_slice packet)
{
    struct mg_error error;
    if (publisher->file[0] != '\0' && mg_file_write_atomic(publisher->file, packet, 0600, &error) != MG_OK) {
        mg_log_error("minting.published: %s; a start without the control plane would serve what was before",
                     error.text);
    }
}

static void commit(struct publisher *publisher, uint64_t epoch)
{
    struct preparation *preparation = &publisher->preparation;
    const struct wire_publish answer = {.type = WIRE_PUBLISH_COMMITTED, .epoch = epoch};
    if (preparation->stage == READY && preparation->epoch == epoch) {
        keep(publisher, mg_buffer_slice(&preparation->packet));
        issuers_commit(publisher->dataplane->issuers, preparation->set);
        preparation->set = NULL;
        end_preparation(publisher);
        mg_counter_add(&publisher->committed, 1);
        tell(publisher, &answer);
        reclaim(publisher);
    } else if (epoch == issuers_epoch(publisher->dataplane->issuers)) {
        tell(publisher, &answer); /* asked again */
    } else {
        mg_log_error("control plane: COMMIT of %llu, which is not prepared", (unsigned long long)epoch);
        disconnect(publisher);
    }
}

/* ---- stores ---- */

/* say_wants says which stores the present configuration names. Who never wanted any need not say so. */
static void say_wants(struct publisher *publisher)
{
    const struct policy *policy = mg_rcu_load(&publisher->dataplane->policy);
    char trust_store[WIRE_STORE_MAX_NAME + 1];
    struct wire_publish message = {.type = WIRE_PUBLISH_WANT};
    struct wire_store_wants *wants = &message.store.wants;
    server_trust_store_name(publisher->dataplane->trust, trust_store);
    if (trust_store[0] != '\0') {
        wants->ids[wants->num_ids++] = (struct wire_store_id){WIRE_STORE_TRUST, mg_slice_of_text(trust_store)};
    }
    for (size_t i = 0; i < policy_num_key_stores(policy) && wants->num_ids < WIRE_STORE_MAX_WANTS; i++) {
        const char *name = policy_key_store(policy, i);
        wants->ids[wants->num_ids++] = (struct wire_store_id){WIRE_STORE_KEYS, mg_slice_of_text(name)};
    }
    publisher->said_generation = policy_generation(policy);
    if (wants->num_ids > 0 || publisher->has_wanted) {
        publisher->has_wanted = true;
        tell(publisher, &message);
    }
    if (client_keys_drop_others(publisher->dataplane->client_keys, wants) != MG_OK) {
        mg_log_warning("key stores that are not wanted any more stay: out of memory");
    }
}

/* say_changed_wants does so after a reload. */
static void say_changed_wants(struct publisher *publisher)
{
    if (publisher->fd >= 0 &&
        policy_generation(mg_rcu_load(&publisher->dataplane->policy)) != publisher->said_generation) {
        say_wants(publisher);
    }
}

static void take_store(struct publisher *publisher, const struct wire_publish *message)
{
    struct mg_error error = {""};
    struct wire_publish answer = {.type = WIRE_PUBLISH_STORE_TAKEN, .epoch = message->epoch};
    struct wire_store_taken *taken = &answer.store.taken;
    taken->id = message->store.part.id;
    enum mg_status status = store_intake_take(&publisher->stores, message, &taken->num_taken, &error);
    if (status == MG_INVALID) {
        mg_log_error("control plane: %s", error.text);
        disconnect(publisher);
        return;
    }
    if (status != MG_OK) {
        mg_log_error("store %.*s: %s; what was in force of it stays", (int)taken->id.name.len,
                     (const char *)taken->id.name.data, error.text);
        taken->reason = mg_slice_of_text(error.text);
    }
    tell(publisher, &answer);
}

static void handle(struct publisher *publisher, struct mg_slice packet)
{
    struct wire_publish message;
    struct mg_error error;
    if (wire_publish_decode(&message, packet, &error) != MG_OK) {
        mg_log_error("control plane: %s", error.text);
        disconnect(publisher);
        return;
    }
    switch (message.type) {
    case WIRE_PUBLISH_PREPARE:
        prepare(publisher, &message, packet);
        break;
    case WIRE_PUBLISH_COMMIT:
        commit(publisher, message.epoch);
        break;
    case WIRE_PUBLISH_ABORT:
        if (publisher->preparation.stage != WAITING && publisher->preparation.epoch == message.epoch) {
            mg_counter_add(&publisher->aborted, 1);
            end_preparation(publisher);
        }
        break;
    case WIRE_PUBLISH_STORE:
        take_store(publisher, &message);
        break;
    case WIRE_PUBLISH_WANT:
    case WIRE_PUBLISH_STORE_TAKEN:
    case WIRE_PUBLISH_HELLO:
    case WIRE_PUBLISH_PROGRESS:
    case WIRE_PUBLISH_PREPARED:
    case WIRE_PUBLISH_COMMITTED:
        mg_log_error("control plane: a message of type %d is not for engines", (int)message.type);
        disconnect(publisher);
        break;
    }
}

static void receive(struct publisher *publisher)
{
    while (publisher->fd >= 0) {
        ssize_t len = recv(publisher->fd, publisher->in, WIRE_PUBLISH_MAX_PACKET, MSG_DONTWAIT | MSG_TRUNC);
        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (len <= 0 || len > WIRE_PUBLISH_MAX_PACKET) {
            disconnect(publisher);
            return;
        }
        handle(publisher, mg_slice_of(publisher->in, (size_t)len));
    }
}

/* ---- the connection ---- */

static bool watch(const struct publisher *publisher, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(publisher->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void disconnect(struct publisher *publisher)
{
    if (publisher->fd >= 0) {
        mg_log_info("the control plane is gone");
        close(publisher->fd);
        publisher->fd = -1;
        atomic_store_explicit(&publisher->connected, false, memory_order_relaxed);
        end_preparation(publisher);
        store_intake_forget(&publisher->stores);
    }
    publisher->due_ns = publisher->now_ns + publisher->backoff_ns;
    publisher->backoff_ns *= 2;
    publisher->backoff_ns = publisher->backoff_ns < LAST_BACKOFF_NS ? publisher->backoff_ns : LAST_BACKOFF_NS;
}

static void connect_when_due(struct publisher *publisher)
{
    if (publisher->fd >= 0 || publisher->now_ns < publisher->due_ns) {
        return;
    }
    int fd;
    if (mg_unix_connect(publisher->socket_path, SOCK_SEQPACKET, &fd, NULL) != MG_OK) {
        disconnect(publisher);
        return;
    }
    if (!mg_unix_peer_allowed(fd, NULL, NULL) || !watch(publisher, fd)) {
        mg_log_error("control plane: who listens on %s is neither root nor this user", publisher->socket_path);
        close(fd);
        disconnect(publisher);
        return;
    }
    publisher->fd = fd;
    publisher->backoff_ns = FIRST_BACKOFF_NS;
    atomic_store_explicit(&publisher->connected, true, memory_order_relaxed);
    const struct wire_publish hello = {
        .type = WIRE_PUBLISH_HELLO,
        .epoch = issuers_epoch(publisher->dataplane->issuers),
        .version = WIRE_PUBLISH_VERSION,
    };
    mg_log_info("connected to the control plane");
    tell(publisher, &hello);
    publisher->has_wanted = false;
    say_wants(publisher);
}

/* ---- the thread ---- */

static void take_issuers(void *arg, const struct wire_issuers *issuers)
{
    const struct publisher *publisher = arg;
    issuers_update(publisher->dataplane->issuers, issuers, mg_clock_wall_seconds());
}

static void mint_ahead(struct publisher *publisher)
{
    struct preparation *preparation = &publisher->preparation;
    if (preparation->premint == NULL) {
        return;
    }
    if (premint_step(preparation->premint, mg_clock_wall_seconds(), publisher->now_ns) ||
        publisher->now_ns >= preparation->deadline_ns) {
        ready(publisher);
    } else if (publisher->now_ns - preparation->progress_ns >= PROGRESS_EVERY_NS) {
        tell_progress(publisher);
    }
}

static int wait_ms(const struct publisher *publisher)
{
    uint64_t now_ns = mg_clock_monotonic_ns(), until_ns = mint_client_next_timeout_ns(publisher->minter);
    uint64_t latest_ns = now_ns + MAX_WAIT_MS * MG_NS_PER_MS;
    return mg_clock_wait_ms(now_ns, until_ns < latest_ns ? until_ns : latest_ns);
}

static void turn(struct publisher *publisher)
{
    struct epoll_event events[4];
    mg_rcu_offline();
    (void)epoll_wait(publisher->epoll_fd, events, MG_ARRAY_LEN(events), wait_ms(publisher));
    mg_rcu_online();
    publisher->now_ns = mg_clock_monotonic_ns();
    connect_when_due(publisher);
    say_changed_wants(publisher);
    receive(publisher);
    mint_client_process(publisher->minter, publisher->now_ns);
    mint_ahead(publisher);
}

/* settle has the thread give up what it needs no more, and step back behind workers and sessions. */
static enum mg_status settle(struct mg_error *error)
{
    pthread_setname_np(pthread_self(), "publisher");
    (void)setpriority(PRIO_PROCESS, 0, BACKGROUND_NICE); /* on Linux the calling thread's alone */
    return mg_confine_thread(error);
}

static void *publisher_main(void *arg)
{
    struct publisher *publisher = arg;
    struct mg_error error;
    enum mg_status status = settle(&error);
    sem_post(&publisher->settled);
    if (status != MG_OK || mg_rcu_thread_start() != MG_OK) {
        mg_log_error("the publisher does not start: nothing is taken from the control plane");
        return NULL;
    }
    while (!atomic_load_explicit(&publisher->stop, memory_order_relaxed)) {
        turn(publisher);
    }
    end_preparation(publisher);
    store_intake_forget(&publisher->stores);
    mint_client_free(publisher->minter); /* what is under way ends here */
    publisher->minter = NULL;
    mg_rcu_thread_stop();
    return NULL;
}

/* ---- life ---- */

/* load takes over what the file says. */
static void load(struct publisher *publisher)
{
    struct wire_publish message;
    struct issuer_set *set;
    struct mg_error error;
    mg_file_remove_unfinished(publisher->file);
    mg_buffer_clear(&publisher->out);
    enum mg_status status =
        publisher->file[0] == '\0' ? MG_NOT_FOUND : mg_file_read(publisher->file, &publisher->out, &error);
    if (status == MG_NOT_FOUND) {
        return;
    }
    if (status == MG_OK) {
        status = wire_publish_decode(&message, mg_buffer_slice(&publisher->out), &error);
    }
    if (status == MG_OK && message.type != WIRE_PUBLISH_PREPARE) {
        status = mg_error_set(&error, MG_INVALID, "not a publication");
    }
    if (status == MG_OK) {
        status = issuers_prepare(publisher->dataplane->issuers, &message, mg_clock_wall_seconds(), &set, &error);
    }
    if (status != MG_OK) {
        mg_log_error("minting.published: %s: %s; the signer's own default is served", publisher->file, error.text);
        return;
    }
    issuers_commit(publisher->dataplane->issuers, set);
    mg_log_info("publication %llu is served, as before", (unsigned long long)message.epoch);
}

static enum mg_status make_minter(struct publisher *publisher, struct mg_error *error)
{
    const struct config *config = publisher->dataplane->config;
    const struct mint_client_options options = {
        .socket_path = config->signer.engine_socket,
        .leaf_keys = publisher->dataplane->leaf_keys,
        .max_jobs = PREMINT_IN_FLIGHT + WIRE_PUBLISH_MAX_ISSUERS,
        .timeout_ns = config->minting.timeout_ns,
        .max_validity_seconds = (int64_t)config->minting.max_validity_seconds,
    };
    const struct mint_client_callbacks callbacks = {.issuers = take_issuers, .arg = publisher};
    return mint_client_new(&publisher->minter, &options, &callbacks, error);
}

enum mg_status publisher_new(struct publisher **out, struct dataplane *dataplane, struct mg_error *error)
{
    struct publisher *publisher = calloc(1, sizeof(*publisher));
    if (publisher == NULL) {
        return mg_error_set(error, MG_MEMORY, "publisher: out of memory");
    }
    sem_init(&publisher->settled, 0, 0);
    publisher->dataplane = dataplane;
    publisher->stores = (struct store_intake){.trust = dataplane->trust, .client_keys = dataplane->client_keys};
    publisher->socket_path = dataplane->config->control.engine_socket;
    publisher->file = dataplane->config->minting.published;
    publisher->fd = -1;
    publisher->backoff_ns = FIRST_BACKOFF_NS;
    publisher->in = malloc(WIRE_PUBLISH_MAX_PACKET);
    mg_buffer_init(&publisher->out, WIRE_PUBLISH_MAX_PACKET);
    publisher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    publisher->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    enum mg_status status = make_minter(publisher, error);
    if (status == MG_OK &&
        (publisher->in == NULL || publisher->epoll_fd < 0 || publisher->stop_fd < 0 ||
         !watch(publisher, publisher->stop_fd) || !watch(publisher, mint_client_fd(publisher->minter)))) {
        status = mg_error_errno(error, "publisher: no descriptors");
    }
    if (status != MG_OK) {
        publisher_free(publisher);
        return status;
    }
    load(publisher);
    *out = publisher;
    return MG_OK;
}

enum mg_status publisher_start(struct publisher *publisher, struct mg_error *error)
{
    if (pthread_create(&publisher->thread, NULL, publisher_main, publisher) != 0) {
        return mg_error_set(error, MG_INTERNAL, "cannot start the publisher");
    }
    publisher->started = true;
    while (sem_wait(&publisher->settled) != 0) { /* a signal */
    }
    return MG_OK;
}

void publisher_stop(struct publisher *publisher)
{
    if (publisher->started) {
        atomic_store_explicit(&publisher->stop, true, memory_order_relaxed);
        (void)eventfd_write(publisher->stop_fd, 1);
        pthread_join(publisher->thread, NULL);
        publisher->started = false;
    }
}

void publisher_free(struct publisher *publisher)
{
    if (publisher->fd >= 0) {
        close(publisher->fd);
    }
    if (publisher->epoll_fd >= 0) {
        close(publisher->epoll_fd);
    }
    if (publisher->stop_fd >= 0) {
        close(publisher->stop_fd);
    }
    mint_client_free(publisher->minter);
    sem_destroy(&publisher->settled);
    mg_buffer_free(&publisher->out);
    free(publisher->in);
    free(publisher);
}

/* ---- for other threads ---- */

void publisher_metrics_write(const struct publisher *publisher, struct mg_buffer *out)
{
    static const char name[] = "mintgate_dataplane_publications_total";
    mg_metrics_family(out, "mintgate_dataplane_control_connected", "gauge", "1 while the control plane is connected.");
    mg_metrics_sample(out, "mintgate_dataplane_control_connected", "",
                      atomic_load_explicit(&publisher->connected, memory_order_relaxed));
    mg_metrics_family(out, "mintgate_dataplane_published_epoch", "gauge", "What the control plane published last.");
    mg_metrics_sample(out, "mintgate_dataplane_published_epoch", "", issuers_epoch(publisher->dataplane->issuers));
    mg_metrics_family(out, name, "counter", "What the control plane published, by how it ended.");
    mg_metrics_sample(out, name, "end=\"committed\"", mg_counter_get(&publisher->committed));
    mg_metrics_sample(out, name, "end=\"refused\"", mg_counter_get(&publisher->refused));
    mg_metrics_sample(out, name, "end=\"aborted\"", mg_counter_get(&publisher->aborted));
    mg_metrics_family(out, "mintgate_dataplane_minted_ahead_total", "counter", "Leaves minted before a swap.");
    mg_metrics_sample(out, "mintgate_dataplane_minted_ahead_total", "", mg_counter_get(&publisher->minted_ahead));
    mg_metrics_family(out, "mintgate_dataplane_minting_ahead_seconds_total", "counter", "How long that took.");
    mg_metrics_sample_seconds(out, "mintgate_dataplane_minting_ahead_seconds_total", "",
                              (double)mg_counter_get(&publisher->minting_ahead_ns) / (double)MG_NS_PER_SECOND);
}

const struct mint_client_counters *publisher_mint_counters(const struct publisher *publisher)
{
    return mint_client_counters(publisher->minter);
}
