/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/token.h"

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

enum mg_status wire_token_type_of(struct mg_slice packet, enum wire_token_type *out)
{
    uint8_t type;
    if (!mg_slice_u8(&packet, &type) || type < WIRE_TOKEN_LAUNCH || type > WIRE_TOKEN_SIGNED) {
        return MG_INVALID;
    }
    *out = (enum wire_token_type)type;
    return MG_OK;
}

/* begin begins with a packet that is to be of type |expected|. */
static struct wire_reader begin(struct mg_slice packet, enum wire_token_type expected, struct mg_error *error)
{
    struct wire_reader in = wire_reader_of(packet, WIRE_TOKEN_MAX_PACKET, error);
    wire_reader_expect(&in, expected);
    return in;
}

static void read_version(struct wire_reader *in)
{
    (void)wire_read_number(in, "version", WIRE_TOKEN_VERSION, WIRE_TOKEN_VERSION);
}

static enum wire_key_type read_key_type(struct wire_reader *in)
{
    return (enum wire_key_type)wire_read_number(in, "key type", WIRE_KEY_EC_P256, WIRE_KEY_RSA_4096);
}

static struct mg_slice read_label(struct wire_reader *in)
{
    return wire_read_text(in, "label", 1, WIRE_TOKEN_MAX_LABEL);
}

static struct mg_slice read_text(struct wire_reader *in)
{
    return wire_read_text(in, "text", 2, WIRE_TOKEN_MAX_TEXT);
}

static struct mg_slice read_spki(struct wire_reader *in)
{
    return wire_read_octets(in, "public key", 2, 1, WIRE_TOKEN_MAX_SPKI);
}

static enum wire_token_status read_status(struct wire_reader *in, uint32_t *rv)
{
    unsigned status = wire_read_number(in, "status", 0, WIRE_TOKEN_NUM_STATUSES - 1);
    *rv = wire_read_u32(in, "rv");
    return (enum wire_token_status)status;
}

static void put_key_ref(struct mg_buffer *out, const struct wire_token_key_ref *key)
{
    wire_put_key_id(out, &key->id);
    mg_buffer_append(out, key->fingerprint, sizeof(key->fingerprint));
}

/* read_key_and_hash reads what both ways to sign begin with. */
static void read_key_and_hash(struct wire_reader *in, struct wire_token_key_ref *key, enum wire_token_digest *digest)
{
    key->id = wire_read_key_id(in);
    wire_read_bytes(in, "fingerprint", key->fingerprint, sizeof(key->fingerprint));
    *digest = (enum wire_token_digest)wire_read_number(in, "hash", WIRE_TOKEN_SHA256, WIRE_TOKEN_SHA512);
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

static uint8_t read_place(struct wire_reader *in)
{
    return (uint8_t)wire_read_number(in, "place", 0, WIRE_TOKEN_MAX_PLACES - 1);
}

enum mg_status wire_token_decode_launch(struct mg_slice packet, struct wire_token_launch *out, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_TOKEN_LAUNCH, error);
    read_version(&in);
    out->place = read_place(&in);
    out->num_lanes = (uint8_t)wire_read_number(&in, "lanes", 1, WIRE_TOKEN_MAX_LANES);
    out->num_sessions = (uint8_t)wire_read_number(&in, "sessions", 0, WIRE_TOKEN_MAX_SESSIONS);
    out->module = wire_read_text(&in, "module", 2, WIRE_TOKEN_MAX_PATH);
    out->token = wire_read_text(&in, "token", 2, WIRE_TOKEN_MAX_PATH);
    if (out->module.len == 0 || out->token.len == 0) {
        wire_refuse(&in, "module, token: must not be empty");
    }
    return wire_reader_end(&in);
}

void wire_token_encode_kill(struct mg_buffer *out, uint8_t place)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_KILL);
    mg_buffer_append_u8(out, place);
}

enum mg_status wire_token_decode_kill(struct mg_slice packet, uint8_t *place, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_TOKEN_KILL, error);
    *place = read_place(&in);
    return wire_reader_end(&in);
}

void wire_token_encode_exited(struct mg_buffer *out, const struct wire_token_exited *exited)
{
    mg_buffer_append_u8(out, WIRE_TOKEN_EXITED);
    mg_buffer_append_u8(out, exited->place);
    mg_buffer_append_u32(out, exited->wait_status);
}

