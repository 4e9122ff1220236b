/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "bench/http_head.h"
#include "bench/split_mix.h"

#define DEFAULT_FRESH_PERCENT 50

const char load_options_usage[] =
    "usage: mintgate-loadgen --name NAME [OPTION...]\n"
    "Opens TLS connections, each once: a failure is a result, never a reason to try again.\n"
    "\n"
    "Whom\n"
    "  --name NAME            server name; with %d in it, numbered names\n"
    "  --range FIRST-LAST     the numbers for %d\n"
    "  --random-names         names at random instead of in turn\n"
    "  --zipf S               names at random, the first most often, number k with a weight of k^-S\n"
    "  --fresh NAME           for some connections a name that comes up once: with %d in it, their number\n"
    "  --fresh-percent N      how many of them, at random (50)\n"
    "  --connect ADDRESS:PORT where to connect (the first name's address, port 443)\n"
    "  --source ADDRESS[-N]   client address, or consecutive ones up to last number N, used in turn\n"
    "When\n"
    "  --connections N        how many (one for each name)\n"
    "  --in-flight N          at most N at one time (100)\n"
    "  --rate R               start R a second, come what may (open loop); latency counts from the time when\n"
    "                         a connection should have started. Without it: as soon as one of N is free\n"
    "  --poisson              with --rate: at random intervals\n"
    "  --max-seconds N        start none after N seconds; nor after SIGTERM\n"
    "  --timeout N            give a connection up after N seconds (30)\n"
    "  --threads N            (1)\n"
    "  --seed N               for --poisson and all choices at random (1)\n"
    "How\n"
    "  --cafile FILE          verify chain and name with the roots in FILE; without it nothing is verified\n"
    "  --tls VERSION          1.2 or 1.3 alone\n"
    "  --alpn LIST            such as h2,http/1.1\n"
    "  --groups LIST          such as X25519:P-256\n"
    "  --ciphers LIST         of TLS 1.2\n"
    "  --resume               resume sessions: each thread keeps the last two with each name\n"
    "  --resume-percent N     the same, but on N % of the connections alone, at random\n"
    "  --get PATH             ask for PATH by HTTP/1.1 and read the answer\n"
    "  --expect-status N      (200)\n"
    "  --expect-length N      of the answer's body (any)\n"
    "Report\n"
    "  --json FILE            as JSON into FILE, - for standard output, instead of tables\n"
    "  --timeline             with counts, p50 and p99 for each second\n"
    "  --distribution         with the latencies' distributions, in the JSON: [microseconds, count] by bucket\n"
    "  --records FILE         one JSON object for each connection\n"
    "Exit status: 0 all went well, 1 some failed, 2 wrong usage or set-up.\n";

enum option_id {
    OPTION_NAME = 1,
    OPTION_RANGE,
    OPTION_RANDOM_NAMES,
    OPTION_ZIPF,
    OPTION_FRESH,
    OPTION_FRESH_PERCENT,
    OPTION_CONNECT,
    OPTION_SOURCE,
    OPTION_CONNECTIONS,
    OPTION_IN_FLIGHT,
    OPTION_RATE,
    OPTION_POISSON,
    OPTION_MAX_SECONDS,
    OPTION_TIMEOUT,
    OPTION_THREADS,
    OPTION_SEED,
    OPTION_CAFILE,
    OPTION_TLS,
    OPTION_ALPN,
    OPTION_GROUPS,
    OPTION_CIPHERS,
    OPTION_RESUME,
    OPTION_RESUME_PERCENT,
    OPTION_GET,
    OPTION_EXPECT_STATUS,
    OPTION_EXPECT_LENGTH,
    OPTION_JSON,
    OPTION_TIMELINE,
    OPTION_DISTRIBUTION,
    OPTION_RECORDS,
};

