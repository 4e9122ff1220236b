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
#define BATCH_HEADER_LEN 3 /* type and count */
#define SIGN_FIXED_LEN (8 + sizeof(struct wire_key_id) + 4 + 2)
#define SIGNED_FIXED_LEN (8 + 1 + 2)

_Static_assert(WIRE_SIGNER_MAX_TBS <= UINT16_MAX, "a TBSCertificate goes behind a u16");
_Static_assert(BATCH_HEADER_LEN + SIGN_FIXED_LEN + WIRE_SIGNER_MAX_TBS <= WIRE_SIGNER_MAX_PACKET,
               "the largest request fits an empty packet");
_Static_assert(BATCH_HEADER_LEN + WIRE_SIGNER_MAX_BATCH * (SIGNED_FIXED_LEN + WIRE_SIGNER_MAX_SIGNATURE) <=
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

/* begin_decoding takes the type byte off |packet|. */
static enum mg_status begin_decoding(struct mg_slice *packet, enum wire_signer_type expected, struct mg_error *error)
{
    uint8_t type;
    if (packet->len > WIRE_SIGNER_MAX_PACKET) {
        return mg_error_set(error, MG_INVALID, "packet of %zu bytes: at most %d are allowed", packet->len,
                            WIRE_SIGNER_MAX_PACKET);
    }
    if (!mg_slice_u8(packet, &type) || type != expected) {
        return mg_error_set(error, MG_INVALID, "packet is not of type %d", (int)expected);
    }
    return MG_OK;
}

static enum mg_status cut_short(struct mg_error *error, const char *what)
{
    return mg_error_set(error, MG_INVALID, "packet ends inside %s", what);
}

static enum mg_status end_decoding(struct mg_slice rest, struct mg_error *error)
{
    if (rest.len > 0) {
        return mg_error_set(error, MG_INVALID, "packet has %zu bytes left over", rest.len);
    }
    return MG_OK;
}

/* HELLO */

void wire_signer_encode_hello(struct mg_buffer *out)
{
    mg_buffer_append_u8(out, WIRE_SIGNER_HELLO);
    mg_buffer_append_u16(out, WIRE_SIGNER_VERSION);
}

enum mg_status wire_signer_decode_hello(struct mg_slice packet, uint16_t *version, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_SIGNER_HELLO, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_u16(&packet, version)) {
        return cut_short(error, "the version");
    }
    return end_decoding(packet, error);
}

/* ISSUERS */

void wire_issuer_encode(struct mg_buffer *out, const struct wire_issuer *issuer)
{
    mg_buffer_append(out, issuer->key_id.bytes, sizeof(issuer->key_id.bytes));
    mg_buffer_append_u8(out, (uint8_t)issuer->role);
    mg_buffer_append_u8(out, (uint8_t)issuer->key_type);
    mg_buffer_append_u8(out, (uint8_t)issuer->num_chain);
    for (size_t i = 0; i < issuer->num_chain; i++) {
        mg_buffer_append_prefixed_u16(out, issuer->chain[i]);
    }
}

void wire_signer_encode_issuers(struct mg_buffer *out, const struct wire_issuers *issuers)
{
    mg_buffer_append_u8(out, WIRE_SIGNER_ISSUERS);
    mg_buffer_append_u8(out, (uint8_t)issuers->num_issuers);
    for (size_t i = 0; i < issuers->num_issuers; i++) {
        wire_issuer_encode(out, &issuers->issuers[i]);
    }
}

static enum mg_status decode_chain(struct mg_slice *in, struct wire_issuer *out, struct mg_error *error)
{
    uint8_t num_chain;
    if (!mg_slice_u8(in, &num_chain)) {
        return cut_short(error, "an issuer");
    }
    if (num_chain < 1 || num_chain > WIRE_SIGNER_MAX_CHAIN) {
        return mg_error_set(error, MG_INVALID, "chain of %u certificates: must be 1 to %d", num_chain,
                            WIRE_SIGNER_MAX_CHAIN);
    }
    for (size_t i = 0; i < num_chain; i++) {
        if (!mg_slice_prefixed_u16(in, &out->chain[i])) {
            return cut_short(error, "a certificate");
        }
        if (out->chain[i].len == 0) {
            return mg_error_set(error, MG_INVALID, "empty certificate in a chain");
        }
    }
    out->num_chain = num_chain;
    return MG_OK;
}

