/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token_supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "hsm/backend_pkcs11.h"
#include "hsm/token_launch.h"

enum call_phase { CALL_NONE, CALL_WANTED, CALL_UNDER_WAY, CALL_DONE };

/* struct pending is the one management call of a token. Under the supervisor's lock. */
struct pending {
    enum call_phase phase;
    enum wire_token_call call;
    struct mg_buffer request;    /* the packet */
    struct token_answer *answer; /* the caller's */
    enum mg_status status;
    struct mg_error why;
};

struct supervised {
    const struct token_config *config;
    struct token_state state;
    struct token_ends ends; /* the lanes are ours until the token is up */
    uint8_t pin_digest[TOKEN_PIN_DIGEST_LEN];
    unsigned num_sessions;      /* found by an earlier calibration; 0: calibrate */
    enum token_mode mode;       /* as the sessions were told */
    uint64_t asked_ns;          /* when what is under way was sent; 0: nothing is */
    uint64_t answered_ns;       /* when the last answer came */
    uint64_t asked_limit_ns;    /* how long it may take */
    enum wire_token_call asked; /* what is under way */
    uint64_t key_made_ns;       /* when the last answer to a MAKE_KEY came */
    uint64_t pin_looked_ns;
    struct pending pending;
    char why[256]; /* it is not up; under the lock */
    size_t ready_len;
    uint8_t ready[2048]; /* the READY packet; under the lock */
    struct token_supervisor_counters counters;
};

struct token_supervisor {
    const struct backend *backend;
    struct supervised *tokens;
    size_t num_tokens;
    size_t num_lanes;
    int launcher_fd;
    int wake_fd;
    _Atomic bool is_stopping;
    uint64_t next_call_id; /* under the lock, as the next */
    bool refuses_calls;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a call's phase */
    pthread_t thread;
    uint8_t packet[WIRE_TOKEN_MAX_PACKET];
};

static size_t place_of(const struct token_supervisor *supervisor, const struct supervised *token)
{
    return (size_t)(token - supervisor->tokens);
}

/* Calls */

/* set_done ends the call of |token|, if there is one, with |status|; the lock is held. */
static bool set_done(struct token_supervisor *supervisor, struct supervised *token, enum mg_status status,
                     const char *why)
{
    struct pending *pending = &token->pending;
    if (pending->phase != CALL_WANTED && pending->phase != CALL_UNDER_WAY) {
        return false;
    }
    pending->phase = CALL_DONE;
    pending->status = status;
    if (status != MG_OK) {
        (void)mg_error_set(&pending->why, status, "token %s: %s", token->config->name, why);
    }
    pthread_cond_broadcast(&supervisor->changed);
    return true;
}

/* end_call does so from the supervisor's thread. */
static void end_call(struct token_supervisor *supervisor, struct supervised *token, enum mg_status status,
                     const char *why)
{
    pthread_mutex_lock(&supervisor->lock);
    if (set_done(supervisor, token, status, why) && status != MG_OK) {
        mg_counter_add(&token->counters.failed_calls, 1);
    }
    pthread_mutex_unlock(&supervisor->lock);
}

static void note_why(struct token_supervisor *supervisor, struct supervised *token, const char *why)
{
    pthread_mutex_lock(&supervisor->lock);
    snprintf(token->why, sizeof(token->why), "%s", why);
    pthread_mutex_unlock(&supervisor->lock);
}

/* Modes */

/* publish tells the sessions when the mode of |token| has changed. */
static void publish(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    enum token_mode mode = token_state_mode(&token->state, now_ns);
    if (mode == token->mode) {
        return;
    }
    token->mode = mode;
    atomic_store_explicit(&token->counters.mode.value, (uint64_t)mode, memory_order_relaxed);
    bool is_up = mode == TOKEN_MODE_UP;
    backend_pkcs11_set_mode(supervisor->backend, place_of(supervisor, token), mode, is_up ? token->ends.lanes : NULL,
                            supervisor->num_lanes, token->num_sessions / (unsigned)supervisor->num_lanes + 1);
    if (is_up) {
        token->ends.num_lanes = 0; /* the sessions' now */
    } else {
        atomic_store_explicit(&token->counters.num_sessions.value, 0, memory_order_relaxed);
    }
    if (mode == TOKEN_MODE_BROKEN) {
        mg_log_error("token %s: its work fails until it is up again: %s", token->config->name, token->why);
    }
}

