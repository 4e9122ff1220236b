/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error dialect for every room. A caller branches on the class (enum mg_status); a person reads the text
 * (struct mg_error), which names the field and the rule that it broke. Any thread may call everything here.
 */
#ifndef MINTGATE_BASE_STATUS_H
#define MINTGATE_BASE_STATUS_H

#include "base/attr.h"

enum mg_status {
    MG_OK = 0,
    MG_AGAIN,     /* not yet: wait for the event that the function names, then call again */
    MG_INVALID,   /* the input breaks a rule; nothing was changed */
    MG_LIMIT,     /* a configured bound is full; the caller counts it */
    MG_NOT_FOUND, /* the named thing does not exist */
    MG_EXISTS,    /* the named thing exists already */
    MG_DENIED,    /* policy, purpose or credentials forbid it */
    MG_IO,        /* the system or the peer failed; errno is worth showing */
    MG_MEMORY,    /* allocation failed */
    MG_INTERNAL,  /* a library failed in a way that input cannot explain */
};

/* mg_status_name returns a static word such as "invalid". */
const char *mg_status_name(enum mg_status status);

/* struct mg_error holds a message for people. Zero state: the empty string. Never holds a secret. */
struct mg_error {
    char text[512];
};

/* mg_error_set formats a message into |error|, cut to fit, and returns |status|, so that one statement can set and
 * return. |error| may be NULL. */
enum mg_status mg_error_set(struct mg_error *error, enum mg_status status, const char *format, ...) MG_PRINTF(3, 4);

/* mg_error_errno is mg_error_set with ": " and the text of errno behind, and returns MG_IO. */
enum mg_status mg_error_errno(struct mg_error *error, const char *format, ...) MG_PRINTF(2, 3);

#endif
