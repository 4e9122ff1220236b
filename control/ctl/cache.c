/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's cache of minted certificates. */
#include <inttypes.h>
#include <stdio.h>

#include "control/ctl/commands.h"
#include "control/ctl/engine.h"
#include "control/ctl/table.h"

#define MAX_TEXT (1U << 20)

static void write_summary(struct mg_buffer *out, const json_t *cache)
{
    char value[160];
    int64_t hits = ctl_number(cache, "hits"), all = hits + ctl_number(cache, "misses");
    snprintf(value, sizeof(value), "%" PRId64 " of at most %" PRId64 ", %" PRId64 " being made",
             ctl_number(cache, "entries"), ctl_number(cache, "maxEntries"), ctl_number(cache, "pending"));
    table_line(out, "entries", value);
    snprintf(value, sizeof(value), "%" PRId64 " of at most %" PRId64, ctl_number(cache, "bytes"),
             ctl_number(cache, "maxBytes"));
    table_line(out, "bytes", value);
    snprintf(value, sizeof(value), "%" PRId64 " hit, %" PRId64 " missed: %.1f %%", hits, all - hits,
             all == 0 ? 0.0 : 100.0 * (double)hits / (double)all);
    table_line(out, "lookups", value);
    snprintf(value, sizeof(value), "%" PRId64 " evicted, %" PRId64 " expired, %" PRId64 " of former issuers",
             ctl_number(cache, "evicted"), ctl_number(cache, "expired"), ctl_number(cache, "removed"));
    table_line(out, "gone", value);
}

static void write_generations(struct mg_buffer *out, const json_t *generations)
{
    static const char *const titles[] = {"GENERATION", "ISSUER", "ENTRIES"};
    struct table table;
    if (json_array_size(generations) == 0) {
        return;
    }
    table_begin(&table, titles, MG_ARRAY_LEN(titles));
    for (size_t i = 0; i < json_array_size(generations); i++) {
        const json_t *one = json_array_get(generations, i);
        const char *issuer = ctl_text(one, "issuer");
        table_add_number(&table, ctl_number(one, "generation"));
        table_add(&table, issuer[0] == '\0' ? "(no more in use)" : issuer);
        table_add_number(&table, ctl_number(one, "entries"));
    }
    mg_buffer_append_u8(out, '\n');
    table_end(&table, out);
}

static enum mg_status print_cache(const json_t *cache, struct mg_error *error)
{
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_TEXT);
    write_summary(&text, cache);
    write_generations(&text, json_object_get(cache, "generations"));
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
