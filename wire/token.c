/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/token.h"

#include "base/utf8.h"

/*
 * Each message is its type u8 and then:
 *
 *   LAUNCH   version u8, place u8, lanes u8, sessions u8, module behind a u16, token behind a u16
 *   KILL     place u8
 *   EXITED   place u8, wait status u32
 *   READY    version u8, status u8, rv u32; unless OK text behind a u16, else
 *            sessions u8, rate u32, six texts behind a u8 each, three versions of two u8, hardware slot u8
 *   CALL     call u8, id u64
 *     PUBLIC_KEY, ATTRIBUTES, DESTROY   key id 16
 *     MAKE_KEY                          key id 16, key type u8, label behind a u8
 *     SIGN_ONE                          key id 16, fingerprint 32, hash u8, digest
 *   REPLY    call u8, id u64, status u8, rv u32
 *     any status but OK                 text behind a u16
 *     PING                              signatures u64, failures u64
 *     LIST                              count u16, each: key id 16, key type u8, label behind a u8
 *     MAKE_KEY, PUBLIC_KEY              SubjectPublicKeyInfo behind a u16
 *     ATTRIBUTES                        twelve answers u8, mechanism u64, key type u8, label behind a u8, and the
 *                                       SubjectPublicKeyInfo behind a u16
 *     SIGN_ONE                          signature behind a u16
 *   SIGN     key id 16, fingerprint 32, hash u8, count u16, each: id u64, digest
 *   SIGNED   count u16, each: id u64, status u8, rv u32, signature behind a u16
 */
#define SIGNED_FIXED_LEN (8 + 1 + 4 + 2)
#define LISTED_MAX_LEN (16 + 1 + 1 + WIRE_TOKEN_MAX_LABEL)

_Static_assert(64 + WIRE_TOKEN_MAX_KEYS * LISTED_MAX_LEN <= WIRE_TOKEN_MAX_PACKET, "the longest list fits a packet");
_Static_assert(64 + WIRE_TOKEN_MAX_BATCH * (8 + WIRE_TOKEN_MAX_DIGEST) <= WIRE_TOKEN_MAX_PACKET,
               "the largest batch of digests fits a packet");
_Static_assert(64 + WIRE_TOKEN_MAX_BATCH * (SIGNED_FIXED_LEN + WIRE_TOKEN_MAX_SIGNATURE) <= WIRE_TOKEN_MAX_PACKET,
               "the largest batch of signatures fits a packet");

const char *wire_token_status_name(enum wire_token_status status)
{
    static const char *const names[WIRE_TOKEN_NUM_STATUSES] = {
        [WIRE_TOKEN_OK] = "ok",
        [WIRE_TOKEN_INVALID] = "invalid",
        [WIRE_TOKEN_NOT_FOUND] = "not_found",
        [WIRE_TOKEN_EXISTS] = "exists",
        [WIRE_TOKEN_REFUSED] = "refused",
        [WIRE_TOKEN_FAILED] = "failed",
        [WIRE_TOKEN_NO_MODULE] = "no_module",
        [WIRE_TOKEN_NO_TOKEN] = "no_token",
        [WIRE_TOKEN_PIN_WRONG] = "pin_wrong",
        [WIRE_TOKEN_PIN_LAST_TRY] = "pin_last_try",
        [WIRE_TOKEN_PIN_LOCKED] = "pin_locked",
    };
    return (unsigned)status < WIRE_TOKEN_NUM_STATUSES ? names[status] : "unknown";
}

enum mg_status wire_token_status_class(enum wire_token_status status)
{
    switch (status) {
    case WIRE_TOKEN_OK:
        return MG_OK;
    case WIRE_TOKEN_INVALID:
        return MG_INVALID;
    case WIRE_TOKEN_NOT_FOUND:
        return MG_NOT_FOUND;
    case WIRE_TOKEN_EXISTS:
        return MG_EXISTS;
    case WIRE_TOKEN_REFUSED:
        return MG_DENIED;
    default:
        return MG_IO;
    }
}

