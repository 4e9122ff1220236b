/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VLAN device for kernels without 802.1Q: a TAP device whose frames leave by a link with one tag or two (IEEE 802.1Q,
 * 802.1ad), and which receives the link's frames that carry the same. One thread; runs until it is killed, and the TAP
 * device goes with it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"

#define MAX_TAGS 2
#define TAG_LEN 4
#define MACS_LEN (2 * ETH_ALEN)
#define MAX_FRAME 10240
#define LINK_MTU 1500
#define FRAMES_PER_TURN 64
#define VLAN_ID_MASK 0x0fff
#define MAX_VLAN_ID 4094

struct tag {
    uint16_t tpid; /* ETH_P_8021Q or ETH_P_8021AD */
    uint16_t vlan_id;
};

struct bridge {
    int tap_fd;
    int link_fd;
    struct tag tags[MAX_TAGS]; /* the outer one first */
    size_t num_tags;
};

static const char usage[] = "usage: mintgate-lab-vlan-tap --link DEVICE --tap NAME --tags ID[.ID]\n"
                            "  --tags 100      one tag, 8100\n"
                            "  --tags 100.200  an outer tag, 88a8, and an inner one, 8100\n";

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void die_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint16_t parse_vlan_id(const char *text, char **end)
{
    unsigned long id = strtoul(text, end, 10);
    if (*end == text || id == 0 || id > MAX_VLAN_ID) {
        die_usage();
    }
    return (uint16_t)id;
}

static void parse_tags(struct bridge *bridge, const char *text)
{
    char *end;
    bridge->tags[0] = (struct tag){ETH_P_8021Q, parse_vlan_id(text, &end)};
    bridge->num_tags = 1;
    if (*end == '.') {
        bridge->tags[0].tpid = ETH_P_8021AD;
        bridge->tags[1] = (struct tag){ETH_P_8021Q, parse_vlan_id(end + 1, &end)};
        bridge->num_tags = 2;
    }
    if (*end != '\0') {
        die_usage();
    }
}

static void set_mtu(const char *device, int mtu)
{
    struct ifreq request = {.ifr_mtu = mtu};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFMTU, &request) != 0) {
        die("cannot set the TAP device's MTU");
    }
    close(fd);
}

static int open_tap(const char *name, int mtu)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        die("cannot make the TAP device");
    }
    set_mtu(name, mtu);
    return fd;
}

/* open_link opens |device| for all frames that come in. The kernel takes the outermost tag out of a frame and tells it
 * in PACKET_AUXDATA (packet(7)). */
static int open_link(const char *device)
{
    const int on = 1;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(device)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || address.sll_ifindex == 0 || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        die("cannot open the link");
    }
    return fd;
}

static void put_u16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static uint16_t get_u16(const uint8_t *in)
{
    return (uint16_t)(in[0] << 8 | in[1]);
}

/* send_tagged moves one frame from the TAP device to the link; false when none waits. */
static bool send_tagged(const struct bridge *bridge)
{
    uint8_t frame[MAX_FRAME + MAX_TAGS * TAG_LEN];
    size_t tags_len = bridge->num_tags * TAG_LEN;
    ssize_t len = read(bridge->tap_fd, frame + tags_len, MAX_FRAME);
    if (len < 0) {
        return false;
    }
    if (len >= MACS_LEN) {
        memmove(frame, frame + tags_len, MACS_LEN);
        for (size_t i = 0; i < bridge->num_tags; i++) {
            uint8_t *tag = frame + MACS_LEN + i * TAG_LEN;
            put_u16(tag, bridge->tags[i].tpid);
            put_u16(tag + 2, bridge->tags[i].vlan_id);
        }
        (void)send(bridge->link_fd, frame, (size_t)len + tags_len, 0); /* a link may drop */
    }
    return true;
}

/* auxiliary_tag finds the tag that the kernel took out, false if there was none. */
static bool auxiliary_tag(struct msghdr *message, struct tag *tag)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg != NULL; cmsg = CMSG_NXTHDR(message, cmsg)) {
        struct tpacket_auxdata aux;
        if (cmsg->cmsg_level != SOL_PACKET || cmsg->cmsg_type != PACKET_AUXDATA) {
            continue;
        }
        memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
        if ((aux.tp_status & TP_STATUS_VLAN_VALID) != 0) {
            tag->tpid = (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? aux.tp_vlan_tpid : ETH_P_8021Q;
            tag->vlan_id = aux.tp_vlan_tci & VLAN_ID_MASK;
            return true;
        }
    }
    return false;
}

/* tags_match compares the tags of a frame with ours: the one in |message|'s auxiliary data, then those still in the
 * frame. |tags_len| is the number of bytes that the latter take. */
static bool tags_match(const struct bridge *bridge, struct msghdr *message, const uint8_t *frame, size_t len,
                       size_t *tags_len)
{
    struct tag tag;
    size_t num_seen = 0;
    *tags_len = 0;
    if (auxiliary_tag(message, &tag)) {
        if (tag.tpid != bridge->tags[0].tpid || tag.vlan_id != bridge->tags[0].vlan_id) {
            return false;
        }
        num_seen = 1;
    }
    for (; num_seen < bridge->num_tags; num_seen++, *tags_len += TAG_LEN) {
        size_t at = MACS_LEN + *tags_len;
        if (len < at + TAG_LEN || get_u16(frame + at) != bridge->tags[num_seen].tpid ||
            (get_u16(frame + at + 2) & VLAN_ID_MASK) != bridge->tags[num_seen].vlan_id) {
            return false;
        }
    }
    return len >= MACS_LEN + *tags_len;
}

/* receive_tagged moves one frame from the link to the TAP device; false when none waits. */
static bool receive_tagged(const struct bridge *bridge)
{
    uint8_t frame[MAX_FRAME];
    union {
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = frame, .iov_len = sizeof(frame)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    size_t tags_len;
    ssize_t len = recvmsg(bridge->link_fd, &message, 0);
    if (len < 0) {
        return false;
    }
    if (tags_match(bridge, &message, frame, (size_t)len, &tags_len)) {
        memmove(frame + tags_len, frame, MACS_LEN);
        (void)!write(bridge->tap_fd, frame + tags_len, (size_t)len - tags_len); /* a device that is down takes none */
    }
    return true;
}

static void move(const struct bridge *bridge, bool (*one)(const struct bridge *))
{
    for (int i = 0; i < FRAMES_PER_TURN && one(bridge); i++) {
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"link", required_argument, NULL, 'l'},
        {"tap", required_argument, NULL, 't'},
        {"tags", required_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    const char *link = NULL, *tap = NULL;
    struct bridge bridge = {.num_tags = 0};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'l':
            link = optarg;
            break;
        case 't':
            tap = optarg;
            break;
        case 'v':
            parse_tags(&bridge, optarg);
            break;
        default:
            die_usage();
        }
    }
    if (link == NULL || tap == NULL || bridge.num_tags == 0 || optind != argc) {
        die_usage();
    }
    bridge.link_fd = open_link(link);
    /* A link lets a frame with one 8100 tag be longer by the tag; not so one that begins with 88a8. */
    bridge.tap_fd = open_tap(tap, bridge.num_tags == 1 ? LINK_MTU : LINK_MTU - MAX_TAGS * TAG_LEN);
    struct pollfd fds[] = {{.fd = bridge.tap_fd, .events = POLLIN}, {.fd = bridge.link_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, MG_ARRAY_LEN(fds), -1) < 0 && errno != EINTR) {
            die("poll");
        }
        move(&bridge, send_tagged);
        move(&bridge, receive_tagged);
    }
}
