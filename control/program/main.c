/* SPDX-License-Identifier: Apache-2.0 */
/* mintgate-control: command line, the order in which privileges are given up, and signals. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/confine.h"
#include "base/log.h"
#include "base/options.h"
#include "control/program/program.h"

static const char usage[] = "usage: mintgate-control [--config FILE] [--check | --routes]\n"
                            "\n"
                            "The control plane of a Mintgate appliance: its APIs, and what its intermediates are.\n"
                            "\n"
                            "  --config FILE  configuration (default " CONFIG_DEFAULT_PATH ")\n"
                            "  --check        check the configuration and exit\n"
                            "  --routes       print what it serves and to whom (docs/api), and exit\n"
                            "  --version      print the version and exit\n"
                            "  --help         print this and exit\n"
                            "\n"
                            "SIGHUP reads the configuration again; SIGTERM lets requests end, and ends.\n";

static struct options {
    const char *config;
    bool check;
    bool routes;
} options = {.config = CONFIG_DEFAULT_PATH};

static const struct mg_option known[] = {
    {.name = "config", .text = &options.config},
    {.name = "check", .given = &options.check},
    {.name = "routes", .given = &options.routes},
};
static const struct mg_program command_line = {
    .name = "mintgate-control", .usage = usage, .options = known, .num_options = MG_ARRAY_LEN(known)};

static int fail(const struct mg_error *error)
{
    fprintf(stderr, "mintgate-control: %s\n", error->text);
    return EXIT_FAILURE;
}

static int list_routes(void)
{
    struct mg_error error = {""};
    return program_list_routes(stdout, &error) == MG_OK ? EXIT_SUCCESS : fail(&error);
}

static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigprocmask(SIG_BLOCK, signals, NULL); /* before there are other threads */
    (void)signal(SIGPIPE, SIG_IGN);
}

/* What remains to be called once everything is open: SQLite's files, the signer's socket, files read again at SIGHUP,
 * a thread for each connection. */
static enum mg_status confine(struct mg_error *error)
{
    static const char *const allowed[] = {
        "socket",   "connect",  "openat",    "open",       "newfstatat", "stat",       "lstat",
        "statx",    "access",   "faccessat", "faccessat2", "readlink",   "getcwd",     "pread64",
        "pwrite64", "fsync",    "fdatasync", "ftruncate",  "fchmod",     "fchown",     "rename",
        "unlink",   "unlinkat", "ioctl",     "dup",        "uname",      "getdents64", "sched_getaffinity",
        "sysinfo",  "getuid",   "getegid",   "getgid",     "getrusage",
    };
    const struct mg_confine_calls calls = {
        .allowed = allowed, .num_allowed = MG_ARRAY_LEN(allowed), .makes_threads = true};
    return mg_confine_syscalls(&calls, error);
}

static void reload(struct program *program)
{
    struct mg_error error;
    if (program_reload(program, &error) == MG_OK) {
        mg_log_info("configuration reloaded");
    } else {
        mg_log_error("reload refused, the old configuration stays: %s", error.text);
    }
}

/* serve runs until a signal that means the end. */
static enum mg_status serve(struct program *program, const sigset_t *signals, struct mg_error *error)
{
    static const struct timespec second = {.tv_sec = 1};
    enum mg_status status;
    while ((status = program_tick(program, error)) == MG_OK) {
        int received = sigtimedwait(signals, NULL, &second);
        if (received == SIGTERM || received == SIGINT) {
            break;
        }
        if (received == SIGHUP) {
            reload(program);
        }
    }
    return status;
}

static enum mg_status run(const struct config *config, const sigset_t *signals, struct mg_error *error)
{
    struct program *program = NULL;
    enum mg_status status = program_open(&program, config, error);
    if (status == MG_OK) {
        status = mg_confine_capabilities(NULL, 0, error); /* threads inherit this, so before most of them */
    }
    if (status == MG_OK) {
        status = program_serve(program, error);
    }
    if (status == MG_OK) {
        status = confine(error);
    }
    if (status == MG_OK) {
        mg_log_info("version " MINTGATE_VERSION " is running");
        status = serve(program, signals, error);
        mg_log_info("stopping");
        program_drain(program);
    }
    program_free(program);
    return status;
}

int main(int argc, char **argv)
{
    struct config *config;
    struct mg_error error = {""};
    sigset_t signals;
    int code = mg_options_parse(&command_line, argc, argv);
    if (code >= 0) {
        return code;
    }
    if (options.routes) {
        return list_routes();
    }
    if (config_load(&config, options.config, &error) != MG_OK) {
        return fail(&error);
    }
    if (options.check) {
        printf("%s: OK\n", options.config);
        config_free(config);
        return EXIT_SUCCESS;
    }
    mg_log_init("mintgate-control", config->log_level);
    block_signals(&signals);
    enum mg_status status = mg_confine_no_dumps(&error);
    if (status == MG_OK) {
        status = run(config, &signals, &error);
    }
    config_free(config);
    return status == MG_OK ? EXIT_SUCCESS : fail(&error);
}
