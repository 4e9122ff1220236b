/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/secret_input.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

/* A longer secret has to show as such: there is room for one byte too many, and the NUL. */
#define ROOM (SECRET_INPUT_MAX + 2)

/* read_line takes one byte at a time: what is behind the line belongs to the next secret. */
static enum mg_status read_line(char out[ROOM], struct mg_error *error)
{
    size_t len = 0;
    for (char byte;;) {
        ssize_t num = read(STDIN_FILENO, &byte, 1);
        if (num < 0 && errno == EINTR) {
            continue;
        }
        if (num < 0) {
            return mg_error_errno(error, "standard input");
        }
        if (num == 0 || byte == '\n' || len == ROOM - 1) {
            break;
        }
        out[len++] = byte;
    }
    out[len] = '\0';
    return MG_OK;
}

static enum mg_status read_any(const char *prompt, char out[ROOM], struct mg_error *error)
{
    char text[128];
    if (!isatty(STDIN_FILENO)) {
        return read_line(out, error);
    }
    snprintf(text, sizeof(text), "%s: ", prompt);
    return readpassphrase(text, out, ROOM, RPP_ECHO_OFF | RPP_REQUIRE_TTY) != NULL
               ? MG_OK
               : mg_error_errno(error, "cannot ask for %s", prompt);
}

enum mg_status secret_input_read(const char *prompt, char out[SECRET_INPUT_MAX + 1], struct mg_error *error)
{
    char room[ROOM] = "";
    enum mg_status status = read_any(prompt, room, error);
    size_t len = strlen(room);
    if (status == MG_OK && len == 0) {
        status =
            mg_error_set(error, MG_DENIED, "%s: none was given, neither at a terminal nor on standard input", prompt);
    } else if (status == MG_OK && len > SECRET_INPUT_MAX) {
        status = mg_error_set(error, MG_DENIED, "%s: has more than %d bytes", prompt, SECRET_INPUT_MAX);
    }
    if (status == MG_OK) {
        memcpy(out, room, len + 1);
    }
    mg_secret_wipe(room, sizeof(room));
    return status;
}

enum mg_status secret_input_choose(const char *prompt, char out[SECRET_INPUT_MAX + 1], struct mg_error *error)
{
    char again[SECRET_INPUT_MAX + 1] = "";
    enum mg_status status = secret_input_read(prompt, out, error);
    if (status != MG_OK || !isatty(STDIN_FILENO)) {
        return status;
    }
    status = secret_input_read("once more", again, error);
    if (status == MG_OK && strcmp(out, again) != 0) {
        status = mg_error_set(error, MG_DENIED, "%s: the two differ", prompt);
    }
    if (status != MG_OK) {
        mg_secret_wipe(out, SECRET_INPUT_MAX + 1);
    }
    mg_secret_wipe(again, sizeof(again));
    return status;
}