const char *wire_token_call_name(enum wire_token_call call)
{
    static const char *const names[WIRE_TOKEN_LAST_CALL + 1] = {
        [WIRE_TOKEN_PING] = "ping",
        [WIRE_TOKEN_LIST] = "list",
        [WIRE_TOKEN_MAKE_KEY] = "make_key",
        [WIRE_TOKEN_PUBLIC_KEY] = "public_key",
        [WIRE_TOKEN_ATTRIBUTES] = "attributes",
        [WIRE_TOKEN_SIGN_ONE] = "sign_one",
        [WIRE_TOKEN_DESTROY] = "destroy",
    };
    return call >= WIRE_TOKEN_PING && call <= WIRE_TOKEN_LAST_CALL ? names[call] : "unknown";
}

const char *wire_token_attribute_name(enum wire_token_attribute attribute)
{
    static const char *const names[WIRE_TOKEN_NUM_ATTRIBUTES] = {
        [WIRE_TOKEN_IS_LOCAL] = "local",
        [WIRE_TOKEN_IS_SENSITIVE] = "sensitive",
        [WIRE_TOKEN_WAS_ALWAYS_SENSITIVE] = "always_sensitive",
        [WIRE_TOKEN_IS_EXTRACTABLE] = "extractable",
        [WIRE_TOKEN_WAS_NEVER_EXTRACTABLE] = "never_extractable",
        [WIRE_TOKEN_IS_MODIFIABLE] = "modifiable",
        [WIRE_TOKEN_IS_PRIVATE] = "private",
        [WIRE_TOKEN_MAY_SIGN] = "sign",
        [WIRE_TOKEN_MAY_DECRYPT] = "decrypt",
        [WIRE_TOKEN_MAY_UNWRAP] = "unwrap",
        [WIRE_TOKEN_MAY_DERIVE] = "derive",
        [WIRE_TOKEN_IS_READABLE] = "readable",
    };
    return (unsigned)attribute < WIRE_TOKEN_NUM_ATTRIBUTES ? names[attribute] : "unknown";
}

size_t wire_token_digest_len(enum wire_token_digest digest)
{
    switch (digest) {
    case WIRE_TOKEN_SHA256:
        return 32;
    case WIRE_TOKEN_SHA384:
        return 48;
    case WIRE_TOKEN_SHA512:
        return 64;
    }
    return 0;
}

/* Parts of several messages */

static enum mg_status cut_short(struct mg_error *error, const char *what)
{
    return mg_error_set(error, MG_INVALID, "packet ends inside %s", what);
}

static enum mg_status end_decoding(struct mg_slice rest, struct mg_error *error)
{
    return rest.len == 0 ? MG_OK : mg_error_set(error, MG_INVALID, "packet has %zu bytes left over", rest.len);
}

enum mg_status wire_token_type_of(struct mg_slice packet, enum wire_token_type *out)
{
    uint8_t type;
    if (!mg_slice_u8(&packet, &type) || type < WIRE_TOKEN_LAUNCH || type > WIRE_TOKEN_SIGNED) {
        return MG_INVALID;
    }
    *out = (enum wire_token_type)type;
    return MG_OK;
}

