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

static enum mg_status cut_short(struct mg_error *error, const char *what)
{
    return mg_error_set(error, MG_INVALID, "packet ends inside %s", what);
}

/* ---- a store ---- */

static void encode_id(struct mg_buffer *out, const struct wire_store_id *id)
{
    mg_buffer_append_u8(out, (uint8_t)id->kind);
    mg_buffer_append_prefixed_u8(out, id->name);
}

static enum mg_status decode_name(struct mg_slice *in, struct mg_slice *out, struct mg_error *error)
{
    if (!mg_slice_prefixed_u8(in, out)) {
        return cut_short(error, "a name");
    }
    return out->len >= 1 && out->len <= WIRE_STORE_MAX_NAME
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "a name of %zu bytes: must be 1 to %d", out->len, WIRE_STORE_MAX_NAME);
}

static enum mg_status decode_id(struct mg_slice *in, struct wire_store_id *out, struct mg_error *error)
{
    uint8_t kind;
    if (!mg_slice_u8(in, &kind)) {
        return cut_short(error, "a store");
    }
    if (kind != WIRE_STORE_TRUST && kind != WIRE_STORE_KEYS) {
        return mg_error_set(error, MG_INVALID, "a store of kind %u", kind);
    }
    out->kind = (enum wire_store_kind)kind;
    return decode_name(in, &out->name, error);
}

/* ---- WANT ---- */

void wire_store_wants_encode(struct mg_buffer *out, const struct wire_store_wants *wants)
{
    mg_buffer_append_u8(out, (uint8_t)wants->num_ids);
    for (size_t i = 0; i < wants->num_ids; i++) {
        encode_id(out, &wants->ids[i]);
    }
}