static const struct option long_options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"range", required_argument, NULL, OPTION_RANGE},
    {"random-names", no_argument, NULL, OPTION_RANDOM_NAMES},
    {"zipf", required_argument, NULL, OPTION_ZIPF},
    {"fresh", required_argument, NULL, OPTION_FRESH},
    {"fresh-percent", required_argument, NULL, OPTION_FRESH_PERCENT},
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"source", required_argument, NULL, OPTION_SOURCE},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"in-flight", required_argument, NULL, OPTION_IN_FLIGHT},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"poisson", no_argument, NULL, OPTION_POISSON},
    {"max-seconds", required_argument, NULL, OPTION_MAX_SECONDS},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"cafile", required_argument, NULL, OPTION_CAFILE},
    {"tls", required_argument, NULL, OPTION_TLS},
    {"alpn", required_argument, NULL, OPTION_ALPN},
    {"groups", required_argument, NULL, OPTION_GROUPS},
    {"ciphers", required_argument, NULL, OPTION_CIPHERS},
    {"resume", no_argument, NULL, OPTION_RESUME},
    {"resume-percent", required_argument, NULL, OPTION_RESUME_PERCENT},
    {"get", required_argument, NULL, OPTION_GET},
    {"expect-status", required_argument, NULL, OPTION_EXPECT_STATUS},
    {"expect-length", required_argument, NULL, OPTION_EXPECT_LENGTH},
    {"json", required_argument, NULL, OPTION_JSON},
    {"timeline", no_argument, NULL, OPTION_TIMELINE},
    {"distribution", no_argument, NULL, OPTION_DISTRIBUTION},
    {"records", required_argument, NULL, OPTION_RECORDS},
    {NULL, 0, NULL, 0},
};

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    return http_number(mg_slice_of_text(text), 10, out) && *out >= min && *out <= max;
}

static bool parse_unsigned(const char *text, unsigned min, unsigned max, unsigned *out)
{
    uint64_t value;
    bool ok = parse_number(text, min, max, &value);
    *out = ok ? (unsigned)value : 0;
    return ok;
}

