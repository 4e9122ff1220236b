/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/publish.h"

/*
 * Each message is a type byte, the epoch u64, and its fields, in this order:
 *
 *   HELLO      version u16
 *   PREPARE    premint_ms u32, count u8, then each: name behind a u8, successor u8, reserve u8, revoked u8, crl_url
 *              behind a u16, and the issuer as in ISSUERS (wire/signer.h)
 *   PROGRESS   done u32, all u32
 *   PREPARED   ready u8, reason behind a u8
 *   COMMIT, COMMITTED, ABORT   nothing
 *   WANT, STORE, STORE_TAKEN   as in publish_store.c
 */

static void encode_issuers(struct mg_buffer *out, const struct wire_publish *message)
{
    mg_buffer_append_u32(out, message->premint_ms);
    mg_buffer_append_u8(out, (uint8_t)message->num_issuers);
    for (size_t i = 0; i < message->num_issuers; i++) {
        mg_buffer_append_prefixed_u8(out, message->issuers[i].name);
        mg_buffer_append_u8(out, message->issuers[i].successor);
        mg_buffer_append_u8(out, message->issuers[i].is_reserve);
        mg_buffer_append_u8(out, message->issuers[i].is_revoked);
        mg_buffer_append_prefixed_u16(out, message->issuers[i].crl_url);
        wire_issuer_encode(out, &message->issuers[i].issuer);
    }
}

void wire_publish_encode(struct mg_buffer *out, const struct wire_publish *message)
{
    mg_buffer_append_u8(out, (uint8_t)message->type);
    mg_buffer_append_u64(out, message->epoch);
    switch (message->type) {
    case WIRE_PUBLISH_HELLO:
        mg_buffer_append_u16(out, message->version);
        break;
    case WIRE_PUBLISH_PREPARE:
        encode_issuers(out, message);
        break;
    case WIRE_PUBLISH_PROGRESS:
        mg_buffer_append_u32(out, message->num_done);
        mg_buffer_append_u32(out, message->num_all);
        break;
    case WIRE_PUBLISH_PREPARED:
        mg_buffer_append_u8(out, message->ready);
        mg_buffer_append_prefixed_u8(out, message->reason);
        break;
    case WIRE_PUBLISH_WANT:
        wire_store_wants_encode(out, &message->store.wants);
        break;
    case WIRE_PUBLISH_STORE:
        wire_store_part_encode(out, &message->store.part);
        break;
    case WIRE_PUBLISH_STORE_TAKEN:
        wire_store_taken_encode(out, &message->store.taken);
        break;
    case WIRE_PUBLISH_COMMIT:
    case WIRE_PUBLISH_COMMITTED:
    case WIRE_PUBLISH_ABORT:
        break;
    }
}

static enum mg_status cut_short(struct mg_error *error, const char *what)
{
    return mg_error_set(error, MG_INVALID, "packet ends inside %s", what);
}

/* decode_issuer decodes the one at |place|, from 1, of |num_issuers|. */
static enum mg_status decode_issuer(struct mg_slice *in, struct wire_published_issuer *out, size_t place,
                                    size_t num_issuers, struct mg_error *error)
{
    uint8_t is_reserve, is_revoked;
    if (!mg_slice_prefixed_u8(in, &out->name) || !mg_slice_u8(in, &out->successor) || !mg_slice_u8(in, &is_reserve) ||
        !mg_slice_u8(in, &is_revoked) || !mg_slice_prefixed_u16(in, &out->crl_url)) {
        return cut_short(error, "a name and what belongs to it");
    }
    if (out->name.len == 0) {
        return mg_error_set(error, MG_INVALID, "an issuer without a name");
    }
    if (out->successor > num_issuers || out->successor == place) {
        return mg_error_set(error, MG_INVALID, "issuer %zu of %zu: its successor cannot be number %u", place,
                            num_issuers, out->successor);
    }
    if (is_reserve > 1 || (is_reserve == 1 && place == 1)) {
        return mg_error_set(error, MG_INVALID, "issuer %zu: %u does not say whether it is a reserve", place,
                            is_reserve);
    }
    if (is_revoked > 1) {
        return mg_error_set(error, MG_INVALID, "issuer %zu: %u does not say whether it is revoked", place, is_revoked);
    }
    if (out->crl_url.len > WIRE_PUBLISH_MAX_URL) {
        return mg_error_set(error, MG_INVALID, "issuer %zu: a CRL address of %zu bytes: at most %d are allowed", place,
                            out->crl_url.len, WIRE_PUBLISH_MAX_URL);
    }
    out->is_reserve = is_reserve == 1;
    out->is_revoked = is_revoked == 1;
    enum mg_status status = wire_issuer_decode(in, &out->issuer, error);
    if (status == MG_OK && out->issuer.role != WIRE_ISSUER_DEFAULT) {
        return mg_error_set(error, MG_INVALID, "an issuer of role %d is published", (int)out->issuer.role);
    }
    return status;
}

