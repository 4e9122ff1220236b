/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/findings.h"

#include <stdarg.h>
#include <stdio.h>

void findings_free(struct findings *findings)
{
    json_decref(findings->errors);
    json_decref(findings->warnings);
    *findings = (struct findings){.errors = NULL};
}

MG_PRINTF(3, 0) static void add(struct findings *findings, json_t **list, const char *format, va_list args)
{
    char text[512];
    if (*list == NULL) {
        *list = json_array();
    }
    size_t num = json_array_size(*list);
    if (num > FINDINGS_MAX) {
        return;
    }
    if (num == FINDINGS_MAX) {
        snprintf(text, sizeof(text), "There is more.");
    } else {
        vsnprintf(text, sizeof(text), format, args);
    }
    /* A text that was cut inside a character, or quotes one that is none. */
    json_t *item = json_string(text);
    item = item != NULL ? item : json_string("A field breaks its rule.");
    findings->is_short = json_array_append_new(*list, item) != 0 || findings->is_short;
}

void findings_error(struct findings *findings, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(findings, &findings->errors, format, args);
    va_end(args);
}

void findings_warning(struct findings *findings, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(findings, &findings->warnings, format, args);
    va_end(args);
}

bool findings_failed(const struct findings *findings)
{
    return findings->is_short || json_array_size(findings->errors) > 0;
}

const char *findings_status(const struct findings *findings)
{
    if (findings_failed(findings)) {
        return "Fail";
    }
    return json_array_size(findings->warnings) > 0 ? "SuccessWithWarnings" : "Success";
}

json_t *findings_list(const struct findings *findings)
{
    json_t *all = json_array();
    if ((findings->errors != NULL && json_array_extend(all, findings->errors) != 0) ||
        (findings->warnings != NULL && json_array_extend(all, findings->warnings) != 0)) {
        json_decref(all);
        return NULL;
    }
    return all;
}
