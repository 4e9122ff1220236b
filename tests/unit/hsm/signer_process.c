/* SPDX-License-Identifier: Apache-2.0 */
#include "signer_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unix_socket.h"
#include "temp_dir.h"

struct signer_process signer_process = {.key_type = "EC_P256", .crypto_mb = "auto", .num_threads = 1};

void signer_write_config(const char *more)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 8192);
    mg_buffer_append_format(&text, "signer:\n  engine_socket: %s\n", temp_path("engine.sock"));
    mg_buffer_append_format(&text, "  control_socket: %s\n", temp_path("control.sock"));
    mg_buffer_append_format(&text, "  metrics_socket: %s\n", temp_path("metrics.sock"));
    mg_buffer_append_format(&text, "  state_dir: %s\n", temp_path("state"));
    mg_buffer_append_format(&text, "  key_encryption_key: %s\n", temp_path("kek"));
    mg_buffer_append_format(&text, "  builtin_key_type: %s\n  threads: %u\n  crypto_mb: %s\n%s",
                            signer_process.key_type, signer_process.num_threads, signer_process.crypto_mb, more);
    assert_int_equal(mg_file_write_atomic(temp_path("mintgate.yaml"), mg_buffer_slice(&text), 0600, NULL), MG_OK);
    mg_buffer_free(&text);
}

pid_t signer_run_program(const char *const *argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *args[8] = {NULL};
        args[0] = strdup(SIGNER_PROGRAM);
        for (size_t i = 0; argv[i] != NULL && i < 6; i++) {
            args[i + 1] = strdup(argv[i]);
        }
        int fd = open(temp_path("output"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execv(SIGNER_PROGRAM, args);
        _exit(127);
    }
    return pid;
}

int signer_wait_for(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

const char *signer_output(void)
{
    static struct mg_buffer text;
    mg_buffer_free(&text);
    mg_buffer_init(&text, 1 << 20);
    if (mg_file_read(temp_path("output"), &text, NULL) != MG_OK) {
        mg_buffer_clear(&text); /* nothing said yet */
    }
    mg_buffer_append_u8(&text, 0);
    return (const char *)text.data;
}

int signer_connect_engine(void)
{
    int fd;
    for (int tries = 0; tries < 3000; tries++) {
        if (mg_unix_connect(temp_path("engine.sock"), SOCK_SEQPACKET, &fd, NULL) == MG_OK) {
            return fd;
        }
        if (waitpid(signer_process.pid, NULL, WNOHANG) == signer_process.pid) {
            fail_msg("the signer ended: %s", signer_output());
        }
        usleep(10000);
    }
    fail_msg("the signer does not listen: %s", signer_output());
    return -1;
}

void signer_start(void)
{
    const char *const argv[] = {"--config", temp_path("mintgate.yaml"), NULL};
    signer_process.pid = signer_run_program(argv);
    close(signer_connect_engine());
}

int signer_end(void **state)
{
    if (signer_process.pid > 0) {
        (void)signer_stop(SIGKILL);
    }
    return temp_dir_remove(state);
}

int signer_begin(void **state)
{
    temp_dir_make(state);
    signer_write_config("");
    signer_start();
    return 0;
}

int signer_stop(int signal)
{
    pid_t pid = signer_process.pid;
    signer_process.pid = 0;
    assert_int_equal(kill(pid, signal), 0);
    return signer_wait_for(pid);
}

void signer_assert_stopped_well(void)
{
    int status = signer_stop(SIGTERM);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("ended with %x: %s", (unsigned)status, signer_output());
    }
}
