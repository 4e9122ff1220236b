/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello_dump prints what the ClientHello library makes of the first bytes of a TCP stream, as one JSON object: for
 * tests that compare it with other parsers, and for people.
 *
 *   hello_dump FILE                         the stream
 *   hello_dump OFFSET:FILE OFFSET:FILE ...  its segments in the order of their arrival; without an offset a file
 *                                           follows on the one before it
 *
 * Exits with 0 if there is a good ClientHello, 1 if not (the JSON says why), 2 on wrong use.
 *
 * Bytes of names are shown as the characters of Latin-1, so that any byte has a place in JSON; 16-bit values as four
 * hexadecimal digits.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "dataplane/hello/client_hello.h"
#include "dataplane/hello/hello_record.h"
#include "dataplane/hello/hello_stream.h"
#include "dataplane/hello/ja4.h"

#define MAX_STREAM (1 << 20)
#define MAX_OUTPUT (8 << 20)

/* append_key appends a separator where one is due and |"key":|. */
static void append_key(struct mg_buffer *out, const char *key)
{
    if (out->len > 0 && out->data[out->len - 1] != '{') {
        mg_buffer_append_text(out, ",");
    }
    mg_buffer_append_format(out, "\"%s\":", key);
}

static void append_number(struct mg_buffer *out, const char *key, size_t value)
{
    append_key(out, key);
    mg_buffer_append_format(out, "%zu", value);
}

static void append_word(struct mg_buffer *out, const char *key, const char *word)
{
    append_key(out, key);
    mg_buffer_append_format(out, "\"%s\"", word);
}

static void append_u16(struct mg_buffer *out, const char *key, uint16_t value)
{
    append_key(out, key);
    mg_buffer_append_format(out, "\"%04x\"", value);
}

static void append_hex(struct mg_buffer *out, const char *key, CBS bytes)
{
    append_key(out, key);
    mg_buffer_append_text(out, "\"");
    uint8_t byte;
    while (CBS_get_u8(&bytes, &byte)) {
        mg_buffer_append_format(out, "%02x", byte);
    }
    mg_buffer_append_text(out, "\"");
}

static void append_string(struct mg_buffer *out, CBS bytes)
{
    mg_buffer_append_text(out, "\"");
    uint8_t byte;
    while (CBS_get_u8(&bytes, &byte)) {
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            mg_buffer_append_u8(out, byte);
        } else {
            mg_buffer_append_format(out, "\\u%04x", byte);
        }
    }
    mg_buffer_append_text(out, "\"");
}

static void append_list_item(struct mg_buffer *out, uint16_t value)
{
    mg_buffer_append_format(out, "%s\"%04x\"", out->data[out->len - 1] == '[' ? "" : ",", value);
}

static void append_list(struct mg_buffer *out, const char *key, CBS list)
{
    append_key(out, key);
    mg_buffer_append_text(out, "[");
    uint16_t value;
    while (CBS_get_u16(&list, &value)) {
        append_list_item(out, value);
    }
    mg_buffer_append_text(out, "]");
}

static void append_extensions(struct mg_buffer *out, const struct client_hello *hello)
{
    append_key(out, "extensions");
    mg_buffer_append_text(out, "[");
    for (size_t i = 0; i < hello->num_extensions; i++) {
        append_list_item(out, hello->extension_types[i]);
    }
    mg_buffer_append_text(out, "]");
}

static void append_key_shares(struct mg_buffer *out, const struct client_hello *hello)
{
    append_key(out, "key_shares");
    mg_buffer_append_text(out, "[");
    CBS rest = hello->key_shares;
    uint16_t group;
    CBS key;
    while (client_hello_next_key_share(&rest, &group, &key)) {
        append_list_item(out, group);
    }
    mg_buffer_append_text(out, "]");
}

static void append_names(struct mg_buffer *out, const struct client_hello *hello)
{
    append_key(out, "server_name");
    if (client_hello_has_extension(hello, CLIENT_HELLO_EXT_SERVER_NAME)) {
        append_string(out, hello->server_name);
    } else {
        mg_buffer_append_text(out, "null");
    }
    append_key(out, "alpn");
    mg_buffer_append_text(out, "[");
    CBS rest = hello->alpn;
    CBS protocol;
    for (bool first = true; client_hello_next_alpn(&rest, &protocol); first = false) {
        mg_buffer_append_text(out, first ? "" : ",");
        append_string(out, protocol);
    }
    mg_buffer_append_text(out, "]");
}

static const char *ech_name(enum client_hello_ech ech)
{
    switch (ech) {
    case CLIENT_HELLO_ECH_NONE:
        return "none";
    case CLIENT_HELLO_ECH_OUTER:
        return "outer";
    case CLIENT_HELLO_ECH_INNER:
        return "inner";
    }
    return "unknown";
}

