/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/hello/ja4.h"

#include <string.h>

#include <openssl/sha.h>

#define MAX_COUNT 99
#define HASH_LEN 12
#define HASH_OF_NOTHING "000000000000"

static const char hex_digits[] = "0123456789abcdef";

_Static_assert(CLIENT_HELLO_MAX_EXTENSIONS <= JA4_MAX_VALUES, "every list of extensions fits");

struct values {
    uint16_t items[JA4_MAX_VALUES];
    size_t num_items;
};

/* collect sets |out| to the values of |list| without GREASE. False: more than fit. */
static bool collect(struct values *out, CBS list)
{
    out->num_items = 0;
    uint16_t value;
    while (CBS_get_u16(&list, &value)) {
        if (client_hello_is_grease(value)) {
            continue;
        }
        if (out->num_items == JA4_MAX_VALUES) {
            return false;
        }
        out->items[out->num_items++] = value;
    }
    return true;
}

/* collect_extensions leaves out SNI and ALPN, which the first part of the fingerprint tells. */
static void collect_extensions(struct values *out, const struct client_hello *hello)
{
    out->num_items = 0;
    for (size_t i = 0; i < hello->num_extensions; i++) {
        uint16_t type = hello->extension_types[i];
        if (!client_hello_is_grease(type) && type != CLIENT_HELLO_EXT_SERVER_NAME && type != CLIENT_HELLO_EXT_ALPN) {
            out->items[out->num_items++] = type;
        }
    }
}

/* By insertion: the lists are short, and mostly in runs. */
static void sort(struct values *values)
{
    for (size_t i = 1; i < values->num_items; i++) {
        uint16_t item = values->items[i];
        size_t place = i;
        for (; place > 0 && values->items[place - 1] > item; place--) {
            values->items[place] = values->items[place - 1];
        }
        values->items[place] = item;
    }
}

/* The text that is hashed: values of four hexadecimal digits with a separator before each but the first. */
struct text {
    char chars[2 * JA4_MAX_VALUES * 5];
    size_t len;
};

static void append_values(struct text *text, const struct values *values, char first_separator)
{
    for (size_t i = 0; i < values->num_items; i++) {
        if (text->len > 0) {
            text->chars[text->len++] = i == 0 ? first_separator : ',';
        }
        for (int shift = 12; shift >= 0; shift -= 4) {
            text->chars[text->len++] = hex_digits[values->items[i] >> shift & 0xf];
        }
    }
}

/* append_hash appends the first HASH_LEN digits of the text's SHA-256 at |out| and returns the end. */
static char *append_hash(char *out, const struct text *text)
{
    if (text->len == 0) {
        memcpy(out, HASH_OF_NOTHING, HASH_LEN);
        return out + HASH_LEN;
    }
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)text->chars, text->len, digest);
    for (size_t i = 0; i < HASH_LEN / 2; i++) {
        *out++ = hex_digits[digest[i] >> 4];
        *out++ = hex_digits[digest[i] & 0xf];
    }
    return out;
}

static char *append_pair(char *out, const char pair[2])
{
    memcpy(out, pair, 2);
    return out + 2;
}

static char *append_count(char *out, size_t count)
{
    size_t shown = count < MAX_COUNT ? count : MAX_COUNT;
    *out++ = (char)('0' + shown / 10);
    *out++ = (char)('0' + shown % 10);
    return out;
}

/* The highest version listed, known or not; without the extension what the client calls its version. */
static uint16_t version_of(const struct client_hello *hello)
{
    if (!client_hello_has_extension(hello, CLIENT_HELLO_EXT_SUPPORTED_VERSIONS)) {
        return hello->legacy_version;
    }
    CBS list = hello->supported_versions;
    uint16_t highest = 0;
    uint16_t version;
    while (CBS_get_u16(&list, &version)) {
        if (!client_hello_is_grease(version) && version > highest) {
            highest = version;
        }
    }
    return highest;
}

static const char *version_digits(uint16_t version)
{
    switch (version) {
    case CLIENT_HELLO_TLS1_3:
        return "13";
    case CLIENT_HELLO_TLS1_2:
        return "12";
    case CLIENT_HELLO_TLS1_1:
        return "11";
    case CLIENT_HELLO_TLS1_0:
        return "10";
    case CLIENT_HELLO_SSL3:
        return "s3";
    case 0x0002:
        return "s2";
    case 0xfeff:
        return "d1";
    case 0xfefd:
        return "d2";
    case 0xfefc:
        return "d3";
    default:
        return "00";
    }
}

static bool is_alphanumeric(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* The first and the last character of the first protocol, or of its hexadecimal form if either is no letter or digit.
 */
static char *append_alpn(char *out, const struct client_hello *hello)
{
    CBS alpn = hello->alpn;
    CBS protocol;
    if (!client_hello_next_alpn(&alpn, &protocol)) {
        return append_pair(out, "00");
    }
    CBS same = protocol;
    uint8_t first, last;
    if (!CBS_get_u8(&protocol, &first) || !CBS_get_last_u8(&same, &last)) {
        return append_pair(out, "00");
    }
    if (is_alphanumeric(first) && is_alphanumeric(last)) {
        *out++ = (char)first;
        *out++ = (char)last;
    } else {
        *out++ = hex_digits[first >> 4];
        *out++ = hex_digits[last & 0xf];
    }
    return out;
}

static size_t count_extensions(const struct client_hello *hello)
{
    size_t count = 0;
    for (size_t i = 0; i < hello->num_extensions; i++) {
        count += !client_hello_is_grease(hello->extension_types[i]);
    }
    return count;
}

enum mg_status ja4_of(struct ja4 *out, const struct client_hello *hello)
{
    struct values ciphers, extensions, sigalgs;
    out->text[0] = '\0';
    if (!collect(&ciphers, hello->cipher_suites) || !collect(&sigalgs, hello->signature_algorithms)) {
        return MG_LIMIT;
    }
    collect_extensions(&extensions, hello);
    sort(&ciphers);
    sort(&extensions);

    char *end = out->text;
    *end++ = 't';
    end = append_pair(end, version_digits(version_of(hello)));
    *end++ = client_hello_has_extension(hello, CLIENT_HELLO_EXT_SERVER_NAME) ? 'd' : 'i';
    end = append_count(end, ciphers.num_items);
    end = append_count(end, count_extensions(hello));
    end = append_alpn(end, hello);

    struct text text;
    *end++ = '_';
    text.len = 0;
    append_values(&text, &ciphers, ',');
    end = append_hash(end, &text);

    *end++ = '_';
    text.len = 0;
    append_values(&text, &extensions, ',');
    append_values(&text, &sigalgs, '_'); /* in the order sent */
    end = append_hash(end, &text);
    *end = '\0';
    return MG_OK;
}