/* Actions */

static void happen(struct token_supervisor *supervisor, struct supervised *token, enum token_event event,
                   uint64_t now_ns);

static void do_launch(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    struct mg_error error = {""};
    unsigned num_sessions = token->config->num_sessions != 0 ? token->config->num_sessions : token->num_sessions;
    mg_counter_add(&token->counters.starts, 1);
    token_ends_close(&token->ends);
    token->asked_ns = 0;
    if (token_launch(supervisor->launcher_fd, token->config, place_of(supervisor, token), supervisor->num_lanes,
                     num_sessions, &token->ends, token->pin_digest, &error) == MG_OK) {
        return;
    }
    mg_log_error("token %s: %s", token->config->name, error.text);
    note_why(supervisor, token, error.text);
    happen(supervisor, token, TOKEN_EVENT_NOT_OPENED, now_ns); /* and there is no process */
    happen(supervisor, token, TOKEN_EVENT_EXITED, now_ns);
}

static void do_kill(struct token_supervisor *supervisor, struct supervised *token)
{
    struct mg_error error;
    mg_counter_add(&token->counters.kills, 1);
    if (token_kill(supervisor->launcher_fd, place_of(supervisor, token), &error) != MG_OK) {
        mg_log_error("token %s: %s", token->config->name, error.text);
    }
}

static void happen(struct token_supervisor *supervisor, struct supervised *token, enum token_event event,
                   uint64_t now_ns)
{
    enum token_action action = token_state_event(&token->state, event, now_ns);
    if (token->state.phase != TOKEN_UP && token->state.phase != TOKEN_STARTING) {
        end_call(supervisor, token, MG_IO, token->why);
        token_ends_close(&token->ends);
        token->asked_ns = 0;
    }
    publish(supervisor, token, now_ns);
    if (action == TOKEN_ACTION_LAUNCH) {
        do_launch(supervisor, token, now_ns);
    } else if (action == TOKEN_ACTION_KILL) {
        do_kill(supervisor, token);
    }
}

/* give_up is for a token that hangs or talks nonsense. */
static void give_up(struct token_supervisor *supervisor, struct supervised *token, const char *why, uint64_t now_ns)
{
    mg_log_error("token %s: %s; its process is killed", token->config->name, why);
    note_why(supervisor, token, why);
    happen(supervisor, token, TOKEN_EVENT_SILENT, now_ns);
}

/* What processes say */

static void take_ready(struct token_supervisor *supervisor, struct supervised *token, struct mg_slice packet,
                       uint64_t now_ns)
{
    struct wire_token_ready ready;
    struct mg_error error;
    if (packet.len > sizeof(token->ready) || wire_token_decode_ready(packet, &ready, &error) != MG_OK) {
        give_up(supervisor, token, "what it says is no packet", now_ns);
        return;
    }
    if (ready.status == WIRE_TOKEN_OK) {
        pthread_mutex_lock(&supervisor->lock);
        memcpy(token->ready, packet.data, packet.len);
        token->ready_len = packet.len;
        pthread_mutex_unlock(&supervisor->lock);
        token->num_sessions = ready.num_sessions;
        token->answered_ns = now_ns;
        atomic_store_explicit(&token->counters.num_sessions.value, ready.num_sessions, memory_order_relaxed);
        if (ready.rate > 0) {
            atomic_store_explicit(&token->counters.rate.value, ready.rate, memory_order_relaxed);
        }
        mg_log_info("token %s: up, %u sessions", token->config->name, ready.num_sessions);
        happen(supervisor, token, TOKEN_EVENT_READY, now_ns);
        return;
    }
    bool is_pin = ready.status == WIRE_TOKEN_PIN_WRONG || ready.status == WIRE_TOKEN_PIN_LAST_TRY ||
                  ready.status == WIRE_TOKEN_PIN_LOCKED;
    mg_counter_add(is_pin ? &token->counters.refused_pins : &token->counters.failed_openings, 1);
    mg_log_error("token %s: %s: %.*s%s", token->config->name, wire_token_status_name(ready.status), (int)ready.text.len,
                 (const char *)ready.text.data, is_pin ? "; it is not tried again before the PIN file changes" : "");
    note_why(supervisor, token, wire_token_status_name(ready.status));
    happen(supervisor, token, is_pin ? TOKEN_EVENT_PIN_REFUSED : TOKEN_EVENT_NOT_OPENED, now_ns);
}