static enum mg_status begin_decoding(struct mg_slice *packet, enum wire_token_type expected, struct mg_error *error)
{
    uint8_t type;
    if (!mg_slice_u8(packet, &type) || type != expected) {
        return mg_error_set(error, MG_INVALID, "not a packet of type %d", (int)expected);
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

static enum mg_status get_version(struct mg_slice *in, struct mg_error *error)
{
    unsigned version;
    return get_number(in, "version", WIRE_TOKEN_VERSION, WIRE_TOKEN_VERSION, &version, error);
}

/* get_text takes text behind a length of |prefix| bytes. */
static enum mg_status get_text(struct mg_slice *in, size_t prefix, size_t max, const char *what, struct mg_slice *out,
                               struct mg_error *error)
{
    if (!(prefix == 1 ? mg_slice_prefixed_u8(in, out) : mg_slice_prefixed_u16(in, out))) {
        return cut_short(error, what);
    }
    if (out->len > max || !mg_utf8_is_label(*out)) {
        return mg_error_set(error, MG_INVALID, "%s: must be UTF-8 without control characters, at most %zu bytes", what,
                            max);
    }
    return MG_OK;
}

/* get_octets takes 1 to |max| bytes behind a u16. */
static enum mg_status get_octets(struct mg_slice *in, size_t max, const char *what, struct mg_slice *out,
                                 struct mg_error *error)
{
    if (!mg_slice_prefixed_u16(in, out)) {
        return cut_short(error, what);
    }
    if (out->len < 1 || out->len > max) {
        return mg_error_set(error, MG_INVALID, "%s of %zu bytes: must be 1 to %zu", what, out->len, max);
    }
    return MG_OK;
}

static enum mg_status get_key_id(struct mg_slice *in, struct wire_key_id *out, struct mg_error *error)
{
    return mg_slice_copy(in, out->bytes, sizeof(out->bytes)) ? MG_OK : cut_short(error, "a key id");
}

static enum mg_status get_key_type(struct mg_slice *in, enum wire_key_type *out, struct mg_error *error)
{
    unsigned number;
    enum mg_status status = get_number(in, "key type", WIRE_KEY_EC_P256, WIRE_KEY_RSA_4096, &number, error);
    if (status == MG_OK) {
        *out = (enum wire_key_type)number;
    }
    return status;
}

static enum mg_status get_status(struct mg_slice *in, enum wire_token_status *out, uint32_t *rv, struct mg_error *error)
{
    unsigned number;
    enum mg_status status = get_number(in, "status", 0, WIRE_TOKEN_NUM_STATUSES - 1, &number, error);
    if (status != MG_OK) {
        return status;
    }
    *out = (enum wire_token_status)number;
    return mg_slice_u32(in, rv) ? MG_OK : cut_short(error, "an rv");
}

static void put_key_ref(struct mg_buffer *out, const struct wire_token_key_ref *key)
{
    mg_buffer_append(out, key->id.bytes, sizeof(key->id.bytes));
    mg_buffer_append(out, key->fingerprint, sizeof(key->fingerprint));
}

/* get_key_and_hash takes what both ways to sign begin with. */
static enum mg_status get_key_and_hash(struct mg_slice *in, struct wire_token_key_ref *key,
                                       enum wire_token_digest *digest, struct mg_error *error)
{
    unsigned number;
    enum mg_status status = get_key_id(in, &key->id, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_copy(in, key->fingerprint, sizeof(key->fingerprint))) {
        return cut_short(error, "a fingerprint");
    }
    status = get_number(in, "hash", WIRE_TOKEN_SHA256, WIRE_TOKEN_SHA512, &number, error);
    if (status == MG_OK) {
        *digest = (enum wire_token_digest)number;
    }
    return status;
}

/* The launcher */

void wire_token_encode_launch(struct mg_buffer *out, const struct wire_token_launch *launch)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_LAUNCH);
    mg_buffer_append_u8(out, WIRE_TOKEN_VERSION);
    mg_buffer_append_u8(out, launch->place);
    mg_buffer_append_u8(out, launch->num_lanes);
    mg_buffer_append_u8(out, launch->num_sessions);
    mg_buffer_append_prefixed_u16(out, launch->module);
    mg_buffer_append_prefixed_u16(out, launch->token);
}

static enum mg_status get_place(struct mg_slice *in, uint8_t *out, struct mg_error *error)
{
    unsigned number;
    enum mg_status status = get_number(in, "place", 0, WIRE_TOKEN_MAX_PLACES - 1, &number, error);
    if (status == MG_OK) {
        *out = (uint8_t)number;
    }
    return status;
}

