/* SPDX-License-Identifier: Apache-2.0 */
#include "config/values.h"

#include <arpa/inet.h>
#include <string.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit byte_units[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
static const struct unit duration_units[] = {{"us", 1000},
                                             {"ms", 1000000},
                                             {"s", UINT64_C(1000000000)},
                                             {"m", UINT64_C(60000000000)},
                                             {"h", UINT64_C(3600000000000)},
                                             {"d", UINT64_C(86400000000000)}};

/* digits reads decimal digits from the front of |*text|; false if there are none or the value overflows. */
static bool digits(const char **text, uint64_t *out)
{
    uint64_t value = 0;
    const char *p = *text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value)) {
            return false;
        }
    }
    bool any = p != *text;
    *text = p;
    *out = value;
    return any;
}

static bool scaled(const char *text, const struct unit *units, size_t num_units, uint64_t *out)
{
    uint64_t value;
    if (!digits(&text, &value)) {
        return false;
    }
    for (size_t i = 0; i < num_units; i++) {
        if (strcmp(text, units[i].suffix) == 0) {
            return !__builtin_mul_overflow(value, units[i].factor, out);
        }
    }
    return false;
}

bool config_value_bool(const char *text, bool *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0;
}

bool config_value_count(const char *text, uint64_t *out)
{
    return digits(&text, out) && *text == '\0';
}

bool config_value_bytes(const char *text, uint64_t *out)
{
    return scaled(text, byte_units, MG_ARRAY_LEN(byte_units), out);
}

bool config_value_duration(const char *text, uint64_t *ns)
{
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return true;
    }
    return scaled(text, duration_units, MG_ARRAY_LEN(duration_units), ns);
}

bool config_value_ports(const char *text, struct config_port_range *out)
{
    uint64_t first, last;
    if (!digits(&text, &first)) {
        return false;
    }
    last = first;
    if (*text == '-') {
        text++;
        if (!digits(&text, &last)) {
            return false;
        }
    }
    if (*text != '\0' || first < 1 || first > last || last > UINT16_MAX) {
        return false;
    }
    *out = (struct config_port_range){.first = (uint16_t)first, .last = (uint16_t)last};
    return true;
}

static bool bits_beyond_are_zero(const uint8_t *address, unsigned len, unsigned num_bits)
{
    for (unsigned bit = len; bit < num_bits; bit++) {
        if ((address[bit / 8] & (0x80 >> bit % 8)) != 0) {
            return false;
        }
    }
    return true;
}

bool config_value_prefix(const char *text, struct config_prefix *out)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t address_len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    if (address_len >= sizeof(address)) {
        return false;
    }
    memcpy(address, text, address_len);
    address[address_len] = '\0';

    struct config_prefix prefix = {.is_ipv6 = strchr(address, ':') != NULL};
    if (inet_pton(prefix.is_ipv6 ? AF_INET6 : AF_INET, address, prefix.address) != 1) {
        return false;
    }
    unsigned num_bits = prefix.is_ipv6 ? 128 : 32;
    uint64_t len = num_bits;
    if (slash != NULL && (!config_value_count(slash + 1, &len) || len > num_bits)) {
        return false;
    }
    prefix.len = (uint8_t)len;
    if (!bits_beyond_are_zero(prefix.address, prefix.len, num_bits)) {
        return false;
    }
    *out = prefix;
    return true;
}
