/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TCP_CHECKSUM_OFFSET 16

static enum mg_status open_queue(const char *name, unsigned flags, int *out, struct mg_error *error)
{
    struct ifreq request = {0};
    size_t len = strlen(name);
    if (len >= sizeof(request.ifr_name)) {
        return mg_error_set(error, MG_INVALID, "sessions.tun: %s is longer than an interface name may be", name);
    }
    memcpy(request.ifr_name, name, len);
    request.ifr_flags = (short)flags;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return mg_error_errno(error, "cannot open /dev/net/tun");
    }
    if (ioctl(fd, TUNSETIFF, &request) != 0 || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) {
        enum mg_status status = mg_error_errno(error, "cannot make the TUN device %s", name);
        close(fd);
        return status;
    }
    *out = fd;
    return MG_OK;
}

enum mg_status tun_open(const char *name, unsigned num_queues, int *fds, struct mg_error *error)
{
    unsigned flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (num_queues > 1 ? IFF_MULTI_QUEUE : 0);
    for (unsigned i = 0; i < num_queues; i++) {
        enum mg_status status = open_queue(name, flags, &fds[i], error);
        if (status != MG_OK) {
            while (i-- > 0) {
                close(fds[i]);
            }
            return status;
        }
    }
    return MG_OK;
}

enum mg_status tun_read(int fd, uint8_t *buffer, struct mg_slice *packet, struct tun_offload *offload)
{
    struct virtio_net_hdr header;
    struct iovec parts[2] = {{&header, sizeof(header)}, {buffer, TUN_MAX_PACKET}};
    ssize_t len = readv(fd, parts, 2);
    if (len < 0) {
        return errno == EAGAIN || errno == EINTR ? MG_AGAIN : MG_IO;
    }
    if ((size_t)len < sizeof(header)) {
        return MG_INVALID;
    }
    *packet = mg_slice_of(buffer, (size_t)len - sizeof(header));
    *offload = (struct tun_offload){.needs_checksum = (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0};
    switch (header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return MG_OK;
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6:
        offload->gso_size = header.gso_size;
        return header.gso_size > 0 ? MG_OK : MG_INVALID;
    default:
        return MG_INVALID;
    }
}

enum mg_status tun_write(int fd, struct iovec *parts, int num_parts, bool is_ipv6, uint16_t header_len,
                         uint16_t tcp_offset, struct tun_offload offload)
{
    struct virtio_net_hdr header = {0};
    if (offload.needs_checksum) {
        header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header.csum_start = tcp_offset;
        header.csum_offset = TCP_CHECKSUM_OFFSET;
    }
    if (offload.gso_size > 0) {
        header.gso_type = is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
        header.gso_size = offload.gso_size;
        header.hdr_len = header_len;
    }
    parts[0] = (struct iovec){&header, sizeof(header)};
    if (writev(fd, parts, num_parts) >= 0) {
        return MG_OK;
    }
    return errno == EAGAIN || errno == EINTR ? MG_AGAIN : MG_IO;
}
