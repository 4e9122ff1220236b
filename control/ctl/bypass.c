/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kill switch: a file that the engine watches. Its first line is the end in seconds since 1970, the second is for
 * people: who, and why. Written whole by rename. No other program is needed, so it works when all else is down.
 */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "control/ctl/commands.h"
#include "control/ctl/table.h"

/* The engine reads no more of it. */
#define MAX_FILE 4096
#define MAX_REASON 1024

static enum mg_status file_of(struct ctl *ctl, const char **out, struct mg_error *error)
{
    const struct config *config;
    enum mg_status status = ctl_config(ctl, &config, error);
    if (status == MG_OK) {
        *out = config->dataplane.kill_switch;
    }
    return status;
}

/* duration_of reads --for. The engine takes longer times than CTL_MAX_SECONDS for a mistake. */
static enum mg_status duration_of(const struct ctl *ctl, uint64_t *seconds, struct mg_error *error)
{
    if (ctl->options[CTL_FOR] == NULL) {
        return mg_error_set(error, MG_INVALID, "bypass on: --for DURATION is needed, as in --for 30m");
    }
    return ctl_seconds(ctl->options[CTL_FOR], seconds, error);
}

static enum mg_status reason_of(const struct ctl *ctl, const char **out, struct mg_error *error)
{
    const char *text = ctl->options[CTL_REASON] == NULL ? "" : ctl->options[CTL_REASON];
    *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return mg_error_set(error, MG_INVALID, "--reason: must be one line without control characters");
        }
    }
    return strlen(text) <= MAX_REASON
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "--reason: must have at most %d bytes", MAX_REASON);
}

/* who returns the user; for people only, so that of sudo it believes what it says. */
static const char *who(void)
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *user = getpwuid(getuid());
    if (sudo != NULL && strlen(sudo) < 64) {
        return sudo;
    }
    return user == NULL ? "?" : user->pw_name;
}

static enum mg_status write_switch(const char *path, int64_t until, const char *reason, struct mg_error *error)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_FILE);
    mg_buffer_append_format(&text, "%" PRId64 "\n%s", until, who());
    mg_buffer_append_text(&text, reason[0] == '\0' ? "" : ": ");
    mg_buffer_append_text(&text, reason);
    mg_buffer_append_text(&text, "\n");
    enum mg_status status = mg_buffer_ok(&text) ? mg_file_write_atomic(path, mg_buffer_slice(&text), 0644, error)
                                                : mg_error_set(error, MG_MEMORY, "out of memory");
    mg_buffer_free(&text);
    return status;
}

static enum mg_status print_switch(const struct ctl *ctl, int64_t until, const char *note, struct mg_error *error)
{
    struct mg_buffer text;
    char end[MG_CLOCK_TEXT_LEN];
    bool is_on = until > mg_clock_wall_seconds();
    if (ctl->json) {
        json_t *value = is_on ? json_pack("{s:b, s:I, s:s}", "on", true, "until", (json_int_t)until, "note", note)
                              : json_pack("{s:b}", "on", false);
        enum mg_status status = ctl_print_json(value, error);
        json_decref(value);
        return status;
    }
    table_time(end, until);
    const char *cells[] = {is_on ? "bypass is on until" : "bypass is off", is_on ? end : NULL, is_on ? note : NULL};
    mg_buffer_init(&text, 2 * MAX_FILE);
    table_write(&text, cells, 1, MG_ARRAY_LEN(cells));
    return ctl_print(&text, error);
}

enum mg_status bypass_on(struct ctl *ctl, struct mg_error *error)
{
    const char *path, *reason;
    uint64_t seconds = 0;
    enum mg_status status = duration_of(ctl, &seconds, error);
    if (status == MG_OK) {
        status = reason_of(ctl, &reason, error);
    }
    if (status == MG_OK) {
        status = file_of(ctl, &path, error);
    }
    int64_t until = mg_clock_wall_seconds() + (int64_t)seconds;
    if (status == MG_OK) {
        status = write_switch(path, until, reason, error);
    }
    return status == MG_OK ? print_switch(ctl, until, reason, error) : status;
}

enum mg_status bypass_off(struct ctl *ctl, struct mg_error *error)
{
    const char *path;
    enum mg_status status = file_of(ctl, &path, error);
    if (status == MG_OK) {
        status = mg_file_remove(path, error);
    }
    return status == MG_OK ? print_switch(ctl, 0, "", error) : status;
}

/* show_text prints what the file says; the engine leaves the switch as it is for a file that it cannot read. */
static enum mg_status show_text(const struct ctl *ctl, const char *path, char *text, struct mg_error *error)
{
    char *end;
    long long until = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || (*end != '\n' && *end != '\0')) {
        return mg_error_set(error, MG_DENIED,
                            "%s: the first line must be seconds since 1970, so the engine ignores the file\n"
                            "'mintgatectl bypass off' removes it.",
                            path);
    }
    char *note = *end == '\n' ? end + 1 : end;
    note[strcspn(note, "\n")] = '\0';
    return print_switch(ctl, until, note, error);
}

enum mg_status bypass_show(struct ctl *ctl, struct mg_error *error)
{
    const char *path;
    struct mg_buffer text;
    enum mg_status status = file_of(ctl, &path, error);
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_init(&text, MAX_FILE + 1);
    status = mg_file_read(path, &text, error);
    mg_buffer_append_u8(&text, '\0');
    if (status == MG_NOT_FOUND) {
        status = print_switch(ctl, 0, "", error);
    } else if (status == MG_OK) {
        status = show_text(ctl, path, (char *)text.data, error);
    }
    mg_buffer_free(&text);
    return status;
}
