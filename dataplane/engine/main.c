/* SPDX-License-Identifier: Apache-2.0 */
/* mintgate: the engine. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "cache/rcu.h"
#include "config/config.h"
#include "dataplane/engine/engine.h"
#include "dataplane/policy/explain.h"

static const char usage[] =
    "usage: mintgate --config FILE [OPTION]\n"
    "\n"
    "The engine of the Mintgate TLS-inspection appliance.\n"
    "\n"
    "  --config FILE        configuration (YAML); see docs/configuration.md\n"
    "  --check              read the configuration, say whether it is good, and end\n"
    "  --explain            say which policy rule decides about a flow, and why:\n"
    "    --client ADDRESS   its client\n"
    "    --server ADDRESS   its server\n"
    "    --port PORT        the server's port (443)\n"
    "    --sni NAME         the server name in the ClientHello (none)\n"
    "  --config-reference   print every configuration key as Markdown\n"
    "  --version\n"
    "  --help\n"
    "\n"
    "SIGHUP reloads policy and TLS settings and reopens the session log; SIGTERM drains and ends.\n";

static struct options {
    const char *config;
    bool check, explain, reference;
    struct explain_texts texts;
} options;

static const struct mg_option known[] = {
    {.name = "config", .text = &options.config},       {.name = "check", .given = &options.check},
    {.name = "explain", .given = &options.explain},    {.name = "client", .text = &options.texts.client},
    {.name = "server", .text = &options.texts.server}, {.name = "port", .text = &options.texts.port},
    {.name = "sni", .text = &options.texts.sni},       {.name = "config-reference", .given = &options.reference},
};
static const struct mg_program program = {
    .name = "mintgate", .usage = usage, .options = known, .num_options = MG_ARRAY_LEN(known)};

static int fail(const char *text)
{
    fprintf(stderr, "mintgate: %s\n", text);
    return EXIT_FAILURE;
}

static int usage_error(const char *text)
{
    return mg_options_wrong(&program, text);
}

static int print_reference(void)
{
    struct mg_buffer out;
    mg_buffer_init(&out, 1 << 20);
    config_write_reference(&out);
    fwrite(out.data, 1, out.len, stdout);
    mg_buffer_free(&out);
    return EXIT_SUCCESS;
}

/* ---- explain ---- */

static int explain(const struct config *config, const struct explain_texts *texts)
{
    struct explain_question question;
    struct policy *policy;
    struct mg_error error;
    if (texts->client == NULL || texts->server == NULL) {
        return usage_error("--explain wants --client ADDRESS and --server ADDRESS");
    }
    if (explain_parse(&question, texts, &error) != MG_OK) {
        return usage_error(error.text);
    }
    if (policy_new(&policy, config, 1, &error) != MG_OK) {
        return fail(error.text);
    }
    struct mg_buffer out;
    mg_buffer_init(&out, 1 << 20);
    explain_rules(&question, policy, &out);
    fwrite(out.data, 1, out.len, stdout);
    mg_buffer_free(&out);
    policy_free(policy);
    return EXIT_SUCCESS;
}

static int check(const struct config *config)
{
    struct policy *policy;
    struct mg_error error;
    if (policy_new(&policy, config, 1, &error) != MG_OK) {
        return fail(error.text);
    }
    policy_free(policy);
    printf("%s: good\n", config->path);
    return EXIT_SUCCESS;
}

/* ---- running ---- */

/* wait_for_signal waits for a second at the most, for |fd| or a signal, and returns that, or 0. */
static int wait_for_signal(int signal_fd, int fd)
{
    struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    struct signalfd_siginfo info;
    mg_rcu_offline();
    (void)poll(fds, MG_ARRAY_LEN(fds), 1000);
    mg_rcu_online();
    return read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

static int run(struct config *config)
{
    struct engine *engine;
    struct mg_error error;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread is made */
    signal(SIGPIPE, SIG_IGN);
    int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0) {
        return fail("no descriptor for signals");
    }
    if (engine_start(&engine, config, &error) != MG_OK) {
        mg_log_error("%s", error.text);
        return EXIT_FAILURE;
    }
    mg_log_info("version " MINTGATE_VERSION " is running");
    for (;;) {
        int signal = wait_for_signal(signal_fd, engine_fd(engine));
        engine_tick(engine);
        if (signal == SIGTERM || signal == SIGINT) {
            break;
        }
        if (signal == SIGHUP) {
            if (engine_reload(engine, &error) == MG_OK) {
                mg_log_info("configuration reloaded");
            } else {
                mg_log_error("reload refused, the old configuration stays: %s", error.text);
            }
        }
    }
    engine_drain(engine);
    engine_stop(engine);
    mg_log_info("ended");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int result = mg_options_parse(&program, argc, argv);
    if (result >= 0) {
        return result;
    }
    if (options.reference) {
        return print_reference();
    }
    if (options.config == NULL) {
        return usage_error("--config FILE is needed");
    }
    struct config *config;
    struct mg_error error;
    if (config_load(&config, options.config, &error) != MG_OK) {
        return fail(error.text);
    }
    if (options.check || options.explain) {
        result = options.check ? check(config) : explain(config, &options.texts);
        config_free(config);
        return result;
    }
    mg_log_init("mintgate", config->log_level);
    return run(config);
}
