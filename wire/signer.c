/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/signer.h"

/*
 * Each message is a type byte and its fields, in this order:
 *
 *   HELLO    version u16
 *   ISSUERS  count u8, then each: key id 16, role u8, key type u8, chain length u8, then each certificate behind a u16
 *   SIGN     count u16, then each: id u64, key id 16, timeout_ms u32, tbs behind a u16
 *   SIGNED   count u16, then each: id u64, status u8, signature behind a u16
 *   CANCEL   count u16, then each: id u64
 *   CLIENT_SIGN  id u64, key id 16, scheme u16, content behind a u32
 */
#define SIGN_FIXED_LEN (8 + sizeof(struct wire_key_id) + 4 + 2)
#define SIGNED_FIXED_LEN (8 + 1 + 2)

_Static_assert(WIRE_SIGNER_MAX_TBS <= UINT16_MAX, "a TBSCertificate goes behind a u16");
_Static_assert(WIRE_BATCH_HEADER_LEN + SIGN_FIXED_LEN + WIRE_SIGNER_MAX_TBS <= WIRE_SIGNER_MAX_PACKET,
               "the largest request fits an empty packet");
_Static_assert(WIRE_BATCH_HEADER_LEN + WIRE_SIGNER_MAX_BATCH * (SIGNED_FIXED_LEN + WIRE_SIGNER_MAX_SIGNATURE) <=
                   WIRE_SIGNER_MAX_PACKET,
               "the largest batch of results fits a packet");

const char *wire_sign_status_name(enum wire_sign_status status)
{
    static const char *const names[WIRE_SIGN_NUM_STATUSES] = {
        [WIRE_SIGN_OK] = "ok",
        [WIRE_SIGN_BUSY] = "busy",
        [WIRE_SIGN_UNKNOWN_KEY] = "unknown_key",
        [WIRE_SIGN_BAD_TBS] = "bad_tbs",
        [WIRE_SIGN_BAD_ISSUER] = "bad_issuer",
        [WIRE_SIGN_BAD_VALIDITY] = "bad_validity",
        [WIRE_SIGN_BAD_CONSTRAINTS] = "bad_constraints",
        [WIRE_SIGN_BAD_EKU] = "bad_eku",
        [WIRE_SIGN_BAD_EXTENSION] = "bad_extension",
        [WIRE_SIGN_BAD_NAME] = "bad_name",
        [WIRE_SIGN_BAD_SERIAL] = "bad_serial",
        [WIRE_SIGN_BAD_KEY] = "bad_key",
        [WIRE_SIGN_FAILED] = "failed",
        [WIRE_SIGN_BAD_CONTENT] = "bad_content",
    };
    return (unsigned)status < WIRE_SIGN_NUM_STATUSES ? names[status] : "unknown";
}

enum mg_status wire_signer_type_of(struct mg_slice packet, enum wire_signer_type *out)
{
    uint8_t type;
    if (!mg_slice_u8(&packet, &type) || type < WIRE_SIGNER_HELLO || type > WIRE_SIGNER_CLIENT_SIGN) {
        return MG_INVALID;
    }
    *out = (enum wire_signer_type)type;
    return MG_OK;
}

/* begin begins with a packet that is to be of type |expected|. */
static struct wire_reader begin(struct mg_slice packet, enum wire_signer_type expected, struct mg_error *error)
{
    struct wire_reader in = wire_reader_of(packet, WIRE_SIGNER_MAX_PACKET, error);
    wire_reader_expect(&in, expected);
    return in;
}

/* HELLO */

void wire_signer_encode_hello(struct mg_buffer *out)
{
    mg_buffer_append_u8(out, WIRE_SIGNER_HELLO);
    mg_buffer_append_u16(out, WIRE_SIGNER_VERSION);
}

enum mg_status wire_signer_decode_hello(struct mg_slice packet, uint16_t *version, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_SIGNER_HELLO, error);
    *version = wire_read_u16(&in, "version");
    return wire_reader_end(&in);
}

/* ISSUERS */

void wire_put_issuer(struct mg_buffer *out, const struct wire_issuer *issuer)
{
    wire_put_key_id(out, &issuer->key_id);
    mg_buffer_append_u8(out, (uint8_t)issuer->role);
    mg_buffer_append_u8(out, (uint8_t)issuer->key_type);
    wire_put_chain(out, issuer->chain, issuer->num_chain);
}

void wire_signer_encode_issuers(struct mg_buffer *out, const struct wire_issuers *issuers)
{
    mg_buffer_append_u8(out, WIRE_SIGNER_ISSUERS);
    mg_buffer_append_u8(out, (uint8_t)issuers->num_issuers);
    for (size_t i = 0; i < issuers->num_issuers; i++) {
        wire_put_issuer(out, &issuers->issuers[i]);
    }
}

void wire_read_issuer(struct wire_reader *in, struct wire_issuer *out)
{
    out->key_id = wire_read_key_id(in);
    out->role = (enum wire_issuer_role)wire_read_number(in, "role", WIRE_ISSUER_DEFAULT, WIRE_ISSUER_OFFERED);
    out->key_type = (enum wire_key_type)wire_read_number(in, "key type", WIRE_KEY_EC_P256, WIRE_KEY_RSA_4096);
    out->num_chain = wire_read_chain(in, 1, WIRE_SIGNER_MAX_CHAIN, out->chain);
}