enum mg_status wire_token_decode_exited(struct mg_slice packet, struct wire_token_exited *out, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_TOKEN_EXITED, error);
    out->place = read_place(&in);
    out->wait_status = wire_read_u32(&in, "wait status");
    return wire_reader_end(&in);
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

static void read_identity(struct wire_reader *in, struct wire_token_identity *out)
{
    struct mg_slice *texts[NUM_IDENTITY_TEXTS];
    uint8_t *versions[NUM_IDENTITY_VERSIONS];
    identity_parts(out, texts, versions);
    for (size_t i = 0; i < NUM_IDENTITY_TEXTS; i++) {
        *texts[i] = wire_read_text(in, "identity", 1, WIRE_TOKEN_MAX_LABEL);
    }
    for (size_t i = 0; i < NUM_IDENTITY_VERSIONS; i++) {
        wire_read_bytes(in, "version", versions[i], 2);
    }
    out->is_hardware_slot = wire_read_flag(in, "hardware slot");
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

enum mg_status wire_token_decode_ready(struct mg_slice packet, struct wire_token_ready *out, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_TOKEN_READY, error);
    read_version(&in);
    out->status = read_status(&in, &out->rv);
    if (out->status == WIRE_TOKEN_OK) {
        out->num_sessions = (uint8_t)wire_read_number(&in, "sessions", 1, WIRE_TOKEN_MAX_SESSIONS);
        out->rate = wire_read_u32(&in, "rate");
        read_identity(&in, &out->identity);
    } else {
        out->text = read_text(&in);
    }
    return wire_reader_end(&in);
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
        wire_put_key_id(out, &request->make_key.id);
        mg_buffer_append_u8(out, (uint8_t)request->make_key.type);
        mg_buffer_append_prefixed_u8(out, request->make_key.label);
        break;
    case WIRE_TOKEN_PUBLIC_KEY:
    case WIRE_TOKEN_ATTRIBUTES:
    case WIRE_TOKEN_DESTROY:
        wire_put_key_id(out, &request->key_id);
        break;
    case WIRE_TOKEN_SIGN_ONE:
        put_key_ref(out, &request->sign_one.key);
        mg_buffer_append_u8(out, (uint8_t)request->sign_one.digest);
        mg_buffer_append_slice(out, request->sign_one.octets);
        break;
    }
}

/* read_call reads what stands in front of the fields of both directions. */
static enum wire_token_call read_call(struct wire_reader *in, uint64_t *id)
{
    unsigned call = wire_read_number(in, "call", WIRE_TOKEN_PING, WIRE_TOKEN_LAST_CALL);
    *id = wire_read_u64(in, "id");
    return (enum wire_token_call)call;
}

static void read_request_fields(struct wire_reader *in, struct wire_token_request *out)
{
    switch (out->call) {
    case WIRE_TOKEN_PING:
    case WIRE_TOKEN_LIST:
        break;
    case WIRE_TOKEN_MAKE_KEY:
        out->make_key.id = wire_read_key_id(in);
        out->make_key.type = read_key_type(in);
        out->make_key.label = read_label(in);
        break;
    case WIRE_TOKEN_PUBLIC_KEY:
    case WIRE_TOKEN_ATTRIBUTES:
    case WIRE_TOKEN_DESTROY:
        out->key_id = wire_read_key_id(in);
        break;
    case WIRE_TOKEN_SIGN_ONE:
        read_key_and_hash(in, &out->sign_one.key, &out->sign_one.digest);
        out->sign_one.octets = wire_read_slice(in, "digest", wire_token_digest_len(out->sign_one.digest));
        break;
    }
}

enum mg_status wire_token_decode_request(struct mg_slice packet, struct wire_token_request *out, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_TOKEN_CALL, error);
    out->call = read_call(&in, &out->id);
    read_request_fields(&in, out);
    return wire_reader_end(&in);
}

/* REPLY */

static void put_list(struct mg_buffer *out, const struct wire_token_list *list)
{
    mg_buffer_append_u16(out, (uint16_t)list->num_keys);
    for (size_t i = 0; i < list->num_keys; i++) {
        wire_put_key_id(out, &list->keys[i].id);
        mg_buffer_append_u8(out, (uint8_t)list->keys[i].type);
        mg_buffer_append_prefixed_u8(out, list->keys[i].label);
    }
}