static enum mg_status get_launch_numbers(struct mg_slice *in, struct wire_token_launch *out, struct mg_error *error)
{
    unsigned lanes = 0, sessions = 0;
    enum mg_status status = get_place(in, &out->place, error);
    if (status == MG_OK) {
        status = get_number(in, "lanes", 1, WIRE_TOKEN_MAX_LANES, &lanes, error);
    }
    if (status == MG_OK) {
        status = get_number(in, "sessions", 0, WIRE_TOKEN_MAX_SESSIONS, &sessions, error);
    }
    out->num_lanes = (uint8_t)lanes;
    out->num_sessions = (uint8_t)sessions;
    return status;
}

enum mg_status wire_token_decode_launch(struct mg_slice packet, struct wire_token_launch *out, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_LAUNCH, error);
    if (status == MG_OK) {
        status = get_version(&packet, error);
    }
    if (status == MG_OK) {
        status = get_launch_numbers(&packet, out, error);
    }
    if (status == MG_OK) {
        status = get_text(&packet, 2, WIRE_TOKEN_MAX_PATH, "module", &out->module, error);
    }
    if (status == MG_OK) {
        status = get_text(&packet, 2, WIRE_TOKEN_MAX_PATH, "token", &out->token, error);
    }
    if (status == MG_OK && (out->module.len == 0 || out->token.len == 0)) {
        status = mg_error_set(error, MG_INVALID, "module, token: must not be empty");
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

void wire_token_encode_kill(struct mg_buffer *out, uint8_t place)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_KILL);
    mg_buffer_append_u8(out, place);
}

enum mg_status wire_token_decode_kill(struct mg_slice packet, uint8_t *place, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_KILL, error);
    if (status == MG_OK) {
        status = get_place(&packet, place, error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

void wire_token_encode_exited(struct mg_buffer *out, const struct wire_token_exited *exited)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_EXITED);
    mg_buffer_append_u8(out, exited->place);
    mg_buffer_append_u32(out, exited->wait_status);
}

enum mg_status wire_token_decode_exited(struct mg_slice packet, struct wire_token_exited *out, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_EXITED, error);
    if (status == MG_OK) {
        status = get_place(&packet, &out->place, error);
    }
    if (status == MG_OK && !mg_slice_u32(&packet, &out->wait_status)) {
        status = cut_short(error, "a wait status");
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* READY */

#define NUM_IDENTITY_TEXTS 6
#define NUM_IDENTITY_VERSIONS 3

/* identity_parts lists the texts and versions of |identity| in the order in which they stand in a packet. */
static void identity_parts(struct wire_token_identity *identity, struct mg_slice *texts[NUM_IDENTITY_TEXTS],
                           uint8_t *versions[NUM_IDENTITY_VERSIONS])
{
    texts[0] = &identity->module;
    texts[1] = &identity->module_maker;
    texts[2] = &identity->label;
    texts[3] = &identity->maker;
    texts[4] = &identity->model;
    texts[5] = &identity->serial;
    versions[0] = identity->module_version;
    versions[1] = identity->hardware_version;
    versions[2] = identity->firmware_version;
}

static void put_identity(struct mg_buffer *out, const struct wire_token_identity *identity)
{
    struct wire_token_identity copy = *identity;
    struct mg_slice *texts[NUM_IDENTITY_TEXTS];
    uint8_t *versions[NUM_IDENTITY_VERSIONS];
    identity_parts(&copy, texts, versions);
    for (size_t i = 0; i < NUM_IDENTITY_TEXTS; i++) {
        mg_buffer_append_prefixed_u8(out, *texts[i]);
    }
    for (size_t i = 0; i < NUM_IDENTITY_VERSIONS; i++) {
        mg_buffer_append(out, versions[i], 2);
    }
    mg_buffer_append_u8(out, identity->is_hardware_slot ? 1 : 0);
}

static enum mg_status get_identity(struct mg_slice *in, struct wire_token_identity *out, struct mg_error *error)
{
    struct mg_slice *texts[NUM_IDENTITY_TEXTS];
    uint8_t *versions[NUM_IDENTITY_VERSIONS];
    unsigned is_hardware_slot = 0;
    enum mg_status status = MG_OK;
    identity_parts(out, texts, versions);
    for (size_t i = 0; status == MG_OK && i < NUM_IDENTITY_TEXTS; i++) {
        status = get_text(in, 1, WIRE_TOKEN_MAX_LABEL, "identity", texts[i], error);
    }
    for (size_t i = 0; status == MG_OK && i < NUM_IDENTITY_VERSIONS; i++) {
        if (!mg_slice_copy(in, versions[i], 2)) {
            status = cut_short(error, "a version");
        }
    }
    if (status == MG_OK) {
        status = get_number(in, "hardware slot", 0, 1, &is_hardware_slot, error);
    }
    out->is_hardware_slot = is_hardware_slot == 1;
    return status;
}

void wire_token_encode_ready(struct mg_buffer *out, const struct wire_token_ready *ready)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_READY);
    mg_buffer_append_u8(out, WIRE_TOKEN_VERSION);
    mg_buffer_append_u8(out, (uint8_t)ready->status);
    mg_buffer_append_u32(out, ready->rv);
    if (ready->status != WIRE_TOKEN_OK) {
        mg_buffer_append_prefixed_u16(out, ready->text);
        return;
    }
    mg_buffer_append_u8(out, ready->num_sessions);
    mg_buffer_append_u32(out, ready->rate);
    put_identity(out, &ready->identity);
}

