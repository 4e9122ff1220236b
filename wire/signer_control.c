/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/signer_control.h"

/*
 * Each message is a header and the call's fields, in this order:
 *
 *   request  version u8, call u8, id u64
 *     LIST, PUBLIC_KEY, REMOVE, DESTROY   key id 16
 *     MAKE_KEY                            purpose u8, key type u8, token 16, label behind a u8, holder behind a u8
 *     MAKE_CSR                            key id 16, digest u8, pathLen + 1 u8, each attribute behind a u16
 *     INSTALL                             key id 16, chain
 *     ATTEST                              key id 16, nonce 32
 *     SIGN_CERTIFICATE, SIGN_CRL          key id 16, TBS behind a u32
 *     SKA_SIGN_TBS                        key id 16, digest u8, structure u8, DER behind a u16
 *     SKA_SIGN_PAYLOAD                    key id 16, digest u8, payload behind a u16
 *   reply    version u8, call | 0x80 u8, id u64, status u8
 *     any status but OK                   text behind a u16
 *     LIST                                key id 16, purpose u8, origin u8, key type u8, created u64, installed u8,
 *                                         label behind a u8, chain, holder behind a u8
 *     MAKE_KEY, IMPORT_KEY                key id 16
 *     PUBLIC_KEY, MAKE_CSR, SKA_SIGN_TBS  DER behind a u16
 *     SIGN_*, SKA_SIGN_PAYLOAD, ATTEST    a signature, or text, behind a u16
 *
 * A chain is the count u8 and each certificate behind a u16.
 */
#define REPLY_FLAG 0x80

#define MAX_CHAIN_LEN (1 + WIRE_SIGNER_MAX_CHAIN * 2 + WIRE_CONTROL_MAX_CHAIN_BYTES)
_Static_assert(128 + WIRE_CONTROL_MAX_LABEL + WIRE_CONTROL_MAX_HOLDER + MAX_CHAIN_LEN <= WIRE_CONTROL_MAX_PACKET,
               "the largest chain fits a request, and a listed key a reply");
_Static_assert(64 + WIRE_SUBJECT_NUM_ATTRIBUTES * (2 + WIRE_CONTROL_MAX_ATTRIBUTE) <= WIRE_CONTROL_MAX_PACKET &&
                   64 + WIRE_CONTROL_MAX_DER <= WIRE_CONTROL_MAX_PACKET &&
                   64 + WIRE_CONTROL_MAX_TBS <= WIRE_CONTROL_MAX_PACKET &&
                   64 + WIRE_CONTROL_MAX_PAYLOAD <= WIRE_CONTROL_MAX_PACKET,
               "the largest subject, request, TBS and payload fit a packet");

static const char *const call_names[WIRE_CONTROL_LAST_CALL + 1] = {
    [WIRE_CONTROL_LIST] = "list",
    [WIRE_CONTROL_MAKE_KEY] = "make_key",
    [WIRE_CONTROL_PUBLIC_KEY] = "public_key",
    [WIRE_CONTROL_MAKE_CSR] = "make_csr",
    [WIRE_CONTROL_INSTALL] = "install",
    [WIRE_CONTROL_REMOVE] = "remove",
    [WIRE_CONTROL_DESTROY] = "destroy",
    [WIRE_CONTROL_IMPORT_KEY] = "import_key",
    [WIRE_CONTROL_ATTEST] = "attest",
    [WIRE_CONTROL_SIGN_CERTIFICATE] = "sign_certificate",
    [WIRE_CONTROL_SIGN_CRL] = "sign_crl",
    [WIRE_CONTROL_SKA_SIGN_TBS] = "ska_sign_tbs",
    [WIRE_CONTROL_SKA_SIGN_PAYLOAD] = "ska_sign_payload",
};

bool wire_control_call_is_known(unsigned number)
{
    return number <= WIRE_CONTROL_LAST_CALL && call_names[number] != NULL;
}

const char *wire_control_call_name(enum wire_control_call call)
{
    return wire_control_call_is_known((unsigned)call) ? call_names[call] : "unknown";
}

const char *wire_control_status_name(enum wire_control_status status)
{
    static const char *const names[WIRE_CONTROL_NUM_STATUSES] = {
        [WIRE_CONTROL_OK] = "ok",         [WIRE_CONTROL_INVALID] = "invalid", [WIRE_CONTROL_NOT_FOUND] = "not_found",
        [WIRE_CONTROL_EXISTS] = "exists", [WIRE_CONTROL_DENIED] = "denied",   [WIRE_CONTROL_LIMIT] = "limit",
        [WIRE_CONTROL_FAILED] = "failed", [WIRE_CONTROL_AWAY] = "away",
    };
    return (unsigned)status < WIRE_CONTROL_NUM_STATUSES ? names[status] : "unknown";
}

