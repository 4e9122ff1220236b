/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgatectl: what a command of it is given, and what commands have in common. One thread.
 *
 * A command returns a class, and main makes the exit code of it: MG_OK 0; MG_INVALID 2, the command line is wrong;
 * MG_AGAIN 3, the control plane cannot be reached; all else 1, refused or failed. Its results go to standard output.
 */
#ifndef MINTGATE_CONTROL_CTL_CTL_H
#define MINTGATE_CONTROL_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/status.h"
#include "config/config.h"

/* The options of commands, in the order of main's table. */
enum ctl_option {
    CTL_TYPE,
    CTL_KEY_TYPE,
    CTL_REGION,
    CTL_DESCRIPTION,
    CTL_ENABLED,
    CTL_CN,
    CTL_O,
    CTL_OU,
    CTL_L,
    CTL_ST,
    CTL_C,
    CTL_PATH_LENGTH,
    CTL_DIGEST,
    CTL_OUT,
    CTL_FORCE,
    CTL_PREVIOUS,
    CTL_MAX,
    CTL_FOR,
    CTL_REASON,
    CTL_KEY,
    CTL_CERT,
    CTL_ROLE,
    CTL_PUBLIC_KEY,
    CTL_PASSPHRASE,
    CTL_NAME,
    CTL_CLIENT,
    CTL_SERVER,
    CTL_OWNER,
    CTL_MAY_REVOKE,
    CTL_FAMILY,
    CTL_POLICY,
    CTL_NUM_OPTIONS
};

struct ctl {
    const char *config_path;
    const char *socket;                   /* as given, or NULL: the configuration's */
    const char *url, *ca_file, *user;     /* as given, or NULL: control is asked on the socket (login.h) */
    char session[65];                     /* at |url|, once logged in; else "" */
    struct config *config;                /* owned; NULL until ctl_config */
    bool json;                            /* print the server's JSON instead of what people read */
    const char *options[CTL_NUM_OPTIONS]; /* NULL: not given; "" for one without a value */
    char *const *args;                    /* behind noun and verb */
    int num_args;
};

/* ctl_config loads the configuration once. MG_DENIED where it cannot be: no fault of the command line. */
MG_MUST_USE enum mg_status ctl_config(struct ctl *ctl, const struct config **out, struct mg_error *error);

/* ctl_socket tells where control listens. The text lives as long as |ctl|. */
MG_MUST_USE enum mg_status ctl_socket(struct ctl *ctl, const char **out, struct mg_error *error);

/* ctl_print_json prints |value| and a line's end. */
MG_MUST_USE enum mg_status ctl_print_json(const json_t *value, struct mg_error *error);

/* ctl_print prints |text| and frees it. MG_IO where standard output cannot be written (a full disk). */
MG_MUST_USE enum mg_status ctl_print(struct mg_buffer *text, struct mg_error *error);

/* ctl_deliver writes |text| to the file of --out, or prints it where there is none, and frees it. */
MG_MUST_USE enum mg_status ctl_deliver(const struct ctl *ctl, struct mg_buffer *text, struct mg_error *error);

/* ctl_in_file makes of MG_INVALID, which |error| says why, that the file at |path| is bad: no fault of the command
 * line. Other results stay. */
MG_MUST_USE enum mg_status ctl_in_file(const char *path, enum mg_status status, struct mg_error *error);

/* ctl_seconds reads the value of --for, as in 90s, 30m, 2h, 1d: whole seconds, up to CTL_MAX_SECONDS. Else MG_INVALID.
 */
#define CTL_MAX_SECONDS (UINT64_C(366) * 86400)
MG_MUST_USE enum mg_status ctl_seconds(const char *text, uint64_t *out, struct mg_error *error);

/* ctl_text returns a member of |object|, "" where it is missing or no text; ctl_number 0. */
const char *ctl_text(const json_t *object, const char *name);
int64_t ctl_number(const json_t *object, const char *name);

#endif
