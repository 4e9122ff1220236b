/* SPDX-License-Identifier: Apache-2.0 */
#include "control/publish/store_parts.h"

#include <stdlib.h>

#include "base/log.h"

/* Left of a packet for items: the rest is the head of the message, with room to spare. */
#define ROOM (WIRE_PUBLISH_MAX_PACKET - 1024)

void store_parts_free(struct store_parts *parts)
{
    for (size_t i = 0; i < parts->num_parts; i++) {
        mg_buffer_free(&parts->parts[i].packet);
    }
    free(parts->parts);
    *parts = (struct store_parts){.num_parts = 0};
}

/* add encodes |message| as the next part. */
static enum mg_status add(struct store_parts *parts, const struct wire_publish *message)
{
    struct store_part *grown = realloc(parts->parts, (parts->num_parts + 1) * sizeof(*grown));
    if (grown == NULL) {
        return MG_MEMORY;
    }
    parts->parts = grown;
    struct store_part *part = &grown[parts->num_parts++];
    part->num_sent = (uint16_t)(message->store.part.first + message->store.part.num_items);
    mg_buffer_init(&part->packet, WIRE_PUBLISH_MAX_PACKET);
    wire_publish_encode(&part->packet, message);
    return mg_buffer_ok(&part->packet) ? MG_OK : MG_MEMORY;
}

static bool fits(const struct store_contents *contents, size_t i)
{
    for (size_t c = 0; c < contents->items[i].num_certificates; c++) {
        if (contents->items[i].certificates[c].len > UINT16_MAX) {
            return false;
        }
    }
    return wire_store_item_size(contents->id.kind, &contents->items[i]) <= ROOM;
}

static size_t count_fitting(const struct store_contents *contents)
{
    size_t num = 0;
    for (size_t i = 0; i < contents->num_items; i++) {
        if (fits(contents, i)) {
            num++;
        } else {
            mg_log_error("store %.*s: item %zu is too large for engines, and left out", (int)contents->id.name.len,
                         (const char *)contents->id.name.data, i + 1);
        }
    }
    return num;
}

/* fill takes as many items from |*next| on as one packet holds. */
static void fill(struct wire_store_part *part, const struct store_contents *contents, size_t *next)
{
    size_t size = 0;
    part->num_items = 0;
    for (; *next < contents->num_items && part->num_items < WIRE_STORE_MAX_ITEMS_OF_PART; (*next)++) {
        if (!fits(contents, *next)) {
            continue;
        }
        size += wire_store_item_size(contents->id.kind, &contents->items[*next]);
        if (size > ROOM) {
            return;
        }
        part->items[part->num_items++] = contents->items[*next];
    }
}

enum mg_status store_parts_make(struct store_parts *out, const struct store_contents *contents, struct mg_error *error)
{
    *out = (struct store_parts){.epoch = contents->epoch};
    size_t num_all = count_fitting(contents), next = 0, num_sent = 0;
    if (num_all > WIRE_STORE_MAX_ITEMS) {
        return mg_error_set(error, MG_LIMIT, "%zu items: engines take at most %d", num_all, WIRE_STORE_MAX_ITEMS);
    }
    struct wire_publish *message = calloc(1, sizeof(*message));
    if (message == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a store");
    }
    message->type = WIRE_PUBLISH_STORE;
    message->epoch = contents->epoch;
    struct wire_store_part *part = &message->store.part;
    part->id = contents->id;
    part->num_all = (uint16_t)num_all;
    if (contents->missing != NULL) {
        part->missing = mg_slice_of_text(contents->missing);
        part->missing.len = part->missing.len > WIRE_STORE_MAX_TEXT ? WIRE_STORE_MAX_TEXT : part->missing.len;
    }
    enum mg_status status;
    do {
        part->first = (uint16_t)num_sent;
        fill(part, contents, &next);
        num_sent += part->num_items;
        status = add(out, message);
    } while (status == MG_OK && num_sent < num_all);
    free(message);
    if (status != MG_OK) {
        store_parts_free(out);
        return mg_error_set(error, status, "no memory for a store");
    }
    return MG_OK;
}
