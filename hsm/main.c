/* SPDX-License-Identifier: Apache-2.0 */
/* mintgate-signer: command line, and the order in which privileges are given up. */
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>

#include "base/confine.h"
#include "base/options.h"
#include "config/config.h"
#include "hsm/journal_files.h"
#include "hsm/signer.h"

/* Keys of 256 issuers, and what each signing thread works on. Below the default limit of locked memory (8 MiB). */
#define SECURE_HEAP_BYTES ((size_t)4 << 20)
#define SECURE_HEAP_SMALLEST 32

static const char usage[] = "usage: mintgate-signer [--config FILE] [--check]\n"
                            "       mintgate-signer --verify-journal DIRECTORY\n"
                            "\n"
                            "Holds the CA keys of a Mintgate appliance and signs certificates for its engine.\n"
                            "\n"
                            "  --config FILE               configuration (default " CONFIG_DEFAULT_PATH ")\n"
                            "  --check                     check the configuration and exit\n"
                            "  --verify-journal DIRECTORY  check the issuance journal there and exit\n"
                            "  --version                   print the version and exit\n"
                            "  --help                      print this and exit\n";

static struct options {
    const char *config;
    const char *journal; /* to verify; NULL: none */
    bool check;
} options = {.config = CONFIG_DEFAULT_PATH};

static const struct mg_option known[] = {
    {.name = "config", .text = &options.config},
    {.name = "check", .given = &options.check},
    {.name = "verify-journal", .text = &options.journal},
};
static const struct mg_program program = {
    .name = "mintgate-signer", .usage = usage, .options = known, .num_options = MG_ARRAY_LEN(known)};

static int fail(const struct mg_error *error)
{
    fprintf(stderr, "mintgate-signer: %s\n", error->text);
    return 1;
}

/* Signals are taken by signer_run alone; a peer that goes away is no signal. */
static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* the journal at its limit is a failed write, which is handled */
}

static void prepare_secure_heap(void)
{
    if (CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_SMALLEST) != 1) {
        mg_log_warning("keys cannot be kept out of swap: raise the limit of locked memory to 8 MiB");
    }
}

/* What remains to be called once everything is open and every thread runs: the journal, the keystore's files, the
 * configuration at SIGHUP. */
static enum mg_status confine(struct mg_error *error)
{
    static const char *const allowed[] = {
        "openat", "open",      "newfstatat", "stat",      "statx",    "pwrite64",   "dup",
        "fsync",  "fdatasync", "ftruncate",  "unlink",    "unlinkat", "flock",      "getdents64",
        "ioctl",  "rename",    "renameat",   "renameat2", "fchmod",   "socketpair", "pipe2", /* the last two: tokens */
    };
    const struct mg_confine_calls calls = {.allowed = allowed, .num_allowed = MG_ARRAY_LEN(allowed)};
    return mg_confine_syscalls(&calls, error);
}

/* reload takes over what can change while running: the log level. */
static void reload(void *arg)
{
    (void)arg;
    struct signer_config config;
    struct mg_error error;
    if (signer_config_load(&config, options.config, &error) != MG_OK) {
        mg_log_error("not reloaded: %s", error.text);
        return;
    }
    mg_log_set_level(config.log_level);
    mg_log_info("reloaded the log level; other changes of the signer's settings need a restart");
}

/* serve opens everything, gives up what is not needed any more, and runs until a signal. */
static enum mg_status serve(const struct signer_config *config, struct mg_error *error)
{
    struct signer *signer = NULL;
    enum mg_status status = signer_open(&signer, config, error);
    if (status == MG_OK) {
        status = mg_confine_capabilities(NULL, 0, error); /* threads inherit this, so before them */
    }
    if (status == MG_OK) {
        status = signer_start(signer, error);
    }
    if (status == MG_OK) {
        status = confine(error); /* in all threads, before the first connection is accepted */
    }
    if (status == MG_OK) {
        signer_run(signer, reload, NULL);
        mg_log_info("stopping");
    }
    signer_free(signer);
    return status;
}

int main(int argc, char **argv)
{
    struct signer_config config;
    struct mg_error error = {""};
    int code = mg_options_parse(&program, argc, argv);
    if (code >= 0) {
        return code;
    }
    if (options.journal != NULL) {
        return journal_verify(options.journal, stdout, &error) == MG_OK ? 0 : fail(&error);
    }
    if (signer_config_load(&config, options.config, &error) != MG_OK) {
        return fail(&error);
    }
    if (options.check) {
        printf("%s: OK\n", options.config);
        return 0;
    }
    mg_log_init("mintgate-signer", config.log_level);
    block_signals();
    if (mg_confine_no_dumps(&error) != MG_OK) {
        return fail(&error);
    }
    prepare_secure_heap();
    return serve(&config, &error) == MG_OK ? 0 : fail(&error);
}