const char *wire_subject_attribute_name(enum wire_subject_attribute attribute)
{
    static const char *const names[WIRE_SUBJECT_NUM_ATTRIBUTES] = {
        [WIRE_SUBJECT_C] = "C", [WIRE_SUBJECT_ST] = "ST", [WIRE_SUBJECT_L] = "L",
        [WIRE_SUBJECT_O] = "O", [WIRE_SUBJECT_OU] = "OU", [WIRE_SUBJECT_CN] = "CN",
    };
    return (unsigned)attribute < WIRE_SUBJECT_NUM_ATTRIBUTES ? names[attribute] : "unknown";
}

/* The classes that have a status of their own; every other is FAILED. */
static const struct {
    enum mg_status status;
    enum wire_control_status wire;
} statuses[] = {
    {MG_OK, WIRE_CONTROL_OK},         {MG_INVALID, WIRE_CONTROL_INVALID}, {MG_NOT_FOUND, WIRE_CONTROL_NOT_FOUND},
    {MG_EXISTS, WIRE_CONTROL_EXISTS}, {MG_DENIED, WIRE_CONTROL_DENIED},   {MG_LIMIT, WIRE_CONTROL_LIMIT},
    {MG_AGAIN, WIRE_CONTROL_AWAY},
};

enum wire_control_status wire_control_status_of(enum mg_status status)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(statuses); i++) {
        if (statuses[i].status == status) {
            return statuses[i].wire;
        }
    }
    return WIRE_CONTROL_FAILED;
}

enum mg_status wire_control_status_class(enum wire_control_status status)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(statuses); i++) {
        if (statuses[i].wire == status) {
            return statuses[i].status;
        }
    }
    return MG_INTERNAL;
}

/* Parts of both directions. */

static void put_chain(struct mg_buffer *out, const struct wire_control_chain *chain)
{
    wire_put_chain(out, chain->certificates, chain->num_certificates);
}

static void read_chain(struct wire_reader *in, size_t min_certificates, struct wire_control_chain *out)
{
    size_t total = 0;
    out->num_certificates = wire_read_chain(in, min_certificates, WIRE_SIGNER_MAX_CHAIN, out->certificates);
    for (size_t i = 0; i < out->num_certificates; i++) {
        total += out->certificates[i].len;
    }
    if (total > WIRE_CONTROL_MAX_CHAIN_BYTES) {
        wire_refuse(in, "chain of %zu bytes: at most %d are allowed", total, WIRE_CONTROL_MAX_CHAIN_BYTES);
    }
}

static enum wire_key_purpose read_purpose(struct wire_reader *in)
{
    return (enum wire_key_purpose)wire_read_number(in, "purpose", WIRE_PURPOSE_MINTING, WIRE_PURPOSE_SERVER_TLS);
}

static enum wire_key_type read_key_type(struct wire_reader *in)
{
    return (enum wire_key_type)wire_read_number(in, "key type", WIRE_KEY_EC_P256, WIRE_KEY_EC_P521);
}

static struct mg_slice read_label(struct wire_reader *in)
{
    return wire_read_text(in, "label", 1, WIRE_CONTROL_MAX_LABEL);
}

static struct mg_slice read_holder(struct wire_reader *in)
{
    return wire_read_text(in, "holder", 1, WIRE_CONTROL_MAX_HOLDER);
}

static void put_header(struct mg_buffer *out, unsigned call, uint64_t id)
{
    mg_buffer_append_u8(out, WIRE_CONTROL_VERSION);
    mg_buffer_append_u8(out, (uint8_t)call);
    mg_buffer_append_u64(out, id);
}

/* read_header begins with |packet|; |flag| is REPLY_FLAG for replies. */
static struct wire_reader read_header(struct mg_slice packet, uint8_t flag, enum wire_control_call *call, uint64_t *id,
                                      struct mg_error *error)
{
    struct wire_reader in = wire_reader_of(packet, WIRE_CONTROL_MAX_PACKET, error);
    (void)wire_read_number(&in, "version", WIRE_CONTROL_VERSION, WIRE_CONTROL_VERSION);
    uint8_t byte = wire_read_u8(&in, "call");
    unsigned number = byte ^ flag;
    if (!wire_control_call_is_known(number)) {
        wire_refuse(&in, "unknown call 0x%02x", byte);
        number = WIRE_CONTROL_LIST;
    }
    *call = (enum wire_control_call)number;
    *id = wire_read_u64(&in, "id");
    return in;
}

