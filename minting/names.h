/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names in one canonical form, and how a name in a certificate is matched against the name a client asked for.
 * A name is a value: it is checked here once, and nothing downstream parses its text again. Pure: any thread.
 *
 * Canonical: ASCII, lower case, no trailing dot, 1 to 253 bytes, labels of 1 to 63 bytes (RFC 1035 section 2.3.4) made
 * of letters, digits, '-' and '_'. Stricter than DNS, looser than RFC 1123: an underscore, and a hyphen at either end
 * of a label, are accepted because real hosts have them and clients connect to them; RFC 5890's LDH rule says what may
 * be registered, not what is served. A-labels ("xn--...") are compared as the ASCII they are (RFC 9525 section 6.3).
 */
#ifndef MINTGATE_MINTING_NAMES_H
#define MINTGATE_MINTING_NAMES_H

#include "base/slice.h"

#define DNS_NAME_MAX_LEN 253
#define DNS_NAME_MAX_LABEL_LEN 63

/* struct dns_name is a canonical host name, or the pattern of a certificate: such a name behind "*.". */
struct dns_name {
    char text[DNS_NAME_MAX_LEN + 1]; /* NUL-terminated */
    uint8_t len;
};

enum dns_name_verdict {
    DNS_NAME_OK = 0,
    DNS_NAME_EMPTY,         /* no bytes, or the root "." */
    DNS_NAME_TOO_LONG,      /* over 253 bytes without the trailing dot */
    DNS_NAME_EMPTY_LABEL,   /* ".." or a dot in front */
    DNS_NAME_LONG_LABEL,    /* over 63 bytes */
    DNS_NAME_BAD_CHARACTER, /* space, comma, NUL, control characters, '*', ... */
    DNS_NAME_NON_ASCII,     /* a U-label: RFC 6066 section 3 wants the A-label */
    DNS_NAME_IP_LITERAL,    /* "literal IPv4 and IPv6 addresses are not permitted" (RFC 6066 section 3) */
};
#define DNS_NAME_NUM_VERDICTS 8

/* dns_name_verdict_name returns a static word such as "long_label", for counters and logs. */
const char *dns_name_verdict_name(enum dns_name_verdict verdict);

/*
 * dns_name_from_sni makes the canonical name of the HostName |host| of a server_name extension (RFC 6066 section 3).
 * One trailing dot is dropped: some clients send it, against the RFC. |out| is set only on DNS_NAME_OK.
 *
 * DNS_NAME_IP_LITERAL is not an attack: some clients send addresses, against the RFC; the caller treats it as no SNI.
 * What a resolver would take for an IPv4 address counts as one: any host whose last label is a number (WHATWG URL,
 * "ends in a number"; no top-level domain is one, RFC 3696 section 2).
 */
MG_MUST_USE enum dns_name_verdict dns_name_from_sni(struct dns_name *out, struct mg_slice host);

/* dns_name_from_san makes the canonical pattern of a dNSName of a certificate (RFC 5280 section 4.2.1.6): as above, but
 * for "*" as the whole left-most label, which is kept, and a trailing dot, which is refused as an empty label. */
MG_MUST_USE enum dns_name_verdict dns_name_from_san(struct dns_name *out, struct mg_slice dns_name);

/*
 * dns_name_matches tells whether the pattern |presented| names |reference|; both canonical, |reference| no pattern.
 * RFC 9525 section 6.3: equal, or "*" stands for exactly one whole left-most label. As TLS libraries do, a "*" before
 * a single label ("*.com") names nothing.
 */
MG_MUST_USE bool dns_name_matches(struct mg_slice presented, struct mg_slice reference);

/* dns_name_slice returns the bytes of |name|, borrowed. */
static inline struct mg_slice dns_name_slice(const struct dns_name *name)
{
    return mg_slice_of(name->text, name->len);
}

#endif
