/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench: what this machine could do at most, beside what Mintgate does of it. It starts helper programs, which
 * have one libcrypto each, and has them measure in turn (bench/measure.h).
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/options.h"
#include "bench/report.h"
#include "bench/subcommands.h"

#define DEFAULT_ROUNDS 15
#define DEFAULT_MILLISECONDS 100
#define QUICK_ROUNDS 5
#define QUICK_MILLISECONDS 50
#define FIRST_NICE (-15)
#define MAX_REPORT (4 << 20)

static struct bench bench;
static unsigned max_sessions;
static const char *only_issuer, *only_entries;

static enum mg_status run_hsm(struct mg_error *error)
{
    return subcommand_hsm(&bench, max_sessions, error);
}

static enum mg_status run_mint(struct mg_error *error)
{
    return subcommand_mint(&bench, only_issuer, error);
}

static enum mg_status run_cache(struct mg_error *error)
{
    return subcommand_cache(&bench, only_entries, error);
}

static enum mg_status run_hello(struct mg_error *error)
{
    return subcommand_hello(&bench, error);
}

static const struct {
    const char *name;
    enum mg_status (*run)(struct mg_error *error);
} subcommands[] = {{"hsm", run_hsm}, {"mint", run_mint}, {"cache", run_cache}, {"hello", run_hello}};

/* Those that need a lab are scripts (bench/labbench.py), with options of their own. */
static const char *const lab_subcommands[] = {"forward", "handshake", "bulk", "swap", "peers"};

static const char usage[] =
    "usage: mintgate-bench SUBCOMMAND [OPTION...]\n"
    "Measures what Mintgate does beside what the machine could do at most, in turn, and shows the ratios.\n"
    "\n"
    "  hsm    leaves signed on a PKCS#11 token (SoftHSM2), engine to token, beside C_Sign alone\n"
    "  mint   certificates by issuer and backend, beside the library's signatures alone and X509_sign\n"
    "  cache  lookups in the cache of leaves beside liburcu's table by itself\n"
    "  hello  ClientHellos of real clients parsed, as workers do\n"
    "  machine  what it is that measures, as JSON\n"
    "\n"
    "In a lab, with options of their own (SUBCOMMAND --help):\n"
    "  forward    frames past the engine, beside dpdk-testpmd\n"
    "  handshake  intercepted connections, beside their cryptography alone\n"
    "  bulk       bytes through an intercepted connection, beside AES-GCM alone\n"
    "  swap       swaps of the default intermediate under load\n"
    "  peers      the same load through sslsplit, haproxy, squid and mitmproxy\n"
    "\n"
    "  --quick           within a minute: fewer things, rounds and milliseconds\n"
    "  --rounds N        measure each N times (15)\n"
    "  --milliseconds N  for so long (100)\n"
    "  --sessions N      of a token: from 1 to N (2)\n"
    "  --issuer TYPE     mint for EC_P256, RSA_2K or RSA_3K alone\n"
    "  --entries N       cache with 1000, 10000, 100000 or 1000000 entries alone\n"
    "  --cpu N           keep everything on processor N\n"
    "  --first           come before what else the machine does\n"
    "  --json FILE       write all figures into FILE as well\n";

/* number_of reads |text|, NULL being |otherwise|. */
static bool number_of(const char *text, unsigned otherwise, unsigned min, unsigned max, unsigned *out)
{
    char *end;
    *out = otherwise;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    *out = (unsigned)number;
    return errno == 0 && end != text && *end == '\0' && number >= min && number <= max;
}

static enum mg_status keep_on(unsigned cpu, struct mg_error *error)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0 ? MG_OK
                                                        : mg_error_errno(error, "--cpu: cannot keep to %u", cpu);
}

/* come_first raises the priority of this process and of what it starts; where the kernel has autogroups, nice counts
 * only between the processes of one session, and the session's own counts between them (sched(7)). */
static enum mg_status come_first(struct mg_error *error)
{
    if (setpriority(PRIO_PROCESS, 0, FIRST_NICE) != 0) {
        return mg_error_errno(error, "--first");
    }
    FILE *file = fopen("/proc/self/autogroup", "we");
    if (file != NULL) {
        fprintf(file, "%d", FIRST_NICE);
        fclose(file);
    }
    return MG_OK;
}

static enum mg_status write_json(const char *path, const struct report_run *run, struct mg_error *error)
{
    json_t *document = report_json(&bench, run);
    bool ok = document != NULL && json_dump_file(document, path, JSON_INDENT(1)) == 0;
    json_decref(document);
    return ok ? MG_OK : mg_error_errno(error, "cannot write %s", path);
}

static void print_table(const struct report_run *run)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_REPORT);
    report_text(&bench, run, &text);
    fwrite(text.data, 1, text.len, stdout);
    mg_buffer_free(&text);
}

