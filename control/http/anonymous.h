/* SPDX-License-Identifier: Apache-2.0 */
/* The one list of what strangers may ask. */
#ifndef MINTGATE_CONTROL_HTTP_ANONYMOUS_H
#define MINTGATE_CONTROL_HTTP_ANONYMOUS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/http/request.h"

struct http_anonymous {
    enum http_method method;
    const char *path; /* base and pattern, whole */
};

extern const struct http_anonymous http_anonymous_routes[];
extern const size_t http_num_anonymous_routes;

/* http_is_anonymous tells whether the list has |method| and the path |base| followed by |pattern|. */
MG_MUST_USE bool http_is_anonymous(enum http_method method, const char *base, const char *pattern);

#endif
