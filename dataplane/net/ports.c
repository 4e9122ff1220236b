/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/ports.h"

#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <xdp/libxdp.h>

#include "base/log.h"
#include "dataplane/net/buffers.h"

#define MAX_EAL_ARGUMENTS 64
#define OWN_EAL_ARGUMENTS 2
/* What a driver may keep of a buffer for itself, in front of the frame: AF_XDP does (XDP_PACKET_HEADROOM). */
#define DRIVER_ROOM 256

/* ---- what the libraries have to say goes to our log ---- */

static ssize_t log_dpdk(void *cookie, const char *text, size_t len)
{
    (void)cookie;
    const char *end = memchr(text, '\n', len); /* the stream is line-buffered */
    size_t line = end == NULL ? len : (size_t)(end - text);
    mg_log_info("dpdk: %.*s", (int)line, text);
    return (ssize_t)len;
}

MG_PRINTF(2, 0)
static int log_bpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
    char text[512];
    int len = vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    mg_log(level == LIBBPF_WARN ? MG_LOG_WARNING : MG_LOG_DEBUG, "libbpf: %s", text);
    return len;
}

MG_PRINTF(2, 0)
static int log_xdp(enum libxdp_print_level level, const char *format, va_list arguments)
{
    (void)level; /* it warns that there is no dispatcher, which is of no use to a port of its own */
    return log_bpf(LIBBPF_DEBUG, format, arguments);
}

static void take_over_logs(void)
{
    static const cookie_io_functions_t functions = {.write = log_dpdk};
    FILE *stream = fopencookie(NULL, "w", functions);
    if (stream != NULL) {
        setvbuf(stream, NULL, _IOLBF, 0);
        (void)rte_openlog_stream(stream);
        rte_log_set_global_level(RTE_LOG_NOTICE);
    }
    (void)libbpf_set_print(log_bpf);
    (void)libxdp_set_print(log_xdp);
}

/* ---- starting ---- */

enum mg_status ports_eal_start(const struct config *config, struct mg_error *error)
{
    const struct config_strings *arguments = &config->dataplane.eal;
    if (arguments->num_items > MAX_EAL_ARGUMENTS - OWN_EAL_ARGUMENTS) {
        return mg_error_set(error, MG_LIMIT, "dataplane.eal: more than %d arguments",
                            MAX_EAL_ARGUMENTS - OWN_EAL_ARGUMENTS);
    }
    /* The EAL wants writable strings, may reorder them, and keeps pointers into them for good. */
    static char program[] = "mintgate";
    static char no_telemetry[] = "--no-telemetry"; /* its thread makes system calls that the engine must not */
    static char *kept[MAX_EAL_ARGUMENTS];
    char *argv[MAX_EAL_ARGUMENTS + 1] = {program, no_telemetry}; /* and NULL */
    for (size_t i = 0; i < arguments->num_items; i++) {
        argv[OWN_EAL_ARGUMENTS + i] = kept[i] = strdup(arguments->items[i]);
    }
    take_over_logs();
    if (rte_eal_init((int)arguments->num_items + OWN_EAL_ARGUMENTS, argv) < 0) {
        return mg_error_set(error, MG_INTERNAL, "dataplane.eal: the EAL does not start: %s", rte_strerror(rte_errno));
    }
    if (rte_lcore_count() < config->dataplane.workers + 1) {
        return mg_error_set(error, MG_INVALID,
                            "dataplane.eal gives %u lcores; dataplane.workers: %u wants one each and one more",
                            rte_lcore_count(), (unsigned)config->dataplane.workers);
    }
    return MG_OK;
}

static enum mg_status find_port(const char *key, const char *name, uint16_t *out, struct mg_error *error)
{
    if (name[0] == '\0') {
        return mg_error_set(error, MG_INVALID, "dataplane.%s is not set", key);
    }
    if (rte_eth_dev_get_port_by_name(name, out) != 0) {
        return mg_error_set(error, MG_NOT_FOUND, "dataplane.%s: DPDK has no device %s", key, name);
    }
    return MG_OK;
}

static enum mg_status start_queues(const struct ports *ports, uint16_t id, const struct config *config)
{
    uint16_t rx_descriptors = (uint16_t)config->dataplane.descriptors;
    uint16_t tx_descriptors = rx_descriptors;
    if (rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx_descriptors, &tx_descriptors) != 0) {
        return MG_INTERNAL;
    }
    int socket = rte_eth_dev_socket_id(id);
    unsigned socket_id = socket < 0 ? rte_socket_id() : (unsigned)socket;
    for (uint16_t queue = 0; queue < ports->num_queues; queue++) {
        if (rte_eth_rx_queue_setup(id, queue, rx_descriptors, socket_id, NULL, ports->pool) != 0 ||
            rte_eth_tx_queue_setup(id, queue, tx_descriptors, socket_id, NULL) != 0) {
            return MG_INTERNAL;
        }
    }
    return MG_OK;
}