static enum mg_status get_ready_token(struct mg_slice *in, struct wire_token_ready *out, struct mg_error *error)
{
    unsigned sessions;
    enum mg_status status = get_number(in, "sessions", 1, WIRE_TOKEN_MAX_SESSIONS, &sessions, error);
    if (status != MG_OK) {
        return status;
    }
    out->num_sessions = (uint8_t)sessions;
    return mg_slice_u32(in, &out->rate) ? get_identity(in, &out->identity, error) : cut_short(error, "a rate");
}

enum mg_status wire_token_decode_ready(struct mg_slice packet, struct wire_token_ready *out, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_READY, error);
    if (status == MG_OK) {
        status = get_version(&packet, error);
    }
    if (status == MG_OK) {
        status = get_status(&packet, &out->status, &out->rv, error);
    }
    if (status == MG_OK) {
        status = out->status == WIRE_TOKEN_OK ? get_ready_token(&packet, out, error)
                                              : get_text(&packet, 2, WIRE_TOKEN_MAX_TEXT, "text", &out->text, error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* CALL */

void wire_token_encode_request(struct mg_buffer *out, const struct wire_token_request *request)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_CALL);
    mg_buffer_append_u8(out, (uint8_t)request->call);
    mg_buffer_append_u64(out, request->id);
    switch (request->call) {
    case WIRE_TOKEN_PING:
    case WIRE_TOKEN_LIST:
        break;
    case WIRE_TOKEN_MAKE_KEY:
        mg_buffer_append(out, request->make_key.id.bytes, sizeof(request->make_key.id.bytes));
        mg_buffer_append_u8(out, (uint8_t)request->make_key.type);
        mg_buffer_append_prefixed_u8(out, request->make_key.label);
        break;
    case WIRE_TOKEN_PUBLIC_KEY:
    case WIRE_TOKEN_ATTRIBUTES:
    case WIRE_TOKEN_DESTROY:
        mg_buffer_append(out, request->key_id.bytes, sizeof(request->key_id.bytes));
        break;
    case WIRE_TOKEN_SIGN_ONE:
        put_key_ref(out, &request->sign_one.key);
        mg_buffer_append_u8(out, (uint8_t)request->sign_one.digest);
        mg_buffer_append_slice(out, request->sign_one.octets);
        break;
    }
}

static enum mg_status get_make_key(struct mg_slice *in, struct wire_token_request *out, struct mg_error *error)
{
    enum mg_status status = get_key_id(in, &out->make_key.id, error);
    if (status == MG_OK) {
        status = get_key_type(in, &out->make_key.type, error);
    }
    return status == MG_OK ? get_text(in, 1, WIRE_TOKEN_MAX_LABEL, "label", &out->make_key.label, error) : status;
}

