/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/checksum.h"

#include <string.h>

#include <rte_byteorder.h>

#define IP_CHECKSUM_OFFSET 10
#define TCP_CHECKSUM_OFFSET 16
#define TCP_PROTOCOL 6

static bool is_ipv6(const uint8_t *ip)
{
    return ip[0] >> 4 == 6;
}

/* raw_sum is the sum of RFC 1071, folded, not complemented. 32 bits at a time are added to 64, where no carry is lost
 * (section 2 of it, C), in four sums that the processor adds side by side. */
static uint16_t raw_sum(const uint8_t *data, size_t len)
{
    uint64_t sums[4] = {0};
    for (; len >= sizeof(sums); data += sizeof(sums), len -= sizeof(sums)) {
        uint64_t words[4];
        memcpy(words, data, sizeof(words));
        for (int i = 0; i < 4; i++) {
            sums[i] += (words[i] & UINT32_MAX) + (words[i] >> 32);
        }
    }
    uint64_t sum = sums[0] + sums[1] + sums[2] + sums[3];
    for (; len > 0; data += 2, len -= len < 2 ? 1 : 2) {
        uint16_t word = 0; /* of an odd last byte the other is 0 */
        memcpy(&word, data, len < 2 ? 1 : 2);
        sum += word;
    }
    while (sum > UINT16_MAX) {
        sum = (sum & UINT16_MAX) + (sum >> 16);
    }
    return (uint16_t)sum;
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
    store16(ip + IP_CHECKSUM_OFFSET, (uint16_t)~raw_sum(ip, (size_t)(ip[0] & 0xf) * 4));
}

/* pseudo_sum is the folded sum over the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
static uint32_t pseudo_sum(const uint8_t *ip, size_t tcp_len)
{
    const uint8_t *addresses = is_ipv6(ip) ? ip + 8 : ip + 12;
    size_t addresses_len = is_ipv6(ip) ? 32 : 8;
    return (uint32_t)raw_sum(addresses, addresses_len) + rte_cpu_to_be_16(TCP_PROTOCOL) +
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
    store16(tcp + TCP_CHECKSUM_OFFSET, (uint16_t)~fold(pseudo_sum(ip, tcp_len) + raw_sum(tcp, tcp_len)));
}

bool checksum_tcp_ok(const uint8_t *ip, size_t tcp_offset, size_t tcp_len)
{
    return fold(pseudo_sum(ip, tcp_len) + raw_sum(ip + tcp_offset, tcp_len)) == 0xffff;
}
