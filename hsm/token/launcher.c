/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "hsm/token/workers.h"

/* Descriptors that come with a LAUNCH: those of launcher.h, but for the lanes' number. */
#define NUM_FIXED_FDS 2
#define MAX_FDS (NUM_FIXED_FDS + WIRE_TOKEN_MAX_LANES)
/* Where a child parks what it received, above all that it is moved to. */
#define PARKING (TOKEN_FD_CONTROL + MAX_FDS)

struct launcher {
    pid_t children[WIRE_TOKEN_MAX_PLACES]; /* 0: none */
    int signal_fd;
    uint8_t packet[WIRE_TOKEN_MAX_PACKET];
};

/* struct received is a packet with its descriptors. */
struct received {
    struct mg_slice packet;
    int fds[MAX_FDS];
    size_t num_fds;
};

/* Telling the signer */

static void tell_exited(uint8_t place, int wait_status)
{
    uint8_t storage[16];
    struct mg_buffer packet;
    mg_buffer_wrap(&packet, storage, sizeof(storage));
    wire_token_encode_exited(&packet,
                             &(struct wire_token_exited){.place = place, .wait_status = (uint32_t)wait_status});
    if (send(LAUNCHER_FD, packet.data, packet.len, MSG_NOSIGNAL) < 0) {
        _exit(TOKEN_EXIT_DONE); /* the signer is gone */
    }
}

static void bury(struct launcher *launcher)
{
    struct signalfd_siginfo info;
    int wait_status;
    (void)!read(launcher->signal_fd, &info, sizeof(info));
    for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
        for (uint8_t place = 0; place < WIRE_TOKEN_MAX_PLACES; place++) {
            if (launcher->children[place] == pid) {
                launcher->children[place] = 0;
                tell_exited(place, wait_status);
            }
        }
    }
}

/* Starting a child */

/* move_descriptors gives the child's descriptors their numbers and closes every other one. */
static bool move_descriptors(const struct received *received)
{
    int parked[MAX_FDS];
    for (size_t i = 0; i < received->num_fds; i++) {
        parked[i] = fcntl(received->fds[i], F_DUPFD, PARKING);
        if (parked[i] < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < received->num_fds; i++) {
        if (dup2(parked[i], TOKEN_FD_CONTROL + (int)i) < 0) {
            return false;
        }
    }
    return close_range((unsigned)(TOKEN_FD_CONTROL + received->num_fds), ~0u, 0) == 0;
}

/* become_child runs in the new process, and does not return. */
static _Noreturn void become_child(const struct received *received, const struct wire_token_launch *launch,
                                   pid_t parent)
{
    char module[WIRE_TOKEN_MAX_PATH + 1], token[WIRE_TOKEN_MAX_PATH + 1], lanes[16], sessions[16];
    char program[] = "mintgate-token", module_option[] = "--module", token_option[] = "--token",
         lanes_option[] = "--lanes", sessions_option[] = "--sessions";
    char *argv[] = {program,      module_option, module,          token_option, token,
                    lanes_option, lanes,         sessions_option, sessions,     NULL};
    snprintf(module, sizeof(module), "%.*s", (int)launch->module.len, (const char *)launch->module.data);
    snprintf(token, sizeof(token), "%.*s", (int)launch->token.len, (const char *)launch->token.data);
    snprintf(lanes, sizeof(lanes), "%u", launch->num_lanes);
    snprintf(sessions, sizeof(sessions), "%u", launch->num_sessions);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent && move_descriptors(received)) {
        execv("/proc/self/exe", argv);
    }
    _exit(TOKEN_EXIT_BROKEN);
}

static void launch(struct launcher *launcher, const struct received *received, const struct wire_token_launch *wanted)
{
    pid_t parent = getpid();
    if (launcher->children[wanted->place] != 0) {
        mg_log_error("token place %u is taken", wanted->place); /* its end is told later */
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        become_child(received, wanted, parent);
    }
    if (pid < 0) {
        mg_log_error("cannot start a token process: %s", strerror(errno));
        tell_exited(wanted->place, W_EXITCODE(TOKEN_EXIT_BROKEN, 0));
        return;
    }
    launcher->children[wanted->place] = pid;
}

/* The socket */

static bool handle(struct launcher *launcher, const struct received *received)
{
    enum wire_token_type type;
    struct wire_token_launch wanted;
    struct mg_error error = {""};
    uint8_t place;
    if (wire_token_type_of(received->packet, &type) != MG_OK) {
        return false;
    }
    if (type == WIRE_TOKEN_LAUNCH && wire_token_decode_launch(received->packet, &wanted, &error) == MG_OK &&
        received->num_fds == NUM_FIXED_FDS + (size_t)wanted.num_lanes) {
        launch(launcher, received, &wanted);
        return true;
    }
    if (type == WIRE_TOKEN_KILL && wire_token_decode_kill(received->packet, &place, &error) == MG_OK) {
        if (launcher->children[place] != 0) {
            (void)kill(launcher->children[place], SIGKILL);
        }
        return true;
    }
    return false;
}

static void take_fds(struct msghdr *message, struct received *out)
{
    out->num_fds = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            size_t num = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            num = num < MAX_FDS ? num : MAX_FDS;
            memcpy(out->fds, CMSG_DATA(header), num * sizeof(int));
            out->num_fds = num;
        }
    }
}

/* receive returns false when the signer is gone. */
static bool receive(struct launcher *launcher, struct received *out)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))];
    struct iovec iov = {.iov_base = launcher->packet, .iov_len = sizeof(launcher->packet)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t len = recvmsg(LAUNCHER_FD, &message, MSG_CMSG_CLOEXEC);
    if (len <= 0) {
        return false;
    }
    take_fds(&message, out);
    out->packet = mg_slice_of(launcher->packet, (size_t)len);
    return true;
}

static void serve_packet(struct launcher *launcher)
{
    struct received received;
    if (!receive(launcher, &received)) {
        _exit(TOKEN_EXIT_DONE); /* and the children die with it: PR_SET_PDEATHSIG */
    }
    bool is_good = handle(launcher, &received);
    for (size_t i = 0; i < received.num_fds; i++) {
        close(received.fds[i]);
    }
    if (!is_good) {
        token_end(TOKEN_EXIT_BROKEN, "the signer sent what is no packet for a launcher");
    }
}

int launcher_run(void)
{
    static struct launcher launcher;
    sigset_t signals;
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    launcher.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (launcher.signal_fd < 0) {
        return TOKEN_EXIT_BROKEN;
    }
    struct pollfd fds[] = {{.fd = LAUNCHER_FD, .events = POLLIN}, {.fd = launcher.signal_fd, .events = POLLIN}};
    for (;;) {
        (void)poll(fds, MG_ARRAY_LEN(fds), -1);
        if (fds[1].revents != 0) {
            bury(&launcher);
        }
        if (fds[0].revents != 0) {
            serve_packet(&launcher);
        }
    }
}