static enum mg_status start_port(const struct ports *ports, const char *name, uint16_t id, const struct config *config,
                                 struct mg_error *error)
{
    struct rte_eth_dev_info info;
    if (rte_eth_dev_info_get(id, &info) != 0) {
        return mg_error_set(error, MG_INTERNAL, "port %s: no device information", name);
    }
    if (info.max_rx_queues < ports->num_queues || info.max_tx_queues < ports->num_queues) {
        return mg_error_set(error, MG_INVALID,
                            "port %s has %u RX and %u TX queues; dataplane.workers: %u wants one each", name,
                            info.max_rx_queues, info.max_tx_queues, ports->num_queues);
    }
    struct rte_eth_conf port_config = {0};
    port_config.rxmode.mtu = (uint32_t)config->dataplane.mtu;
    if (info.max_mtu != 0 && port_config.rxmode.mtu > info.max_mtu) {
        return mg_error_set(error, MG_INVALID, "port %s: its largest MTU is %u, dataplane.mtu is %u", name,
                            info.max_mtu, port_config.rxmode.mtu);
    }
    if (ports->num_queues > 1 && info.flow_type_rss_offloads != 0) {
        port_config.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        port_config.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP);
    }
    if (rte_eth_dev_configure(id, ports->num_queues, ports->num_queues, &port_config) != 0 ||
        start_queues(ports, id, config) != MG_OK || rte_eth_dev_start(id) != 0) {
        return mg_error_set(error, MG_INTERNAL, "port %s does not start", name);
    }
    /* Inline: every frame is somebody else's. Some virtual devices cannot say so and see everything anyway. */
    if (rte_eth_promiscuous_enable(id) != 0) {
        mg_log_warning("port %s cannot be made promiscuous", name);
    }
    return MG_OK;
}

/* by_af_xdp tells whether one of the ports is driven so. */
static bool by_af_xdp(const struct ports *ports)
{
    struct rte_eth_dev_info info;
    for (size_t side = 0; side < MG_ARRAY_LEN(ports->id); side++) {
        if (rte_eth_dev_info_get(ports->id[side], &info) == 0 && strcmp(info.driver_name, "net_af_xdp") == 0) {
            return true;
        }
    }
    return false;
}

enum mg_status ports_start(struct ports *out, const struct config *config, struct mg_error *error)
{
    *out = (struct ports){.num_queues = (uint16_t)config->dataplane.workers};
    enum mg_status status = find_port("client_port", config->dataplane.client_port, &out->id[SIDE_CLIENT], error);
    if (status == MG_OK) {
        status = find_port("server_port", config->dataplane.server_port, &out->id[SIDE_SERVER], error);
    }
    if (status != MG_OK) {
        return status;
    }
    size_t room = config->dataplane.mtu + PACKET_MAX_L2 + DRIVER_ROOM;
    if (room < RTE_MBUF_DEFAULT_DATAROOM) {
        room = RTE_MBUF_DEFAULT_DATAROOM;
    }
    out->pool = buffers_new("packets", (unsigned)config->dataplane.packet_buffers, room, by_af_xdp(out));
    if (out->pool == NULL) {
        return mg_error_set(error, MG_MEMORY,
                            "dataplane.packet_buffers: no memory for %u buffers; give the EAL more (-m, hugepages)",
                            (unsigned)config->dataplane.packet_buffers);
    }
    status = start_port(out, config->dataplane.client_port, out->id[SIDE_CLIENT], config, error);
    if (status == MG_OK) {
        status = start_port(out, config->dataplane.server_port, out->id[SIDE_SERVER], config, error);
    }
    return status;
}

void ports_stop(struct ports *ports)
{
    for (int side = 0; side < 2; side++) {
        rte_eth_dev_stop(ports->id[side]);
        rte_eth_dev_close(ports->id[side]);
    }
}

bool ports_frame(struct rte_mbuf *mbuf, struct mg_slice *out)
{
    if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) != 0) {
        return false;
    }
    *out = mg_slice_of(rte_pktmbuf_mtod(mbuf, void *), rte_pktmbuf_data_len(mbuf));
    return true;
}