enum mg_status wire_signer_decode_issuers(struct mg_slice packet, struct wire_issuers *out, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_SIGNER_ISSUERS, error);
    out->num_issuers = wire_read_number(&in, "number of issuers", 0, WIRE_SIGNER_MAX_ISSUERS);
    for (size_t i = 0; i < out->num_issuers; i++) {
        wire_read_issuer(&in, &out->issuers[i]);
    }
    return wire_reader_end(&in);
}

/* SIGN, SIGNED and CANCEL: batches */

size_t wire_signer_end_batch(struct mg_buffer *out)
{
    return wire_batch_count(out);
}

static size_t read_batch_count(struct wire_reader *in)
{
    return wire_read_count(in, "number of entries", 1, WIRE_SIGNER_MAX_BATCH);
}

/* SIGN */

void wire_signer_begin_sign(struct mg_buffer *out)
{
    wire_batch_begin(out, WIRE_SIGNER_SIGN);
}

bool wire_signer_add_sign(struct mg_buffer *out, const struct wire_sign_request *request)
{
    if (request->tbs.len < 1 || request->tbs.len > WIRE_SIGNER_MAX_TBS ||
        !wire_batch_make_room(out, WIRE_SIGNER_MAX_BATCH, SIGN_FIXED_LEN + request->tbs.len)) {
        return false;
    }
    mg_buffer_append_u64(out, request->id);
    wire_put_key_id(out, &request->key_id);
    mg_buffer_append_u32(out, request->timeout_ms);
    mg_buffer_append_prefixed_u16(out, request->tbs);
    return true;
}

enum mg_status wire_signer_decode_sign(struct mg_slice packet, struct wire_sign_request *out, size_t *num_out,
                                       struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_SIGNER_SIGN, error);
    *num_out = read_batch_count(&in);
    for (size_t i = 0; i < *num_out; i++) {
        out[i].id = wire_read_u64(&in, "id");
        out[i].key_id = wire_read_key_id(&in);
        out[i].timeout_ms = wire_read_u32(&in, "timeout");
        out[i].tbs = wire_read_octets(&in, "TBSCertificate", 2, 1, WIRE_SIGNER_MAX_TBS);
    }
    return wire_reader_end(&in);
}

/* SIGNED */

void wire_signer_begin_signed(struct mg_buffer *out)
{
    wire_batch_begin(out, WIRE_SIGNER_SIGNED);
}

bool wire_signer_add_signed(struct mg_buffer *out, const struct wire_sign_result *result)
{
    if (result->signature.len > WIRE_SIGNER_MAX_SIGNATURE ||
        !wire_batch_make_room(out, WIRE_SIGNER_MAX_BATCH, SIGNED_FIXED_LEN + result->signature.len)) {
        return false;
    }
    mg_buffer_append_u64(out, result->id);
    mg_buffer_append_u8(out, (uint8_t)result->status);
    mg_buffer_append_prefixed_u16(out, result->signature);
    return true;
}

static void read_result(struct wire_reader *in, struct wire_sign_result *out)
{
    out->id = wire_read_u64(in, "id");
    out->status = (enum wire_sign_status)wire_read_number(in, "status", 0, WIRE_SIGN_NUM_STATUSES - 1);
    out->signature = wire_read_octets(in, "signature", 2, 0, WIRE_SIGNER_MAX_SIGNATURE);
    if ((out->status == WIRE_SIGN_OK) != (out->signature.len > 0)) {
        wire_refuse(in, "a signature must come with status ok and with no other");
    }
}

enum mg_status wire_signer_decode_signed(struct mg_slice packet, struct wire_sign_result *out, size_t *num_out,
                                         struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_SIGNER_SIGNED, error);
    *num_out = read_batch_count(&in);
    for (size_t i = 0; i < *num_out; i++) {
        read_result(&in, &out[i]);
    }
    return wire_reader_end(&in);
}

/* CANCEL */

void wire_signer_encode_cancel(struct mg_buffer *out, const struct wire_sign_cancel *cancel)
{
    mg_buffer_append_u8(out, WIRE_SIGNER_CANCEL);
    mg_buffer_append_u16(out, (uint16_t)cancel->num_ids);
    for (size_t i = 0; i < cancel->num_ids; i++) {
        mg_buffer_append_u64(out, cancel->ids[i]);
    }
}

enum mg_status wire_signer_decode_cancel(struct mg_slice packet, struct wire_sign_cancel *out, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_SIGNER_CANCEL, error);
    out->num_ids = read_batch_count(&in);
    for (size_t i = 0; i < out->num_ids; i++) {
        out->ids[i] = wire_read_u64(&in, "id");
    }
    return wire_reader_end(&in);
}

/* CLIENT_SIGN */

void wire_signer_encode_client_sign(struct mg_buffer *out, const struct wire_client_sign *request)
{
    mg_buffer_append_u8(out, WIRE_SIGNER_CLIENT_SIGN);
    mg_buffer_append_u64(out, request->id);
    wire_put_key_id(out, &request->key_id);
    mg_buffer_append_u16(out, request->scheme);
    mg_buffer_append_prefixed_u32(out, request->content);
}

enum mg_status wire_signer_decode_client_sign(struct mg_slice packet, struct wire_client_sign *out,
                                              struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_SIGNER_CLIENT_SIGN, error);
    out->id = wire_read_u64(&in, "id");
    out->key_id = wire_read_key_id(&in);
    out->scheme = wire_read_u16(&in, "scheme");
    out->content = wire_read_octets(&in, "content", 4, 1, WIRE_SIGNER_MAX_CONTENT);
    return wire_reader_end(&in);
}