static enum mg_status get_sign_one(struct mg_slice *in, struct wire_token_sign_one *out, struct mg_error *error)
{
    enum mg_status status = get_key_and_hash(in, &out->key, &out->digest, error);
    if (status == MG_OK && !mg_slice_take(in, &out->octets, wire_token_digest_len(out->digest))) {
        status = cut_short(error, "a digest");
    }
    return status;
}

static enum mg_status get_request_fields(struct mg_slice *in, struct wire_token_request *out, struct mg_error *error)
{
    switch (out->call) {
    case WIRE_TOKEN_PING:
    case WIRE_TOKEN_LIST:
        return MG_OK;
    case WIRE_TOKEN_MAKE_KEY:
        return get_make_key(in, out, error);
    case WIRE_TOKEN_PUBLIC_KEY:
    case WIRE_TOKEN_ATTRIBUTES:
    case WIRE_TOKEN_DESTROY:
        return get_key_id(in, &out->key_id, error);
    case WIRE_TOKEN_SIGN_ONE:
        return get_sign_one(in, &out->sign_one, error);
    }
    return mg_error_set(error, MG_INVALID, "call");
}

/* get_call takes what stands in front of the fields of both directions. */
static enum mg_status get_call(struct mg_slice *in, enum wire_token_call *call, uint64_t *id, struct mg_error *error)
{
    unsigned number;
    enum mg_status status = get_number(in, "call", WIRE_TOKEN_PING, WIRE_TOKEN_LAST_CALL, &number, error);
    if (status != MG_OK) {
        return status;
    }
    *call = (enum wire_token_call)number;
    return mg_slice_u64(in, id) ? MG_OK : cut_short(error, "an id");
}

enum mg_status wire_token_decode_request(struct mg_slice packet, struct wire_token_request *out, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_CALL, error);
    if (status == MG_OK) {
        status = get_call(&packet, &out->call, &out->id, error);
    }
    if (status == MG_OK) {
        status = get_request_fields(&packet, out, error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* REPLY */

static void put_list(struct mg_buffer *out, const struct wire_token_list *list)
{
    mg_buffer_append_u16(out, (uint16_t)list->num_keys);
    for (size_t i = 0; i < list->num_keys; i++) {
        mg_buffer_append(out, list->keys[i].id.bytes, sizeof(list->keys[i].id.bytes));
        mg_buffer_append_u8(out, (uint8_t)list->keys[i].type);
        mg_buffer_append_prefixed_u8(out, list->keys[i].label);
    }
}

static enum mg_status get_listed(struct mg_slice *in, struct wire_token_listed *out, struct mg_error *error)
{
    enum mg_status status = get_key_id(in, &out->id, error);
    if (status == MG_OK) {
        status = get_key_type(in, &out->type, error);
    }
    return status == MG_OK ? get_text(in, 1, WIRE_TOKEN_MAX_LABEL, "label", &out->label, error) : status;
}

static enum mg_status get_list(struct mg_slice *in, struct wire_token_list *out, struct mg_error *error)
{
    uint16_t count;
    if (!mg_slice_u16(in, &count)) {
        return cut_short(error, "the count");
    }
    if (count > WIRE_TOKEN_MAX_KEYS) {
        return mg_error_set(error, MG_INVALID, "list of %u keys: at most %d are allowed", count, WIRE_TOKEN_MAX_KEYS);
    }
    out->num_keys = count;
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < count; i++) {
        status = get_listed(in, &out->keys[i], error);
    }
    return status;
}

static void put_attributes(struct mg_buffer *out, const struct wire_token_attributes *attributes)
{
    for (size_t i = 0; i < WIRE_TOKEN_NUM_ATTRIBUTES; i++) {
        mg_buffer_append_u8(out, (uint8_t)attributes->answers[i]);
    }
    mg_buffer_append_u64(out, attributes->mechanism);
    mg_buffer_append_u8(out, (uint8_t)attributes->type);
    mg_buffer_append_prefixed_u8(out, attributes->label);
    mg_buffer_append_prefixed_u16(out, attributes->spki);
}

static enum mg_status get_attributes(struct mg_slice *in, struct wire_token_attributes *out, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < WIRE_TOKEN_NUM_ATTRIBUTES; i++) {
        unsigned answer = 0;
        status = get_number(in, "attribute", WIRE_TOKEN_NO, WIRE_TOKEN_UNKNOWN, &answer, error);
        out->answers[i] = (enum wire_token_answer)answer;
    }
    if (status == MG_OK && !mg_slice_u64(in, &out->mechanism)) {
        status = cut_short(error, "a mechanism");
    }
    if (status == MG_OK) {
        status = get_key_type(in, &out->type, error);
    }
    if (status == MG_OK) {
        status = get_text(in, 1, WIRE_TOKEN_MAX_LABEL, "label", &out->label, error);
    }
    return status == MG_OK ? get_octets(in, WIRE_TOKEN_MAX_SPKI, "public key", &out->spki, error) : status;
}

