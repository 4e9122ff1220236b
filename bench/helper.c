/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/helper.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_LINE 512

/* path_of is where the helper |name| lies. */
static enum mg_status path_of(const char *name, char *out, size_t size, struct mg_error *error)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0) {
        return mg_error_errno(error, "cannot tell where this program lies");
    }
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    if (snprintf(out, size, "%s/probes/%s", self, name) >= (int)size) {
        return mg_error_set(error, MG_LIMIT, "the path of %s is too long", name);
    }
    return MG_OK;
}

static _Noreturn void become(const char *path, const char *const *arguments, int in, int out)
{
    char *argv[HELPER_MAX_ARGUMENTS + 2] = {strdup(path)};
    for (size_t i = 0; i < HELPER_MAX_ARGUMENTS && arguments[i] != NULL; i++) {
        argv[i + 1] = strdup(arguments[i]);
    }
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
        execv(path, argv);
    }
    perror(path);
    _exit(127);
}

static enum mg_status fork_helper(struct helper *out, const char *path, const char *const *arguments,
                                  struct mg_error *error)
{
    int commands[2] = {-1, -1}, answers[2] = {-1, -1};
    bool ok = pipe2(commands, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0 &&
              (out->answers = fdopen(answers[0], "re")) != NULL;
    out->commands = commands[1];
    out->pid = ok ? fork() : -1;
    if (out->pid == 0) {
        become(path, arguments, commands[0], answers[1]);
    }
    enum mg_status status = out->pid > 0 ? MG_OK : mg_error_errno(error, "cannot start %s", path);
    int theirs[] = {commands[0], answers[1]};
    for (size_t i = 0; i < MG_ARRAY_LEN(theirs); i++) {
        if (theirs[i] >= 0) {
            close(theirs[i]);
        }
    }
    return status;
}

static enum mg_status read_line(struct helper *helper, unsigned milliseconds, char *line, struct mg_error *error)
{
    struct pollfd fd = {.fd = fileno(helper->answers), .events = POLLIN};
    if (poll(&fd, 1, (int)(milliseconds + HELPER_PATIENCE_MS)) != 1) {
        return mg_error_set(error, MG_IO, "a helper says nothing");
    }
    if (fgets(line, MAX_LINE, helper->answers) == NULL) {
        return mg_error_set(error, MG_IO, "a helper has ended");
    }
    return MG_OK;
}

enum mg_status helper_start(struct helper *out, const char *name, const char *const *arguments, struct mg_error *error)
{
    char path[PATH_MAX], line[MAX_LINE];
    *out = (struct helper){.commands = -1};
    enum mg_status status = path_of(name, path, sizeof(path), error);
    if (status == MG_OK) {
        status = fork_helper(out, path, arguments, error);
    }
    if (status == MG_OK) {
        status = read_line(out, 0, line, error);
    }
    if (status == MG_OK && sscanf(line, "ready %d %255s", &out->server, out->directory) != 2) {
        status = mg_error_set(error, MG_IO, "%s: not understood: %s", name, line);
    }
    if (status != MG_OK) {
        helper_stop(out);
    }
    return status;
}

enum mg_status helper_run(struct helper *helper, const char *probe, unsigned milliseconds, unsigned num_threads,
                          unsigned long parameter, struct bench_sample *out, struct mg_error *error)
{
    char line[MAX_LINE];
    int len = snprintf(line, sizeof(line), "run %s %u %u %lu\n", probe, milliseconds, num_threads, parameter);
    if (write(helper->commands, line, (size_t)len) != len) {
        return mg_error_errno(error, "cannot ask a helper for %s", probe);
    }
    enum mg_status status = read_line(helper, milliseconds, line, error);
    if (status == MG_OK && !bench_sample_read(line, out)) {
        status = mg_error_set(error, MG_IO, "%s: nothing was measured: %s", probe, line);
    }
    return status;
}

void helper_stop(struct helper *helper)
{
    if (helper->commands >= 0) {
        close(helper->commands);
    }
    if (helper->pid > 0) {
        waitpid(helper->pid, NULL, 0);
    }
    if (helper->answers != NULL) {
        fclose(helper->answers);
    }
    *helper = (struct helper){.commands = -1};
}
