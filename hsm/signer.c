/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/unix_socket.h"
#include "hsm/backend_pkcs11.h"
#include "hsm/backend_software.h"
#include "hsm/builtin.h"
#include "hsm/control_server.h"
#include "hsm/signer_metrics.h"
#include "hsm/token_launch.h"
#include "hsm/token_supervisor.h"
#include "metrics/metrics_http.h"

#define MAX_LOOPS ISSUER_PUBLISHER_MAX_LOOPS
#define SYNC_INTERVAL_MS 1000
#define EXPIRY_WARNING (30 * INT64_C(86400))

struct signer {
    struct signer_config config;
    int lock_fd;
    struct kek *kek;
    struct keystore *store;
    struct backend *software, *pkcs11; /* the second: NULL where no token is configured */
    struct backends backends;          /* the two */
    struct token_supervisor *tokens;   /* NULL likewise */
    struct issuer_publisher *issuers;
    struct client_keys *client_keys;
    struct journal *journal;
    int listen_fd;
    int control_fd; /* listens likewise */
    int signal_fd;
    struct signing_loop *loops[MAX_LOOPS];
    const struct signing_counters *loop_counters[MAX_LOOPS];
    size_t num_loops;
    size_t next_loop;                /* that gets the next connection */
    struct mg_counter refused_peers; /* main thread: rw, metrics: ro */
    struct control_service control;
    struct control_server *control_server;
    struct signer_metrics metrics;
    struct metrics_http *metrics_server;
};

/* Opening */

