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

static void put_issuers(struct mg_buffer *out, const struct wire_publish *message)
{
    mg_buffer_append_u32(out, message->premint_ms);
    mg_buffer_append_u8(out, (uint8_t)message->num_issuers);
    for (size_t i = 0; i < message->num_issuers; i++) {
        mg_buffer_append_prefixed_u8(out, message->issuers[i].name);
        mg_buffer_append_u8(out, message->issuers[i].successor);
        mg_buffer_append_u8(out, message->issuers[i].is_reserve);
        mg_buffer_append_u8(out, message->issuers[i].is_revoked);
        mg_buffer_append_prefixed_u16(out, message->issuers[i].crl_url);
        wire_put_issuer(out, &message->issuers[i].issuer);
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
        put_issuers(out, message);
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
        wire_put_store_wants(out, &message->store.wants);
        break;
    case WIRE_PUBLISH_STORE:
        wire_put_store_part(out, &message->store.part);
        break;
    case WIRE_PUBLISH_STORE_TAKEN:
        wire_put_store_taken(out, &message->store.taken);
        break;
    case WIRE_PUBLISH_COMMIT:
    case WIRE_PUBLISH_COMMITTED:
    case WIRE_PUBLISH_ABORT:
        break;
    }
}

/* read_issuer reads the one at |place|, from 1, of |num_issuers|. */
static void read_issuer(struct wire_reader *in, struct wire_published_issuer *out, size_t place, size_t num_issuers)
{
    out->name = wire_read_octets(in, "name of an issuer", 1, 1, UINT8_MAX);
    out->successor = wire_read_u8(in, "successor");
    out->is_reserve = wire_read_flag(in, "reserve");
    out->is_revoked = wire_read_flag(in, "revoked");
    out->crl_url = wire_read_octets(in, "CRL address", 2, 0, WIRE_PUBLISH_MAX_URL);
    wire_read_issuer(in, &out->issuer);
    if (out->successor > num_issuers || out->successor == place) {
        wire_refuse(in, "issuer %zu of %zu: its successor cannot be number %u", place, num_issuers, out->successor);
    }
    if (out->is_reserve && place == 1) {
        wire_refuse(in, "the first issuer cannot be a reserve");
    }
    if (out->issuer.role != WIRE_ISSUER_DEFAULT) {
        wire_refuse(in, "an issuer of role %d is published", (int)out->issuer.role);
    }
}

static void read_prepare(struct wire_reader *in, struct wire_publish *out)
{
    out->premint_ms = wire_read_u32(in, "time for minting ahead");
    size_t num_issuers = wire_read_number(in, "number of issuers", 1, WIRE_PUBLISH_MAX_ISSUERS);
    if (out->epoch == 0) {
        wire_refuse(in, "an epoch is at least 1");
    }
    for (size_t i = 0; i < num_issuers && wire_reader_ok(in); i++) {
        read_issuer(in, &out->issuers[i], i + 1, num_issuers);
    }
    out->num_issuers = num_issuers;
}

static void read_progress(struct wire_reader *in, struct wire_publish *out)
{
    out->num_done = wire_read_u32(in, "number of leaves done");
    out->num_all = wire_read_u32(in, "number of all leaves");
    if (out->num_done > out->num_all) {
        wire_refuse(in, "%u done of %u", out->num_done, out->num_all);
    }
}

static void read_prepared(struct wire_reader *in, struct wire_publish *out)
{
    out->ready = wire_read_flag(in, "ready");
    out->reason = wire_read_octets(in, "reason", 1, 0, UINT8_MAX);
    if (out->ready != (out->reason.len == 0)) {
        wire_refuse(in, "a reason must come with what is not ready and with nothing else");
    }
}

static void read_fields(struct wire_reader *in, struct wire_publish *out)
{
    switch (out->type) {
    case WIRE_PUBLISH_HELLO:
        out->version = wire_read_u16(in, "version");
        return;
    case WIRE_PUBLISH_PREPARE:
        read_prepare(in, out);
        return;
    case WIRE_PUBLISH_PROGRESS:
        read_progress(in, out);
        return;
    case WIRE_PUBLISH_PREPARED:
        read_prepared(in, out);
        return;
    case WIRE_PUBLISH_WANT:
        wire_read_store_wants(in, &out->store.wants);
        return;
    case WIRE_PUBLISH_STORE:
        wire_read_store_part(in, &out->store.part);
        return;
    case WIRE_PUBLISH_STORE_TAKEN:
        wire_read_store_taken(in, &out->store.taken);
        return;
    case WIRE_PUBLISH_COMMIT:
    case WIRE_PUBLISH_COMMITTED:
    case WIRE_PUBLISH_ABORT:
        return;
    }
    wire_refuse(in, "unknown type %d", (int)out->type);
}

enum mg_status wire_publish_decode(struct wire_publish *out, struct mg_slice packet, struct mg_error *error)
{
    struct wire_reader in = wire_reader_of(packet, WIRE_PUBLISH_MAX_PACKET, error);
    *out = (struct wire_publish){.epoch = 0};
    out->type = (enum wire_publish_type)wire_read_u8(&in, "type");
    out->epoch = wire_read_u64(&in, "epoch");
    read_fields(&in, out);
    return wire_reader_end(&in);
}