enum mg_status wire_store_wants_decode(struct mg_slice *in, struct wire_store_wants *out, struct mg_error *error)
{
    uint8_t num_ids;
    if (!mg_slice_u8(in, &num_ids)) {
        return cut_short(error, "WANT");
    }
    if (num_ids > WIRE_STORE_MAX_WANTS) {
        return mg_error_set(error, MG_INVALID, "%u stores: at most %d are allowed", num_ids, WIRE_STORE_MAX_WANTS);
    }
    for (size_t i = 0; i < num_ids; i++) {
        enum mg_status status = decode_id(in, &out->ids[i], error);
        if (status != MG_OK) {
            return status;
        }
        for (size_t j = 0; j < i; j++) {
            if (out->ids[j].kind == out->ids[i].kind && mg_slice_equal(out->ids[j].name, out->ids[i].name)) {
                return mg_error_set(error, MG_INVALID, "store %zu is store %zu again", i + 1, j + 1);
            }
        }
    }
    out->num_ids = num_ids;
    return MG_OK;
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

static void encode_item(struct mg_buffer *out, enum wire_store_kind kind, const struct wire_store_item *item)
{
    if (kind == WIRE_STORE_TRUST) {
        mg_buffer_append_u8(out, item->is_anchor);
    } else {
        mg_buffer_append_prefixed_u8(out, item->name);
        mg_buffer_append(out, item->key_id.bytes, sizeof(item->key_id.bytes));
        mg_buffer_append_u8(out, (uint8_t)item->num_certificates);
    }
    for (size_t i = 0; i < item->num_certificates; i++) {
        mg_buffer_append_prefixed_u16(out, item->certificates[i]);
    }
}

void wire_store_part_encode(struct mg_buffer *out, const struct wire_store_part *part)
{
    encode_id(out, &part->id);
    mg_buffer_append_prefixed_u8(out, part->missing);
    mg_buffer_append_u16(out, part->first);
    mg_buffer_append_u16(out, part->num_all);
    mg_buffer_append_u8(out, (uint8_t)part->num_items);
    for (size_t i = 0; i < part->num_items; i++) {
        encode_item(out, part->id.kind, &part->items[i]);
    }
}

static enum mg_status decode_trusted(struct mg_slice *in, struct wire_store_item *out, struct mg_error *error)
{
    uint8_t is_anchor;
    if (!mg_slice_u8(in, &is_anchor)) {
        return cut_short(error, "a trusted certificate");
    }
    if (is_anchor > 1) {
        return mg_error_set(error, MG_INVALID, "%u does not say whether a certificate is an anchor", is_anchor);
    }
    out->is_anchor = is_anchor == 1;
    out->num_certificates = 1;
    return MG_OK;
}

static enum mg_status decode_key(struct mg_slice *in, struct wire_store_item *out, struct mg_error *error)
{
    uint8_t num_certificates;
    enum mg_status status = decode_name(in, &out->name, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_copy(in, out->key_id.bytes, sizeof(out->key_id.bytes)) || !mg_slice_u8(in, &num_certificates)) {
        return cut_short(error, "a key");
    }
    if (num_certificates < 1 || num_certificates > WIRE_SIGNER_MAX_CHAIN) {
        return mg_error_set(error, MG_INVALID, "a chain of %u certificates: must be 1 to %d", num_certificates,
                            WIRE_SIGNER_MAX_CHAIN);
    }
    out->num_certificates = num_certificates;
    return MG_OK;
}

static enum mg_status decode_item(struct mg_slice *in, enum wire_store_kind kind, struct wire_store_item *out,
                                  struct mg_error *error)
{
    enum mg_status status = kind == WIRE_STORE_TRUST ? decode_trusted(in, out, error) : decode_key(in, out, error);
    for (size_t i = 0; status == MG_OK && i < out->num_certificates; i++) {
        if (!mg_slice_prefixed_u16(in, &out->certificates[i])) {
            status = cut_short(error, "a certificate");
        } else if (out->certificates[i].len == 0) {
            status = mg_error_set(error, MG_INVALID, "a certificate of no bytes");
        }
    }
    return status;
}

/* check_places checks what the numbers of a part say of each other. */
static enum mg_status check_places(const struct wire_store_part *part, struct mg_error *error)
{
    if (part->num_all > WIRE_STORE_MAX_ITEMS || part->num_items > WIRE_STORE_MAX_ITEMS_OF_PART) {
        return mg_error_set(error, MG_INVALID, "%zu of %u items: at most %d of %d are allowed", part->num_items,
                            part->num_all, WIRE_STORE_MAX_ITEMS_OF_PART, WIRE_STORE_MAX_ITEMS);
    }
    if (part->first + part->num_items > part->num_all || (part->num_items == 0) != (part->num_all == 0)) {
        return mg_error_set(error, MG_INVALID, "%zu items from %u of %u", part->num_items, part->first, part->num_all);
    }
    return part->missing.len == 0 || part->num_all == 0
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "a store that is missing has items");
}

enum mg_status wire_store_part_decode(struct mg_slice *in, struct wire_store_part *out, struct mg_error *error)
{
    uint8_t num_items;
    enum mg_status status = decode_id(in, &out->id, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_prefixed_u8(in, &out->missing) || !mg_slice_u16(in, &out->first) ||
        !mg_slice_u16(in, &out->num_all) || !mg_slice_u8(in, &num_items)) {
        return cut_short(error, "STORE");
    }
    out->num_items = num_items;
    status = check_places(out, error);
    for (size_t i = 0; status == MG_OK && i < num_items; i++) {
        status = decode_item(in, out->id.kind, &out->items[i], error);
    }
    return status;
}

/* ---- STORE_TAKEN ---- */

void wire_store_taken_encode(struct mg_buffer *out, const struct wire_store_taken *taken)
{
    encode_id(out, &taken->id);
    mg_buffer_append_u16(out, taken->num_taken);
    mg_buffer_append_prefixed_u8(out, taken->reason);
}

enum mg_status wire_store_taken_decode(struct mg_slice *in, struct wire_store_taken *out, struct mg_error *error)
{
    enum mg_status status = decode_id(in, &out->id, error);
    if (status == MG_OK && (!mg_slice_u16(in, &out->num_taken) || !mg_slice_prefixed_u8(in, &out->reason))) {
        return cut_short(error, "STORE_TAKEN");
    }
    return status;
}