/* lock_state keeps a second signer out of the state directory for as long as this process lives. */
static enum mg_status lock_state(struct signer *signer, struct mg_error *error)
{
    const char *path = signer->config.lock_path;
    signer->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (signer->lock_fd < 0) {
        return mg_error_errno(error, "cannot open %s", path);
    }
    if (flock(signer->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? mg_error_set(error, MG_EXISTS, "%s: another signer runs on this state directory", path)
                   : mg_error_errno(error, "cannot lock %s", path);
    }
    return MG_OK;
}

/* open_kek makes a key-encryption key only where nothing is sealed yet: a new one would open none of the old keys. */
static enum mg_status open_kek(struct signer *signer, struct mg_error *error)
{
    const struct signer_config *config = &signer->config;
    if (config->kek_credential[0] != '\0') {
        return kek_read_credential(&signer->kek, config->kek_credential, error);
    }
    enum mg_status status = kek_read_file(&signer->kek, config->kek_file, error);
    if (status != MG_NOT_FOUND) {
        return status;
    }
    if (keystore_directory_has_keys(config->keys_dir)) {
        return mg_error_set(error, MG_NOT_FOUND, "%s, the key-encryption key of the keys in %s, is missing",
                            config->kek_file, config->keys_dir);
    }
    status = kek_create(&signer->kek, config->kek_file, error);
    if (status == MG_OK) {
        mg_log_info("made the key-encryption key %s: keep a copy of it apart from copies of %s", config->kek_file,
                    config->state_dir);
    }
    return status;
}

static void warn_of_expiry(const struct issuer_set *issuers, int64_t now)
{
    for (size_t i = 0; i < issuers->num_issuers; i++) {
        const struct issuer *issuer = issuers->issuers[i];
        int64_t left = issuer->facts.not_after - now;
        if (left < EXPIRY_WARNING) {
            mg_log_warning("minting issuer %02x%02x%02x%02x %s %lld days %s", issuer->key_id.bytes[0],
                           issuer->key_id.bytes[1], issuer->key_id.bytes[2], issuer->key_id.bytes[3],
                           left < 0 ? "expired" : "expires in", (long long)(llabs(left) / 86400),
                           left < 0 ? "ago" : "");
        }
    }
}

static enum mg_status open_backends(struct signer *signer, struct mg_error *error)
{
    const struct signer_config *config = &signer->config;
    enum mg_status status = backend_software_new(&signer->software, config->use_crypto_mb, error);
    if (status == MG_OK && config->num_tokens > 0) {
        status = backend_pkcs11_new(&signer->pkcs11, config->tokens, config->num_tokens, error);
    }
    signer->backends = (struct backends){.software = signer->software, .tokens = signer->pkcs11};
    return status;
}

static enum mg_status open_keys(struct signer *signer, struct mg_error *error)
{
    const struct signer_config *config = &signer->config;
    enum mg_status status = keystore_open(&signer->store, config->keys_dir, signer->kek, error);
    if (status == MG_OK) {
        status =
            builtin_ensure(signer->store, config->builtin_key_type, config->root_path, mg_clock_wall_seconds(), error);
    }
    if (status == MG_OK) {
        status = open_backends(signer, error);
    }
    struct issuer_set *issuers = NULL;
    if (status == MG_OK) {
        status = issuer_set_new(&issuers, signer->store, &signer->backends, error);
    }
    if (status == MG_OK) {
        warn_of_expiry(issuers, mg_clock_wall_seconds());
        status = issuer_publisher_new(&signer->issuers, issuers, error);
    }
    if (status == MG_OK) {
        status = client_keys_new(&signer->client_keys, signer->store, error);
    }
    return status;
}

static enum mg_status open_journal(struct signer *signer, struct mg_error *error)
{
    struct journal_config config = {.directory = signer->config.journal_dir,
                                    .rotate_bytes = signer->config.journal_rotate_bytes};
    return journal_open(&signer->journal, &config, mg_clock_wall_us(), error);
}

static enum mg_status listen_for_engines(struct signer *signer, struct mg_error *error)
{
    return mg_unix_listen(signer->config.engine_socket, SOCK_SEQPACKET, 0660, &signer->listen_fd, error);
}

static enum mg_status listen_for_control(struct signer *signer, struct mg_error *error)
{
    return mg_unix_listen(signer->config.control_socket, SOCK_SEQPACKET, 0600, &signer->control_fd, error);
}

static enum mg_status open_state_dir(struct signer *signer, struct mg_error *error)
{
    return mg_file_make_directory(signer->config.state_dir, 0755, error); /* the root certificate is for all to read */
}

enum mg_status signer_open(struct signer **out, const struct signer_config *config, struct mg_error *error)
{
    static enum mg_status (*const steps[])(struct signer * signer, struct mg_error * error) = {
        open_state_dir, lock_state, open_kek, open_keys, open_journal, listen_for_control, listen_for_engines,
    };
    struct signer *signer = calloc(1, sizeof(*signer));
    if (signer == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the signer");
    }
    signer->config = *config;
    signer->lock_fd = signer->listen_fd = signer->control_fd = signer->signal_fd = -1;
    for (size_t i = 0; i < MG_ARRAY_LEN(steps); i++) {
        enum mg_status status = steps[i](signer, error);
        if (status != MG_OK) {
            signer_free(signer);
            return status;
        }
    }
    *out = signer;
    return MG_OK;
}

/* Starting */

static enum mg_status start_loops(struct signer *signer, struct mg_error *error)
{
    size_t wanted = signer->config.num_threads < MAX_LOOPS ? signer->config.num_threads : MAX_LOOPS;
    struct issuer_set *issuers = issuer_publisher_get(signer->issuers);
    struct signing_loop_config config = {
        .signer = {.backends = {signer->software, signer->pkcs11},
                   .num_backends = signer->pkcs11 != NULL ? 2 : 1,
                   .journal = signer->journal,
                   .max_validity_seconds = signer->config.max_validity_seconds},
        .issuers = issuers,
        .client_keys = signer->client_keys,
        .queue = (signer->config.queue + wanted - 1) / wanted,
    };
    enum mg_status status = MG_OK;
    while (status == MG_OK && signer->num_loops < wanted) {
        struct signing_loop **loop = &signer->loops[signer->num_loops];
        status = signing_loop_start(loop, &config, error);
        if (status == MG_OK) {
            signer->loop_counters[signer->num_loops++] = signing_loop_counters(*loop);
            status = issuer_publisher_add_loop(signer->issuers, *loop, error);
        }
    }
    issuer_set_free(issuers);
    return status;
}

/* start_tokens starts the launcher, which must be outside of the seccomp filter to come, and the supervisor. */
static enum mg_status start_tokens(struct signer *signer, struct mg_error *error)
{
    const struct signer_config *config = &signer->config;
    int launcher_fd;
    if (signer->pkcs11 == NULL) {
        return MG_OK;
    }
    enum mg_status status = token_launcher_start(config->token_program, &launcher_fd, error);
    return status == MG_OK ? token_supervisor_start(&signer->tokens, signer->pkcs11, config->tokens, config->num_tokens,
                                                    launcher_fd, error)
                           : status;
}

static enum mg_status start_control(struct signer *signer, struct mg_error *error)
{
    signer->control = (struct control_service){
        .store = signer->store,
        .backends = &signer->backends,
        .issuers = signer->issuers,
        .client_keys = signer->client_keys,
        .tokens = {.store = signer->store, .backend = signer->pkcs11, .supervisor = signer->tokens}};
    enum mg_status status = ca_signer_init(&signer->control.ca, &signer->control.tokens, signer->journal, error);
    if (status != MG_OK) {
        return status;
    }
    return control_server_start(&signer->control_server, signer->control_fd, &signer->control, error);
}

static void render_metrics(void *arg, struct mg_buffer *out)
{
    signer_metrics_render(arg, out);
}

static enum mg_status start_metrics(struct signer *signer, struct mg_error *error)
{
    signer->metrics = (struct signer_metrics){.loops = signer->loop_counters,
                                              .num_loops = signer->num_loops,
                                              .refused_peers = &signer->refused_peers,
                                              .journal = signer->journal,
                                              .issuers = signer->issuers,
                                              .control = &signer->control.counters,
                                              .pkcs11 = signer->pkcs11,
                                              .tokens = signer->tokens,
                                              .token_configs = signer->config.tokens,
                                              .num_tokens = signer->config.num_tokens,
                                              .control_server = control_server_counters(signer->control_server),
                                              .uses_lanes = backend_software_uses_lanes(signer->software)};
    const struct metrics_http_route routes[] = {
        {.path = "/metrics",
         .content_type = METRICS_HTTP_PROMETHEUS,
         .render = render_metrics,
         .arg = &signer->metrics},
    };
    struct metrics_http_config config = {
        .socket_path = signer->config.metrics_socket, .routes = routes, .num_routes = MG_ARRAY_LEN(routes)};
    return metrics_http_start(&signer->metrics_server, &config, error);
}

static enum mg_status open_signals(struct signer *signer, struct mg_error *error)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    signer->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return signer->signal_fd >= 0 ? MG_OK : mg_error_errno(error, "cannot wait for signals");
}

