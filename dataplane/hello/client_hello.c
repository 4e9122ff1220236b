/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/hello/client_hello.h"

#include <string.h>

/* RFC 8446 sections 4 and 4.1.2 */
#define HANDSHAKE_TYPE_CLIENT_HELLO 1
#define RANDOM_LEN 32
#define MAX_SESSION_ID_LEN 32

/* RFC 6066 section 3 */
#define NAME_TYPE_HOST_NAME 0

/* RFC 9849 section 5 */
#define ECH_CLIENT_HELLO_OUTER 0
#define ECH_CLIENT_HELLO_INNER 1

/* RFC 8446 sections 4.2.3 and 4.2.7 */
#define GROUP_SECP256R1 0x0017
#define SIGALG_ECDSA_SECP256R1_SHA256 0x0403

static bool list_has(CBS list, uint16_t wanted)
{
    uint16_t value;
    while (CBS_get_u16(&list, &value)) {
        if (value == wanted) {
            return true;
        }
    }
    return false;
}

/* A list of 16-bit values is good if there is one and none is cut in half. */
static bool is_u16_list(const CBS *list)
{
    return CBS_len(list) > 0 && CBS_len(list) % sizeof(uint16_t) == 0;
}

/* get_u16_list reads such a list behind a length of 16 bits. */
static bool get_u16_list(CBS *in, CBS *out)
{
    return CBS_get_u16_length_prefixed(in, out) && is_u16_list(out);
}

/* The readers of extensions take what they know from |body|; the caller checks that nothing is left over. */

static bool read_server_name(struct client_hello *hello, CBS *body)
{
    CBS names;
    uint8_t name_type;
    return CBS_get_u16_length_prefixed(body, &names) && CBS_get_u8(&names, &name_type) &&
           name_type == NAME_TYPE_HOST_NAME && CBS_get_u16_length_prefixed(&names, &hello->server_name) &&
           CBS_len(&hello->server_name) > 0 && CBS_len(&names) == 0;
}

static bool read_alpn(struct client_hello *hello, CBS *body)
{
    if (!CBS_get_u16_length_prefixed(body, &hello->alpn) || CBS_len(&hello->alpn) == 0) {
        return false;
    }
    CBS rest = hello->alpn;
    CBS protocol;
    while (client_hello_next_alpn(&rest, &protocol)) {
        if (CBS_len(&protocol) == 0) {
            return false;
        }
    }
    return CBS_len(&rest) == 0;
}

static bool read_supported_versions(struct client_hello *hello, CBS *body)
{
    return CBS_get_u8_length_prefixed(body, &hello->supported_versions) && is_u16_list(&hello->supported_versions);
}

static bool read_supported_groups(struct client_hello *hello, CBS *body)
{
    return get_u16_list(body, &hello->supported_groups);
}

static bool read_signature_algorithms(struct client_hello *hello, CBS *body)
{
    return get_u16_list(body, &hello->signature_algorithms);
}

static bool read_signature_algorithms_cert(struct client_hello *hello, CBS *body)
{
    return get_u16_list(body, &hello->signature_algorithms_cert);
}

static bool read_key_share(struct client_hello *hello, CBS *body)
{
    if (!CBS_get_u16_length_prefixed(body, &hello->key_shares)) {
        return false;
    }
    CBS rest = hello->key_shares;
    uint16_t group;
    CBS key;
    while (client_hello_next_key_share(&rest, &group, &key)) {
        if (CBS_len(&key) == 0) {
            return false;
        }
    }
    return CBS_len(&rest) == 0;
}

static bool read_encrypted_client_hello(struct client_hello *hello, CBS *body)
{
    uint8_t type;
    if (!CBS_get_u8(body, &type)) {
        return false;
    }
    if (type == ECH_CLIENT_HELLO_INNER) {
        hello->ech = CLIENT_HELLO_ECH_INNER;
        return true;
    }
    uint16_t kdf_id, aead_id;
    uint8_t config_id;
    CBS enc, payload;
    hello->ech = CLIENT_HELLO_ECH_OUTER;
    return type == ECH_CLIENT_HELLO_OUTER && CBS_get_u16(body, &kdf_id) && CBS_get_u16(body, &aead_id) &&
           CBS_get_u8(body, &config_id) && CBS_get_u16_length_prefixed(body, &enc) &&
           CBS_get_u16_length_prefixed(body, &payload) && CBS_len(&payload) > 0;
}

