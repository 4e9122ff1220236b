/* SPDX-License-Identifier: Apache-2.0 */
#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/attr.h"
#include "base/file.h"
#include "temp_dir.h"

const char *softhsm_module(void)
{
    static const char *const places[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(places); i++) {
        if (access(places[i], R_OK) == 0) {
            return places[i];
        }
    }
    fail_msg("SoftHSM2 is not installed: scripts/packages/test.txt");
    return NULL;
}

const char *fault_module(void)
{
    return FAULT_MODULE;
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(mg_file_write_atomic(temp_path(name), mg_slice_of_text(text), 0600, NULL), MG_OK);
}

int softhsm_begin(void **state)
{
    char text[PATH_MAX];
    if (temp_dir_make(state) != 0 || mkdir(temp_path("tokens"), 0700) != 0) {
        return -1;
    }
    snprintf(text, sizeof(text), "directories.tokendir = %s\nlog.level = ERROR\n", temp_path("tokens"));
    write_text("softhsm2.conf", text);
    fault_set("");
    setenv("SOFTHSM2_CONF", temp_path("softhsm2.conf"), 1);
    setenv("MINTGATE_FAULT_MODULE", softhsm_module(), 1);
    setenv("MINTGATE_FAULT_FILE", temp_path("faults"), 1);
    return 0;
}

static void run(const char *command)
{
    int status = system(command);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void softhsm_new_token(const char *label)
{
    char command[PATH_MAX];
    snprintf(command, sizeof(command),
             "softhsm2-util --init-token --free --label '%s' --pin %s --so-pin so-%s >/dev/null", label, TOKEN_PIN,
             TOKEN_PIN);
    run(command);
}

void fault_set(const char *lines)
{
    write_text("faults", lines);
}

long fault_num_logins(void)
{
    long size = temp_file_size(temp_path("faults.logins"));
    return size < 0 ? 0 : size;
}