enum mg_status wire_issuer_decode(struct mg_slice *in, struct wire_issuer *out, struct mg_error *error)
{
    uint8_t role, key_type;
    *out = (struct wire_issuer){.num_chain = 0};
    if (!mg_slice_copy(in, out->key_id.bytes, sizeof(out->key_id.bytes)) || !mg_slice_u8(in, &role) ||
        !mg_slice_u8(in, &key_type)) {
        return cut_short(error, "an issuer");
    }
    if (role < WIRE_ISSUER_DEFAULT || role > WIRE_ISSUER_OFFERED) {
        return mg_error_set(error, MG_INVALID, "unknown issuer role %u", role);
    }
    if (key_type < WIRE_KEY_EC_P256 || key_type > WIRE_KEY_RSA_4096) {
        return mg_error_set(error, MG_INVALID, "unknown key type %u", key_type);
    }
    out->role = (enum wire_issuer_role)role;
    out->key_type = (enum wire_key_type)key_type;
    return decode_chain(in, out, error);
}

enum mg_status wire_signer_decode_issuers(struct mg_slice packet, struct wire_issuers *out, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_SIGNER_ISSUERS, error);
    if (status != MG_OK) {
        return status;
    }
    uint8_t num_issuers;
    if (!mg_slice_u8(&packet, &num_issuers)) {
        return cut_short(error, "the number of issuers");
    }
    if (num_issuers > WIRE_SIGNER_MAX_ISSUERS) {
        return mg_error_set(error, MG_INVALID, "%u issuers: at most %d are allowed", num_issuers,
                            WIRE_SIGNER_MAX_ISSUERS);
    }
    for (size_t i = 0; i < num_issuers; i++) {
        status = wire_issuer_decode(&packet, &out->issuers[i], error);
        if (status != MG_OK) {
            return status;
        }
    }
    out->num_issuers = num_issuers;
    return end_decoding(packet, error);
}

/* Batches: the count stands behind the type, is zero when the batch begins, and grows with each entry. */

static void begin_batch(struct mg_buffer *out, enum wire_signer_type type)
{
    mg_buffer_append_u8(out, (uint8_t)type);
    mg_buffer_append_u16(out, 0);
}

static size_t batch_count(const struct mg_buffer *out)
{
    return mg_buffer_ok(out) ? (size_t)out->data[1] << 8 | out->data[2] : 0;
}

/* make_room tells whether an entry of |len| bytes still fits, and counts it if so. */
static bool make_room(struct mg_buffer *out, size_t len)
{
    size_t count = batch_count(out);
    if (!mg_buffer_ok(out) || count >= WIRE_SIGNER_MAX_BATCH || len > out->limit - out->len) {
        return false;
    }
    count++;
    out->data[1] = (uint8_t)(count >> 8);
    out->data[2] = (uint8_t)count;
    return true;
}

size_t wire_signer_end_batch(struct mg_buffer *out)
{
    return batch_count(out);
}

static enum mg_status decode_count(struct mg_slice *in, size_t *out, struct mg_error *error)
{
    uint16_t count;
    if (!mg_slice_u16(in, &count)) {
        return cut_short(error, "the count");
    }
    if (count < 1 || count > WIRE_SIGNER_MAX_BATCH) {
        return mg_error_set(error, MG_INVALID, "batch of %u entries: must be 1 to %d", count, WIRE_SIGNER_MAX_BATCH);
    }
    *out = count;
    return MG_OK;
}

/* SIGN */

void wire_signer_begin_sign(struct mg_buffer *out)
{
    begin_batch(out, WIRE_SIGNER_SIGN);
}

bool wire_signer_add_sign(struct mg_buffer *out, const struct wire_sign_request *request)
{
    if (request->tbs.len < 1 || request->tbs.len > WIRE_SIGNER_MAX_TBS ||
        !make_room(out, SIGN_FIXED_LEN + request->tbs.len)) {
        return false;
    }
    mg_buffer_append_u64(out, request->id);
    mg_buffer_append(out, request->key_id.bytes, sizeof(request->key_id.bytes));
    mg_buffer_append_u32(out, request->timeout_ms);
    mg_buffer_append_prefixed_u16(out, request->tbs);
    return true;
}

static enum mg_status decode_request(struct mg_slice *in, struct wire_sign_request *out, struct mg_error *error)
{
    if (!mg_slice_u64(in, &out->id) || !mg_slice_copy(in, out->key_id.bytes, sizeof(out->key_id.bytes)) ||
        !mg_slice_u32(in, &out->timeout_ms) || !mg_slice_prefixed_u16(in, &out->tbs)) {
        return cut_short(error, "a request");
    }
    if (out->tbs.len < 1 || out->tbs.len > WIRE_SIGNER_MAX_TBS) {
        return mg_error_set(error, MG_INVALID, "TBSCertificate of %zu bytes: must be 1 to %d", out->tbs.len,
                            WIRE_SIGNER_MAX_TBS);
    }
    return MG_OK;
}

