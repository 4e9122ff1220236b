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

/* value_of returns the value of the sample in |line| if it is of the family |name|, else NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncmp(line, name, len) != 0 || (line[len] != ' ' && line[len] != '{')) {
        return NULL;
    }
    const char *end = line + strcspn(line, "\n"), *value = end;
    while (value > line && value[-1] != ' ') {
        value--;
    }
    return value;
}

bool samples_sum(const char *text, const char *name, int64_t *out)
{
    bool any = false;
    int64_t sum = 0, value;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *at = value_of(line, name);
        if (at == NULL) {
            continue;
        }
        if (!read_value(at, &value) || __builtin_add_overflow(sum, value, &sum)) {
            return false;
        }
        any = true;
    }
    *out = sum;
    return any;
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
