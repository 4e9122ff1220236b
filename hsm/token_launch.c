/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token_launch.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "ossl/openssl_error.h"

#define MAX_PIN 255
#define LAUNCHER_FD 3
/* What a process gets besides its lanes: the supervising socket and the PIN. */
#define NUM_FIXED_FDS 2

extern char **environ;

static enum mg_status new_pair(int pair[2], struct mg_error *error)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0
               ? MG_OK
               : mg_error_errno(error, "cannot make a socket for a token");
}

static bool set_non_blocking(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

/* The launcher */

/* spawn starts |program| with |fd| as LAUNCHER_FD, in a process group of its own, with no signal blocked: a terminal's
 * interrupt is for the signer, which lets its children finish. */
static int spawn(const char *program, int fd)
{
    char name[] = "mintgate-token", option[] = "--launcher";
    char *argv[] = {name, option, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_adddup2(&actions, fd, LAUNCHER_FD);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    int result = posix_spawn(&pid, program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

enum mg_status token_launcher_start(const char *program, int *out_fd, struct mg_error *error)
{
    int pair[2];
    enum mg_status status = new_pair(pair, error);
    if (status != MG_OK) {
        return status;
    }
    int result = spawn(program, pair[1]);
    close(pair[1]);
    if (result != 0 || !set_non_blocking(pair[0])) {
        close(pair[0]);
        return mg_error_set(error, MG_IO, "cannot start %s: %s", program, strerror(result));
    }
    *out_fd = pair[0];
    return MG_OK;
}

/* The PIN */

static uint8_t digest_key[32];
static pthread_once_t digest_key_once = PTHREAD_ONCE_INIT;

static void draw_digest_key(void)
{
    if (RAND_bytes(digest_key, sizeof(digest_key)) != 1) {
        memset(digest_key, 0, sizeof(digest_key)); /* then it only tells PINs apart */
    }
}

static enum mg_status digest_pin(struct mg_slice pin, uint8_t out[TOKEN_PIN_DIGEST_LEN], struct mg_error *error)
{
    size_t len;
    (void)pthread_once(&digest_key_once, draw_digest_key);
    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, digest_key, sizeof(digest_key), pin.data, pin.len, out,
                     TOKEN_PIN_DIGEST_LEN, &len) != NULL
               ? MG_OK
               : openssl_error_set(error, "cannot hash a PIN");
}

static enum mg_status read_pin_source(const struct token_config *token, struct mg_buffer *out, struct mg_error *error)
{
    switch (token->pin_source) {
    case TOKEN_PIN_FILE:
        return mg_file_read_secret(token->pin_file, out, error);
    case TOKEN_PIN_CREDENTIAL:
        return mg_file_read(token->pin_file, out, error);
    case TOKEN_PIN_DESCRIPTOR:
        return mg_file_read_open(token->pin_descriptor, token->pin_file, out, error);
    }
    return mg_error_set(error, MG_INTERNAL, "a PIN from nowhere");
}

/* read_pin reads the PIN, without the end of its line, into |out| (from mg_secret_buffer_init). */
static enum mg_status read_pin(const struct token_config *token, struct mg_buffer *out, struct mg_error *error)
{
    enum mg_status status = read_pin_source(token, out, error);
    if (status != MG_OK) {
        return status;
    }
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r')) {
        out->len--;
    }
    if (out->len == 0 || out->len > MAX_PIN || memchr(out->data, 0, out->len) != NULL) {
        return mg_error_set(error, MG_INVALID, "%s: a PIN is one line of 1 to %d bytes", token->pin_file, MAX_PIN);
    }
    return MG_OK;
}

/* with_pin reads the PIN, digests it, and writes it to |pipe_fd| unless that is -1. */
static enum mg_status with_pin(const struct token_config *token, int pipe_fd, uint8_t digest[TOKEN_PIN_DIGEST_LEN],
                               struct mg_error *error)
{
    struct mg_buffer pin;
    if (!mg_secret_buffer_init(&pin, MAX_PIN + 2)) {
        return mg_error_set(error, MG_MEMORY, "no memory for a PIN");
    }
    enum mg_status status = read_pin(token, &pin, error);
    if (status == MG_OK) {
        status = digest_pin(mg_buffer_slice(&pin), digest, error);
    }
    if (status == MG_OK && pipe_fd >= 0 && write(pipe_fd, pin.data, pin.len) != (ssize_t)pin.len) {
        status = mg_error_errno(error, "cannot pass a PIN on");
    }
    mg_secret_free(&pin);
    return status;
}

enum mg_status token_pin_digest(const struct token_config *token, uint8_t out[TOKEN_PIN_DIGEST_LEN],
                                struct mg_error *error)
{
    return with_pin(token, -1, out, error);
}

/* Launching */

/* struct their_ends are the new process's descriptors, in its order. */
struct their_ends {
    int fds[NUM_FIXED_FDS + WIRE_TOKEN_MAX_LANES];
    size_t num_fds;
};

static void close_theirs(struct their_ends *theirs)
{
    for (size_t i = 0; i < theirs->num_fds; i++) {
        close(theirs->fds[i]);
    }
    theirs->num_fds = 0;
}

void token_ends_close(struct token_ends *ends)
{
    if (ends->control >= 0) {
        close(ends->control);
    }
    for (size_t i = 0; i < ends->num_lanes; i++) {
        close(ends->lanes[i]);
    }
    *ends = (struct token_ends){.control = -1};
}

/* add_pair makes a pair of sockets, theirs in the next place; returns ours, -1 on error. */
static int add_pair(struct their_ends *theirs, struct mg_error *error)
{
    int pair[2];
    if (new_pair(pair, error) != MG_OK) {
        return -1;
    }
    theirs->fds[theirs->num_fds++] = pair[1];
    if (!set_non_blocking(pair[0])) {
        (void)mg_error_errno(error, "cannot make a socket for a token");
        close(pair[0]);
        return -1;
    }
    return pair[0];
}

/* add_pin makes a pipe, whose end is theirs, with the PIN in it: it is smaller than any pipe. */
static enum mg_status add_pin(struct their_ends *theirs, const struct token_config *token,
                              uint8_t digest[TOKEN_PIN_DIGEST_LEN], struct mg_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return mg_error_errno(error, "cannot make a pipe for a token");
    }
    theirs->fds[theirs->num_fds++] = ends[0];
    enum mg_status status = with_pin(token, ends[1], digest, error);
    close(ends[1]);
    return status;
}

static enum mg_status make_ends(const struct token_config *token, size_t num_lanes, struct token_ends *ours,
                                struct their_ends *theirs, uint8_t digest[TOKEN_PIN_DIGEST_LEN], struct mg_error *error)
{
    ours->control = add_pair(theirs, error);
    if (ours->control < 0) {
        return MG_IO;
    }
    enum mg_status status = add_pin(theirs, token, digest, error);
    while (status == MG_OK && ours->num_lanes < num_lanes) {
        int fd = add_pair(theirs, error);
        if (fd < 0) {
            status = MG_IO;
        } else {
            ours->lanes[ours->num_lanes++] = fd;
        }
    }
    return status;
}

/* send_with sends |packet| and with it copies of |theirs|. */
static enum mg_status send_with(int launcher_fd, const struct mg_buffer *packet, const struct their_ends *theirs,
                                struct mg_error *error)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(theirs->fds))] = {0};
    struct iovec iov = {.iov_base = packet->data, .iov_len = packet->len};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (theirs != NULL) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(theirs->num_fds * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(theirs->num_fds * sizeof(int));
        memcpy(CMSG_DATA(header), theirs->fds, theirs->num_fds * sizeof(int));
    }
    return sendmsg(launcher_fd, &message, MSG_NOSIGNAL) == (ssize_t)packet->len
               ? MG_OK
               : mg_error_errno(error, "cannot ask the token launcher");
}

