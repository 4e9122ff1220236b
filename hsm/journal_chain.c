/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/journal_chain.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "base/clock.h"
#include "hsm/leaf_names.h"

#define VERSION 1

void journal_hex(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

/* Hashes */

static bool hash(EVP_MD_CTX *sha256, struct mg_slice bytes, uint8_t out[JOURNAL_HASH_LEN])
{
    return EVP_DigestInit_ex2(sha256, NULL, NULL) == 1 && EVP_DigestUpdate(sha256, bytes.data, bytes.len) == 1 &&
           EVP_DigestFinal_ex(sha256, out, NULL) == 1;
}

/* advance makes the next chain value. */
static bool advance(EVP_MD_CTX *sha256, struct journal_position *position, uint64_t batch, uint64_t num_records,
                    const uint8_t records_hash[JOURNAL_HASH_LEN])
{
    uint8_t storage[2 * JOURNAL_HASH_LEN + 16];
    struct mg_buffer input;
    mg_buffer_wrap(&input, storage, sizeof(storage));
    mg_buffer_append(&input, position->chain, JOURNAL_HASH_LEN);
    mg_buffer_append_u64(&input, batch);
    mg_buffer_append_u64(&input, num_records);
    mg_buffer_append(&input, records_hash, JOURNAL_HASH_LEN);
    position->batch = batch;
    return mg_buffer_ok(&input) && hash(sha256, mg_buffer_slice(&input), position->chain);
}

static bool advance_over_header(EVP_MD_CTX *sha256, struct journal_position *position, struct mg_slice header)
{
    uint8_t header_hash[JOURNAL_HASH_LEN];
    return hash(sha256, header, header_hash) && advance(sha256, position, position->batch, 0, header_hash);
}

/* Writing */

static void append_hex(struct mg_buffer *out, struct mg_slice bytes)
{
    char text[2 * JOURNAL_HASH_LEN + 1];
    struct mg_slice part;
    while (bytes.len > 0) {
        size_t len = bytes.len < JOURNAL_HASH_LEN ? bytes.len : JOURNAL_HASH_LEN;
        if (!mg_slice_take(&bytes, &part, len)) {
            return;
        }
        journal_hex(text, part.data, part.len);
        mg_buffer_append(out, text, 2 * part.len);
    }
}

static void append_chain(struct mg_buffer *out, const struct journal_position *position)
{
    mg_buffer_append_text(out, ",\"chain\":\"");
    append_hex(out, mg_slice_of(position->chain, JOURNAL_HASH_LEN));
    mg_buffer_append_text(out, "\"}\n");
}

bool journal_chain_header(struct mg_buffer *out, EVP_MD_CTX *sha256, uint64_t file, int64_t now_us,
                          struct journal_position *position)
{
    char time_text[MG_CLOCK_TEXT_LEN];
    mg_clock_format_us(time_text, now_us);
    mg_buffer_clear(out);
    mg_buffer_append_format(out, "{\"journal\":\"mintgate-issuance\",\"version\":%d,\"file\":%" PRIu64, VERSION, file);
    mg_buffer_append_format(out, ",\"batch\":%" PRIu64 ",\"created\":\"%s\",\"previous\":\"", position->batch,
                            time_text);
    append_hex(out, mg_slice_of(position->chain, JOURNAL_HASH_LEN));
    mg_buffer_append_text(out, "\"");
    if (!mg_buffer_ok(out) || !advance_over_header(sha256, position, mg_buffer_slice(out))) {
        return false;
    }
    append_chain(out, position);
    return mg_buffer_ok(out);
}

static bool is_plain(uint8_t octet)
{
    return octet >= 0x20 && octet < 0x7f && octet != '"' && octet != '\\';
}

static size_t count_plain(struct mg_slice text)
{
    size_t count = 0;
    while (count < text.len && is_plain(text.data[count])) {
        count++;
    }
    return count;
}

/* append_escaped appends the content of a JSON string (RFC 8259 section 7). */
static void append_escaped(struct mg_buffer *out, struct mg_slice text)
{
    struct mg_slice plain, odd;
    while (mg_slice_take(&text, &plain, count_plain(text))) {
        mg_buffer_append_slice(out, plain);
        if (!mg_slice_take(&text, &odd, 1)) {
            return;
        }
        mg_buffer_append_text(out, "\\u00");
        append_hex(out, odd);
    }
}

static void append_name(struct mg_buffer *out, const struct leaf_name *name)
{
    char address[INET6_ADDRSTRLEN];
    mg_buffer_append_text(out, "\"");
    if (name->kind == LEAF_NAME_IP && (name->value.len == 4 || name->value.len == 16)) {
        int family = name->value.len == 4 ? AF_INET : AF_INET6;
        mg_buffer_append_text(out, inet_ntop(family, name->value.data, address, sizeof(address)));
    } else {
        append_escaped(out, name->value);
    }
    mg_buffer_append_text(out, "\"");
}

static void append_names(struct mg_buffer *out, struct mg_slice names)
{
    struct leaf_name name;
    for (bool first = true; leaf_names_next(&names, &name); first = false) {
        if (!first) {
            mg_buffer_append_text(out, ",");
        }
        append_name(out, &name);
    }
}

static const char *known_key(const struct journal_keys *keys, struct mg_slice spki)
{
    for (size_t i = 0; i < JOURNAL_NUM_KEYS; i++) {
        struct mg_slice known = mg_slice_of(keys->known[i].spki, keys->known[i].len);
        if (known.len > 0 && mg_slice_equal(known, spki)) {
            return keys->known[i].hash_text;
        }
    }
    return NULL;
}

/* append_key_hash appends the hash of |spki| in hexadecimal. */
static bool append_key_hash(struct mg_buffer *out, EVP_MD_CTX *sha256, struct journal_keys *keys, struct mg_slice spki)
{
    uint8_t key_hash[JOURNAL_HASH_LEN];
    char text[2 * JOURNAL_HASH_LEN + 1];
    const char *known = known_key(keys, spki);
    if (known != NULL) {
        mg_buffer_append(out, known, 2 * JOURNAL_HASH_LEN);
        return true;
    }
    if (!hash(sha256, spki, key_hash)) {
        return false;
    }
    journal_hex(text, key_hash, sizeof(key_hash));
    mg_buffer_append(out, text, 2 * JOURNAL_HASH_LEN);
    if (spki.len <= JOURNAL_MAX_KEY_LEN) {
        size_t i = keys->next++ % JOURNAL_NUM_KEYS;
        memcpy(keys->known[i].spki, spki.data, spki.len);
        memcpy(keys->known[i].hash_text, text, sizeof(text));
        keys->known[i].len = spki.len;
    }
    return true;
}

bool journal_chain_record(struct mg_buffer *out, EVP_MD_CTX *sha256, struct journal_keys *keys, const char *time_text,
                          const struct journal_record *record)
{
    mg_buffer_append_text(out, "{\"time\":\"");
    mg_buffer_append_text(out, time_text);
    mg_buffer_append_text(out, "\",\"issuer\":\"");
    append_hex(out, mg_slice_of(record->issuer->bytes, sizeof(record->issuer->bytes)));
    mg_buffer_append_text(out, "\",\"serial\":\"");
    append_hex(out, record->serial);
    mg_buffer_append_text(out, "\",\"key_sha256\":\"");
    if (!append_key_hash(out, sha256, keys, record->spki)) {
        return false;
    }
    mg_buffer_append_text(out, "\",\"names\":[");
    append_names(out, record->names);
    mg_buffer_append_text(out, "]}\n");
    return mg_buffer_ok(out);
}

bool journal_chain_close(struct mg_buffer *out, EVP_MD_CTX *sha256, uint64_t num_records,
                         const uint8_t records_hash[JOURNAL_HASH_LEN], struct journal_position *position)
{
    uint64_t batch = position->batch + 1;
    mg_buffer_append_format(out, "{\"batch\":%" PRIu64 ",\"records\":%" PRIu64, batch, num_records);
    if (!mg_buffer_ok(out) || !advance(sha256, position, batch, num_records, records_hash)) {
        return false;
    }
    append_chain(out, position);
    return mg_buffer_ok(out);
}

/* Reading */

static bool take_text(struct mg_slice *in, const char *expected)
{
    struct mg_slice found, rest = *in;
    if (!mg_slice_take(&rest, &found, strlen(expected)) || !mg_slice_equal(found, mg_slice_of_text(expected))) {
        return false;
    }
    *in = rest;
    return true;
}

/* take_number takes a decimal number as PRIu64 writes it: one spelling for each. */
static bool take_number(struct mg_slice *in, uint64_t *out)
{
    uint64_t value = 0;
    size_t num_digits = 0;
    uint8_t digit;
    for (struct mg_slice next = *in; mg_slice_u8(&next, &digit) && digit >= '0' && digit <= '9'; num_digits++) {
        bool is_leading_zero = num_digits == 1 && value == 0;
        bool is_too_long = num_digits == 19; /* the next digit could overflow */
        if (is_leading_zero || is_too_long) {
            return false;
        }
        value = value * 10 + (uint64_t)(digit - '0');
        *in = next;
    }
    *out = value;
    return num_digits > 0;
}

static bool take_hex_digit(struct mg_slice *in, unsigned *out)
{
    uint8_t c;
    if (!mg_slice_u8(in, &c) || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
        return false;
    }
    *out = c <= '9' ? c - '0' + 0u : c - 'a' + 10u;
    return true;
}

static bool take_hash(struct mg_slice *in, uint8_t out[JOURNAL_HASH_LEN])
{
    for (size_t i = 0; i < JOURNAL_HASH_LEN; i++) {
        unsigned high, low;
        if (!take_hex_digit(in, &high) || !take_hex_digit(in, &low)) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* take_chain takes the end of a header or closing line and compares it. */
static bool take_chain(struct mg_slice *in, const struct journal_position *expected)
{
    uint8_t chain[JOURNAL_HASH_LEN];
    return take_text(in, ",\"chain\":\"") && take_hash(in, chain) && take_text(in, "\"}\n") && in->len == 0 &&
           memcmp(chain, expected->chain, sizeof(chain)) == 0;
}

enum mg_status journal_reader_init(struct journal_reader *reader, struct mg_error *error)
{
    *reader = (struct journal_reader){.records = EVP_MD_CTX_new(), .sha256 = EVP_MD_CTX_new()};
    if (reader->records == NULL || reader->sha256 == NULL ||
        EVP_DigestInit_ex2(reader->records, EVP_sha256(), NULL) != 1 ||
        EVP_DigestInit_ex2(reader->sha256, EVP_sha256(), NULL) != 1) {
        journal_reader_free(reader);
        return mg_error_set(error, MG_MEMORY, "no memory to read the journal");
    }
    return MG_OK;
}

void journal_reader_free(struct journal_reader *reader)
{
    EVP_MD_CTX_free(reader->records);
    EVP_MD_CTX_free(reader->sha256);
    *reader = (struct journal_reader){.records = NULL};
}

void journal_reader_start_file(struct journal_reader *reader, bool follows)
{
    if (!follows) {
        reader->position = (struct journal_position){.batch = 0};
        reader->file = 0;
    }
    reader->num_records = UINT64_MAX; /* a header must come first */
}

static bool start_batch(struct journal_reader *reader)
{
    reader->num_records = 0;
    return EVP_DigestInit_ex2(reader->records, NULL, NULL) == 1;
}

/* read_created takes a time as mg_clock_format_us writes it, whatever it says. */
static bool read_created(struct mg_slice *in)
{
    struct mg_slice ignored;
    return take_text(in, ",\"created\":\"") && mg_slice_take(in, &ignored, MG_CLOCK_TEXT_LEN - 1) &&
           take_text(in, "\"");
}

static enum journal_line read_header(struct journal_reader *reader, struct mg_slice line)
{
    struct mg_slice in = line;
    struct journal_position position;
    uint64_t version, file;
    if (reader->num_records != UINT64_MAX || !take_text(&in, "{\"journal\":\"mintgate-issuance\",\"version\":") ||
        !take_number(&in, &version) || version != VERSION || !take_text(&in, ",\"file\":") ||
        !take_number(&in, &file) || !take_text(&in, ",\"batch\":") || !take_number(&in, &position.batch) ||
        !read_created(&in) || !take_text(&in, ",\"previous\":\"") || !take_hash(&in, position.chain) ||
        !take_text(&in, "\"")) {
        return JOURNAL_LINE_BROKEN;
    }
    bool follows = reader->file != 0;
    if (follows && (file != reader->file + 1 || position.batch != reader->position.batch ||
                    memcmp(position.chain, reader->position.chain, JOURNAL_HASH_LEN) != 0)) {
        return JOURNAL_LINE_BROKEN;
    }
    if (file == 0 || !advance_over_header(reader->sha256, &position, mg_slice_of(line.data, line.len - in.len)) ||
        !take_chain(&in, &position) || !start_batch(reader)) {
        return JOURNAL_LINE_BROKEN;
    }
    reader->file = file;
    reader->position = position;
    return JOURNAL_LINE_HEADER;
}

static enum journal_line read_batch(struct journal_reader *reader, struct mg_slice in)
{
    struct journal_position position = reader->position;
    uint8_t records_hash[JOURNAL_HASH_LEN];
    uint64_t batch, num_records;
    if (!take_text(&in, "{\"batch\":") || !take_number(&in, &batch) || batch != position.batch + 1 ||
        !take_text(&in, ",\"records\":") || !take_number(&in, &num_records) || num_records != reader->num_records ||
        EVP_DigestFinal_ex(reader->records, records_hash, NULL) != 1 ||
        !advance(reader->sha256, &position, batch, reader->num_records, records_hash) || !take_chain(&in, &position) ||
        !start_batch(reader)) {
        return JOURNAL_LINE_BROKEN;
    }
    reader->position = position;
    return JOURNAL_LINE_BATCH;
}

static enum journal_line read_record(struct journal_reader *reader, struct mg_slice line)
{
    bool is_whole = line.len > 0 && line.data[line.len - 1] == '\n';
    if (reader->num_records == UINT64_MAX || !is_whole || EVP_DigestUpdate(reader->records, line.data, line.len) != 1) {
        return JOURNAL_LINE_BROKEN;
    }
    reader->num_records++;
    return JOURNAL_LINE_RECORD;
}

enum journal_line journal_reader_line(struct journal_reader *reader, struct mg_slice line)
{
    struct mg_slice start = line;
    if (take_text(&start, "{\"time\":")) {
        return read_record(reader, line);
    }
    if (take_text(&start, "{\"batch\":")) {
        return read_batch(reader, line);
    }
    return read_header(reader, line);
}
