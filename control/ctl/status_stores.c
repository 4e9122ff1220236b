/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/status_stores.h"

#include <inttypes.h>
#include <stdio.h>

#include "control/ctl/engine.h"
#include "control/ctl/table.h"

#define MAX_CONTENT 160
#define MAX_LINE 512

void status_stores_add(struct ctl *ctl, json_t *view)
{
    json_t *page = NULL;
    struct mg_error error;
    if (!json_is_object(json_object_get(view, "metrics")) || engine_get_json(ctl, "/trust", &page, &error) != MG_OK) {
        page = json_null();
    }
    (void)json_object_set_new(view, "trust", page);
}

static const char *plural(int64_t number)
{
    return number == 1 ? "" : "s";
}

/* write_store appends the line of one store: |content|, or that it is not there, which means |otherwise|. */
static void write_store(struct mg_buffer *out, const char *label, const char *name, bool is_present,
                        const char *content, const char *otherwise)
{
    char value[MAX_LINE];
    snprintf(value, sizeof(value), "%s: %s%s", name, is_present ? "" : "MISSING: ", is_present ? content : otherwise);
    table_line(out, label, value);
}

/* ending_of writes what follows the numbers of a store, "" or with commas in front. */
static void ending_of(char *out, size_t size, const json_t *store)
{
    int64_t num_unusable = ctl_number(store, "unusable");
    int len = snprintf(out, size, ", epoch %" PRId64, ctl_number(store, "epoch"));
    if (num_unusable > 0 && len > 0 && (size_t)len < size) {
        snprintf(out + len, size - (size_t)len, ", %" PRId64 " UNUSABLE", num_unusable);
    }
}

static void write_trust_store(struct mg_buffer *out, const json_t *trust)
{
    const char *name = ctl_text(trust, "store");
    char content[MAX_CONTENT], otherwise[96], ending[64];
    int64_t num_anchors = ctl_number(trust, "anchors"), num_exact = ctl_number(trust, "exact");
    int64_t num_roots = ctl_number(trust, "fileRoots");
    if (name[0] == '\0') {
        return;
    }
    ending_of(ending, sizeof(ending), trust);
    snprintf(content, sizeof(content), "%" PRId64 " CA%s, %" PRId64 " single certificate%s%s", num_anchors,
             plural(num_anchors), num_exact, plural(num_exact), ending);
    snprintf(otherwise, sizeof(otherwise), "%s", "no server is trusted");
    if (num_roots > 0) {
        snprintf(otherwise, sizeof(otherwise), "the %" PRId64 " root%s of the file alone count", num_roots,
                 plural(num_roots));
    }
    write_store(out, "trust", name, json_is_true(json_object_get(trust, "storePresent")), content, otherwise);
}

static void write_key_store(struct mg_buffer *out, const json_t *store)
{
    char content[MAX_CONTENT], ending[64];
    int64_t num_keys = ctl_number(store, "keys");
    ending_of(ending, sizeof(ending), store);
    snprintf(content, sizeof(content), "%" PRId64 " key%s%s", num_keys, plural(num_keys), ending);
    write_store(out, "keys", ctl_text(store, "name"), json_is_true(json_object_get(store, "present")), content,
                "servers that ask get no certificate");
}

void status_stores_write(struct mg_buffer *out, const json_t *view)
{
    const json_t *trust = json_object_get(view, "trust");
    const json_t *key_stores = json_object_get(trust, "keyStores");
    write_trust_store(out, trust);
    for (size_t i = 0; i < json_array_size(key_stores); i++) {
        write_key_store(out, json_array_get(key_stores, i));
    }
}