static enum mg_status ask_launcher(int launcher_fd, const struct token_config *token, size_t place,
                                   unsigned num_sessions, const struct token_ends *ours,
                                   const struct their_ends *theirs, struct mg_error *error)
{
    uint8_t storage[2 * WIRE_TOKEN_MAX_PATH + 64];
    struct mg_buffer packet;
    struct wire_token_launch launch = {.place = (uint8_t)place,
                                       .num_lanes = (uint8_t)ours->num_lanes,
                                       .num_sessions = (uint8_t)num_sessions,
                                       .module = mg_slice_of_text(token->module),
                                       .token = mg_slice_of_text(token->token)};
    mg_buffer_wrap(&packet, storage, sizeof(storage));
    wire_token_encode_launch(&packet, &launch);
    return send_with(launcher_fd, &packet, theirs, error);
}

enum mg_status token_launch(int launcher_fd, const struct token_config *token, size_t place, size_t num_lanes,
                            unsigned num_sessions, struct token_ends *out, uint8_t pin_digest[TOKEN_PIN_DIGEST_LEN],
                            struct mg_error *error)
{
    struct token_ends ours = {.control = -1};
    struct their_ends theirs = {.num_fds = 0};
    enum mg_status status = make_ends(token, num_lanes, &ours, &theirs, pin_digest, error);
    if (status == MG_OK) {
        status = ask_launcher(launcher_fd, token, place, num_sessions, &ours, &theirs, error);
    }
    close_theirs(&theirs);
    if (status != MG_OK) {
        token_ends_close(&ours);
        return status;
    }
    *out = ours;
    return MG_OK;
}

enum mg_status token_kill(int launcher_fd, size_t place, struct mg_error *error)
{
    uint8_t storage[8];
    struct mg_buffer packet;
    mg_buffer_wrap(&packet, storage, sizeof(storage));
    wire_token_encode_kill(&packet, (uint8_t)place);
    return send_with(launcher_fd, &packet, NULL, error);
}
