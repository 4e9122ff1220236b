/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a client: through the stream, cut up by a generator that the input itself seeds, through the
 * records and the message to the fingerprint. The input is the plain stream, so that a capture is a seed.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "dataplane/hello/client_hello.h"
#include "dataplane/hello/hello_record.h"
#include "dataplane/hello/hello_stream.h"
#include "dataplane/hello/ja4.h"

#define MAX_INPUT (128 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Every answer is asked for; every list is walked to its end. */
static void ask_everything(const struct client_hello *hello)
{
    CBS rest = hello->alpn;
    CBS item;
    uint16_t group;
    while (client_hello_next_alpn(&rest, &item)) {
        require(CBS_len(&item) > 0);
    }
    require(CBS_len(&rest) == 0);
    for (rest = hello->key_shares; client_hello_next_key_share(&rest, &group, &item);) {
        require(client_hello_has_key_share(hello, group));
    }
    require(CBS_len(&rest) == 0);
    for (size_t i = 0; i < hello->num_extensions; i++) {
        require(client_hello_has_extension(hello, hello->extension_types[i]));
    }
    require(CBS_len(&hello->random) == 32 && CBS_len(&hello->session_id) <= 32);
    require((CBS_len(&hello->server_name) > 0) == client_hello_has_extension(hello, CLIENT_HELLO_EXT_SERVER_NAME));
    require(hello->min_version <= hello->max_version && hello->max_version <= CLIENT_HELLO_TLS1_3);
    require(hello->max_version == 0 || client_hello_offers_version(hello, hello->max_version));
    for (uint16_t version = CLIENT_HELLO_TLS1_0; version <= CLIENT_HELLO_TLS1_3; version++) {
        (void)client_hello_takes_ecdsa_p256(hello, version);
    }
    struct ja4 ja4;
    enum mg_status status = ja4_of(&ja4, hello);
    require(strlen(ja4.text) == (status == MG_OK ? JA4_LEN : 0));
}

static void parse_message(CBS message)
{
    struct client_hello hello;
    enum mg_status status = client_hello_parse(&hello, message);
    require((status == MG_OK) == (hello.fault == CLIENT_HELLO_GOOD));
    require(strcmp(client_hello_fault_name(hello.fault), "unknown") != 0);
    if (status == MG_OK) {
        ask_everything(&hello);
    }
}

/* What |prefix| of a stream gives does not contradict |result| of all of it. */
static void parse_prefix(CBS prefix, enum hello_record_result result, const struct hello_record *whole)
{
    static uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];
    struct hello_record record;
    enum hello_record_result earlier = hello_record_parse(&record, prefix, scratch);
    if (earlier != HELLO_RECORD_NEED_MORE) {
        require(earlier == result);
        return;
    }
    require(record.needed_len > CBS_len(&prefix));
    require(result != HELLO_RECORD_COMPLETE || record.needed_len <= whole->stream_len);
}

/* The stream comes in segments of random size, each now and then twice or with a part of the one before it, and the
 * last ones first. */
static void parse_segments(CBS sent, uint64_t random, enum hello_record_result result, const struct hello_record *whole)
{
    static uint8_t memory[MAX_INPUT];
    struct hello_stream stream;
    size_t end = CBS_len(&sent);
    size_t largest = end / (1 + next_random(&random) % 20) + 1;
    hello_stream_init(&stream, memory, sizeof(memory));
    while (end > 0) {
        size_t len = 1 + next_random(&random) % largest;
        size_t start = len < end ? end - len : 0;
        size_t more = next_random(&random) % (CBS_len(&sent) - end + 1);
        CBS segment = sent;
        require(CBS_skip(&segment, start) && CBS_get_bytes(&segment, &segment, end - start + more));
        require(hello_stream_add(&stream, start, CBS_data(&segment), CBS_len(&segment)) == HELLO_STREAM_OK);
        end = start;
    }
    CBS prefix = hello_stream_prefix(&stream);
    require(CBS_len(&prefix) == CBS_len(&sent) && memcmp(memory, CBS_data(&sent), CBS_len(&sent)) == 0);
    parse_prefix(prefix, result, whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];
    if (size == 0 || size > MAX_INPUT) {
        return 0;
    }
    static const struct mg_siphash_key key = {{0, 0}};
    uint64_t random = mg_siphash(&key, data, size);
    CBS stream;
    CBS_init(&stream, data, size);
    parse_message(stream);

    struct hello_record record;
    enum hello_record_result result = hello_record_parse(&record, stream, scratch);
    require(result != HELLO_RECORD_NEED_MORE || record.needed_len > size);
    if (result == HELLO_RECORD_COMPLETE) {
        require(record.stream_len <= size);
        parse_message(record.message);
    }
    CBS prefix = stream;
    require(CBS_get_bytes(&prefix, &prefix, next_random(&random) % size));
    parse_prefix(prefix, result, &record);
    parse_segments(stream, random, result, &record);
    return 0;
}