void wire_token_encode_reply(struct mg_buffer *out, const struct wire_token_reply *reply)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_REPLY);
    mg_buffer_append_u8(out, (uint8_t)reply->call);
    mg_buffer_append_u64(out, reply->id);
    mg_buffer_append_u8(out, (uint8_t)reply->status);
    mg_buffer_append_u32(out, reply->rv);
    if (reply->status != WIRE_TOKEN_OK) {
        mg_buffer_append_prefixed_u16(out, reply->text);
        return;
    }
    switch (reply->call) {
    case WIRE_TOKEN_PING:
        mg_buffer_append_u64(out, reply->health.signatures);
        mg_buffer_append_u64(out, reply->health.failures);
        break;
    case WIRE_TOKEN_LIST:
        put_list(out, &reply->list);
        break;
    case WIRE_TOKEN_MAKE_KEY:
    case WIRE_TOKEN_PUBLIC_KEY:
        mg_buffer_append_prefixed_u16(out, reply->spki);
        break;
    case WIRE_TOKEN_ATTRIBUTES:
        put_attributes(out, &reply->attributes);
        break;
    case WIRE_TOKEN_SIGN_ONE:
        mg_buffer_append_prefixed_u16(out, reply->signature);
        break;
    case WIRE_TOKEN_DESTROY:
        break;
    }
}

static enum mg_status get_reply_fields(struct mg_slice *in, struct wire_token_reply *out, struct mg_error *error)
{
    if (out->status != WIRE_TOKEN_OK) {
        return get_text(in, 2, WIRE_TOKEN_MAX_TEXT, "text", &out->text, error);
    }
    switch (out->call) {
    case WIRE_TOKEN_PING:
        return mg_slice_u64(in, &out->health.signatures) && mg_slice_u64(in, &out->health.failures)
                   ? MG_OK
                   : cut_short(error, "counters");
    case WIRE_TOKEN_LIST:
        return get_list(in, &out->list, error);
    case WIRE_TOKEN_MAKE_KEY:
    case WIRE_TOKEN_PUBLIC_KEY:
        return get_octets(in, WIRE_TOKEN_MAX_SPKI, "public key", &out->spki, error);
    case WIRE_TOKEN_ATTRIBUTES:
        return get_attributes(in, &out->attributes, error);
    case WIRE_TOKEN_SIGN_ONE:
        return get_octets(in, WIRE_TOKEN_MAX_SIGNATURE, "signature", &out->signature, error);
    case WIRE_TOKEN_DESTROY:
        return MG_OK;
    }
    return mg_error_set(error, MG_INVALID, "call");
}