static enum mg_status run_subcommand(size_t subcommand, const struct report_run *run, const char *json,
                                     struct mg_error *error)
{
    enum mg_status status = subcommands[subcommand].run(error);
    if (status == MG_OK) {
        print_table(run);
    }
    if (status == MG_OK && json != NULL) {
        status = write_json(json, run, error);
    }
    bench_free(&bench);
    return status;
}

/* run_script becomes the script bench/lab_NAME.py of a subcommand, with the arguments behind its name. */
static int run_script(const char *name, char **arguments)
{
    char script[PATH_MAX];
    snprintf(script, sizeof(script), "%s/bench/lab_%s.py", BENCH_SOURCE_ROOT, name);
    arguments[0] = script;
    setenv("MG_BUILD", BENCH_BUILD_ROOT, 0);
    execv(script, arguments);
    fprintf(stderr, "mintgate-bench: cannot run %s: %s\n", script, strerror(errno));
    return 1;
}

static bool is_lab_subcommand(const char *name)
{
    size_t i = 0;
    while (i < MG_ARRAY_LEN(lab_subcommands) && strcmp(lab_subcommands[i], name) != 0) {
        i++;
    }
    return i < MG_ARRAY_LEN(lab_subcommands);
}

static int print_machine(void)
{
    struct bench_machine machine;
    bench_machine_look(&machine);
    json_t *document = report_json_machine(&machine);
    bool ok = document != NULL && json_dumpf(document, stdout, JSON_INDENT(1)) == 0;
    json_decref(document);
    return ok ? 0 : 1;
}

static size_t find_subcommand(const char *name)
{
    size_t i = 0;
    while (i < MG_ARRAY_LEN(subcommands) && strcmp(subcommands[i].name, name) != 0) {
        i++;
    }
    return i;
}

int main(int argc, char **argv)
{
    const char *rounds = NULL, *milliseconds = NULL, *sessions = NULL, *cpu = NULL, *json = NULL;
    bool first = false;
    const struct mg_option options[] = {
        {.name = "rounds", .text = &rounds},
        {.name = "milliseconds", .text = &milliseconds},
        {.name = "sessions", .text = &sessions},
        {.name = "issuer", .text = &only_issuer},
        {.name = "cpu", .text = &cpu},
        {.name = "json", .text = &json},
        {.name = "first", .given = &first},
        {.name = "quick", .given = &bench.options.is_quick},
        {.name = "entries", .text = &only_entries},
    };
    const struct mg_program program = {
        .name = "mintgate-bench", .usage = usage, .options = options, .num_options = MG_ARRAY_LEN(options)};
    if (argc > 1 && is_lab_subcommand(argv[1])) {
        return run_script(argv[1], argv + 1);
    }
    if (argc == 2 && strcmp(argv[1], "machine") == 0) {
        return print_machine();
    }
    size_t subcommand = argc > 1 ? find_subcommand(argv[1]) : 0;
    bool has_subcommand = argc > 1 && subcommand < MG_ARRAY_LEN(subcommands);
    int done = mg_options_parse(&program, argc - has_subcommand, argv + has_subcommand);
    if (done >= 0) {
        return done;
    }
    if (!has_subcommand) {
        return mg_options_wrong(&program, "a subcommand comes first");
    }
    unsigned cpu_number;
    bool is_quick = bench.options.is_quick;
    if (!number_of(rounds, is_quick ? QUICK_ROUNDS : DEFAULT_ROUNDS, 1, BENCH_MAX_ROUNDS, &bench.options.rounds) ||
        !number_of(milliseconds, is_quick ? QUICK_MILLISECONDS : DEFAULT_MILLISECONDS, 1, 60000,
                   &bench.options.milliseconds) ||
        !number_of(sessions, 2, 1, 32, &max_sessions) || !number_of(cpu, 0, 0, CPU_SETSIZE - 1, &cpu_number)) {
        return mg_options_wrong(&program, "a number is none, or out of range");
    }
    struct mg_error error = {""};
    struct report_run run = {.subcommand = argv[1], .cpu = cpu != NULL ? (int)cpu_number : -1};
    enum mg_status status = cpu != NULL ? keep_on(cpu_number, &error) : MG_OK;
    if (status == MG_OK && first) {
        status = come_first(&error);
    }
    signal(SIGPIPE, SIG_IGN); /* a helper that has ended is an error like others */
    bench.options.shows_progress = isatty(STDERR_FILENO) == 1;
    bench_machine_look(&run.machine);
    if (status == MG_OK) {
        status = run_subcommand(subcommand, &run, json, &error);
    }
    if (status != MG_OK) {
        fprintf(stderr, "mintgate-bench: %s\n", error.text);
        return 1;
    }
    return 0;
}
