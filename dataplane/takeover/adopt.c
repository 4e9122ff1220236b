/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/takeover/adopt.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPAIR_ON 1
#define REPAIR_OFF_NO_PROBE (-1)
/* TCP option kinds, as TCP_REPAIR_OPTIONS names them. */
#define OPTION_MSS 2
#define OPTION_WINDOW_SCALE 3
#define OPTION_SACK_PERMITTED 4
#define OPTION_TIMESTAMP 8
#define DEFAULT_MSS_IPV4 536 /* RFC 9293 section 3.7.1 */
#define DEFAULT_MSS_IPV6 1220

/* One half: the socket stands in for |self| and speaks to |peer|. */
struct half {
    int fd;
    bool is_ipv6;
    bool answers; /* what it receives first is acknowledged by its answer, or a little later */
    const struct adopt_end *self;
    const struct adopt_end *peer;
};

static bool set_int(const struct half *half, int level, int name, int value)
{
    return setsockopt(half->fd, level, name, &value, sizeof(value)) == 0;
}

static bool set_tcp(const struct half *half, int name, int value)
{
    return set_int(half, IPPROTO_TCP, name, value);
}

static socklen_t address_of(const struct half *half, const struct adopt_end *end, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (half->is_ipv6) {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)out;
        address->sin6_family = AF_INET6;
        address->sin6_port = htons(end->port);
        memcpy(&address->sin6_addr, end->address, 16);
        return sizeof(*address);
    }
    struct sockaddr_in *address = (struct sockaddr_in *)out;
    address->sin_family = AF_INET;
    address->sin_port = htons(end->port);
    memcpy(&address->sin_addr, end->address, 4);
    return sizeof(*address);
}

static uint16_t mss_of(const struct half *half)
{
    if (half->peer->syn_options.has_mss) {
        return half->peer->syn_options.mss;
    }
    return half->is_ipv6 ? DEFAULT_MSS_IPV6 : DEFAULT_MSS_IPV4;
}

static bool set_sequences(const struct half *half)
{
    return set_tcp(half, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) && set_tcp(half, TCP_QUEUE_SEQ, (int)half->self->next_seq) &&
           set_tcp(half, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE) && set_tcp(half, TCP_QUEUE_SEQ, (int)half->peer->next_seq);
}

static bool join(const struct half *half)
{
    struct sockaddr_storage address;
    socklen_t len = address_of(half, half->self, &address);
    if (bind(half->fd, (const struct sockaddr *)&address, len) != 0) {
        return false;
    }
    len = address_of(half, half->peer, &address);
    return connect(half->fd, (const struct sockaddr *)&address, len) == 0;
}

static bool set_options(const struct half *half)
{
    const struct tcp_options *self = &half->self->syn_options, *peer = &half->peer->syn_options;
    struct tcp_repair_opt options[4];
    socklen_t num = 0;
    options[num++] = (struct tcp_repair_opt){OPTION_MSS, mss_of(half)};
    /* Always, with 0 and 0 where it was not negotiated: without it the kernel assumes a window of 63 bytes. */
    bool scaled = self->has_window_scale && peer->has_window_scale;
    uint32_t scales = scaled ? peer->window_scale | (uint32_t)self->window_scale << 16 : 0;
    options[num++] = (struct tcp_repair_opt){OPTION_WINDOW_SCALE, scales};
    if (self->has_sack_permitted && peer->has_sack_permitted) {
        options[num++] = (struct tcp_repair_opt){OPTION_SACK_PERMITTED, 0};
    }
    bool timestamps = self->has_timestamp && peer->has_timestamp;
    if (timestamps) {
        options[num++] = (struct tcp_repair_opt){OPTION_TIMESTAMP, 0};
    }
    /* Bit 0 of TCP_TIMESTAMP would choose microseconds on new kernels. */
    return setsockopt(half->fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, num * sizeof(options[0])) == 0 &&
           (!timestamps || set_tcp(half, TCP_TIMESTAMP, (int)((half->self->timestamp + 1) & ~UINT32_C(1))));
}

static bool set_window(const struct half *half)
{
    const struct tcp_repair_window window = {
        .snd_wl1 = half->peer->next_seq,
        .snd_wnd = half->peer->window,
        .max_window = half->peer->window,
        .rcv_wnd = half->self->window,
        .rcv_wup = half->peer->next_seq,
    };
    return setsockopt(half->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)) == 0;
}

static bool adopt_half(struct half *half)
{
    half->fd = socket(half->is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    return half->fd >= 0 &&
           (half->is_ipv6 ? set_int(half, IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
                          : set_int(half, IPPROTO_IP, IP_TRANSPARENT, 1)) &&
           set_tcp(half, TCP_REPAIR, REPAIR_ON) && set_sequences(half) &&
           set_tcp(half, TCP_MAXSEG, mss_of(half)) && /* or the first segments are of 524 bytes */
           join(half) && set_options(half) && set_window(half) && set_tcp(half, TCP_REPAIR, REPAIR_OFF_NO_PROBE) &&
           set_int(half, SOL_SOCKET, SO_REUSEADDR, 1) && set_tcp(half, TCP_NODELAY, 1) &&
           (!half->answers || set_tcp(half, TCP_QUICKACK, 0)); /* RFC 9293 section 3.8.6.3 */
}

static enum mg_status status_of_errno(void)
{
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return MG_LIMIT;
    case EADDRINUSE:
    case EADDRNOTAVAIL:
        return MG_EXISTS;
    default:
        return MG_IO;
    }
}

enum mg_status adopt(const struct adopt_flow *flow, int fds[2])
{
    for (int side = 0; side < 2; side++) {
        struct half half = {
            .is_ipv6 = flow->is_ipv6,
            .answers = flow->is_answered,
            .self = &flow->end[!side],
            .peer = &flow->end[side],
        };
        bool adopted = adopt_half(&half);
        fds[side] = half.fd;
        if (!adopted) {
            enum mg_status status = status_of_errno();
            for (; side >= 0; side--) {
                if (fds[side] >= 0) {
                    adopt_drop(fds[side]);
                }
            }
            return status;
        }
    }
    return MG_OK;
}

void adopt_drop(int fd)
{
    int on = REPAIR_ON;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
    close(fd);
}
