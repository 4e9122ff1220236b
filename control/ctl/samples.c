/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/samples.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool read_value(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || errno != 0 || (*end != '\n' && *end != '\0')) {
        return false;
    }
    *out = value;
    return true;
}

bool samples_find(const char *text, const char *name, int64_t *out)
{
    size_t len = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ' ') {
            return read_value(line + len + 1, out);
        }
    }
    return false;
}
