/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/signer_control.h"

#include "base/utf8.h"

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

/* get_number takes a byte that must lie between |first| and |last|. */
static enum mg_status get_number(struct mg_slice *in, const char *what, unsigned first, unsigned last, unsigned *out,
                                 struct mg_error *error)
{
    uint8_t number;
    if (!mg_slice_u8(in, &number)) {
        return cut_short(error, what);
    }
    if (number < first || number > last) {
        return mg_error_set(error, MG_INVALID, "%s %u: must be %u to %u", what, number, first, last);
    }
    *out = number;
    return MG_OK;
}

/* check_text is the rule of every text on this wire: UTF-8 without control characters, and not too long. */
static enum mg_status check_text(struct mg_slice text, const char *what, size_t max_len, struct mg_error *error)
{
    if (text.len > max_len) {
        return mg_error_set(error, MG_INVALID, "%s of %zu bytes: at most %zu are allowed", what, text.len, max_len);
    }
    if (!mg_utf8_is_label(text)) {
        return mg_error_set(error, MG_INVALID, "%s: must be UTF-8 without control characters", what);
    }
    return MG_OK;
}

static enum mg_status get_key_id(struct mg_slice *in, struct wire_key_id *out, struct mg_error *error)
{
    return mg_slice_copy(in, out->bytes, sizeof(out->bytes)) ? MG_OK : cut_short(error, "the key id");
}

static void put_key_id(struct mg_buffer *out, const struct wire_key_id *key_id)
{
    mg_buffer_append(out, key_id->bytes, sizeof(key_id->bytes));
}

static enum mg_status get_chain(struct mg_slice *in, size_t min_certificates, struct wire_control_chain *out,
                                struct mg_error *error)
{
    unsigned count;
    size_t total = 0;
    enum mg_status status =
        get_number(in, "the number of certificates", (unsigned)min_certificates, WIRE_SIGNER_MAX_CHAIN, &count, error);
    if (status != MG_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (!mg_slice_prefixed_u16(in, &out->certificates[i])) {
            return cut_short(error, "a certificate");
        }
        if (out->certificates[i].len == 0) {
            return mg_error_set(error, MG_INVALID, "empty certificate in a chain");
        }
        total += out->certificates[i].len;
    }
    if (total > WIRE_CONTROL_MAX_CHAIN_BYTES) {
        return mg_error_set(error, MG_INVALID, "chain of %zu bytes: at most %d are allowed", total,
                            WIRE_CONTROL_MAX_CHAIN_BYTES);
    }
    out->num_certificates = count;
    return MG_OK;
}

static void put_chain(struct mg_buffer *out, const struct wire_control_chain *chain)
{
    mg_buffer_append_u8(out, (uint8_t)chain->num_certificates);
    for (size_t i = 0; i < chain->num_certificates; i++) {
        mg_buffer_append_prefixed_u16(out, chain->certificates[i]);
    }
}

static enum mg_status get_holder(struct mg_slice *in, struct mg_slice *out, struct mg_error *error)
{
    return mg_slice_prefixed_u8(in, out) ? check_text(*out, "holder", WIRE_CONTROL_MAX_HOLDER, error)
                                         : cut_short(error, "the holder");
}

static void put_header(struct mg_buffer *out, unsigned call, uint64_t id)
{
    mg_buffer_append_u8(out, WIRE_CONTROL_VERSION);
    mg_buffer_append_u8(out, (uint8_t)call);
    mg_buffer_append_u64(out, id);
}

/* get_header takes version, call and id off |in|; |flag| is REPLY_FLAG for replies. */
static enum mg_status get_header(struct mg_slice *in, uint8_t flag, enum wire_control_call *call, uint64_t *id,
                                 struct mg_error *error)
{
    uint8_t version, byte;
    if (in->len > WIRE_CONTROL_MAX_PACKET) {
        return mg_error_set(error, MG_INVALID, "packet of %zu bytes: at most %d are allowed", in->len,
                            WIRE_CONTROL_MAX_PACKET);
    }
    if (!mg_slice_u8(in, &version)) {
        return cut_short(error, "the version");
    }
    if (version != WIRE_CONTROL_VERSION) {
        return mg_error_set(error, MG_INVALID, "packet of version %u of the protocol: this is version %d", version,
                            WIRE_CONTROL_VERSION);
    }
    if (!mg_slice_u8(in, &byte) || !mg_slice_u64(in, id)) {
        return cut_short(error, "the header");
    }
    unsigned number = byte ^ flag;
    if (!wire_control_call_is_known(number)) {
        return mg_error_set(error, MG_INVALID, "unknown call 0x%02x", byte);
    }
    *call = (enum wire_control_call)number;
    return MG_OK;
}