enum mg_status signer_start(struct signer *signer, struct mg_error *error)
{
    enum mg_status status = open_signals(signer, error);
    if (status == MG_OK) {
        status = start_loops(signer, error);
    }
    if (status == MG_OK) {
        status = start_tokens(signer, error);
    }
    if (status == MG_OK) {
        status = start_control(signer, error);
    }
    return status == MG_OK ? start_metrics(signer, error) : status;
}

/* Running */

static void accept_engines(struct signer *signer)
{
    int fd;
    struct mg_error error;
    enum mg_status status;
    while ((status = mg_unix_accept(signer->listen_fd, &fd, &error)) == MG_OK) {
        uid_t uid = 0;
        if (!mg_unix_peer_allowed(fd, NULL, &uid)) {
            mg_log_warning("refused a connection to the engine socket from user %u", (unsigned)uid);
            mg_counter_add(&signer->refused_peers, 1);
            close(fd);
            continue;
        }
        signing_loop_add(signer->loops[signer->next_loop], fd);
        signer->next_loop = (signer->next_loop + 1) % signer->num_loops;
    }
    if (status != MG_AGAIN) {
        mg_log_error("%s", error.text);
        (void)poll(NULL, 0, 100); /* out of descriptors, most likely: not a busy loop */
    }
}