static const struct extension_reader {
    uint16_t type;
    enum client_hello_fault fault;
    bool (*read)(struct client_hello *hello, CBS *body);
} extension_readers[] = {
    {CLIENT_HELLO_EXT_SERVER_NAME, CLIENT_HELLO_BAD_SERVER_NAME, read_server_name},
    {CLIENT_HELLO_EXT_SUPPORTED_GROUPS, CLIENT_HELLO_BAD_SUPPORTED_GROUPS, read_supported_groups},
    {CLIENT_HELLO_EXT_SIGNATURE_ALGORITHMS, CLIENT_HELLO_BAD_SIGNATURE_ALGORITHMS, read_signature_algorithms},
    {CLIENT_HELLO_EXT_ALPN, CLIENT_HELLO_BAD_ALPN, read_alpn},
    {CLIENT_HELLO_EXT_SUPPORTED_VERSIONS, CLIENT_HELLO_BAD_SUPPORTED_VERSIONS, read_supported_versions},
    {CLIENT_HELLO_EXT_SIGNATURE_ALGORITHMS_CERT, CLIENT_HELLO_BAD_SIGNATURE_ALGORITHMS, read_signature_algorithms_cert},
    {CLIENT_HELLO_EXT_KEY_SHARE, CLIENT_HELLO_BAD_KEY_SHARE, read_key_share},
    {CLIENT_HELLO_EXT_ENCRYPTED_CLIENT_HELLO, CLIENT_HELLO_BAD_ENCRYPTED_CLIENT_HELLO, read_encrypted_client_hello},
};

static enum client_hello_fault read_extension(struct client_hello *hello, uint16_t type, CBS body)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(extension_readers); i++) {
        const struct extension_reader *reader = &extension_readers[i];
        if (reader->type == type) {
            return reader->read(hello, &body) && CBS_len(&body) == 0 ? CLIENT_HELLO_GOOD : reader->fault;
        }
    }
    return CLIENT_HELLO_GOOD; /* unknown ones are ignored (RFC 8446 section 4.1.2) */
}

/* note_extension records that |type| was sent, once. */
static enum client_hello_fault note_extension(struct client_hello *hello, uint16_t type)
{
    if (client_hello_has_extension(hello, type)) {
        return CLIENT_HELLO_DUPLICATE_EXTENSION;
    }
    if (client_hello_has_extension(hello, CLIENT_HELLO_EXT_PRE_SHARED_KEY)) {
        return CLIENT_HELLO_PRE_SHARED_KEY_NOT_LAST;
    }
    if (hello->num_extensions == CLIENT_HELLO_MAX_EXTENSIONS) {
        return CLIENT_HELLO_TOO_MANY_EXTENSIONS;
    }
    hello->extension_types[hello->num_extensions++] = type;
    if (type < 64) {
        hello->low_extensions |= UINT64_C(1) << type;
    }
    return CLIENT_HELLO_GOOD;
}

static enum client_hello_fault read_extensions(struct client_hello *hello, CBS extensions)
{
    while (CBS_len(&extensions) > 0) {
        uint16_t type;
        CBS body;
        if (!CBS_get_u16(&extensions, &type) || !CBS_get_u16_length_prefixed(&extensions, &body)) {
            return CLIENT_HELLO_BAD_EXTENSIONS;
        }
        enum client_hello_fault fault = note_extension(hello, type);
        if (fault == CLIENT_HELLO_GOOD) {
            fault = read_extension(hello, type, body);
        }
        if (fault != CLIENT_HELLO_GOOD) {
            return fault;
        }
    }
    return CLIENT_HELLO_GOOD;
}

static bool is_real_version(uint16_t version)
{
    return version >= CLIENT_HELLO_SSL3 && version <= CLIENT_HELLO_TLS1_3;
}

static void set_versions_from_list(struct client_hello *hello)
{
    CBS list = hello->supported_versions;
    uint16_t version;
    while (CBS_get_u16(&list, &version)) {
        if (!is_real_version(version)) {
            continue;
        }
        if (version > hello->max_version) {
            hello->max_version = version;
        }
        if (version < hello->min_version || hello->min_version == 0) {
            hello->min_version = version;
        }
    }
}