static void read_list(struct wire_reader *in, struct wire_token_list *out)
{
    out->num_keys = wire_read_count(in, "number of keys", 0, WIRE_TOKEN_MAX_KEYS);
    for (size_t i = 0; i < out->num_keys; i++) {
        out->keys[i].id = wire_read_key_id(in);
        out->keys[i].type = read_key_type(in);
        out->keys[i].label = read_label(in);
    }
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

static void read_attributes(struct wire_reader *in, struct wire_token_attributes *out)
{
    for (size_t i = 0; i < WIRE_TOKEN_NUM_ATTRIBUTES; i++) {
        out->answers[i] = (enum wire_token_answer)wire_read_number(in, "attribute", WIRE_TOKEN_NO, WIRE_TOKEN_UNKNOWN);
    }
    out->mechanism = wire_read_u64(in, "mechanism");
    out->type = read_key_type(in);
    out->label = read_label(in);
    out->spki = read_spki(in);
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

static void read_result_of_call(struct wire_reader *in, struct wire_token_reply *out)
{
    switch (out->call) {
    case WIRE_TOKEN_PING:
        out->health.signatures = wire_read_u64(in, "signatures");
        out->health.failures = wire_read_u64(in, "failures");
        break;
    case WIRE_TOKEN_LIST:
        read_list(in, &out->list);
        break;
    case WIRE_TOKEN_MAKE_KEY:
    case WIRE_TOKEN_PUBLIC_KEY:
        out->spki = read_spki(in);
        break;
    case WIRE_TOKEN_ATTRIBUTES:
        read_attributes(in, &out->attributes);
        break;
    case WIRE_TOKEN_SIGN_ONE:
        out->signature = wire_read_octets(in, "signature", 2, 1, WIRE_TOKEN_MAX_SIGNATURE);
        break;
    case WIRE_TOKEN_DESTROY:
        break;
    }
}

enum mg_status wire_token_decode_reply(struct mg_slice packet, struct wire_token_reply *out, struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_TOKEN_REPLY, error);
    out->call = read_call(&in, &out->id);
    out->status = read_status(&in, &out->rv);
    if (out->status == WIRE_TOKEN_OK) {
        read_result_of_call(&in, out);
    } else {
        out->text = read_text(&in);
    }
    return wire_reader_end(&in);
}

/* SIGN */

static size_t read_batch_count(struct wire_reader *in)
{
    return wire_read_count(in, "number of entries", 1, WIRE_TOKEN_MAX_BATCH);
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
    struct wire_reader in = begin(packet, WIRE_TOKEN_SIGN, error);
    read_key_and_hash(&in, &out->key, &out->digest);
    out->num_jobs = read_batch_count(&in);
    for (size_t i = 0; i < out->num_jobs; i++) {
        out->jobs[i].id = wire_read_u64(&in, "id");
        out->jobs[i].octets = wire_read_slice(&in, "digest", wire_token_digest_len(out->digest));
    }
    return wire_reader_end(&in);
}

/* SIGNED */

void wire_token_begin_signed(struct mg_buffer *out)
{
    wire_batch_begin(out, WIRE_TOKEN_SIGNED);
}

bool wire_token_add_signed(struct mg_buffer *out, const struct wire_token_result *result)
{
    if (!wire_batch_make_room(out, WIRE_TOKEN_MAX_BATCH, SIGNED_FIXED_LEN + result->signature.len)) {
        return false;
    }
    mg_buffer_append_u64(out, result->id);
    mg_buffer_append_u8(out, (uint8_t)result->status);
    mg_buffer_append_u32(out, result->rv);
    mg_buffer_append_prefixed_u16(out, result->signature);
    return mg_buffer_ok(out);
}

static void read_result(struct wire_reader *in, struct wire_token_result *out)
{
    out->id = wire_read_u64(in, "id");
    out->status = read_status(in, &out->rv);
    out->signature = wire_read_octets(in, "signature", 2, 0, WIRE_TOKEN_MAX_SIGNATURE);
    if ((out->status == WIRE_TOKEN_OK) != (out->signature.len > 0)) {
        wire_refuse(in, "a signature must come with status ok and with no other");
    }
}

enum mg_status wire_token_decode_signed(struct mg_slice packet, struct wire_token_result *out, size_t *num_out,
                                        struct mg_error *error)
{
    struct wire_reader in = begin(packet, WIRE_TOKEN_SIGNED, error);
    *num_out = read_batch_count(&in);
    for (size_t i = 0; i < *num_out; i++) {
        read_result(&in, &out[i]);
    }
    return wire_reader_end(&in);
}