static bool copy_text(char *out, size_t size, struct mg_slice text)
{
    if (text.len >= size) {
        return false;
    }
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static bool parse_pattern(struct load_pattern *out, const char *text)
{
    const char *number = strstr(text, "%d");
    out->numbered = number != NULL;
    size_t prefix_len = out->numbered ? (size_t)(number - text) : strlen(text);
    return text[0] != '\0' && strlen(text) + 20 <= LOAD_MAX_NAME &&
           copy_text(out->prefix, sizeof(out->prefix), mg_slice_of(text, prefix_len)) &&
           copy_text(out->suffix, sizeof(out->suffix), mg_slice_of_text(out->numbered ? number + 2 : ""));
}

static bool parse_range(struct load_options *out, const char *text)
{
    struct mg_slice rest = mg_slice_of_text(text), first;
    return http_take_word(&rest, '-', &first) && http_number(first, 10, &out->first_name) &&
           http_number(rest, 10, &out->last_name) && out->first_name <= out->last_name;
}

static bool parse_port(struct mg_slice text, in_port_t *out)
{
    uint64_t port;
    if (!http_number(text, 10, &port) || port > UINT16_MAX) {
        return false;
    }
    *out = htons((uint16_t)port);
    return true;
}

bool load_address_parse(union load_address *out, const char *text)
{
    char host[INET6_ADDRSTRLEN];
    in_port_t port = 0;
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    bool has_port = colon != NULL && (bracketed ? colon[-1] == ']' : strchr(text, ':') == colon);
    size_t len = has_port ? (size_t)(colon - text) : strlen(text);
    memset(out, 0, sizeof(*out));
    if (bracketed && (len < 2 || text[len - 1] != ']')) {
        return false;
    }
    if (!copy_text(host, sizeof(host), mg_slice_of(text + bracketed, len - 2 * (size_t)bracketed)) ||
        (has_port && !parse_port(mg_slice_of_text(colon + 1), &port))) {
        return false;
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = port;
        return true;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = port;
    return !bracketed && inet_pton(AF_INET, host, &out->v4.sin_addr) == 1;
}

static uint8_t *last_byte_of(union load_address *address)
{
    return address->any.sa_family == AF_INET ? (uint8_t *)&address->v4.sin_addr + 3
                                             : &address->v6.sin6_addr.s6_addr[15];
}

/* parse_source reads "198.18.0.1" or "198.18.0.1-8", of which the last byte counts up. IPv6's is hexadecimal. */
static bool parse_source(struct load_options *out, const char *text)
{
    char first[64];
    uint64_t last;
    struct mg_slice rest = mg_slice_of_text(text), word;
    if (!http_take_word(&rest, '-', &word) || !copy_text(first, sizeof(first), word) ||
        !load_address_parse(&out->first_source, first)) {
        return false;
    }
    uint8_t lowest = *last_byte_of(&out->first_source);
    unsigned base = out->first_source.any.sa_family == AF_INET ? 10 : 16;
    if (rest.len == 0) {
        out->num_sources = 1;
        return true;
    }
    if (!http_number(rest, base, &last) || last < lowest || last > UINT8_MAX) {
        return false;
    }
    out->num_sources = last - lowest + 1;
    return true;
}

union load_address load_options_source(const struct load_options *options, uint64_t index)
{
    union load_address address = options->first_source;
    if (options->num_sources > 1) {
        uint8_t *last = last_byte_of(&address);
        *last = (uint8_t)(*last + index % options->num_sources);
    }
    return address;
}

/* What is chosen at random for each connection, each choice by itself. */
enum choice { CHOICE_FRESH, CHOICE_NAME, CHOICE_RESUME };

/* random_for returns where the randomness of |choice| for connection |index| begins. */
static uint64_t random_for(const struct load_options *options, enum choice choice, uint64_t index)
{
    uint64_t state = options->seed + choice;
    return split_mix_next(&state) + index * UINT64_C(0xd1342543de82ef95);
}

static bool chance(const struct load_options *options, enum choice choice, uint64_t index, unsigned percent)
{
    uint64_t random = random_for(options, choice, index);
    return split_mix_next(&random) % 100 < percent;
}

bool load_options_may_resume(const struct load_options *options, uint64_t index)
{
    return options->resume && chance(options, CHOICE_RESUME, index, options->resume_percent);
}

uint64_t load_options_name_index(const struct load_options *options, uint64_t index)
{
    uint64_t num_names = load_options_num_names(options);
    uint64_t random = random_for(options, CHOICE_NAME, index);
    if (chance(options, CHOICE_FRESH, index, options->fresh_percent)) {
        return num_names + index;
    }
    if (options->zipf_names) {
        return zipf_draw(&options->zipf, &random);
    }
    return (options->random_names ? split_mix_next(&random) : index) % num_names;
}

void load_options_name(const struct load_options *options, uint64_t name_index, char out[LOAD_MAX_NAME + 1])
{
    uint64_t num_names = load_options_num_names(options);
    bool fresh = name_index >= num_names;
    const struct load_pattern *pattern = fresh ? &options->fresh_pattern : &options->pattern;
    struct mg_buffer name; /* parse_pattern has seen to it that all fits */
    mg_buffer_wrap(&name, out, LOAD_MAX_NAME + 1);
    mg_buffer_append_text(&name, pattern->prefix);
    if (pattern->numbered) {
        mg_buffer_append_format(&name, "%" PRIu64, fresh ? name_index - num_names : options->first_name + name_index);
        mg_buffer_append_text(&name, pattern->suffix);
    }
    mg_buffer_append_u8(&name, '\0');
}

static bool parse_version(struct load_options *out, const char *text)
{
    uint16_t version = strcmp(text, "1.2") == 0 ? TLS1_2_VERSION : strcmp(text, "1.3") == 0 ? TLS1_3_VERSION : 0;
    out->min_version = out->max_version = version;
    return version != 0;
}

static bool parse_real(const char *text, double max, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out <= max;
}

static bool parse_exponent(struct load_options *out, const char *text)
{
    out->zipf_names = true;
    return parse_real(text, ZIPF_MAX_EXPONENT, &out->zipf.exponent);
}

static bool parse_length(struct load_options *out, const char *text)
{
    uint64_t len;
    if (!parse_number(text, 0, INT64_MAX, &len)) {
        return false;
    }
    out->expect_len = (int64_t)len;
    return true;
}

/* set_option returns false when |value| is not right for the option. */
static bool set_option(struct load_options *out, int option, const char *value)
{
    switch ((enum option_id)option) {
    case OPTION_NAME:
        return parse_pattern(&out->pattern, value);
    case OPTION_RANGE:
        return parse_range(out, value);
    case OPTION_FRESH:
        return parse_pattern(&out->fresh_pattern, value) && out->fresh_pattern.numbered;
    case OPTION_FRESH_PERCENT:
        return parse_unsigned(value, 1, 100, &out->fresh_percent);
    case OPTION_CONNECT:
        return load_address_parse(&out->target, value);
    case OPTION_SOURCE:
        return parse_source(out, value);
    case OPTION_CONNECTIONS:
        return parse_number(value, 1, UINT32_MAX, &out->connections);
    case OPTION_IN_FLIGHT:
        return parse_number(value, 1, 1000000, &out->in_flight);
    case OPTION_RATE:
        return parse_real(value, 1e6, &out->rate) && out->rate > 0;
    case OPTION_MAX_SECONDS:
        return parse_number(value, 1, 1000000, &out->max_seconds);
    case OPTION_TIMEOUT:
        return parse_unsigned(value, 1, 3600, &out->timeout_seconds);
    case OPTION_THREADS:
        return parse_unsigned(value, 1, LOAD_MAX_THREADS, &out->threads);
    case OPTION_SEED:
        return parse_number(value, 0, UINT64_MAX, &out->seed);
    case OPTION_TLS:
        return parse_version(out, value);
    case OPTION_EXPECT_STATUS:
        return parse_unsigned(value, 100, 999, &out->expect_status);
    case OPTION_EXPECT_LENGTH:
        return parse_length(out, value);
    case OPTION_RANDOM_NAMES:
        return out->random_names = true;
    case OPTION_ZIPF:
        return parse_exponent(out, value);
    case OPTION_POISSON:
        return out->poisson = true;
    case OPTION_RESUME:
        return out->resume = true;
    case OPTION_RESUME_PERCENT:
        return out->resume = parse_unsigned(value, 0, 100, &out->resume_percent);
    case OPTION_TIMELINE:
        return out->timeline = true;
    case OPTION_DISTRIBUTION:
        return out->distribution = true;
    case OPTION_CAFILE:
        return (out->ca_file = value) != NULL;
    case OPTION_ALPN:
        return (out->alpn = value) != NULL;
    case OPTION_GROUPS:
        return (out->groups = value) != NULL;
    case OPTION_CIPHERS:
        return (out->ciphers = value) != NULL;
    case OPTION_GET:
        return (out->path = value)[0] == '/' && strlen(value) < 1024;
    case OPTION_JSON:
        return (out->json = value) != NULL;
    case OPTION_RECORDS:
        return (out->records = value) != NULL;
    }
    return false;
}

/* resolve finds the address of the first name, once for the whole run. */
static enum mg_status resolve(struct load_options *out, struct mg_error *error)
{
    char name[LOAD_MAX_NAME + 1];
    const struct addrinfo hints = {.ai_family = out->first_source.any.sa_family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    load_options_name(out, 0, name);
    int failure = getaddrinfo(name, NULL, &hints, &found);
    if (failure != 0) {
        return mg_error_set(error, MG_NOT_FOUND, "%s: %s; or give --connect", name, gai_strerror(failure));
    }
    memcpy(&out->target, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return MG_OK;
}

static enum mg_status complete(struct load_options *out, struct mg_error *error)
{
    if (out->pattern.prefix[0] == '\0' && !out->pattern.numbered) {
        return mg_error_set(error, MG_INVALID, "--name is missing");
    }
    if (!out->fresh_pattern.numbered && out->fresh_percent > 0) {
        return mg_error_set(error, MG_INVALID, "--fresh-percent needs --fresh");
    }
    if (out->fresh_pattern.numbered && out->fresh_percent == 0) {
        out->fresh_percent = DEFAULT_FRESH_PERCENT;
    }
    if (out->connections == 0) {
        out->connections = load_options_num_names(out);
    }
    if (out->zipf_names && (out->random_names || load_options_num_names(out) > UINT64_C(1) << 32)) {
        return mg_error_set(error, MG_INVALID, "--zipf: not with --random-names, nor for more than 2^32 names");
    }
    zipf_init(&out->zipf, load_options_num_names(out), out->zipf.exponent);
    if (out->poisson && out->rate == 0) {
        return mg_error_set(error, MG_INVALID, "--poisson needs --rate");
    }
    if (out->in_flight < out->threads) {
        return mg_error_set(error, MG_INVALID, "--in-flight: at least one for each thread");
    }
    if (out->target.any.sa_family == 0) {
        enum mg_status status = resolve(out, error);
        if (status != MG_OK) {
            return status;
        }
    }
    if (out->num_sources > 0 && out->first_source.any.sa_family != out->target.any.sa_family) {
        return mg_error_set(error, MG_INVALID, "--source and --connect are of different address families");
    }
    in_port_t *port = out->target.any.sa_family == AF_INET ? &out->target.v4.sin_port : &out->target.v6.sin6_port;
    if (*port == 0) {
        *port = htons(443);
    }
    return MG_OK;
}

enum mg_status load_options_parse(struct load_options *out, int argc, char **argv, struct mg_error *error)
{
    *out = (struct load_options){.in_flight = 100,
                                 .timeout_seconds = 30,
                                 .threads = 1,
                                 .seed = 1,
                                 .resume_percent = 100,
                                 .expect_status = 200,
                                 .expect_len = -1};
    int index = 0;
    for (int option; (option = getopt_long(argc, argv, "", long_options, &index)) != -1;) {
        if (option == '?') {
            return mg_error_set(error, MG_INVALID, "see above");
        }
        if (!set_option(out, option, optarg)) {
            return mg_error_set(error, MG_INVALID, "--%s: cannot be %s", long_options[index].name, optarg);
        }
    }
    if (optind != argc) {
        return mg_error_set(error, MG_INVALID, "%s: what is that?", argv[optind]);
    }
    return complete(out, error);
}