static enum mg_status decode_prepare(struct mg_slice *in, struct wire_publish *out, struct mg_error *error)
{
    uint8_t num_issuers;
    if (!mg_slice_u32(in, &out->premint_ms) || !mg_slice_u8(in, &num_issuers)) {
        return cut_short(error, "PREPARE");
    }
    if (num_issuers < 1 || num_issuers > WIRE_PUBLISH_MAX_ISSUERS) {
        return mg_error_set(error, MG_INVALID, "%u issuers: must be 1 to %d", num_issuers, WIRE_PUBLISH_MAX_ISSUERS);
    }
    if (out->epoch == 0) {
        return mg_error_set(error, MG_INVALID, "an epoch is at least 1");
    }
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < num_issuers && status == MG_OK; i++) {
        status = decode_issuer(in, &out->issuers[i], i + 1, num_issuers, error);
    }
    out->num_issuers = num_issuers;
    return status;
}

static enum mg_status decode_progress(struct mg_slice *in, struct wire_publish *out, struct mg_error *error)
{
    if (!mg_slice_u32(in, &out->num_done) || !mg_slice_u32(in, &out->num_all)) {
        return cut_short(error, "PROGRESS");
    }
    if (out->num_done > out->num_all) {
        return mg_error_set(error, MG_INVALID, "%u done of %u", out->num_done, out->num_all);
    }
    return MG_OK;
}

static enum mg_status decode_prepared(struct mg_slice *in, struct wire_publish *out, struct mg_error *error)
{
    uint8_t ready;
    if (!mg_slice_u8(in, &ready) || !mg_slice_prefixed_u8(in, &out->reason)) {
        return cut_short(error, "PREPARED");
    }
    if (ready > 1 || (ready == 0) != (out->reason.len > 0)) {
        return mg_error_set(error, MG_INVALID, "a reason must come with what is not ready and with nothing else");
    }
    out->ready = ready == 1;
    return MG_OK;
}

static enum mg_status decode_fields(struct mg_slice *in, struct wire_publish *out, struct mg_error *error)
{
    switch (out->type) {
    case WIRE_PUBLISH_HELLO:
        return mg_slice_u16(in, &out->version) ? MG_OK : cut_short(error, "the version");
    case WIRE_PUBLISH_PREPARE:
        return decode_prepare(in, out, error);
    case WIRE_PUBLISH_PROGRESS:
        return decode_progress(in, out, error);
    case WIRE_PUBLISH_PREPARED:
        return decode_prepared(in, out, error);
    case WIRE_PUBLISH_WANT:
        return wire_store_wants_decode(in, &out->store.wants, error);
    case WIRE_PUBLISH_STORE:
        return wire_store_part_decode(in, &out->store.part, error);
    case WIRE_PUBLISH_STORE_TAKEN:
        return wire_store_taken_decode(in, &out->store.taken, error);
    case WIRE_PUBLISH_COMMIT:
    case WIRE_PUBLISH_COMMITTED:
    case WIRE_PUBLISH_ABORT:
        return MG_OK;
    }
    return mg_error_set(error, MG_INVALID, "unknown type %d", (int)out->type);
}

enum mg_status wire_publish_decode(struct wire_publish *out, struct mg_slice packet, struct mg_error *error)
{
    uint8_t type;
    *out = (struct wire_publish){.epoch = 0};
    if (packet.len > WIRE_PUBLISH_MAX_PACKET) {
        return mg_error_set(error, MG_INVALID, "packet of %zu bytes: at most %d are allowed", packet.len,
                            WIRE_PUBLISH_MAX_PACKET);
    }
    if (!mg_slice_u8(&packet, &type) || !mg_slice_u64(&packet, &out->epoch)) {
        return cut_short(error, "its beginning");
    }
    out->type = (enum wire_publish_type)type;
    enum mg_status status = decode_fields(&packet, out, error);
    if (status == MG_OK && packet.len > 0) {
        return mg_error_set(error, MG_INVALID, "packet has %zu bytes left over", packet.len);
    }
    return status;
}
