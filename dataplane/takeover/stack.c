/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/takeover/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/net/tun.h"

/* The table that holds nothing but "every address is local". */
#define LOCAL_TABLE 100
#define RULE_PRIORITY 100
#define TX_QUEUE_LEN 8192

/* ---- netlink ---- */

static enum mg_status netlink_call(struct mnl_socket *socket, struct nlmsghdr *message, const char *what,
                                   struct mg_error *error)
{
    char answer[1024];
    message->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) {
        return mg_error_errno(error, "stack namespace: %s", what);
    }
    ssize_t len = mnl_socket_recvfrom(socket, answer, sizeof(answer));
    if (len < 0 ||
        (mnl_cb_run(answer, (size_t)len, 0, mnl_socket_get_portid(socket), NULL, NULL) < 0 && errno != EEXIST)) {
        return mg_error_errno(error, "stack namespace: %s", what);
    }
    return MG_OK;
}

static enum mg_status add_route(struct mnl_socket *socket, unsigned char family, unsigned char table,
                                unsigned char type, unsigned interface, struct mg_error *error)
{
    char buffer[256];
    memset(buffer, 0, sizeof(buffer));
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = RTM_NEWROUTE;
    message->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
    struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
    route->rtm_family = family;
    route->rtm_table = table;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK;
    route->rtm_type = type;
    mnl_attr_put_u32(message, RTA_OIF, interface);
    return netlink_call(socket, message, "cannot add a default route", error);
}

static enum mg_status add_rule(struct mnl_socket *socket, unsigned char family, const char *interface,
                               struct mg_error *error)
{
    char buffer[256];
    memset(buffer, 0, sizeof(buffer));
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = RTM_NEWRULE;
    message->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(message, sizeof(*rule));
    rule->family = family;
    rule->table = LOCAL_TABLE;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_strz(message, FRA_IIFNAME, interface);
    mnl_attr_put_u32(message, FRA_PRIORITY, RULE_PRIORITY);
    return netlink_call(socket, message, "cannot add the rule for what comes in", error);
}

static enum mg_status add_routes(const char *tun, struct mg_error *error)
{
    struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
    if (socket == NULL || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        enum mg_status status = mg_error_errno(error, "stack namespace: no netlink socket");
        if (socket != NULL) {
            mnl_socket_close(socket);
        }
        return status;
    }
    unsigned tun_index = if_nametoindex(tun);
    unsigned lo_index = if_nametoindex("lo");
    static const unsigned char families[] = {AF_INET, AF_INET6};
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < MG_ARRAY_LEN(families) && status == MG_OK; i++) {
        status = add_route(socket, families[i], RT_TABLE_MAIN, RTN_UNICAST, tun_index, error);
        if (status == MG_OK) {
            status = add_route(socket, families[i], LOCAL_TABLE, RTN_LOCAL, lo_index, error);
        }
        if (status == MG_OK) {
            status = add_rule(socket, families[i], tun, error);
        }
    }
    mnl_socket_close(socket);
    return status;
}

/* ---- interfaces and settings ---- */

static enum mg_status interface_up(const char *name, int mtu, struct mg_error *error)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return mg_error_errno(error, "stack namespace: no socket");
    }
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    bool ok = true;
    if (mtu > 0) {
        request.ifr_mtu = mtu;
        ok = ioctl(fd, SIOCSIFMTU, &request) == 0;
        request.ifr_qlen = TX_QUEUE_LEN;
        ok = ok && ioctl(fd, SIOCSIFTXQLEN, &request) == 0;
    }
    ok = ok && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags |= IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    enum mg_status status = ok ? MG_OK : mg_error_errno(error, "stack namespace: cannot bring %s up", name);
    close(fd);
    return status;
}

static enum mg_status set_sysctl(const char *path, const char *value, struct mg_error *error)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return mg_error_errno(error, "stack namespace: cannot open %s", path);
    }
    ssize_t written = write(fd, value, strlen(value));
    enum mg_status status =
        written == (ssize_t)strlen(value) ? MG_OK : mg_error_errno(error, "stack namespace: cannot write %s", path);
    close(fd);
    return status;
}