/* Requests: a putter and a getter per call, for what stands behind the key id. */

static void put_nothing(struct mg_buffer *out, const struct wire_control_request *request)
{
    (void)out;
    (void)request;
}

static enum mg_status get_nothing(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    (void)in;
    (void)out;
    (void)error;
    return MG_OK;
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

/* get_token_and_label takes what a new key is known by. */
static enum mg_status get_token_and_label(struct mg_slice *in, struct wire_control_token *token, struct mg_slice *label,
                                          struct mg_error *error)
{
    static const struct wire_control_token no_token = {{0}};
    if (!mg_slice_copy(in, token->bytes, sizeof(token->bytes)) || !mg_slice_prefixed_u8(in, label)) {
        return cut_short(error, "the token or the label");
    }
    if (memcmp(token, &no_token, sizeof(no_token)) == 0) {
        return mg_error_set(error, MG_INVALID, "token: must not be zero");
    }
    return check_text(*label, "label", WIRE_CONTROL_MAX_LABEL, error);
}

static enum mg_status get_make_key(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    struct wire_control_make_key *make = &out->make_key;
    unsigned purpose, type;
    enum mg_status status = get_number(in, "purpose", WIRE_PURPOSE_MINTING, WIRE_PURPOSE_SERVER_TLS, &purpose, error);
    if (status == MG_OK) {
        status = get_number(in, "key type", WIRE_KEY_EC_P256, WIRE_KEY_EC_P521, &type, error);
    }
    if (status != MG_OK) {
        return status;
    }
    make->purpose = (enum wire_key_purpose)purpose;
    make->type = (enum wire_key_type)type;
    status = get_token_and_label(in, &make->token, &make->label, error);
    return status == MG_OK ? get_holder(in, &make->holder, error) : status;
}

static void put_import_key(struct mg_buffer *out, const struct wire_control_request *request)
{
    const struct wire_control_import_key *import = &request->import_key;
    mg_buffer_append_u8(out, (uint8_t)import->purpose);
    mg_buffer_append(out, import->token.bytes, sizeof(import->token.bytes));
    mg_buffer_append_prefixed_u8(out, import->label);
    mg_buffer_append_prefixed_u16(out, import->secret);
}

static enum mg_status get_import_key(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    struct wire_control_import_key *import = &out->import_key;
    unsigned purpose;
    enum mg_status status = get_number(in, "purpose", WIRE_PURPOSE_MINTING, WIRE_PURPOSE_SERVER_TLS, &purpose, error);
    if (status == MG_OK) {
        import->purpose = (enum wire_key_purpose)purpose;
        status = get_token_and_label(in, &import->token, &import->label, error);
    }
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_prefixed_u16(in, &import->secret)) {
        return cut_short(error, "the key");
    }
    if (import->secret.len < 1 || import->secret.len > WIRE_CONTROL_MAX_SECRET) {
        return mg_error_set(error, MG_INVALID, "key of %zu bytes: must be 1 to %d", import->secret.len,
                            WIRE_CONTROL_MAX_SECRET);
    }
    return MG_OK;
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

static enum mg_status get_make_csr(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    struct wire_control_make_csr *csr = &out->make_csr;
    unsigned digest, path_len;
    enum mg_status status = get_number(in, "digest", WIRE_CSR_SHA256, WIRE_CSR_SHA512, &digest, error);
    if (status == MG_OK) {
        status = get_number(in, "pathLen, plus 1", 0, WIRE_CONTROL_MAX_PATH_LEN - WIRE_CONTROL_NO_PATH_LEN, &path_len,
                            error);
    }
    if (status != MG_OK) {
        return status;
    }
    csr->digest = (enum wire_csr_digest)digest;
    csr->path_len = (int)path_len + WIRE_CONTROL_NO_PATH_LEN;
    for (size_t i = 0; status == MG_OK && i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        const char *name = wire_subject_attribute_name((enum wire_subject_attribute)i);
        status = mg_slice_prefixed_u16(in, &csr->subject[i])
                     ? check_text(csr->subject[i], name, WIRE_CONTROL_MAX_ATTRIBUTE, error)
                     : cut_short(error, "the subject");
    }
    return status;
}

static void put_install(struct mg_buffer *out, const struct wire_control_request *request)
{
    put_chain(out, &request->install);
}

static enum mg_status get_install(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    return get_chain(in, 1, &out->install, error);
}

static void put_attest(struct mg_buffer *out, const struct wire_control_request *request)
{
    mg_buffer_append(out, request->attest.nonce, sizeof(request->attest.nonce));
}

static enum mg_status get_attest(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    return mg_slice_copy(in, out->attest.nonce, sizeof(out->attest.nonce)) ? MG_OK : cut_short(error, "the nonce");
}

static void put_tbs(struct mg_buffer *out, const struct wire_control_request *request)
{
    mg_buffer_append_prefixed_u32(out, request->tbs);
}

static enum mg_status get_tbs(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    if (!mg_slice_prefixed_u32(in, &out->tbs)) {
        return cut_short(error, "the TBS");
    }
    if (out->tbs.len < 1 || out->tbs.len > WIRE_CONTROL_MAX_TBS) {
        return mg_error_set(error, MG_INVALID, "TBS of %zu bytes: must be 1 to %d", out->tbs.len, WIRE_CONTROL_MAX_TBS);
    }
    return MG_OK;
}

/* get_octets takes what is to be signed. */
static enum mg_status get_octets(struct mg_slice *in, size_t max_len, struct mg_slice *out, struct mg_error *error)
{
    if (!mg_slice_prefixed_u16(in, out)) {
        return cut_short(error, "what is to be signed");
    }
    if (out->len < 1 || out->len > max_len) {
        return mg_error_set(error, MG_INVALID, "what is to be signed has %zu bytes: must be 1 to %zu", out->len,
                            max_len);
    }
    return MG_OK;
}

static enum mg_status get_ska_digest(struct mg_slice *in, struct wire_control_ska_sign *out, struct mg_error *error)
{
    unsigned digest;
    enum mg_status status = get_number(in, "digest", WIRE_SKA_SHA224, WIRE_SKA_SHA512, &digest, error);
    if (status == MG_OK) {
        out->digest = (enum wire_ska_digest)digest;
    }
    return status;
}

static void put_ska_sign_tbs(struct mg_buffer *out, const struct wire_control_request *request)
{
    const struct wire_control_ska_sign *sign = &request->ska_sign;
    mg_buffer_append_u8(out, (uint8_t)sign->digest);
    mg_buffer_append_u8(out, (uint8_t)sign->structure);
    mg_buffer_append_prefixed_u16(out, sign->octets);
}

static enum mg_status get_ska_sign_tbs(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error)
{
    struct wire_control_ska_sign *sign = &out->ska_sign;
    unsigned structure;
    enum mg_status status = get_ska_digest(in, sign, error);
    if (status == MG_OK) {
        status = get_number(in, "structure", WIRE_SKA_CERTIFICATE, WIRE_SKA_CERTIFICATION_REQUEST, &structure, error);
    }
    if (status != MG_OK) {
        return status;
    }
    sign->structure = (enum wire_ska_structure)structure;
    return get_octets(in, WIRE_CONTROL_MAX_DER, &sign->octets, error);
}

static void put_ska_sign_payload(struct mg_buffer *out, const struct wire_control_request *request)
{
    mg_buffer_append_u8(out, (uint8_t)request->ska_sign.digest);
    mg_buffer_append_prefixed_u16(out, request->ska_sign.octets);
}

static enum mg_status get_ska_sign_payload(struct mg_slice *in, struct wire_control_request *out,
                                           struct mg_error *error)
{
    enum mg_status status = get_ska_digest(in, &out->ska_sign, error);
    return status == MG_OK ? get_octets(in, WIRE_CONTROL_MAX_PAYLOAD, &out->ska_sign.octets, error) : status;
}

static const struct {
    bool has_key_id;
    void (*put)(struct mg_buffer *out, const struct wire_control_request *request);
    enum mg_status (*get)(struct mg_slice *in, struct wire_control_request *out, struct mg_error *error);
} requests[WIRE_CONTROL_LAST_CALL + 1] = {
    [WIRE_CONTROL_LIST] = {true, put_nothing, get_nothing},
    [WIRE_CONTROL_MAKE_KEY] = {false, put_make_key, get_make_key},
    [WIRE_CONTROL_PUBLIC_KEY] = {true, put_nothing, get_nothing},
    [WIRE_CONTROL_MAKE_CSR] = {true, put_make_csr, get_make_csr},
    [WIRE_CONTROL_INSTALL] = {true, put_install, get_install},
    [WIRE_CONTROL_REMOVE] = {true, put_nothing, get_nothing},
    [WIRE_CONTROL_DESTROY] = {true, put_nothing, get_nothing},
    [WIRE_CONTROL_ATTEST] = {true, put_attest, get_attest},
    [WIRE_CONTROL_IMPORT_KEY] = {false, put_import_key, get_import_key},
    [WIRE_CONTROL_SIGN_CERTIFICATE] = {true, put_tbs, get_tbs},
    [WIRE_CONTROL_SIGN_CRL] = {true, put_tbs, get_tbs},
    [WIRE_CONTROL_SKA_SIGN_TBS] = {true, put_ska_sign_tbs, get_ska_sign_tbs},
    [WIRE_CONTROL_SKA_SIGN_PAYLOAD] = {true, put_ska_sign_payload, get_ska_sign_payload},
};

void wire_control_encode_request(struct mg_buffer *out, const struct wire_control_request *request)
{
    put_header(out, request->call, request->id);
    if (requests[request->call].has_key_id) {
        put_key_id(out, &request->key_id);
    }
    requests[request->call].put(out, request);
}

enum mg_status wire_control_decode_request(struct mg_slice packet, struct wire_control_request *out,
                                           struct mg_error *error)
{
    *out = (struct wire_control_request){.id = 0};
    enum mg_status status = get_header(&packet, 0, &out->call, &out->id, error);
    if (status == MG_OK && requests[out->call].has_key_id) {
        status = get_key_id(&packet, &out->key_id, error);
    }
    if (status == MG_OK) {
        status = requests[out->call].get(&packet, out, error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* Replies: likewise, for what stands behind an OK. */

static void put_no_result(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    (void)out;
    (void)reply;
}

static enum mg_status get_no_result(struct mg_slice *in, struct wire_control_reply *out, struct mg_error *error)
{
    (void)in;
    (void)out;
    (void)error;
    return MG_OK;
}

static void put_listed(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    const struct wire_control_key *key = &reply->key;
    put_key_id(out, &key->key_id);
    mg_buffer_append_u8(out, (uint8_t)key->purpose);
    mg_buffer_append_u8(out, (uint8_t)key->origin);
    mg_buffer_append_u8(out, (uint8_t)key->type);
    mg_buffer_append_u64(out, (uint64_t)key->created);
    mg_buffer_append_u8(out, key->is_installed ? 1 : 0);
    mg_buffer_append_prefixed_u8(out, key->label);
    put_chain(out, &key->chain);
    mg_buffer_append_prefixed_u8(out, key->holder);
}

/* get_kind takes what a key is: purpose, origin, type. */
static enum mg_status get_kind(struct mg_slice *in, struct wire_control_key *out, struct mg_error *error)
{
    unsigned purpose, origin, type;
    enum mg_status status = get_number(in, "purpose", WIRE_PURPOSE_MINTING, WIRE_PURPOSE_SERVER_TLS, &purpose, error);
    if (status == MG_OK) {
        status = get_number(in, "origin", WIRE_ORIGIN_CONTROL, WIRE_ORIGIN_BUILTIN_UNTRUST, &origin, error);
    }
    if (status == MG_OK) {
        status = get_number(in, "key type", WIRE_KEY_EC_P256, WIRE_KEY_EC_P521, &type, error);
    }
    if (status == MG_OK) {
        out->purpose = (enum wire_key_purpose)purpose;
        out->origin = (enum wire_key_origin)origin;
        out->type = (enum wire_key_type)type;
    }
    return status;
}

static enum mg_status get_listed(struct mg_slice *in, struct wire_control_reply *out, struct mg_error *error)
{
    struct wire_control_key *key = &out->key;
    uint64_t created;
    unsigned is_installed;
    enum mg_status status = get_key_id(in, &key->key_id, error);
    if (status == MG_OK) {
        status = get_kind(in, key, error);
    }
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_u64(in, &created)) {
        return cut_short(error, "the time of creation");
    }
    if (created > INT64_MAX) {
        return mg_error_set(error, MG_INVALID, "time of creation: beyond what a time can be");
    }
    key->created = (int64_t)created;
    status = get_number(in, "installed", 0, 1, &is_installed, error);
    if (status != MG_OK) {
        return status;
    }
    key->is_installed = is_installed == 1;
    if (!mg_slice_prefixed_u8(in, &key->label)) {
        return cut_short(error, "the label");
    }
    status = check_text(key->label, "label", WIRE_CONTROL_MAX_LABEL, error);
    if (status == MG_OK) {
        status = get_chain(in, 0, &key->chain, error);
    }
    return status == MG_OK ? get_holder(in, &key->holder, error) : status;
}

static void put_made(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    put_key_id(out, &reply->made);
}

static enum mg_status get_made(struct mg_slice *in, struct wire_control_reply *out, struct mg_error *error)
{
    return get_key_id(in, &out->made, error);
}

static void put_der(struct mg_buffer *out, const struct wire_control_reply *reply)
{
    mg_buffer_append_prefixed_u16(out, reply->der);
}

static enum mg_status get_der(struct mg_slice *in, struct wire_control_reply *out, struct mg_error *error)
{
    if (!mg_slice_prefixed_u16(in, &out->der)) {
        return cut_short(error, "the DER");
    }
    if (out->der.len < 1 || out->der.len > WIRE_CONTROL_MAX_DER) {
        return mg_error_set(error, MG_INVALID, "DER of %zu bytes: must be 1 to %d", out->der.len, WIRE_CONTROL_MAX_DER);
    }
    return MG_OK;
}

static const struct {
    void (*put)(struct mg_buffer *out, const struct wire_control_reply *reply);
    enum mg_status (*get)(struct mg_slice *in, struct wire_control_reply *out, struct mg_error *error);
} replies[WIRE_CONTROL_LAST_CALL + 1] = {
    [WIRE_CONTROL_LIST] = {put_listed, get_listed},
    [WIRE_CONTROL_MAKE_KEY] = {put_made, get_made},
    [WIRE_CONTROL_PUBLIC_KEY] = {put_der, get_der},
    [WIRE_CONTROL_MAKE_CSR] = {put_der, get_der},
    [WIRE_CONTROL_INSTALL] = {put_no_result, get_no_result},
    [WIRE_CONTROL_REMOVE] = {put_no_result, get_no_result},
    [WIRE_CONTROL_DESTROY] = {put_no_result, get_no_result},
    [WIRE_CONTROL_ATTEST] = {put_der, get_der},
    [WIRE_CONTROL_IMPORT_KEY] = {put_made, get_made},
    [WIRE_CONTROL_SIGN_CERTIFICATE] = {put_der, get_der},
    [WIRE_CONTROL_SIGN_CRL] = {put_der, get_der},
    [WIRE_CONTROL_SKA_SIGN_TBS] = {put_der, get_der},
    [WIRE_CONTROL_SKA_SIGN_PAYLOAD] = {put_der, get_der},
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

static enum mg_status get_refusal(struct mg_slice *in, struct wire_control_reply *out, struct mg_error *error)
{
    return mg_slice_prefixed_u16(in, &out->text) ? check_text(out->text, "text", WIRE_CONTROL_MAX_TEXT, error)
                                                 : cut_short(error, "the text");
}

enum mg_status wire_control_decode_reply(struct mg_slice packet, struct wire_control_reply *out, struct mg_error *error)
{
    unsigned number;
    *out = (struct wire_control_reply){.id = 0};
    enum mg_status status = get_header(&packet, REPLY_FLAG, &out->call, &out->id, error);
    if (status == MG_OK) {
        status = get_number(&packet, "status", WIRE_CONTROL_OK, WIRE_CONTROL_NUM_STATUSES - 1, &number, error);
    }
    if (status != MG_OK) {
        return status;
    }
    out->status = (enum wire_control_status)number;
    status =
        out->status == WIRE_CONTROL_OK ? replies[out->call].get(&packet, out, error) : get_refusal(&packet, out, error);
    return status == MG_OK ? end_decoding(packet, error) : status;
}
