/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/names.h"

#include <arpa/inet.h>

const char *dns_name_verdict_name(enum dns_name_verdict verdict)
{
    static const char *const names[DNS_NAME_NUM_VERDICTS] = {
        [DNS_NAME_OK] = "ok",
        [DNS_NAME_EMPTY] = "empty",
        [DNS_NAME_TOO_LONG] = "too_long",
        [DNS_NAME_EMPTY_LABEL] = "empty_label",
        [DNS_NAME_LONG_LABEL] = "long_label",
        [DNS_NAME_BAD_CHARACTER] = "bad_character",
        [DNS_NAME_NON_ASCII] = "non_ascii",
        [DNS_NAME_IP_LITERAL] = "ip_literal",
    };
    return (unsigned)verdict < DNS_NAME_NUM_VERDICTS ? names[verdict] : "unknown";
}

/* ASCII only, whatever the locale. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_label_character(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* is_ipv6_literal knows an address also in brackets and with a zone, as URLs write it. */
static bool is_ipv6_literal(struct mg_slice host)
{
    struct mg_slice address = host;
    if (address.len >= 2 && address.data[0] == '[' && address.data[address.len - 1] == ']') {
        address = mg_slice_of(address.data + 1, address.len - 2);
    }
    const uint8_t *zone = address.len > 0 ? memchr(address.data, '%', address.len) : NULL;
    if (zone != NULL) {
        address.len = (size_t)(zone - address.data);
    }
    char text[INET6_ADDRSTRLEN];
    if (address.len >= sizeof(text) || address.len == 0 || memchr(address.data, ':', address.len) == NULL ||
        memchr(address.data, '\0', address.len) != NULL) {
        return false;
    }
    memcpy(text, address.data, address.len);
    text[address.len] = '\0';
    struct in6_addr ignored;
    return inet_pton(AF_INET6, text, &ignored) == 1;
}

/* is_number tells whether |label| is decimal, or hexadecimal behind "0x" (also "0x" alone, as inet_aton has it). */
static bool is_number(const char *label, size_t len)
{
    bool hex = len >= 2 && label[0] == '0' && label[1] == 'x';
    for (size_t i = hex ? 2 : 0; i < len; i++) {
        if (hex ? !is_hex_digit(label[i]) : !is_digit(label[i])) {
            return false;
        }
    }
    return true;
}

/* append_labels writes the canonical form of |host| behind what |out| holds; |out->len| and the terminator are set
 * only when all of it is good. */
static enum dns_name_verdict append_labels(struct dns_name *out, struct mg_slice host)
{
    if (host.len > (size_t)DNS_NAME_MAX_LEN - out->len) {
        return DNS_NAME_TOO_LONG;
    }
    char *text = out->text + out->len;
    size_t label_len = 0; /* of the label being read */
    for (size_t i = 0; i < host.len; i++) {
        if (host.data[i] >= 0x80) {
            return DNS_NAME_NON_ASCII;
        }
        text[i] = to_lower((char)host.data[i]);
        if (text[i] == '.') {
            if (label_len == 0) {
                return DNS_NAME_EMPTY_LABEL;
            }
            label_len = 0;
            continue;
        }
        if (!is_label_character(text[i])) {
            return DNS_NAME_BAD_CHARACTER;
        }
        if (++label_len > DNS_NAME_MAX_LABEL_LEN) {
            return DNS_NAME_LONG_LABEL;
        }
    }
    if (label_len == 0) {
        return DNS_NAME_EMPTY_LABEL;
    }
    if (is_number(text + host.len - label_len, label_len)) {
        return DNS_NAME_IP_LITERAL;
    }
    text[host.len] = '\0';
    out->len = (uint8_t)(out->len + host.len);
    return DNS_NAME_OK;
}

static enum dns_name_verdict canonical(struct dns_name *out, struct mg_slice host, bool wildcard)
{
    if (host.len == 0) {
        return DNS_NAME_EMPTY;
    }
    if (is_ipv6_literal(host)) {
        return DNS_NAME_IP_LITERAL;
    }
    struct dns_name name;
    name.len = 0;
    if (wildcard) {
        name.text[0] = '*';
        name.text[1] = '.';
        name.len = 2;
    }
    enum dns_name_verdict verdict = append_labels(&name, host);
    if (verdict == DNS_NAME_OK) {
        memcpy(out->text, name.text, name.len + 1u);
        out->len = name.len;
    }
    return verdict;
}

enum dns_name_verdict dns_name_from_sni(struct dns_name *out, struct mg_slice host)
{
    if (host.len > 0 && host.data[host.len - 1] == '.') {
        host.len--;
    }
    return canonical(out, host, false);
}

enum dns_name_verdict dns_name_from_san(struct dns_name *out, struct mg_slice dns_name)
{
    bool wildcard = dns_name.len >= 2 && dns_name.data[0] == '*' && dns_name.data[1] == '.';
    if (wildcard) {
        dns_name = mg_slice_of(dns_name.data + 2, dns_name.len - 2);
    }
    return canonical(out, dns_name, wildcard);
}

bool dns_name_matches(struct mg_slice presented, struct mg_slice reference)
{
    if (presented.len < 2 || presented.data[0] != '*') {
        return mg_slice_equal(presented, reference);
    }
    struct mg_slice suffix = mg_slice_of(presented.data + 1, presented.len - 1); /* with its leading dot */
    const uint8_t *first_dot = reference.len > 0 ? memchr(reference.data, '.', reference.len) : NULL;
    if (first_dot == NULL || memchr(suffix.data + 1, '.', suffix.len - 1) == NULL) {
        return false;
    }
    size_t label_len = (size_t)(first_dot - reference.data);
    return mg_slice_equal(suffix, mg_slice_of(first_dot, reference.len - label_len));
}