/* hand_over gives the reply in |packet| to whoever waits for it. */
static bool hand_over(struct token_supervisor *supervisor, struct supervised *token, struct mg_slice packet)
{
    pthread_mutex_lock(&supervisor->lock);
    struct token_answer *answer = token->pending.answer;
    bool is_good = token->pending.phase == CALL_UNDER_WAY;
    if (is_good) {
        memcpy(answer->packet, packet.data, packet.len);
        answer->len = packet.len;
        is_good = wire_token_decode_reply(mg_slice_of(answer->packet, answer->len), &answer->reply, NULL) == MG_OK;
    }
    pthread_mutex_unlock(&supervisor->lock);
    if (is_good) {
        end_call(supervisor, token, MG_OK, "");
    }
    return is_good;
}

static void take_reply(struct token_supervisor *supervisor, struct supervised *token, struct mg_slice packet,
                       uint64_t now_ns)
{
    static struct wire_token_reply reply; /* this thread's alone */
    bool is_good = token->asked_ns != 0;
    if (is_good && token->asked == WIRE_TOKEN_PING) {
        is_good = wire_token_decode_reply(packet, &reply, NULL) == MG_OK && reply.call == WIRE_TOKEN_PING;
        if (is_good && reply.status != WIRE_TOKEN_OK) {
            mg_log_error("token %s: %.*s", token->config->name, (int)reply.text.len, (const char *)reply.text.data);
        }
    } else if (is_good) {
        is_good = hand_over(supervisor, token, packet);
    }
    token->asked_ns = 0;
    token->answered_ns = now_ns;
    if (token->asked == WIRE_TOKEN_MAKE_KEY) {
        token->key_made_ns = now_ns;
    }
    if (!is_good) {
        give_up(supervisor, token, "what it says is no packet", now_ns);
    }
}

static void read_control(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    ssize_t len = recv(token->ends.control, supervisor->packet, sizeof(supervisor->packet), MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) { /* it has ended, or is about to: EXITED says so, and the state machine's deadline otherwise */
        close(token->ends.control);
        token->ends.control = -1;
        return;
    }
    struct mg_slice packet = mg_slice_of(supervisor->packet, (size_t)len);
    if (token->state.phase == TOKEN_STARTING) {
        take_ready(supervisor, token, packet, now_ns);
    } else if (token->state.phase == TOKEN_UP) {
        take_reply(supervisor, token, packet, now_ns);
    }
}

