/* SPDX-License-Identifier: Apache-2.0 */
/* mintgate-control: command line, and waiting for signals. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/confine.h"
#include "base/log.h"
#include "control/program/program.h"

#define DEFAULT_CONFIG "/etc/mintgate/mintgate.yaml"
#define EXIT_USAGE 2

static const char usage[] = "usage: mintgate-control [--config FILE] [--check | --routes]\n"
                            "\n"
                            "The control plane of a Mintgate appliance: its APIs, and what its intermediates are.\n"
                            "\n"
                            "  --config FILE  configuration (default " DEFAULT_CONFIG ")\n"
                            "  --check        check the configuration and exit\n"
                            "  --routes       print what it serves and to whom (docs/api), and exit\n"
                            "  --version      print the version and exit\n"
                            "  --help         print this and exit\n";

struct options {
    const char *config;
    bool check;
    bool routes;
};

/* parse_options returns -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *out)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'}, {"routes", no_argument, NULL, 'r'},
        {"version", no_argument, NULL, 'v'},      {"help", no_argument, NULL, 'h'},  {NULL, 0, NULL, 0},
    };
    *out = (struct options){.config = DEFAULT_CONFIG};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'c':
            out->config = optarg;
            break;
        case 'k':
            out->check = true;
            break;
        case 'r':
            out->routes = true;
            break;
        case 'v':
            puts("mintgate-control " MINTGATE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "mintgate-control: what is %s?\nTry mintgate-control --help.\n", argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

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

/* reload takes over what can change while running: the log level. */
static void reload(const char *path)
{
    struct config *config;
    struct mg_error error;
    if (config_load(&config, path, &error) != MG_OK) {
        mg_log_error("not reloaded: %s", error.text);
        return;
    }
    mg_log_set_level(config->log_level);
    config_free(config);
    mg_log_info("reloaded the log level; other changes need a restart");
}

/* wait_for_end waits for a signal that means it, |timeout| (NULL: for ever) at the most. False: time is up. */
static bool wait_for_end(const sigset_t *signals, const struct timespec *timeout, const char *config)
{
    for (;;) {
        int received = timeout == NULL ? sigwaitinfo(signals, NULL) : sigtimedwait(signals, NULL, timeout);
        if (received == SIGTERM || received == SIGINT) {
            return true;
        }
        if (received == SIGHUP) {
            reload(config);
        } else if (timeout != NULL) {
            return false;
        }
    }
}

/* join waits for the signer, which may be started later. */
static enum mg_status join(struct program *program, const sigset_t *signals, const char *config, bool *ended,
                           struct mg_error *error)
{
    static const struct timespec second = {.tv_sec = 1};
    enum mg_status status;
    bool said = false;
    while ((status = program_join(program, error)) == MG_IO) {
        if (!said) {
            mg_log_warning("waiting for the signer: %s", error->text);
            said = true;
        }
        if (wait_for_end(signals, &second, config)) {
            *ended = true;
            return MG_OK;
        }
    }
    return status;
}

static enum mg_status run(const struct config *config, const char *path, const sigset_t *signals,
                          struct mg_error *error)
{
    struct program *program = NULL;
    bool ended = false;
    enum mg_status status = program_open(&program, config, error);
    if (status == MG_OK) {
        status = mg_confine_capabilities(NULL, 0, error);
    }
    if (status == MG_OK) {
        status = join(program, signals, path, &ended, error);
    }
    if (status == MG_OK && !ended) {
        status = program_serve(program, error);
    }
    if (status == MG_OK && !ended) {
        mg_log_info("version " MINTGATE_VERSION " is running");
        (void)wait_for_end(signals, NULL, path);
        mg_log_info("stopping");
        program_drain(program);
    }
    program_free(program);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct config *config;
    struct mg_error error = {""};
    sigset_t signals;
    int code = parse_options(argc, argv, &options);
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
        status = run(config, options.config, &signals, &error);
    }
    config_free(config);
    return status == MG_OK ? EXIT_SUCCESS : fail(&error);
}
