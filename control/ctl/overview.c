/* SPDX-License-Identifier: Apache-2.0 */
/* The root that clients must trust, and the audit record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/api.h"
#include "control/ctl/commands.h"
#include "control/ctl/table.h"

#define MAX_TEXT (16U << 20)

enum mg_status root_show(struct ctl *ctl, struct mg_error *error)
{
    struct mg_buffer pem;
    enum mg_status status = api_download(ctl, "/ca.pem", &pem, error);
    if (status != MG_OK) {
        return status;
    }
    pem.len -= 1; /* the NUL */
    if (!ctl->json) {
        return ctl_print(&pem, error);
    }
    json_t *value = json_pack("{s:s%}", "pem", (const char *)pem.data, pem.len);
    mg_buffer_free(&pem);
    status = ctl_print_json(value, error);
    json_decref(value);
    return status;
}

static enum mg_status print_audit(const json_t *list, struct mg_error *error)
{
    static const char *const titles[] = {"TIME", "ACTOR", "ROLE", "SOURCE", "OPERATION", "OBJECT", "OUTCOME", "DETAIL"};
    static const char *const members[] = {"actor", "role", "source", "operation", "object", "outcome", "detail"};
    struct table table;
    struct mg_buffer text;
    table_begin(&table, titles, MG_ARRAY_LEN(titles));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        char time[MG_CLOCK_TEXT_LEN];
        table_time(time, ctl_number(entry, "timeUs") / 1000000);
        table_add(&table, time);
        for (size_t j = 0; j < MG_ARRAY_LEN(members); j++) {
            table_add(&table, ctl_text(entry, members[j]));
        }
    }
    mg_buffer_init(&text, MAX_TEXT);
    table_end(&table, &text);
    return ctl_print(&text, error);
}

/* max_of reads --max. */
static enum mg_status max_of(const struct ctl *ctl, unsigned long *out, struct mg_error *error)
{
    const char *text = ctl->options[CTL_MAX];
    char *end = NULL;
    *out = text == NULL ? 100 : strtoul(text, &end, 10);
    if (text != NULL && (text[0] < '0' || text[0] > '9' || *end != '\0' || *out < 1 || *out > 1000)) {
        return mg_error_set(error, MG_INVALID, "--max: '%s' must be a number from 1 to 1000", text);
    }
    return MG_OK;
}

enum mg_status audit_show(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    unsigned long max;
    json_t *list;
    enum mg_status status = max_of(ctl, &max, error);
    if (status != MG_OK) {
        return status;
    }
    snprintf(path, sizeof(path), API_MINTGATE "/audit?max=%lu", max);
    status = api_ask(ctl, "GET", path, NULL, &list, error);
    if (status == MG_OK) {
        status = ctl->json ? ctl_print_json(list, error) : print_audit(list, error);
        json_decref(list);
    }
    return status;
}