enum mg_status wire_token_decode_reply(struct mg_slice packet, struct wire_token_reply *out, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_REPLY, error);
    if (status == MG_OK) {
        status = get_call(&packet, &out->call, &out->id, error);
    }
    if (status == MG_OK) {
        status = get_status(&packet, &out->status, &out->rv, error);
    }
    if (status == MG_OK) {
        status = get_reply_fields(&packet, out, error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* SIGN */

static enum mg_status get_count(struct mg_slice *in, size_t *out, struct mg_error *error)
{
    uint16_t count;
    if (!mg_slice_u16(in, &count)) {
        return cut_short(error, "the count");
    }
    if (count < 1 || count > WIRE_TOKEN_MAX_BATCH) {
        return mg_error_set(error, MG_INVALID, "batch of %u entries: must be 1 to %d", count, WIRE_TOKEN_MAX_BATCH);
    }
    *out = count;
    return MG_OK;
}

void wire_token_encode_sign(struct mg_buffer *out, const struct wire_token_sign *sign)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_SIGN);
    put_key_ref(out, &sign->key);
    mg_buffer_append_u8(out, (uint8_t)sign->digest);
    mg_buffer_append_u16(out, (uint16_t)sign->num_jobs);
    for (size_t i = 0; i < sign->num_jobs; i++) {
        mg_buffer_append_u64(out, sign->jobs[i].id);
        mg_buffer_append_slice(out, sign->jobs[i].octets);
    }
}

enum mg_status wire_token_decode_sign(struct mg_slice packet, struct wire_token_sign *out, struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_SIGN, error);
    if (status == MG_OK) {
        status = get_key_and_hash(&packet, &out->key, &out->digest, error);
    }
    if (status == MG_OK) {
        status = get_count(&packet, &out->num_jobs, error);
    }
    for (size_t i = 0; status == MG_OK && i < out->num_jobs; i++) {
        if (!mg_slice_u64(&packet, &out->jobs[i].id) ||
            !mg_slice_take(&packet, &out->jobs[i].octets, wire_token_digest_len(out->digest))) {
            status = cut_short(error, "a job");
        }
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}

/* SIGNED: the count stands behind the type, is zero when the batch begins, and grows with each result. */

void wire_token_begin_signed(struct mg_buffer *out)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_SIGNED);
    mg_buffer_append_u16(out, 0);
}

bool wire_token_add_signed(struct mg_buffer *out, const struct wire_token_result *result)
{
    size_t count = mg_buffer_ok(out) ? (size_t)out->data[1] << 8 | out->data[2] : WIRE_TOKEN_MAX_BATCH;
    size_t len = SIGNED_FIXED_LEN + result->signature.len;
    if (count >= WIRE_TOKEN_MAX_BATCH || len > out->limit - out->len) {
        return false;
    }
    count++;
    out->data[1] = (uint8_t)(count >> 8);
    out->data[2] = (uint8_t)count;
    mg_buffer_append_u64(out, result->id);
    mg_buffer_append_u8(out, (uint8_t)result->status);
    mg_buffer_append_u32(out, result->rv);
    mg_buffer_append_prefixed_u16(out, result->signature);
    return mg_buffer_ok(out);
}

static enum mg_status get_result(struct mg_slice *in, struct wire_token_result *out, struct mg_error *error)
{
    if (!mg_slice_u64(in, &out->id)) {
        return cut_short(error, "a result");
    }
    enum mg_status status = get_status(in, &out->status, &out->rv, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_prefixed_u16(in, &out->signature)) {
        return cut_short(error, "a result");
    }
    if (out->signature.len > WIRE_TOKEN_MAX_SIGNATURE || (out->status == WIRE_TOKEN_OK) != (out->signature.len > 0)) {
        return mg_error_set(error, MG_INVALID, "a signature of at most %d bytes must come with status ok and no other",
                            WIRE_TOKEN_MAX_SIGNATURE);
    }
    return MG_OK;
}

enum mg_status wire_token_decode_signed(struct mg_slice packet, struct wire_token_result *out, size_t *num_out,
                                        struct mg_error *error)
{
    enum mg_status status = begin_decoding(&packet, WIRE_TOKEN_SIGNED, error);
    if (status == MG_OK) {
        status = get_count(&packet, num_out, error);
    }
    for (size_t i = 0; status == MG_OK && i < *num_out; i++) {
        status = get_result(&packet, &out[i], error);
    }
    return status == MG_OK ? end_decoding(packet, error) : status;
}
