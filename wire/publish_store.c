/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/publish_store.h"

/*
 *   a store     kind u8, name behind a u8
 *   WANT        count u8, then each: a store
 *   STORE       a store, why it is missing behind a u8, first u16, all u16, count u8, then each item:
 *                 of a trust store: anchor u8, certificate behind a u16
 *                 of a key store: name behind a u8, key id, count u8, then each: certificate behind a u16
 *   STORE_TAKEN a store, taken u16, reason behind a u8
 */

/* ---- a store ---- */

static void put_id(struct mg_buffer *out, const struct wire_store_id *id)
{
    mg_buffer_append_u8(out, (uint8_t)id->kind);
    mg_buffer_append_prefixed_u8(out, id->name);
}

static struct mg_slice read_name(struct wire_reader *in)
{
    return wire_read_octets(in, "name", 1, 1, WIRE_STORE_MAX_NAME);
}

static void read_id(struct wire_reader *in, struct wire_store_id *out)
{
    out->kind = (enum wire_store_kind)wire_read_number(in, "kind of store", WIRE_STORE_TRUST, WIRE_STORE_KEYS);
    out->name = read_name(in);
}

/* ---- WANT ---- */

void wire_put_store_wants(struct mg_buffer *out, const struct wire_store_wants *wants)
{
    mg_buffer_append_u8(out, (uint8_t)wants->num_ids);
    for (size_t i = 0; i < wants->num_ids; i++) {
        put_id(out, &wants->ids[i]);
    }
}

void wire_read_store_wants(struct wire_reader *in, struct wire_store_wants *out)
{
    out->num_ids = wire_read_number(in, "number of stores", 0, WIRE_STORE_MAX_WANTS);
    for (size_t i = 0; i < out->num_ids && wire_reader_ok(in); i++) {
        const struct wire_store_id *id = &out->ids[i];
        read_id(in, &out->ids[i]);
        for (size_t j = 0; j < i; j++) {
            if (out->ids[j].kind == id->kind && mg_slice_equal(out->ids[j].name, id->name)) {
                wire_refuse(in, "store %zu is store %zu again", i + 1, j + 1);
            }
        }
    }
}

/* ---- STORE ---- */

size_t wire_store_item_size(enum wire_store_kind kind, const struct wire_store_item *item)
{
    size_t size = kind == WIRE_STORE_TRUST ? 1 : 1 + item->name.len + sizeof(item->key_id.bytes) + 1;
    for (size_t i = 0; i < item->num_certificates; i++) {
        size += 2 + item->certificates[i].len;
    }
    return size;
}

static void put_item(struct mg_buffer *out, enum wire_store_kind kind, const struct wire_store_item *item)
{
    if (kind == WIRE_STORE_TRUST) {
        mg_buffer_append_u8(out, item->is_anchor);
        mg_buffer_append_prefixed_u16(out, item->certificates[0]);
    } else {
        mg_buffer_append_prefixed_u8(out, item->name);
        wire_put_key_id(out, &item->key_id);
        wire_put_chain(out, item->certificates, item->num_certificates);
    }
}

void wire_put_store_part(struct mg_buffer *out, const struct wire_store_part *part)
{
    put_id(out, &part->id);
    mg_buffer_append_prefixed_u8(out, part->missing);
    mg_buffer_append_u16(out, part->first);
    mg_buffer_append_u16(out, part->num_all);
    mg_buffer_append_u8(out, (uint8_t)part->num_items);
    for (size_t i = 0; i < part->num_items; i++) {
        put_item(out, part->id.kind, &part->items[i]);
    }
}

static void read_item(struct wire_reader *in, enum wire_store_kind kind, struct wire_store_item *out)
{
    if (kind == WIRE_STORE_TRUST) {
        out->is_anchor = wire_read_flag(in, "anchor");
        out->certificates[0] = wire_read_octets(in, "certificate", 2, 1, UINT16_MAX);
        out->num_certificates = 1;
    } else {
        out->name = read_name(in);
        out->key_id = wire_read_key_id(in);
        out->num_certificates = wire_read_chain(in, 1, WIRE_SIGNER_MAX_CHAIN, out->certificates);
    }
}

/* check_places checks what the numbers of a part say of each other. */
static void check_places(struct wire_reader *in, const struct wire_store_part *part)
{
    if (part->num_all > WIRE_STORE_MAX_ITEMS || part->num_items > WIRE_STORE_MAX_ITEMS_OF_PART) {
        wire_refuse(in, "%zu of %u items: at most %d of %d are allowed", part->num_items, part->num_all,
                    WIRE_STORE_MAX_ITEMS_OF_PART, WIRE_STORE_MAX_ITEMS);
    }
    if (part->first + part->num_items > part->num_all || (part->num_items == 0) != (part->num_all == 0)) {
        wire_refuse(in, "%zu items from %u of %u", part->num_items, part->first, part->num_all);
    }
    if (part->missing.len > 0 && part->num_all > 0) {
        wire_refuse(in, "a store that is missing has items");
    }
}

void wire_read_store_part(struct wire_reader *in, struct wire_store_part *out)
{
    read_id(in, &out->id);
    out->missing = wire_read_octets(in, "reason", 1, 0, WIRE_STORE_MAX_TEXT);
    out->first = wire_read_u16(in, "first item");
    out->num_all = wire_read_u16(in, "number of all items");
    out->num_items = wire_read_u8(in, "number of items");
    check_places(in, out);
    for (size_t i = 0; i < out->num_items && wire_reader_ok(in); i++) {
        read_item(in, out->id.kind, &out->items[i]);
    }
}

/* ---- STORE_TAKEN ---- */

void wire_put_store_taken(struct mg_buffer *out, const struct wire_store_taken *taken)
{
    put_id(out, &taken->id);
    mg_buffer_append_u16(out, taken->num_taken);
    mg_buffer_append_prefixed_u8(out, taken->reason);
}

void wire_read_store_taken(struct wire_reader *in, struct wire_store_taken *out)
{
    read_id(in, &out->id);
    out->num_taken = wire_read_u16(in, "number of items taken");
    out->reason = wire_read_octets(in, "reason", 1, 0, WIRE_STORE_MAX_TEXT);
}