static void sync_journal(struct signer *signer)
{
    struct mg_error error;
    if (journal_sync(signer->journal, &error) != MG_OK) {
        mg_log_error("%s; nothing is signed until the signer is restarted", error.text);
    }
}

/* read_signal returns true when the signer is to stop. */
static bool read_signal(int signal_fd, void (*on_hangup)(void *arg), void *arg)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return false;
    }
    if (info.ssi_signo == SIGHUP) {
        on_hangup(arg);
        return false;
    }
    mg_log_info("signal %u: draining", info.ssi_signo);
    return true;
}

static void serve(struct signer *signer, void (*on_hangup)(void *arg), void *arg)
{
    struct pollfd fds[] = {{.fd = signer->signal_fd, .events = POLLIN}, {.fd = signer->listen_fd, .events = POLLIN}};
    uint64_t next_sync_ns = mg_clock_monotonic_ns();
    for (;;) {
        (void)poll(fds, MG_ARRAY_LEN(fds), SYNC_INTERVAL_MS);
        if ((fds[0].revents & POLLIN) != 0 && read_signal(signer->signal_fd, on_hangup, arg)) {
            return;
        }
        if ((fds[1].revents & POLLIN) != 0) {
            accept_engines(signer);
        }
        uint64_t now_ns = mg_clock_monotonic_ns();
        if (now_ns >= next_sync_ns) {
            sync_journal(signer);
            next_sync_ns = now_ns + SYNC_INTERVAL_MS * MG_NS_PER_MS;
        }
    }
}

static void stop_listening_on(const char *path, int *listen_fd)
{
    if (*listen_fd >= 0) {
        unlink(path);
        close(*listen_fd);
        *listen_fd = -1;
    }
}

/* stop_listening ends the control socket's thread too, which uses its descriptor. */
static void stop_listening(struct signer *signer)
{
    stop_listening_on(signer->config.engine_socket, &signer->listen_fd);
    control_server_stop(signer->control_server);
    signer->control_server = NULL;
    stop_listening_on(signer->config.control_socket, &signer->control_fd);
}

static void drain_loops(struct signer *signer)
{
    for (size_t i = 0; i < signer->num_loops; i++) {
        signing_loop_drain(signer->loops[i]);
    }
    for (size_t i = 0; i < signer->num_loops; i++) {
        signing_loop_join(signer->loops[i]);
    }
    signer->num_loops = 0;
}

void signer_run(struct signer *signer, void (*on_hangup)(void *arg), void *arg)
{
    struct issuer_set *issuers = issuer_publisher_get(signer->issuers);
    mg_log_info("serving %zu issuers on %s with %zu threads, batches %s", issuers->num_issuers,
                signer->config.engine_socket, signer->num_loops,
                backend_software_uses_lanes(signer->software) ? "eight lanes wide" : "one by one");
    issuer_set_free(issuers);
    serve(signer, on_hangup, arg);
}

void signer_free(struct signer *signer)
{
    if (signer == NULL) {
        return;
    }
    metrics_http_stop(signer->metrics_server);     /* before the counters that it shows */
    token_supervisor_refuse_calls(signer->tokens); /* which the control socket's thread may be waiting for */
    stop_listening(signer);                        /* nobody publishes issuers to the threads from here on */
    drain_loops(signer);
    token_supervisor_stop(signer->tokens); /* which saw to it that the loops' work came to an end */
    ca_signer_free(&signer->control.ca);
    journal_close(signer->journal);
    issuer_publisher_free(signer->issuers);
    client_keys_free(signer->client_keys);
    backend_software_free(signer->software);
    backend_pkcs11_free(signer->pkcs11);
    keystore_free(signer->store);
    kek_free(signer->kek);
    int descriptors[] = {signer->signal_fd, signer->lock_fd};
    for (size_t i = 0; i < MG_ARRAY_LEN(descriptors); i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    free(signer);
}