static void set_versions(struct client_hello *hello)
{
    if (client_hello_has_extension(hello, CLIENT_HELLO_EXT_SUPPORTED_VERSIONS)) {
        set_versions_from_list(hello);
    } else if (hello->legacy_version >= CLIENT_HELLO_SSL3) {
        hello->min_version = CLIENT_HELLO_SSL3;
        hello->max_version = hello->legacy_version < CLIENT_HELLO_TLS1_2 ? hello->legacy_version : CLIENT_HELLO_TLS1_2;
    }
}

static enum client_hello_fault read_body(struct client_hello *hello, CBS body)
{
    if (!CBS_get_u16(&body, &hello->legacy_version) || !CBS_get_bytes(&body, &hello->random, RANDOM_LEN)) {
        return CLIENT_HELLO_BAD_MESSAGE;
    }
    if (!CBS_get_u8_length_prefixed(&body, &hello->session_id) || CBS_len(&hello->session_id) > MAX_SESSION_ID_LEN) {
        return CLIENT_HELLO_BAD_SESSION_ID;
    }
    if (!get_u16_list(&body, &hello->cipher_suites)) {
        return CLIENT_HELLO_BAD_CIPHER_SUITES;
    }
    if (!CBS_get_u8_length_prefixed(&body, &hello->compression_methods) ||
        !CBS_contains_zero_byte(&hello->compression_methods)) {
        return CLIENT_HELLO_BAD_COMPRESSION;
    }
    enum client_hello_fault fault = CLIENT_HELLO_GOOD;
    if (CBS_len(&body) > 0) { /* hellos older than RFC 3546 end here */
        CBS extensions;
        if (!CBS_get_u16_length_prefixed(&body, &extensions) || CBS_len(&body) > 0) {
            return CLIENT_HELLO_BAD_EXTENSIONS;
        }
        fault = read_extensions(hello, extensions);
    }
    set_versions(hello);
    return fault;
}

enum mg_status client_hello_parse(struct client_hello *out, CBS message)
{
    *out = (struct client_hello){.fault = CLIENT_HELLO_GOOD};
    uint8_t type;
    CBS body;
    if (CBS_get_u8(&message, &type) && type == HANDSHAKE_TYPE_CLIENT_HELLO &&
        CBS_get_u24_length_prefixed(&message, &body) && CBS_len(&message) == 0) {
        out->fault = read_body(out, body);
    } else {
        out->fault = CLIENT_HELLO_BAD_MESSAGE;
    }
    if (out->fault == CLIENT_HELLO_GOOD) {
        return MG_OK;
    }
    *out = (struct client_hello){.fault = out->fault};
    return out->fault == CLIENT_HELLO_TOO_MANY_EXTENSIONS ? MG_LIMIT : MG_INVALID;
}

const char *client_hello_fault_name(enum client_hello_fault fault)
{
    static const char *const names[CLIENT_HELLO_NUM_FAULTS] = {
        [CLIENT_HELLO_GOOD] = "good",
        [CLIENT_HELLO_BAD_MESSAGE] = "bad_message",
        [CLIENT_HELLO_BAD_SESSION_ID] = "bad_session_id",
        [CLIENT_HELLO_BAD_CIPHER_SUITES] = "bad_cipher_suites",
        [CLIENT_HELLO_BAD_COMPRESSION] = "bad_compression",
        [CLIENT_HELLO_BAD_EXTENSIONS] = "bad_extensions",
        [CLIENT_HELLO_DUPLICATE_EXTENSION] = "duplicate_extension",
        [CLIENT_HELLO_PRE_SHARED_KEY_NOT_LAST] = "pre_shared_key_not_last",
        [CLIENT_HELLO_TOO_MANY_EXTENSIONS] = "too_many_extensions",
        [CLIENT_HELLO_BAD_SERVER_NAME] = "bad_server_name",
        [CLIENT_HELLO_BAD_ALPN] = "bad_alpn",
        [CLIENT_HELLO_BAD_SUPPORTED_VERSIONS] = "bad_supported_versions",
        [CLIENT_HELLO_BAD_SUPPORTED_GROUPS] = "bad_supported_groups",
        [CLIENT_HELLO_BAD_KEY_SHARE] = "bad_key_share",
        [CLIENT_HELLO_BAD_SIGNATURE_ALGORITHMS] = "bad_signature_algorithms",
        [CLIENT_HELLO_BAD_ENCRYPTED_CLIENT_HELLO] = "bad_encrypted_client_hello",
    };
    return (unsigned)fault < CLIENT_HELLO_NUM_FAULTS ? names[fault] : "unknown";
}