/* Requests: a putter and a reader per call, for what stands behind the key id. */

static void put_nothing(struct mg_buffer *out, const struct wire_control_request *request)
{
    (void)out;
    (void)request;
}

static void read_nothing(struct wire_reader *in, struct wire_control_request *out)
{
    (void)in;
    (void)out;
}

static void put_make_key(struct mg_buffer *out, const struct wire_control_request *request)
{
    const struct wire_control_make_key *make = &request->make_key;
    mg_buffer_append_u8(out, (uint8_t)make->purpose);
    mg_buffer_append_u8(out, (uint8_t)make->type);
    mg_buffer_append(out, make->token.bytes, sizeof(make->token.bytes));
    mg_buffer_append_prefixed_u8(out, make->label);
    mg_buffer_append_prefixed_u8(out, make->holder);
}

/* read_token reads what tells a repeated call from a new one. */
static struct wire_control_token read_token(struct wire_reader *in)
{
    static const struct wire_control_token no_token = {{0}};
    struct wire_control_token token;
    wire_read_bytes(in, "token", token.bytes, sizeof(token.bytes));
    if (memcmp(&token, &no_token, sizeof(no_token)) == 0) {
        wire_refuse(in, "token: must not be zero");
    }
    return token;
}

static void read_make_key(struct wire_reader *in, struct wire_control_request *out)
{
    struct wire_control_make_key *make = &out->make_key;
    make->purpose = read_purpose(in);
    make->type = read_key_type(in);
    make->token = read_token(in);
    make->label = read_label(in);
    make->holder = read_holder(in);
}

static void put_import_key(struct mg_buffer *out, const struct wire_control_request *request)
{
    const struct wire_control_import_key *import = &request->import_key;
    mg_buffer_append_u8(out, (uint8_t)import->purpose);
    mg_buffer_append(out, import->token.bytes, sizeof(import->token.bytes));
    mg_buffer_append_prefixed_u8(out, import->label);
    mg_buffer_append_prefixed_u16(out, import->secret);
}

static void read_import_key(struct wire_reader *in, struct wire_control_request *out)
{
    struct wire_control_import_key *import = &out->import_key;
    import->purpose = read_purpose(in);
    import->token = read_token(in);
    import->label = read_label(in);
    import->secret = wire_read_octets(in, "key", 2, 1, WIRE_CONTROL_MAX_SECRET);
}

static void put_make_csr(struct mg_buffer *out, const struct wire_control_request *request)
{
    const struct wire_control_make_csr *csr = &request->make_csr;
    mg_buffer_append_u8(out, (uint8_t)csr->digest);
    mg_buffer_append_u8(out, (uint8_t)(csr->path_len - WIRE_CONTROL_NO_PATH_LEN));
    for (size_t i = 0; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        mg_buffer_append_prefixed_u16(out, csr->subject[i]);
    }
}

static void read_make_csr(struct wire_reader *in, struct wire_control_request *out)
{
    struct wire_control_make_csr *csr = &out->make_csr;
    csr->digest = (enum wire_csr_digest)wire_read_number(in, "digest", WIRE_CSR_SHA256, WIRE_CSR_SHA512);
    const unsigned max = WIRE_CONTROL_MAX_PATH_LEN - WIRE_CONTROL_NO_PATH_LEN;
    csr->path_len = (int)wire_read_number(in, "pathLen, plus 1", 0, max) + WIRE_CONTROL_NO_PATH_LEN;
    for (size_t i = 0; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        const char *name = wire_subject_attribute_name((enum wire_subject_attribute)i);
        csr->subject[i] = wire_read_text(in, name, 2, WIRE_CONTROL_MAX_ATTRIBUTE);
    }
}

static void put_install(struct mg_buffer *out, const struct wire_control_request *request)
{
    put_chain(out, &request->install);
}

static void read_install(struct wire_reader *in, struct wire_control_request *out)
{
    read_chain(in, 1, &out->install);
}

static void put_attest(struct mg_buffer *out, const struct wire_control_request *request)
{
    mg_buffer_append(out, request->attest.nonce, sizeof(request->attest.nonce));
}

static void read_attest(struct wire_reader *in, struct wire_control_request *out)
{
    wire_read_bytes(in, "nonce", out->attest.nonce, sizeof(out->attest.nonce));
}

static void put_tbs(struct mg_buffer *out, const struct wire_control_request *request)
{
    mg_buffer_append_prefixed_u32(out, request->tbs);
}