static void take_exit(struct token_supervisor *supervisor, const struct wire_token_exited *exited, uint64_t now_ns)
{
    if (exited->place >= supervisor->num_tokens) {
        return;
    }
    struct supervised *token = &supervisor->tokens[exited->place];
    int status = (int)exited->wait_status;
    char why[96];
    snprintf(why, sizeof(why), WIFSIGNALED(status) ? "its process was ended by signal %d" : "its process ended with %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    mg_counter_add(&token->counters.exits, 1);
    if (token->state.phase == TOKEN_UP || token->state.phase == TOKEN_STARTING) {
        mg_log_error("token %s: %s", token->config->name, why);
        note_why(supervisor, token, why);
    }
    happen(supervisor, token, TOKEN_EVENT_EXITED, now_ns);
}

/* read_launcher returns false when the launcher is gone: no process is left then, and none can be started. */
static bool read_launcher(struct token_supervisor *supervisor, uint64_t now_ns)
{
    struct wire_token_exited exited;
    ssize_t len = recv(supervisor->launcher_fd, supervisor->packet, sizeof(supervisor->packet), MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (len <= 0 || wire_token_decode_exited(mg_slice_of(supervisor->packet, (size_t)len), &exited, NULL) != MG_OK) {
        mg_log_error("the token launcher is gone: tokens are out of reach until the signer is restarted");
        return false;
    }
    take_exit(supervisor, &exited, now_ns);
    return true;
}

/* Asking */

static void ask(struct token_supervisor *supervisor, struct supervised *token, const struct mg_buffer *packet,
                enum wire_token_call call, uint64_t now_ns)
{
    token->asked = call;
    token->asked_ns = now_ns;
    token->asked_limit_ns = call == WIRE_TOKEN_MAKE_KEY ? TOKEN_SUPERVISOR_MAKE_KEY_NS : token->config->deadline_ns;
    if (send(token->ends.control, packet->data, packet->len, MSG_NOSIGNAL) != (ssize_t)packet->len) {
        give_up(supervisor, token, "it takes no packet", now_ns);
    }
}

/* send_wanted sends the call that somebody waits for. */
static bool send_wanted(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    pthread_mutex_lock(&supervisor->lock);
    bool is_wanted = token->pending.phase == CALL_WANTED;
    if (is_wanted) {
        token->pending.phase = CALL_UNDER_WAY;
    }
    pthread_mutex_unlock(&supervisor->lock);
    if (is_wanted) {
        mg_counter_add(&token->counters.calls, 1);
        ask(supervisor, token, &token->pending.request, token->pending.call, now_ns);
    }
    return is_wanted;
}

static void ping(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    uint8_t storage[16];
    struct mg_buffer packet;
    mg_buffer_wrap(&packet, storage, sizeof(storage));
    wire_token_encode_request(&packet, &(struct wire_token_request){.call = WIRE_TOKEN_PING});
    ask(supervisor, token, &packet, WIRE_TOKEN_PING, now_ns);
}

/* signing_since returns since when work waits for |token|; 0: not at all. Some modules do nothing else while they make
 * a key: what waited meanwhile waits since then. */
static uint64_t signing_since(const struct token_supervisor *supervisor, const struct supervised *token)
{
    uint64_t oldest_ns = backend_pkcs11_oldest_ns(supervisor->backend, place_of(supervisor, token));
    if (oldest_ns == 0 || (token->asked_ns != 0 && token->asked == WIRE_TOKEN_MAKE_KEY)) {
        return 0;
    }
    return oldest_ns > token->key_made_ns ? oldest_ns : token->key_made_ns;
}

static void check_deadlines(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    uint64_t since_ns = signing_since(supervisor, token);
    if (token->asked_ns != 0 && now_ns > token->asked_ns && now_ns - token->asked_ns > token->asked_limit_ns) {
        give_up(supervisor, token, "it does not answer", now_ns);
    } else if (since_ns != 0 && now_ns > since_ns && now_ns - since_ns > token->config->deadline_ns) {
        give_up(supervisor, token, "it does not sign", now_ns);
    }
}

/* look_at_pin has a token whose PIN was refused tried again when its PIN file holds another one. */
static void look_at_pin(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    uint8_t digest[TOKEN_PIN_DIGEST_LEN];
    if (now_ns - token->pin_looked_ns < TOKEN_SUPERVISOR_PIN_NS) {
        return;
    }
    token->pin_looked_ns = now_ns;
    if (token_pin_digest(token->config, digest, NULL) == MG_OK &&
        memcmp(digest, token->pin_digest, sizeof(digest)) != 0) {
        mg_log_info("token %s: its PIN file has changed", token->config->name);
        happen(supervisor, token, TOKEN_EVENT_PIN_CHANGED, now_ns);
    }
}

static void attend(struct token_supervisor *supervisor, struct supervised *token, uint64_t now_ns)
{
    happen(supervisor, token, TOKEN_EVENT_TICK, now_ns);
    if (token->state.phase == TOKEN_LOCKED_OUT) {
        look_at_pin(supervisor, token, now_ns);
    }
    if (token->state.phase == TOKEN_UP) {
        check_deadlines(supervisor, token, now_ns);
    }
    if (token->state.phase == TOKEN_UP && token->asked_ns == 0 && token->ends.control >= 0 &&
        !send_wanted(supervisor, token, now_ns) && now_ns - token->answered_ns > TOKEN_SUPERVISOR_PING_NS) {
        ping(supervisor, token, now_ns);
    }
}

/* The thread */

static void read_ready(struct token_supervisor *supervisor, const struct pollfd *fds, uint64_t now_ns)
{
    uint64_t wakes;
    if (fds[0].revents != 0) {
        (void)!read(supervisor->wake_fd, &wakes, sizeof(wakes));
    }
    for (size_t i = 0; i < supervisor->num_tokens; i++) {
        if (fds[2 + i].revents != 0 && supervisor->tokens[i].ends.control == fds[2 + i].fd) {
            read_control(supervisor, &supervisor->tokens[i], now_ns);
        }
    }
    if (fds[1].revents != 0 && !read_launcher(supervisor, now_ns)) {
        close(supervisor->launcher_fd);
        supervisor->launcher_fd = -1;
        for (uint8_t i = 0; i < supervisor->num_tokens; i++) {
            take_exit(supervisor, &(struct wire_token_exited){.place = i, .wait_status = W_EXITCODE(0, SIGKILL)},
                      now_ns);
        }
    }
}

static void *run(void *arg)
{
    struct token_supervisor *supervisor = arg;
    struct pollfd fds[2 + WIRE_TOKEN_MAX_PLACES];
    while (!atomic_load(&supervisor->is_stopping)) {
        fds[0] = (struct pollfd){.fd = supervisor->wake_fd, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = supervisor->launcher_fd, .events = POLLIN};
        for (size_t i = 0; i < supervisor->num_tokens; i++) {
            fds[2 + i] = (struct pollfd){.fd = supervisor->tokens[i].ends.control, .events = POLLIN};
        }
        (void)poll(fds, 2 + supervisor->num_tokens, TOKEN_SUPERVISOR_TICK_MS);
        uint64_t now_ns = mg_clock_monotonic_ns();
        read_ready(supervisor, fds, now_ns);
        for (size_t i = 0; i < supervisor->num_tokens; i++) {
            attend(supervisor, &supervisor->tokens[i], now_ns);
        }
    }
    return NULL;
}

static void wake(struct token_supervisor *supervisor)
{
    uint64_t one = 1;
    (void)!write(supervisor->wake_fd, &one, sizeof(one));
}

static void free_supervisor(struct token_supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->num_tokens; i++) {
        token_ends_close(&supervisor->tokens[i].ends);
        mg_buffer_free(&supervisor->tokens[i].pending.request);
    }
    int descriptors[] = {supervisor->launcher_fd, supervisor->wake_fd};
    for (size_t i = 0; i < MG_ARRAY_LEN(descriptors); i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    pthread_mutex_destroy(&supervisor->lock);
    pthread_cond_destroy(&supervisor->changed);
    free(supervisor->tokens);
    free(supervisor);
}

static void init_token(struct supervised *token, const struct token_config *config, uint64_t now_ns)
{
    token->config = config;
    token->ends.control = -1;
    token->mode = TOKEN_MODE_RESTARTING;
    atomic_store_explicit(&token->counters.mode.value, TOKEN_MODE_RESTARTING, memory_order_relaxed);
    snprintf(token->why, sizeof(token->why), "it is being started");
    mg_buffer_init(&token->pending.request, WIRE_TOKEN_MAX_PACKET);
    token_state_init(&token->state, now_ns);
}

enum mg_status token_supervisor_start(struct token_supervisor **out, const struct backend *backend,
                                      const struct token_config *tokens, size_t num_tokens, int launcher_fd,
                                      struct mg_error *error)
{
    struct token_supervisor *supervisor = calloc(1, sizeof(*supervisor));
    struct supervised *supervised = calloc(num_tokens, sizeof(*supervised));
    if (supervisor == NULL || supervised == NULL) {
        free(supervisor);
        free(supervised);
        close(launcher_fd);
        return mg_error_set(error, MG_MEMORY, "no memory for the tokens' supervisor");
    }
    *supervisor = (struct token_supervisor){.backend = backend,
                                            .tokens = supervised,
                                            .num_tokens = num_tokens,
                                            .num_lanes = backend_pkcs11_num_sessions(backend),
                                            .launcher_fd = launcher_fd};
    pthread_mutex_init(&supervisor->lock, NULL);
    pthread_cond_init(&supervisor->changed, NULL);
    for (size_t i = 0; i < num_tokens; i++) {
        init_token(&supervised[i], &tokens[i], mg_clock_monotonic_ns());
    }
    supervisor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (supervisor->wake_fd < 0 || pthread_create(&supervisor->thread, NULL, run, supervisor) != 0) {
        free_supervisor(supervisor);
        return mg_error_set(error, MG_IO, "cannot start the tokens' supervisor");
    }
    *out = supervisor;
    return MG_OK;
}

void token_supervisor_stop(struct token_supervisor *supervisor)
{
    if (supervisor == NULL) {
        return;
    }
    token_supervisor_refuse_calls(supervisor);
    atomic_store(&supervisor->is_stopping, true);
    wake(supervisor);
    pthread_join(supervisor->thread, NULL);
    free_supervisor(supervisor); /* the launcher sees its socket close, and its children die with it */
}

/* Other threads */

/* await waits until |pending| has reached one of two phases; the lock is held. */
static void await(struct token_supervisor *supervisor, const struct pending *pending, enum call_phase phase)
{
    while (pending->phase != phase) {
        pthread_cond_wait(&supervisor->changed, &supervisor->lock);
    }
}

static enum mg_status refusal_of(const struct supervised *token, const struct token_answer *answer,
                                 struct mg_error *error)
{
    const struct wire_token_reply *reply = &answer->reply;
    if (reply->status == WIRE_TOKEN_OK) {
        return MG_OK;
    }
    return mg_error_set(error, wire_token_status_class(reply->status), "token %s: %.*s", token->config->name,
                        (int)reply->text.len, (const char *)reply->text.data);
}

void token_supervisor_refuse_calls(struct token_supervisor *supervisor)
{
    if (supervisor == NULL) {
        return;
    }
    pthread_mutex_lock(&supervisor->lock);
    supervisor->refuses_calls = true;
    for (size_t i = 0; i < supervisor->num_tokens; i++) {
        (void)set_done(supervisor, &supervisor->tokens[i], MG_IO, "the signer is stopping");
    }
    pthread_mutex_unlock(&supervisor->lock);
}

enum mg_status token_supervisor_call(struct token_supervisor *supervisor, size_t place,
                                     const struct wire_token_request *request, struct token_answer *out,
                                     struct mg_error *error)
{
    struct supervised *token = &supervisor->tokens[place];
    struct pending *pending = &token->pending;
    struct wire_token_request numbered = *request;
    pthread_mutex_lock(&supervisor->lock);
    await(supervisor, pending, CALL_NONE);
    if (supervisor->refuses_calls) {
        pthread_mutex_unlock(&supervisor->lock);
        return mg_error_set(error, MG_IO, "token %s: the signer is stopping", token->config->name);
    }
    numbered.id = ++supervisor->next_call_id;
    mg_buffer_clear(&pending->request);
    wire_token_encode_request(&pending->request, &numbered);
    pending->answer = out;
    pending->call = request->call;
    pending->phase = CALL_WANTED;
    wake(supervisor);
    await(supervisor, pending, CALL_DONE);
    enum mg_status status = pending->status;
    if (status != MG_OK && error != NULL) {
        *error = pending->why;
    }
    pending->phase = CALL_NONE;
    pthread_cond_broadcast(&supervisor->changed);
    pthread_mutex_unlock(&supervisor->lock);
    if (status == MG_OK && (out->reply.id != numbered.id || out->reply.call != numbered.call)) {
        return mg_error_set(error, MG_IO, "token %s: an answer to another call", token->config->name);
    }
    return status == MG_OK ? refusal_of(token, out, error) : status;
}

enum mg_status token_supervisor_identity(struct token_supervisor *supervisor, size_t place, struct token_answer *out,
                                         struct wire_token_identity *identity, struct mg_error *error)
{
    struct supervised *token = &supervisor->tokens[place];
    struct wire_token_ready ready;
    pthread_mutex_lock(&supervisor->lock);
    memcpy(out->packet, token->ready, token->ready_len);
    out->len = token->ready_len;
    pthread_mutex_unlock(&supervisor->lock);
    if (out->len == 0 || wire_token_decode_ready(mg_slice_of(out->packet, out->len), &ready, NULL) != MG_OK) {
        return mg_error_set(error, MG_IO, "token %s: is not up", token->config->name);
    }
    *identity = ready.identity;
    return MG_OK;
}

const struct token_config *token_supervisor_config(const struct token_supervisor *supervisor, size_t place)
{
    return supervisor->tokens[place].config;
}

const struct token_supervisor_counters *token_supervisor_counters(const struct token_supervisor *supervisor,
                                                                  size_t place)
{
    return &supervisor->tokens[place].counters;
}
