/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's cache of minted certificates. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/commands.h"
#include "control/ctl/engine.h"
#include "control/ctl/table.h"

#define MAX_TEXT (1U << 20)
#define COLUMNS 3

static void line(struct mg_buffer *out, const char *label, const char *value)
{
    char padded[16];
    snprintf(padded, sizeof(padded), "%-10s", label);
    const char *cells[] = {padded, value};
    table_write(out, cells, 1, MG_ARRAY_LEN(cells));
}

static void write_summary(struct mg_buffer *out, const json_t *cache)
{
    char value[160];
    int64_t hits = ctl_number(cache, "hits"), all = hits + ctl_number(cache, "misses");
    snprintf(value, sizeof(value), "%" PRId64 " of at most %" PRId64 ", %" PRId64 " being made",
             ctl_number(cache, "entries"), ctl_number(cache, "maxEntries"), ctl_number(cache, "pending"));
    line(out, "entries", value);
    snprintf(value, sizeof(value), "%" PRId64 " of at most %" PRId64, ctl_number(cache, "bytes"),
             ctl_number(cache, "maxBytes"));
    line(out, "bytes", value);
    snprintf(value, sizeof(value), "%" PRId64 " hit, %" PRId64 " missed: %.1f %%", hits, all - hits,
             all == 0 ? 0.0 : 100.0 * (double)hits / (double)all);
    line(out, "lookups", value);
    snprintf(value, sizeof(value), "%" PRId64 " evicted, %" PRId64 " expired, %" PRId64 " of former issuers",
             ctl_number(cache, "evicted"), ctl_number(cache, "expired"), ctl_number(cache, "removed"));
    line(out, "gone", value);
}

struct row {
    char generation[24], entries[24];
};

static void fill_row(const json_t *one, struct row *row, const char **cells)
{
    const char *issuer = ctl_text(one, "issuer");
    snprintf(row->generation, sizeof(row->generation), "%" PRId64, ctl_number(one, "generation"));
    snprintf(row->entries, sizeof(row->entries), "%" PRId64, ctl_number(one, "entries"));
    cells[0] = row->generation;
    cells[1] = issuer[0] == '\0' ? "(no more in use)" : issuer;
    cells[2] = row->entries;
}

static bool write_generations(struct mg_buffer *out, const json_t *generations)
{
    static const char *const titles[COLUMNS] = {"GENERATION", "ISSUER", "ENTRIES"};
    size_t num = json_array_size(generations);
    struct row *rows = calloc(num + 1, sizeof(*rows));
    const char **cells = calloc((num + 1) * COLUMNS, sizeof(*cells));
    bool ok = rows != NULL && cells != NULL;
    if (ok && num > 0) {
        memcpy(cells, titles, sizeof(titles));
        for (size_t i = 0; i < num; i++) {
            fill_row(json_array_get(generations, i), &rows[i], cells + (i + 1) * COLUMNS);
        }
        mg_buffer_append_u8(out, '\n');
        table_write(out, cells, num + 1, COLUMNS);
    }
    free(rows);
    free(cells);
    return ok;
}

static enum mg_status print_cache(const json_t *cache, struct mg_error *error)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_TEXT);
    write_summary(&text, cache);
    if (!write_generations(&text, json_object_get(cache, "generations"))) {
        mg_buffer_free(&text);
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    return ctl_print(&text, error);
}

enum mg_status cache_show(struct ctl *ctl, struct mg_error *error)
{
    json_t *cache;
    enum mg_status status = engine_get_json(ctl, "/cache", &cache, error);
    if (status == MG_OK) {
        status = ctl->json ? ctl_print_json(cache, error) : print_cache(cache, error);
        json_decref(cache);
    }
    return status;
}