static enum mg_status set_up(struct stack *stack, const struct config *config, struct mg_error *error)
{
    static const struct {
        const char *path, *value;
    } sysctls[] = {
        /* A socket in TIME_WAIT would refuse the adoption of the next flow with the same ports (facts: 28,170 of
         * 28,266). The dataplane answers late FINs instead. */
        {"/proc/sys/net/ipv4/tcp_max_tw_buckets", "0"},
        {"/proc/sys/net/ipv6/conf/all/disable_ipv6", "0"},
        {"/proc/sys/net/ipv6/conf/default/disable_ipv6", "0"},
        /* Nothing but the default route's own traffic: no address, no router solicitation on the TUN. */
        {"/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1"},
        {"/proc/sys/net/ipv6/conf/default/accept_ra", "0"},
        {"/proc/sys/net/ipv6/conf/default/router_solicitations", "0"},
    };
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < MG_ARRAY_LEN(sysctls) && status == MG_OK; i++) {
        status = set_sysctl(sysctls[i].path, sysctls[i].value, error);
    }
    if (status == MG_OK) {
        status = interface_up("lo", 0, error);
    }
    if (status == MG_OK) {
        status = tun_open(config->sessions.tun, stack->num_queues, stack->tun_fds, error);
    }
    if (status != MG_OK) {
        return status;
    }
    status = interface_up(config->sessions.tun, (int)config->dataplane.mtu, error);
    if (status == MG_OK) {
        status = add_routes(config->sessions.tun, error);
    }
    if (status != MG_OK) {
        for (unsigned i = 0; i < stack->num_queues; i++) {
            close(stack->tun_fds[i]);
        }
    }
    return status;
}

static int open_namespace(const char *name)
{
    char path[PATH_MAX];
    bool is_path = strchr(name, '/') != NULL;
    int len = snprintf(path, sizeof(path), "%s%s", is_path ? "" : "/run/netns/", name);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_CLOEXEC);
}

enum mg_status stack_start(struct stack *out, const struct config *config, struct mg_error *error)
{
    *out = (struct stack){.num_queues = (unsigned)config->dataplane.workers, .namespace_fd = -1};
    out->tun_fds = calloc(out->num_queues, sizeof(int));
    int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (out->tun_fds == NULL || own < 0) {
        free(out->tun_fds);
        return mg_error_set(error, MG_MEMORY, "stack namespace: out of memory or descriptors");
    }
    enum mg_status status = MG_OK;
    out->namespace_fd = open_namespace(config->sessions.stack_namespace);
    if (out->namespace_fd < 0) {
        status = mg_error_errno(error, "sessions.stack_namespace: cannot open %s", config->sessions.stack_namespace);
    } else if (setns(out->namespace_fd, CLONE_NEWNET) != 0) {
        status = mg_error_errno(error, "sessions.stack_namespace: cannot enter %s", config->sessions.stack_namespace);
    } else {
        status = set_up(out, config, error);
        if (setns(own, CLONE_NEWNET) != 0) {
            status = mg_error_errno(error, "cannot come back from the stack namespace");
        }
    }
    close(own);
    if (status != MG_OK) {
        if (out->namespace_fd >= 0) {
            close(out->namespace_fd);
        }
        free(out->tun_fds);
    }
    return status;
}

enum mg_status stack_enter(const struct stack *stack, struct mg_error *error)
{
    return setns(stack->namespace_fd, CLONE_NEWNET) == 0 ? MG_OK
                                                         : mg_error_errno(error, "cannot enter the stack namespace");
}

void stack_stop(struct stack *stack)
{
    for (unsigned i = 0; i < stack->num_queues; i++) {
        close(stack->tun_fds[i]);
    }
    free(stack->tun_fds);
    close(stack->namespace_fd);
}
