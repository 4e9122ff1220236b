/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ClientHello says (RFC 8446 section 4.1.2; RFC 5246 section 7.4.1.2, with or without extensions).
 *
 * Parsing checks the whole message and every extension that is read here down to its last byte; it refuses what the
 * specifications let no client send, so that two readers of one hello cannot see two different ones. Lists stay where
 * they are, as views on the message, and are read by iterating over a copy of the view: CBS_get_u16 for 16-bit values,
 * client_hello_next_alpn and client_hello_next_key_share for the others. An absent list is an empty view.
 *
 * Pure: any thread, no I/O, no allocation, no copying. A struct client_hello borrows from the message it was parsed
 * from.
 */
#ifndef MINTGATE_DATAPLANE_HELLO_CLIENT_HELLO_H
#define MINTGATE_DATAPLANE_HELLO_CLIENT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/bytestring.h>

#include "base/attr.h"
#include "base/status.h"

/* More extensions than this are refused. Clients send some twenty; about sixty types are registered. */
#define CLIENT_HELLO_MAX_EXTENSIONS 128

/* ProtocolVersion (RFC 8446 section 4.2.1, RFC 5246 appendix A.1) */
enum {
    CLIENT_HELLO_SSL3 = 0x0300,
    CLIENT_HELLO_TLS1_0 = 0x0301,
    CLIENT_HELLO_TLS1_1 = 0x0302,
    CLIENT_HELLO_TLS1_2 = 0x0303,
    CLIENT_HELLO_TLS1_3 = 0x0304,
};

/* Extension types that the engine asks for (IANA, "TLS ExtensionType Values"). */
enum {
    CLIENT_HELLO_EXT_SERVER_NAME = 0,
    CLIENT_HELLO_EXT_STATUS_REQUEST = 5,
    CLIENT_HELLO_EXT_SUPPORTED_GROUPS = 10,
    CLIENT_HELLO_EXT_SIGNATURE_ALGORITHMS = 13,
    CLIENT_HELLO_EXT_ALPN = 16,
    CLIENT_HELLO_EXT_SIGNED_CERTIFICATE_TIMESTAMP = 18,
    CLIENT_HELLO_EXT_ENCRYPT_THEN_MAC = 22,
    CLIENT_HELLO_EXT_EXTENDED_MASTER_SECRET = 23,
    CLIENT_HELLO_EXT_COMPRESS_CERTIFICATE = 27,
    CLIENT_HELLO_EXT_SESSION_TICKET = 35,
    CLIENT_HELLO_EXT_PRE_SHARED_KEY = 41,
    CLIENT_HELLO_EXT_EARLY_DATA = 42,
    CLIENT_HELLO_EXT_SUPPORTED_VERSIONS = 43,
    CLIENT_HELLO_EXT_PSK_KEY_EXCHANGE_MODES = 45,
    CLIENT_HELLO_EXT_SIGNATURE_ALGORITHMS_CERT = 50,
    CLIENT_HELLO_EXT_KEY_SHARE = 51,
    CLIENT_HELLO_EXT_ENCRYPTED_CLIENT_HELLO = 0xfe0d,
    CLIENT_HELLO_EXT_RENEGOTIATION_INFO = 0xff01,
};

/* The rule that a refused hello breaks. */
enum client_hello_fault {
    CLIENT_HELLO_GOOD,
    CLIENT_HELLO_BAD_MESSAGE,                /* not one ClientHello, whole and alone */
    CLIENT_HELLO_BAD_SESSION_ID,             /* over 32 bytes */
    CLIENT_HELLO_BAD_CIPHER_SUITES,          /* none, or half of one */
    CLIENT_HELLO_BAD_COMPRESSION,            /* without the null method (RFC 5246 section 7.4.1.2) */
    CLIENT_HELLO_BAD_EXTENSIONS,             /* lengths that do not add up */
    CLIENT_HELLO_DUPLICATE_EXTENSION,        /* RFC 8446 section 4.2 */
    CLIENT_HELLO_PRE_SHARED_KEY_NOT_LAST,    /* RFC 8446 section 4.2.11 */
    CLIENT_HELLO_TOO_MANY_EXTENSIONS,        /* the one fault that is a bound of ours */
    CLIENT_HELLO_BAD_SERVER_NAME,            /* not exactly one host_name of a byte or more (RFC 6066 section 3) */
    CLIENT_HELLO_BAD_ALPN,                   /* no protocol, or an empty one (RFC 7301 section 3.1) */
    CLIENT_HELLO_BAD_SUPPORTED_VERSIONS,     /* RFC 8446 section 4.2.1 */
    CLIENT_HELLO_BAD_SUPPORTED_GROUPS,       /* RFC 8446 section 4.2.7, RFC 8422 section 5.1.1 */
    CLIENT_HELLO_BAD_KEY_SHARE,              /* RFC 8446 section 4.2.8 */
    CLIENT_HELLO_BAD_SIGNATURE_ALGORITHMS,   /* either of the two (RFC 8446 section 4.2.3) */
    CLIENT_HELLO_BAD_ENCRYPTED_CLIENT_HELLO, /* RFC 9849 section 5 */
    CLIENT_HELLO_NUM_FAULTS,
};