static void append_answers(struct mg_buffer *out, const struct client_hello *hello)
{
    append_key(out, "takes_ecdsa_p256");
    mg_buffer_append_format(out, "{\"tls12\":%s,\"tls13\":%s}",
                            client_hello_takes_ecdsa_p256(hello, CLIENT_HELLO_TLS1_2) ? "true" : "false",
                            client_hello_takes_ecdsa_p256(hello, CLIENT_HELLO_TLS1_3) ? "true" : "false");
    struct ja4 ja4;
    append_word(out, "ja4", ja4_of(&ja4, hello) == MG_OK ? ja4.text : "");
}

static bool append_hello(struct mg_buffer *out, CBS message)
{
    struct client_hello hello;
    enum mg_status status = client_hello_parse(&hello, message);
    append_word(out, "hello", client_hello_fault_name(hello.fault));
    if (status != MG_OK) {
        return false;
    }
    append_u16(out, "legacy_version", hello.legacy_version);
    append_u16(out, "min_version", hello.min_version);
    append_u16(out, "max_version", hello.max_version);
    append_hex(out, "random", hello.random);
    append_hex(out, "session_id", hello.session_id);
    append_list(out, "cipher_suites", hello.cipher_suites);
    append_hex(out, "compression_methods", hello.compression_methods);
    append_extensions(out, &hello);
    append_names(out, &hello);
    append_list(out, "supported_versions", hello.supported_versions);
    append_list(out, "supported_groups", hello.supported_groups);
    append_key_shares(out, &hello);
    append_list(out, "signature_algorithms", hello.signature_algorithms);
    append_list(out, "signature_algorithms_cert", hello.signature_algorithms_cert);
    append_word(out, "ech", ech_name(hello.ech));
    append_answers(out, &hello);
    return true;
}

/* append_stream prints everything about |stream|, and tells whether there is a good ClientHello in it. */
static bool append_stream(struct mg_buffer *out, CBS stream)
{
    static uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];
    struct hello_record record;
    enum hello_record_result result = hello_record_parse(&record, stream, scratch);
    append_number(out, "prefix_len", CBS_len(&stream));
    append_word(out, "record", hello_record_result_name(result));
    append_number(out, "num_records", record.num_records);
    if (result == HELLO_RECORD_NEED_MORE) {
        append_number(out, "needed_len", record.needed_len);
    }
    if (result != HELLO_RECORD_COMPLETE) {
        return false;
    }
    append_number(out, "message_len", CBS_len(&record.message));
    append_number(out, "stream_len", record.stream_len);
    return append_hello(out, record.message);
}

/* take_offset reads "OFFSET:" at the start of |*argument|, if it is there. */
static void take_offset(const char **argument, size_t *offset)
{
    char *end;
    unsigned long value = strtoul(*argument, &end, 10);
    if (end != *argument && *end == ':') {
        *offset = value;
        *argument = end + 1;
    }
}

/* add_file adds one segment. |*offset| is where it goes unless it says so itself, then where the next one does. */
static enum mg_status add_file(struct hello_stream *stream, const char *argument, size_t *offset,
                               enum hello_stream_result *out, struct mg_error *error)
{
    take_offset(&argument, offset);
    struct mg_buffer segment;
    mg_buffer_init(&segment, MAX_STREAM);
    enum mg_status status = mg_file_read(argument, &segment, error);
    if (status == MG_OK) {
        *out = hello_stream_add(stream, *offset, segment.data, segment.len);
        *offset += segment.len;
    }
    mg_buffer_free(&segment);
    return status;
}

static int dump(int num_files, char **files)
{
    static uint8_t bytes[MAX_STREAM];
    struct hello_stream stream;
    enum hello_stream_result result = HELLO_STREAM_OK;
    struct mg_error error;
    size_t offset = 0;
    hello_stream_init(&stream, bytes, sizeof(bytes));
    for (int i = 0; i < num_files && result == HELLO_STREAM_OK; i++) {
        if (add_file(&stream, files[i], &offset, &result, &error) != MG_OK) {
            fprintf(stderr, "hello_dump: %s\n", error.text);
            return 2;
        }
    }

    struct mg_buffer out;
    mg_buffer_init(&out, MAX_OUTPUT);
    mg_buffer_append_text(&out, "{");
    append_word(&out, "stream", hello_stream_result_name(result));
    bool good = result == HELLO_STREAM_OK && append_stream(&out, hello_stream_prefix(&stream));
    mg_buffer_append_text(&out, "}\n");
    bool written = mg_buffer_ok(&out) && fwrite(out.data, 1, out.len, stdout) == out.len;
    mg_buffer_free(&out);
    if (!written) {
        fprintf(stderr, "hello_dump: cannot write the result\n");
        return 2;
    }
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s [OFFSET:]FILE...\n", argv[0]);
        return 2;
    }
    return dump(argc - 1, argv + 1);
}
