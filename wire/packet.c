/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/packet.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

/* Reading */

struct wire_reader wire_reader_of(struct mg_slice packet, size_t max_len, struct mg_error *error)
{
    struct wire_reader in = {.rest = packet, .status = MG_OK, .error = error};
    if (packet.len > max_len) {
        wire_refuse(&in, "packet of %zu bytes: at most %zu are allowed", packet.len, max_len);
    }
    return in;
}

void wire_refuse(struct wire_reader *in, const char *format, ...)
{
    if (!wire_reader_ok(in)) {
        return;
    }
    in->status = MG_INVALID;
    if (in->error != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(in->error->text, sizeof(in->error->text), format, args);
        va_end(args);
    }
}

static void cut_short(struct wire_reader *in, const char *what)
{
    wire_refuse(in, "packet ends inside %s", what);
}

void wire_reader_expect(struct wire_reader *in, unsigned type)
{
    uint8_t first;
    if (!wire_reader_ok(in)) {
        return;
    }
    if (!mg_slice_u8(&in->rest, &first) || first != type) {
        wire_refuse(in, "packet is not of type %u", type);
    }
}

enum mg_status wire_reader_end(struct wire_reader *in)
{
    if (in->rest.len > 0) {
        wire_refuse(in, "packet has %zu bytes left over", in->rest.len);
    }
    return in->status;
}

static uint64_t read_integer(struct wire_reader *in, const char *what, size_t num_bytes)
{
    uint64_t value;
    if (!wire_reader_ok(in)) {
        return 0;
    }
    if (!mg_slice_u64_of(&in->rest, num_bytes, &value)) {
        cut_short(in, what);
        return 0;
    }
    return value;
}

uint8_t wire_read_u8(struct wire_reader *in, const char *what)
{
    return (uint8_t)read_integer(in, what, 1);
}

uint16_t wire_read_u16(struct wire_reader *in, const char *what)
{
    return (uint16_t)read_integer(in, what, 2);
}

uint32_t wire_read_u32(struct wire_reader *in, const char *what)
{
    return (uint32_t)read_integer(in, what, 4);
}

uint64_t wire_read_u64(struct wire_reader *in, const char *what)
{
    return read_integer(in, what, 8);
}

/* read_within reads an integer of |num_bytes| between |first| and |last|. */
static uint64_t read_within(struct wire_reader *in, const char *what, size_t num_bytes, uint64_t first, uint64_t last)
{
    uint64_t value = read_integer(in, what, num_bytes);
    if (wire_reader_ok(in) && (value < first || value > last)) {
        wire_refuse(in, "%s %llu: must be %llu to %llu", what, (unsigned long long)value, (unsigned long long)first,
                    (unsigned long long)last);
    }
    return wire_reader_ok(in) ? value : first;
}

unsigned wire_read_number(struct wire_reader *in, const char *what, unsigned first, unsigned last)
{
    return (unsigned)read_within(in, what, 1, first, last);
}

bool wire_read_flag(struct wire_reader *in, const char *what)
{
    return read_within(in, what, 1, 0, 1) == 1;
}

size_t wire_read_count(struct wire_reader *in, const char *what, size_t first, size_t last)
{
    uint64_t count = read_within(in, what, 2, first, last);
    return wire_reader_ok(in) ? (size_t)count : 0;
}

struct mg_slice wire_read_slice(struct wire_reader *in, const char *what, size_t len)
{
    struct mg_slice slice = {0};
    if (wire_reader_ok(in) && !mg_slice_take(&in->rest, &slice, len)) {
        cut_short(in, what);
    }
    return slice;
}

void wire_read_bytes(struct wire_reader *in, const char *what, void *out, size_t len)
{
    struct mg_slice bytes = wire_read_slice(in, what, len);
    if (wire_reader_ok(in)) {
        memcpy(out, bytes.data, len);
    } else {
        memset(out, 0, len);
    }
}

/* read_prefixed reads bytes behind a length of |prefix| bytes. */
static struct mg_slice read_prefixed(struct wire_reader *in, const char *what, size_t prefix)
{
    return wire_read_slice(in, what, (size_t)read_integer(in, what, prefix));
}

struct mg_slice wire_read_octets(struct wire_reader *in, const char *what, size_t prefix, size_t min, size_t max)
{
    struct mg_slice octets = read_prefixed(in, what, prefix);
    if (wire_reader_ok(in) && (octets.len < min || octets.len > max)) {
        wire_refuse(in, "%s of %zu bytes: must be %zu to %zu", what, octets.len, min, max);
    }
    return wire_reader_ok(in) ? octets : (struct mg_slice){0};
}

struct mg_slice wire_read_text(struct wire_reader *in, const char *what, size_t prefix, size_t max)
{
    struct mg_slice text = wire_read_octets(in, what, prefix, 0, max);
    if (!mg_utf8_is_label(text)) {
        wire_refuse(in, "%s: must be UTF-8 without control characters", what);
    }
    return wire_reader_ok(in) ? text : (struct mg_slice){0};
}

/* Keys and certificates */

size_t wire_read_chain(struct wire_reader *in, size_t min, size_t max, struct mg_slice *certificates)
{
    size_t count = wire_read_number(in, "number of certificates", (unsigned)min, (unsigned)max);
    for (size_t i = 0; i < count && wire_reader_ok(in); i++) {
        certificates[i] = wire_read_octets(in, "certificate", 2, 1, UINT16_MAX);
    }
    return wire_reader_ok(in) ? count : 0;
}

void wire_put_chain(struct mg_buffer *out, const struct mg_slice *certificates, size_t count)
{
    mg_buffer_append_u8(out, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        mg_buffer_append_prefixed_u16(out, certificates[i]);
    }
}

struct wire_key_id wire_read_key_id(struct wire_reader *in)
{
    struct wire_key_id key_id;
    wire_read_bytes(in, "key id", key_id.bytes, sizeof(key_id.bytes));
    return key_id;
}

void wire_put_key_id(struct mg_buffer *out, const struct wire_key_id *key_id)
{
    mg_buffer_append(out, key_id->bytes, sizeof(key_id->bytes));
}

/* Batches */

void wire_batch_begin(struct mg_buffer *out, unsigned type)
{
    mg_buffer_append_u8(out, (uint8_t)type);
    mg_buffer_append_u16(out, 0);
}

size_t wire_batch_count(const struct mg_buffer *out)
{
    return mg_buffer_ok(out) ? (size_t)out->data[1] << 8 | out->data[2] : 0;
}

bool wire_batch_make_room(struct mg_buffer *out, size_t max, size_t len)
{
    size_t count = wire_batch_count(out);
    if (!mg_buffer_ok(out) || count >= max || len > out->limit - out->len) {
        return false;
    }
    count++;
    out->data[1] = (uint8_t)(count >> 8);
    out->data[2] = (uint8_t)count;
    return true;
}