/* encrypted_client_hello (RFC 9849 section 5). A GREASE one (section 6.2) cannot be told from a true outer one. */
enum client_hello_ech {
    CLIENT_HELLO_ECH_NONE,
    CLIENT_HELLO_ECH_OUTER, /* server_name is the public name; the true one is encrypted */
    CLIENT_HELLO_ECH_INNER, /* meant for a backend behind an ECH server: no client sends it in the open */
};

struct client_hello {
    enum client_hello_fault fault;
    enum client_hello_ech ech;

    uint16_t legacy_version; /* as sent */
    /* The lowest and the highest version offered among SSL 3.0 to TLS 1.3, by supported_versions where it is there
     * (0 and 0 if it lists none of them), else by legacy_version: then the highest is at most TLS 1.2 (RFC 8446
     * section 4.2.1) and the lowest SSL 3.0, because the client does not say. */
    uint16_t min_version;
    uint16_t max_version;

    CBS random; /* 32 bytes */
    CBS session_id;
    CBS cipher_suites;       /* 16-bit values */
    CBS compression_methods; /* bytes */

    CBS server_name; /* the host_name as sent, any bytes: canonicalise and judge it before use */
    CBS alpn;
    CBS supported_versions;        /* 16-bit values */
    CBS supported_groups;          /* 16-bit values */
    CBS key_shares;                /* may be empty although the extension is there (RFC 8446 section 4.2.8) */
    CBS signature_algorithms;      /* 16-bit values */
    CBS signature_algorithms_cert; /* 16-bit values */

    uint64_t low_extensions; /* bit n: extension type n was sent */
    size_t num_extensions;
    uint16_t extension_types[CLIENT_HELLO_MAX_EXTENSIONS]; /* in the order sent, GREASE included */
};

/* client_hello_parse reads |message|, a whole handshake message with its header of 4 bytes. MG_INVALID, or MG_LIMIT for
 * CLIENT_HELLO_TOO_MANY_EXTENSIONS; then |out->fault| names the rule and nothing else in |out| is set. Costs time
 * in proportion to the message's length. */
MG_MUST_USE enum mg_status client_hello_parse(struct client_hello *out, CBS message);

/* client_hello_fault_name returns a static word such as "bad_server_name". */
const char *client_hello_fault_name(enum client_hello_fault fault);

/* client_hello_is_grease tells whether a cipher suite, extension type, group, version or signature algorithm is one of
 * the values that mean nothing (RFC 8701 section 2). */
static inline bool client_hello_is_grease(uint16_t value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

bool client_hello_has_extension(const struct client_hello *hello, uint16_t type);
bool client_hello_offers_version(const struct client_hello *hello, uint16_t version);
bool client_hello_offers_cipher(const struct client_hello *hello, uint16_t cipher_suite);
bool client_hello_has_group(const struct client_hello *hello, uint16_t group);
bool client_hello_has_key_share(const struct client_hello *hello, uint16_t group);
/* By signature_algorithms: what the client takes in the handshake. */
bool client_hello_has_sigalg(const struct client_hello *hello, uint16_t signature_algorithm);

/* client_hello_takes_ecdsa_p256 tells whether the client can verify a server that signs with an ECDSA P-256 leaf in
 * |version|, the version that the handshake will have.
 *
 * TLS 1.3: ecdsa_secp256r1_sha256 is offered (RFC 8446 section 4.2.3). Older: an ECDHE_ECDSA cipher suite that
 * BoringSSL has, P-256 among the groups or no word about groups (RFC 8422 section 5.1), and in TLS 1.2 ECDSA with
 * SHA-256 among the signature algorithms or no word about them (RFC 5246 section 7.4.1.4.1). */
bool client_hello_takes_ecdsa_p256(const struct client_hello *hello, uint16_t version);

/* client_hello_next_alpn moves the first protocol of |alpn|, a copy of hello->alpn, to |out|. False at the end, and
 * then nothing is changed. */
bool client_hello_next_alpn(CBS *alpn, CBS *out);

/* client_hello_next_key_share does the same for |key_shares|, a copy of hello->key_shares. */
bool client_hello_next_key_share(CBS *key_shares, uint16_t *out_group, CBS *out_key);

#endif