enum mg_status wire_signer_decode_sign(struct mg_slice packet, struct wire_sign_request *out, size_t *num_out,
                                       struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_SIGNER_SIGN, error);
    if (status == MG_OK) {
        status = decode_count(&packet, num_out, error);
    }
    for (size_t i = 0; status == MG_OK && i < *num_out; i++) {
        status = decode_request(&packet, &out[i], error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* SIGNED */

void wire_signer_begin_signed(struct mg_buffer *out)
{
    begin_batch(out, WIRE_SIGNER_SIGNED);
}

bool wire_signer_add_signed(struct mg_buffer *out, const struct wire_sign_result *result)
{
    if (result->signature.len > WIRE_SIGNER_MAX_SIGNATURE ||
        !make_room(out, SIGNED_FIXED_LEN + result->signature.len)) {
        return false;
    }
    mg_buffer_append_u64(out, result->id);
    mg_buffer_append_u8(out, (uint8_t)result->status);
    mg_buffer_append_prefixed_u16(out, result->signature);
    return true;
}

static enum mg_status decode_result(struct mg_slice *in, struct wire_sign_result *out, struct mg_error *error)
{
    uint8_t status;
    if (!mg_slice_u64(in, &out->id) || !mg_slice_u8(in, &status) || !mg_slice_prefixed_u16(in, &out->signature)) {
        return cut_short(error, "a result");
    }
    if (status >= WIRE_SIGN_NUM_STATUSES) {
        return mg_error_set(error, MG_INVALID, "unknown result status %u", status);
    }
    out->status = (enum wire_sign_status)status;
    if (out->signature.len > WIRE_SIGNER_MAX_SIGNATURE) {
        return mg_error_set(error, MG_INVALID, "signature of %zu bytes: at most %d are allowed", out->signature.len,
                            WIRE_SIGNER_MAX_SIGNATURE);
    }
    if ((out->status == WIRE_SIGN_OK) != (out->signature.len > 0)) {
        return mg_error_set(error, MG_INVALID, "a signature must come with status ok and with no other");
    }
    return MG_OK;
}

enum mg_status wire_signer_decode_signed(struct mg_slice packet, struct wire_sign_result *out, size_t *num_out,
                                         struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_SIGNER_SIGNED, error);
    if (status == MG_OK) {
        status = decode_count(&packet, num_out, error);
    }
    for (size_t i = 0; status == MG_OK && i < *num_out; i++) {
        status = decode_result(&packet, &out[i], error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
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
    enum mg_status status = begin_decoding(&packet, WIRE_SIGNER_CANCEL, error);
    if (status == MG_OK) {
        status = decode_count(&packet, &out->num_ids, error);
    }
    for (size_t i = 0; status == MG_OK && i < out->num_ids; i++) {
        status = mg_slice_u64(&packet, &out->ids[i]) ? MG_OK : cut_short(error, "an id");
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* CLIENT_SIGN */

void wire_signer_encode_client_sign(struct mg_buffer *out, const struct wire_client_sign *request)
{
    mg_buffer_append_u8(out, WIRE_SIGNER_CLIENT_SIGN);
    mg_buffer_append_u64(out, request->id);
    mg_buffer_append(out, request->key_id.bytes, sizeof(request->key_id.bytes));
    mg_buffer_append_u16(out, request->scheme);
    mg_buffer_append_prefixed_u32(out, request->content);
}

enum mg_status wire_signer_decode_client_sign(struct mg_slice packet, struct wire_client_sign *out,
                                              struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_SIGNER_CLIENT_SIGN, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_u64(&packet, &out->id) || !mg_slice_copy(&packet, out->key_id.bytes, sizeof(out->key_id.bytes)) ||
        !mg_slice_u16(&packet, &out->scheme) || !mg_slice_prefixed_u32(&packet, &out->content)) {
        return cut_short(error, "a request");
    }
    if (out->content.len < 1 || out->content.len > WIRE_SIGNER_MAX_CONTENT) {
        return mg_error_set(error, MG_INVALID, "content of %zu bytes: must be 1 to %d", out->content.len,
                            WIRE_SIGNER_MAX_CONTENT);
    }
    return end_decoding(packet, error);
}