static void read_tbs(struct wire_reader *in, struct wire_control_request *out)
{
    out->tbs = wire_read_octets(in, "TBS", 4, 1, WIRE_CONTROL_MAX_TBS);
}

static enum wire_ska_digest read_ska_digest(struct wire_reader *in)
{
    return (enum wire_ska_digest)wire_read_number(in, "digest", WIRE_SKA_SHA224, WIRE_SKA_SHA512);
}

static void put_ska_sign_tbs(struct mg_buffer *out, const struct wire_control_request *request)
{
    const struct wire_control_ska_sign *sign = &request->ska_sign;
    mg_buffer_append_u8(out, (uint8_t)sign->digest);
    mg_buffer_append_u8(out, (uint8_t)sign->structure);
    mg_buffer_append_prefixed_u16(out, sign->octets);
}

static void read_ska_sign_tbs(struct wire_reader *in, struct wire_control_request *out)
{
    struct wire_control_ska_sign *sign = &out->ska_sign;
    sign->digest = read_ska_digest(in);
    sign->structure = (enum wire_ska_structure)wire_read_number(in, "structure", WIRE_SKA_CERTIFICATE,
                                                                WIRE_SKA_CERTIFICATION_REQUEST);
    sign->octets = wire_read_octets(in, "DER", 2, 1, WIRE_CONTROL_MAX_DER);
}

static void put_ska_sign_payload(struct mg_buffer *out, const struct wire_control_request *request)
{
    mg_buffer_append_u8(out, (uint8_t)request->ska_sign.digest);
    mg_buffer_append_prefixed_u16(out, request->ska_sign.octets);
}

static void read_ska_sign_payload(struct wire_reader *in, struct wire_control_request *out)
{
    out->ska_sign.digest = read_ska_digest(in);
    out->ska_sign.octets = wire_read_octets(in, "payload", 2, 1, WIRE_CONTROL_MAX_PAYLOAD);
}

static const struct {
    bool has_key_id;
    void (*put)(struct mg_buffer *out, const struct wire_control_request *request);
    void (*read)(struct wire_reader *in, struct wire_control_request *out);
} requests[WIRE_CONTROL_LAST_CALL + 1] = {
    [WIRE_CONTROL_LIST] = {true, put_nothing, read_nothing},
    [WIRE_CONTROL_MAKE_KEY] = {false, put_make_key, read_make_key},
    [WIRE_CONTROL_PUBLIC_KEY] = {true, put_nothing, read_nothing},
    [WIRE_CONTROL_MAKE_CSR] = {true, put_make_csr, read_make_csr},
    [WIRE_CONTROL_INSTALL] = {true, put_install, read_install},
    [WIRE_CONTROL_REMOVE] = {true, put_nothing, read_nothing},
    [WIRE_CONTROL_DESTROY] = {true, put_nothing, read_nothing},
    [WIRE_CONTROL_ATTEST] = {true, put_attest, read_attest},
    [WIRE_CONTROL_IMPORT_KEY] = {false, put_import_key, read_import_key},
    [WIRE_CONTROL_SIGN_CERTIFICATE] = {true, put_tbs, read_tbs},
    [WIRE_CONTROL_SIGN_CRL] = {true, put_tbs, read_tbs},
    [WIRE_CONTROL_SKA_SIGN_TBS] = {true, put_ska_sign_tbs, read_ska_sign_tbs},
    [WIRE_CONTROL_SKA_SIGN_PAYLOAD] = {true, put_ska_sign_payload, read_ska_sign_payload},
};

void wire_control_encode_request(struct mg_buffer *out, const struct wire_control_request *request)
{
    put_header(out, request->call, request->id);
    if (requests[request->call].has_key_id) {
        wire_put_key_id(out, &request->key_id);
    }
    requests[request->call].put(out, request);
}

enum mg_status wire_control_decode_request(struct mg_slice packet, struct wire_control_request *out,
                                           struct mg_error *error)
{
    *out = (struct wire_control_request){.id = 0};
    struct wire_reader in = read_header(packet, 0, &out->call, &out->id, error);
    if (requests[out->call].has_key_id) {
        out->key_id = wire_read_key_id(&in);
    }
    requests[out->call].read(&in, out);
    return wire_reader_end(&in);
}

/* Replies: likewise, for what stands behind an OK. */

static void put_no_result(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    (void)out;
    (void)reply;
}

static void read_no_result(struct wire_reader *in, struct wire_control_reply *out)
{
    (void)in;
    (void)out;
}

