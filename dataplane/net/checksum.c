/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/checksum.h"

#include <string.h>

#include <rte_ip.h>

#define IP_CHECKSUM_OFFSET 10
#define TCP_CHECKSUM_OFFSET 16
#define TCP_PROTOCOL 6

static bool is_ipv6(const uint8_t *ip)
{
    return ip[0] >> 4 == 6;
}

static void store16(uint8_t *place, uint16_t value)
{
    memcpy(place, &value, sizeof(value));
}

void checksum_ip_fill(uint8_t *ip)
{
    if (is_ipv6(ip)) {
        return;
    }
    store16(ip + IP_CHECKSUM_OFFSET, 0);
    store16(ip + IP_CHECKSUM_OFFSET, (uint16_t)~rte_raw_cksum(ip, (size_t)(ip[0] & 0xf) * 4));
}

/* pseudo_sum is the folded sum over the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
static uint32_t pseudo_sum(const uint8_t *ip, size_t tcp_len)
{
    const uint8_t *addresses = is_ipv6(ip) ? ip + 8 : ip + 12;
    size_t addresses_len = is_ipv6(ip) ? 32 : 8;
    return (uint32_t)rte_raw_cksum(addresses, addresses_len) + rte_cpu_to_be_16(TCP_PROTOCOL) +
           rte_cpu_to_be_16((uint16_t)tcp_len);
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

void checksum_tcp_pseudo_fill(uint8_t *ip, size_t tcp_offset, size_t tcp_len)
{
    store16(ip + tcp_offset + TCP_CHECKSUM_OFFSET, fold(pseudo_sum(ip, tcp_len)));
}

void checksum_tcp_fill(uint8_t *ip, size_t tcp_offset, size_t tcp_len)
{
    uint8_t *tcp = ip + tcp_offset;
    store16(tcp + TCP_CHECKSUM_OFFSET, 0);
    store16(tcp + TCP_CHECKSUM_OFFSET, (uint16_t)~fold(pseudo_sum(ip, tcp_len) + rte_raw_cksum(tcp, tcp_len)));
}

bool checksum_tcp_ok(const uint8_t *ip, size_t tcp_offset, size_t tcp_len)
{
    return fold(pseudo_sum(ip, tcp_len) + rte_raw_cksum(ip + tcp_offset, tcp_len)) == 0xffff;
}
