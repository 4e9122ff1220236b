/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes over from an intermediate that expires. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/ctl/api.h"
#include "control/ctl/certificate.h"
#include "control/ctl/commands.h"
#include "control/ctl/table.h"

#define MAX_TEXT (1U << 20)

static void add_row(struct table *table, const json_t *list, const json_t *cert)
{
    char end[CERTIFICATE_END_LEN], successor[24];
    snprintf(successor, sizeof(successor), "%" PRId64, ctl_number(cert, "fallbackCertId"));
    const json_t *next = strcmp(successor, "0") == 0 ? NULL : certificate_match(list, successor);
    certificate_end(end, cert);
    table_add_number(table, ctl_number(cert, "id"));
    table_add(table, ctl_text(cert, "name"));
    table_add(table, end);
    table_add(table, next == NULL ? "-" : ctl_text(next, "name"));
    table_add(table, json_is_true(json_object_get(cert, "defaultCertificate")) ? "default" : "");
}

static enum mg_status print_successors(const json_t *list, struct mg_error *error)
{
    static const char *const titles[] = {"ID", "NAME", "EXPIRES", "SUCCESSOR", ""};
    struct table table;
    struct mg_buffer text;
    table_begin(&table, titles, MG_ARRAY_LEN(titles));
    for (size_t i = 0; i < json_array_size(list); i++) {
        add_row(&table, list, json_array_get(list, i));
    }
    mg_buffer_init(&text, MAX_TEXT);
    table_end(&table, &text);
    return ctl_print(&text, error);
}

enum mg_status successor_show(struct ctl *ctl, struct mg_error *error)
{
    json_t *list;
    enum mg_status status = certificate_list(ctl, &list, error);
    if (status == MG_OK) {
        status = ctl->json ? ctl_print_json(list, error) : print_successors(list, error);
        json_decref(list);
    }
    return status;
}

/* put sets |successor|, 0 for none, and prints a sentence, or what the server answers. */
static enum mg_status put(struct ctl *ctl, int64_t id, int64_t successor, struct mg_error *error)
{
    char path[API_MAX_PATH], sentence[1024];
    json_t *answer;
    snprintf(path, sizeof(path), API_MINTGATE "/successor/%" PRId64 "/%" PRId64, id, successor);
    enum mg_status status = api_ask(ctl, "PUT", path, NULL, &answer, error);
    if (status != MG_OK) {
        return status;
    }
    if (ctl->json) {
        status = ctl_print_json(answer, error);
    } else {
        struct mg_buffer text;
        mg_buffer_init(&text, MAX_TEXT);
        if (successor == 0) {
            snprintf(sentence, sizeof(sentence), "%s (%" PRId64 ") has no successor.", ctl_text(answer, "name"), id);
        } else {
            snprintf(sentence, sizeof(sentence), "%s (%" PRId64 ") is succeeded by %" PRId64 " when it expires.",
                     ctl_text(answer, "name"), id, successor);
        }
        const char *cells[] = {sentence};
        table_write(&text, cells, 1, MG_ARRAY_LEN(cells));
        status = ctl_print(&text, error);
    }
    json_decref(answer);
    return status;
}

enum mg_status successor_set(struct ctl *ctl, struct mg_error *error)
{
    int64_t id, successor;
    enum mg_status status = certificate_find(ctl, ctl->args[0], &id, error);
    if (status == MG_OK) {
        status = certificate_find(ctl, ctl->args[1], &successor, error);
    }
    return status == MG_OK ? put(ctl, id, successor, error) : status;
}

enum mg_status successor_clear(struct ctl *ctl, struct mg_error *error)
{
    int64_t id;
    enum mg_status status = certificate_find(ctl, ctl->args[0], &id, error);
    return status == MG_OK ? put(ctl, id, 0, error) : status;
}