static void put_listed(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    const struct wire_control_key *key = &reply->key;
    wire_put_key_id(out, &key->key_id);
    mg_buffer_append_u8(out, (uint8_t)key->purpose);
    mg_buffer_append_u8(out, (uint8_t)key->origin);
    mg_buffer_append_u8(out, (uint8_t)key->type);
    mg_buffer_append_u64(out, (uint64_t)key->created);
    mg_buffer_append_u8(out, key->is_installed ? 1 : 0);
    mg_buffer_append_prefixed_u8(out, key->label);
    put_chain(out, &key->chain);
    mg_buffer_append_prefixed_u8(out, key->holder);
}

static int64_t read_time(struct wire_reader *in)
{
    uint64_t seconds = wire_read_u64(in, "time of creation");
    if (seconds > INT64_MAX) {
        wire_refuse(in, "time of creation: beyond what a time can be");
    }
    return wire_reader_ok(in) ? (int64_t)seconds : 0;
}

static void read_listed(struct wire_reader *in, struct wire_control_reply *out)
{
    struct wire_control_key *key = &out->key;
    key->key_id = wire_read_key_id(in);
    key->purpose = read_purpose(in);
    key->origin =
        (enum wire_key_origin)wire_read_number(in, "origin", WIRE_ORIGIN_CONTROL, WIRE_ORIGIN_BUILTIN_UNTRUST);
    key->type = read_key_type(in);
    key->created = read_time(in);
    key->is_installed = wire_read_flag(in, "installed");
    key->label = read_label(in);
    read_chain(in, 0, &key->chain);
    key->holder = read_holder(in);
}

static void put_made(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    wire_put_key_id(out, &reply->made);
}

static void read_made(struct wire_reader *in, struct wire_control_reply *out)
{
    out->made = wire_read_key_id(in);
}

static void put_der(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    mg_buffer_append_prefixed_u16(out, reply->der);
}

static void read_der(struct wire_reader *in, struct wire_control_reply *out)
{
    out->der = wire_read_octets(in, "DER", 2, 1, WIRE_CONTROL_MAX_DER);
}

static const struct {
    void (*put)(struct mg_buffer *out, const struct wire_control_reply *reply);
    void (*read)(struct wire_reader *in, struct wire_control_reply *out);
} replies[WIRE_CONTROL_LAST_CALL + 1] = {
    [WIRE_CONTROL_LIST] = {put_listed, read_listed},
    [WIRE_CONTROL_MAKE_KEY] = {put_made, read_made},
    [WIRE_CONTROL_PUBLIC_KEY] = {put_der, read_der},
    [WIRE_CONTROL_MAKE_CSR] = {put_der, read_der},
    [WIRE_CONTROL_INSTALL] = {put_no_result, read_no_result},
    [WIRE_CONTROL_REMOVE] = {put_no_result, read_no_result},
    [WIRE_CONTROL_DESTROY] = {put_no_result, read_no_result},
    [WIRE_CONTROL_ATTEST] = {put_der, read_der},
    [WIRE_CONTROL_IMPORT_KEY] = {put_made, read_made},
    [WIRE_CONTROL_SIGN_CERTIFICATE] = {put_der, read_der},
    [WIRE_CONTROL_SIGN_CRL] = {put_der, read_der},
    [WIRE_CONTROL_SKA_SIGN_TBS] = {put_der, read_der},
    [WIRE_CONTROL_SKA_SIGN_PAYLOAD] = {put_der, read_der},
};

void wire_control_encode_reply(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    put_header(out, (unsigned)reply->call | REPLY_FLAG, reply->id);
    mg_buffer_append_u8(out, (uint8_t)reply->status);
    if (reply->status == WIRE_CONTROL_OK) {
        replies[reply->call].put(out, reply);
    } else {
        mg_buffer_append_prefixed_u16(out, reply->text);
    }
}

enum mg_status wire_control_decode_reply(struct mg_slice packet, struct wire_control_reply *out, struct mg_error *error)
{
    *out = (struct wire_control_reply){.id = 0};
    struct wire_reader in = read_header(packet, REPLY_FLAG, &out->call, &out->id, error);
    out->status =
        (enum wire_control_status)wire_read_number(&in, "status", WIRE_CONTROL_OK, WIRE_CONTROL_NUM_STATUSES - 1);
    if (out->status == WIRE_CONTROL_OK) {
        replies[out->call].read(&in, out);
    } else {
        out->text = wire_read_text(&in, "text", 2, WIRE_CONTROL_MAX_TEXT);
    }
    return wire_reader_end(&in);
}