bool client_hello_has_extension(const struct client_hello *hello, uint16_t type)
{
    if (type < 64) {
        return (hello->low_extensions >> type & 1) != 0;
    }
    for (size_t i = 0; i < hello->num_extensions; i++) {
        if (hello->extension_types[i] == type) {
            return true;
        }
    }
    return false;
}

bool client_hello_offers_version(const struct client_hello *hello, uint16_t version)
{
    if (client_hello_has_extension(hello, CLIENT_HELLO_EXT_SUPPORTED_VERSIONS)) {
        return list_has(hello->supported_versions, version);
    }
    return hello->max_version != 0 && version >= hello->min_version && version <= hello->max_version;
}

bool client_hello_offers_cipher(const struct client_hello *hello, uint16_t cipher_suite)
{
    return list_has(hello->cipher_suites, cipher_suite);
}

bool client_hello_has_group(const struct client_hello *hello, uint16_t group)
{
    return list_has(hello->supported_groups, group);
}

bool client_hello_has_key_share(const struct client_hello *hello, uint16_t group)
{
    CBS rest = hello->key_shares;
    uint16_t present;
    CBS key;
    while (client_hello_next_key_share(&rest, &present, &key)) {
        if (present == group) {
            return true;
        }
    }
    return false;
}

bool client_hello_has_sigalg(const struct client_hello *hello, uint16_t signature_algorithm)
{
    return list_has(hello->signature_algorithms, signature_algorithm);
}

static bool is_ecdhe_ecdsa(uint16_t cipher_suite)
{
    switch (cipher_suite) {
    case 0xc009: /* TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA (RFC 8422) */
    case 0xc00a: /* TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA */
    case 0xc02b: /* TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289) */
    case 0xc02c: /* TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 */
    case 0xcca9: /* TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905) */
        return true;
    default:
        return false;
    }
}

static bool offers_ecdhe_ecdsa(const struct client_hello *hello)
{
    CBS list = hello->cipher_suites;
    uint16_t cipher_suite;
    while (CBS_get_u16(&list, &cipher_suite)) {
        if (is_ecdhe_ecdsa(cipher_suite)) {
            return true;
        }
    }
    return false;
}

bool client_hello_takes_ecdsa_p256(const struct client_hello *hello, uint16_t version)
{
    bool has_sigalg = client_hello_has_sigalg(hello, SIGALG_ECDSA_SECP256R1_SHA256);
    if (version >= CLIENT_HELLO_TLS1_3) {
        return has_sigalg;
    }
    bool group_ok = client_hello_has_group(hello, GROUP_SECP256R1) ||
                    !client_hello_has_extension(hello, CLIENT_HELLO_EXT_SUPPORTED_GROUPS);
    bool sigalg_ok = has_sigalg || version < CLIENT_HELLO_TLS1_2 ||
                     !client_hello_has_extension(hello, CLIENT_HELLO_EXT_SIGNATURE_ALGORITHMS);
    return group_ok && sigalg_ok && offers_ecdhe_ecdsa(hello);
}

/* A CBS read that fails may have moved its CBS. The two iterators leave theirs where it was, so that the readers above
 * see what is left over. */

bool client_hello_next_alpn(CBS *alpn, CBS *out)
{
    CBS rest = *alpn;
    if (!CBS_get_u8_length_prefixed(&rest, out)) {
        return false;
    }
    *alpn = rest;
    return true;
}

bool client_hello_next_key_share(CBS *key_shares, uint16_t *out_group, CBS *out_key)
{
    CBS rest = *key_shares;
    if (!CBS_get_u16(&rest, out_group) || !CBS_get_u16_length_prefixed(&rest, out_key)) {
        return false;
    }
    *key_shares = rest;
    return true;
}
