/* SPDX-License-Identifier: Apache-2.0 */
/* A server as people write it: ADDRESS, ADDRESS:PORT, or for IPv6 [ADDRESS]:PORT. Pure: any thread. */
#ifndef MINTGATE_CONTROL_CTL_SERVER_TEXT_H
#define MINTGATE_CONTROL_CTL_SERVER_TEXT_H

#include "base/status.h"

#define SERVER_TEXT_MAX 63

struct server_text {
    char address[SERVER_TEXT_MAX + 1]; /* not checked */
    const char *port;                  /* within the text that was split; not checked; NULL: none was given */
};

/* server_text_split: MG_INVALID, too long or a bracket is missing. */
MG_MUST_USE enum mg_status server_text_split(struct server_text *out, const char *text, struct mg_error *error);

#endif
