/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lab's origin: every server of the lab that needs more than nginx can do. Listens on TCP 443 (TLS), 80 (HTTP),
 * 2525 (an echo that speaks first), 127.0.0.1:8080 (HTTP for nginx) and UDP 443 (echo).
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/log.h"
#include "tests/lab/origin/pattern.h"
#include "tests/lab/origin/tls_accept.h"
#include "tests/lab/origin/worker.h"

#define MAX_THREADS 16
#define RESERVED_DESCRIPTORS 64
#define DESCRIPTORS_PER_CONNECTION 2 /* a spliced one has a socket to nginx; a slow one a timer */

static const char usage[] =
    "usage: mintgate-lab-origin --pki DIR [--threads N] [--impostor ADDRESS]... [--max-names N]\n"
    "       mintgate-lab-origin --pattern N\n"
    "  --pki DIR           certificates made by tests/lab/pki\n"
    "  --threads N         worker threads (1)\n"
    "  --impostor ADDRESS  a local address where every name gets a certificate that nobody trusts\n"
    "  --max-names N       fresh certificates remembered (100000)\n"
    "  --pattern N         write the N bytes that /bytes/N answers with to standard output\n";

struct options {
    const char *pki;
    size_t num_threads;
    size_t max_names;
    struct in6_addr impostors[ORIGIN_MAX_IMPOSTORS];
    size_t num_impostors;
};

static void die_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint64_t parse_number(const char *text, uint64_t max)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > max) {
        die_usage();
    }
    return value;
}

static void add_impostor(struct options *options, const char *text)
{
    if (options->num_impostors == ORIGIN_MAX_IMPOSTORS) {
        die_usage();
    }
    struct in6_addr *out = &options->impostors[options->num_impostors++];
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(&out->s6_addr[12], &v4, sizeof(v4));
    } else if (inet_pton(AF_INET6, text, out) != 1) {
        die_usage();
    }
}

static int write_pattern(uint64_t len)
{
    uint8_t chunk[65536];
    for (uint64_t offset = 0; offset < len;) {
        size_t part = len - offset < sizeof(chunk) ? (size_t)(len - offset) : sizeof(chunk);
        pattern_fill(chunk, part, offset);
        if (fwrite(chunk, 1, part, stdout) != part) {
            perror("write");
            return 1;
        }
        offset += part;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

static void parse_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"pki", required_argument, NULL, 'd'},      {"threads", required_argument, NULL, 't'},
        {"impostor", required_argument, NULL, 'i'}, {"max-names", required_argument, NULL, 'n'},
        {"pattern", required_argument, NULL, 'p'},  {NULL, 0, NULL, 0},
    };
    *options = (struct options){.num_threads = 1, .max_names = 100000};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'd':
            options->pki = optarg;
            break;
        case 't':
            options->num_threads = parse_number(optarg, MAX_THREADS);
            break;
        case 'i':
            add_impostor(options, optarg);
            break;
        case 'n':
            options->max_names = parse_number(optarg, 10000000);
            break;
        case 'p':
            exit(write_pattern(parse_number(optarg, UINT64_MAX)));
        default:
            die_usage();
        }
    }
    if (optind != argc || options->pki == NULL || options->num_threads == 0 || options->max_names == 0) {
        die_usage();
    }
}

static size_t descriptors_allowed(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max > 1000000 ? 1000000 : limit.rlim_max;
}

static enum mg_status origin_init(struct origin *origin, const struct options *options, struct mg_error *error)
{
    enum mg_status status = credentials_load(&origin->fresh_issuer, options->pki, "origin-intermediate", error);
    if (status == MG_OK) {
        status = credentials_load(&origin->impostor_issuer, options->pki, "impostor-ca", error);
    }
    if (status == MG_OK) {
        status = credentials_load(&origin->good, options->pki, "servers/good.lab.test", error);
    }
    if (status != MG_OK) {
        return status;
    }
    memcpy(origin->impostors, options->impostors, sizeof(origin->impostors));
    origin->num_impostors = options->num_impostors;
    origin->fresh = fresh_new(&origin->fresh_issuer, options->max_names);
    origin->impostor = fresh_new(&origin->impostor_issuer, options->max_names);
    origin->tls = tls_accept_context_new();
    origin->workers = calloc(options->num_threads, sizeof(*origin->workers));
    origin->max_connections =
        (descriptors_allowed() - RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION / options->num_threads;
    if (origin->fresh == NULL || origin->impostor == NULL || origin->tls == NULL || origin->workers == NULL) {
        return mg_error_set(error, MG_MEMORY, "cannot make the origin's keys");
    }
    origin->num_workers = options->num_threads;
    for (size_t i = 0; i < origin->num_workers; i++) {
        origin->workers[i].origin = origin;
    }
    return MG_OK;
}

static void origin_free(struct origin *origin)
{
    free(origin->workers);
    SSL_CTX_free(origin->tls);
    fresh_free(origin->fresh);
    fresh_free(origin->impostor);
    credentials_free(&origin->good);
    credentials_free(&origin->fresh_issuer);
    credentials_free(&origin->impostor_issuer);
}

static enum mg_status start_workers(struct origin *origin, size_t *num_started, struct mg_error *error)
{
    for (size_t i = 0; i < origin->num_workers; i++) {
        enum mg_status status = worker_start(&origin->workers[i], error);
        if (status != MG_OK) {
            return status;
        }
        ++*num_started;
    }
    return MG_OK;
}

static void stop_workers(struct origin *origin, size_t num_started)
{
    for (size_t i = 0; i < num_started; i++) {
        worker_stop(&origin->workers[i]);
    }
}

int main(int argc, char **argv)
{
    struct options options;
    struct origin origin = {.num_workers = 0};
    struct mg_error error = {.text = ""};
    size_t num_started = 0;
    parse_options(&options, argc, argv);
    mg_log_init("lab-origin", MG_LOG_INFO);

    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before the threads, which inherit it */
    signal(SIGPIPE, SIG_IGN);

    enum mg_status status = origin_init(&origin, &options, &error);
    if (status == MG_OK) {
        status = start_workers(&origin, &num_started, &error);
    }
    if (status == MG_OK) {
        int signal_number;
        mg_log_info("ready");
        sigwait(&ends, &signal_number);
    } else {
        mg_log_error("%s", error.text);
    }
    stop_workers(&origin, num_started);
    origin_free(&origin);
    return status == MG_OK ? 0 : 1;
}
