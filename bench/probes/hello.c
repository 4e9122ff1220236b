/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-hello FILE...: for mintgate-bench, what a worker does with the first bytes of captured clients: the
 * records taken apart, the ClientHello parsed, the fingerprint. The probe's parameter picks the file, counted from 0.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/file.h"
#include "bench/probe.h"
#include "dataplane/hello/client_hello.h"
#include "dataplane/hello/hello_record.h"
#include "dataplane/hello/ja4.h"

#define MAX_FILES 16
#define MAX_HELLO (64 << 10)
#define HELLOS_A_STEP 64

static struct mg_buffer files[MAX_FILES];
static size_t num_files;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-hello: %s\n", what);
    exit(1);
}

struct reader {
    CBS stream, message;
    uint8_t scratch[HELLO_RECORD_MAX_MESSAGE];
};

static CBS take_message(struct reader *reader)
{
    struct hello_record record;
    if (hello_record_parse(&record, reader->stream, reader->scratch) != HELLO_RECORD_COMPLETE) {
        die("a file is no ClientHello");
    }
    return record.message;
}

static void *reader_setup(unsigned thread, unsigned num_threads, unsigned long file)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    (void)thread;
    (void)num_threads;
    if (reader == NULL || file >= num_files) {
        die("there is no such file");
    }
    CBS_init(&reader->stream, files[file].data, files[file].len);
    reader->message = take_message(reader);
    return reader;
}

/* walk goes once over the message's lists and nothing else: what any reader of a ClientHello has to do. */
static unsigned walk(CBS message)
{
    CBS session_id, ciphers, compression, extensions, content;
    uint16_t type;
    unsigned sum = 0;
    if (!CBS_skip(&message, 4 + 2 + 32) || !CBS_get_u8_length_prefixed(&message, &session_id) ||
        !CBS_get_u16_length_prefixed(&message, &ciphers) || !CBS_get_u8_length_prefixed(&message, &compression)) {
        die("a file is no ClientHello");
    }
    if (CBS_len(&message) > 0 && !CBS_get_u16_length_prefixed(&message, &extensions)) {
        die("a file is no ClientHello");
    }
    while (CBS_len(&message) == 0 && CBS_get_u16(&extensions, &type) &&
           CBS_get_u16_length_prefixed(&extensions, &content)) {
        sum += type + (unsigned)CBS_len(&content);
    }
    return sum;
}

static size_t walk_step(void *state)
{
    const struct reader *reader = state;
    static _Thread_local volatile unsigned sink;
    for (size_t i = 0; i < HELLOS_A_STEP; i++) {
        sink = sink + walk(reader->message);
    }
    return HELLOS_A_STEP;
}

static void parse(struct client_hello *out, CBS message)
{
    if (client_hello_parse(out, message) != MG_OK) {
        die("a file is no good ClientHello");
    }
}

static size_t parse_step(void *state)
{
    const struct reader *reader = state;
    struct client_hello hello;
    for (size_t i = 0; i < HELLOS_A_STEP; i++) {
        parse(&hello, reader->message);
    }
    return HELLOS_A_STEP;
}

static size_t worker_step(void *state)
{
    struct reader *reader = state;
    struct client_hello hello;
    struct ja4 ja4;
    for (size_t i = 0; i < HELLOS_A_STEP; i++) {
        parse(&hello, take_message(reader));
        if (ja4_of(&ja4, &hello) != MG_OK) {
            die("a file has no fingerprint");
        }
    }
    return HELLOS_A_STEP;
}

static const struct probe probes[] = {
    {.name = "walk", .setup = reader_setup, .step = walk_step, .teardown = free},
    {.name = "parse", .setup = reader_setup, .step = parse_step, .teardown = free},
    {.name = "worker", .setup = reader_setup, .step = worker_step, .teardown = free},
};

int main(int argc, char **argv)
{
    struct mg_error error;
    if (argc < 2 || argc - 1 > MAX_FILES) {
        fprintf(stderr, "usage: mintgate-bench-hello FILE...\nA helper of mintgate-bench, which starts it.\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        mg_buffer_init(&files[num_files], MAX_HELLO);
        if (mg_file_read(argv[i], &files[num_files++], &error) != MG_OK) {
            die(error.text);
        }
    }
    int status = probe_serve(&(struct probe_helper){.probes = probes, .num_probes = MG_ARRAY_LEN(probes)});
    while (num_files > 0) {
        mg_buffer_free(&files[--num_files]);
    }
    return status;
}
