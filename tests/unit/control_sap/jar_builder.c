/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_sap/jar_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#define FLAGS 0x0808 /* a data descriptor, and UTF-8 */
#define UNIX (3 << 8)

static void put_u16(struct mg_buffer *out, uint32_t value)
{
    mg_buffer_append_u8(out, (uint8_t)value);
    mg_buffer_append_u8(out, (uint8_t)(value >> 8));
}

static void put_u32(struct mg_buffer *out, uint32_t value)
{
    put_u16(out, value);
    put_u16(out, value >> 16);
}

/* An entry as it is written. */
struct written {
    uint32_t offset, checksum, packed_len, size;
    uint16_t method;
};

static void pack(struct mg_buffer *out, const struct jar_entry *entry)
{
    static uint8_t packed[256 * 1024];
    z_stream stream = {.next_in = MG_UNCONST(entry->content.data),
                       .avail_in = (uInt)entry->content.len,
                       .next_out = packed,
                       .avail_out = sizeof(packed)};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    mg_buffer_append(out, packed, stream.total_out);
    deflateEnd(&stream);
}

static struct written put_local(struct mg_buffer *out, const struct jar_entry *entry)
{
    struct written written = {.offset = (uint32_t)out->len,
                              .checksum = (uint32_t)crc32(0, entry->content.data, (uInt)entry->content.len) ^
                                          entry->bad_checksum,
                              .size = entry->lies_size != 0 ? entry->lies_size : (uint32_t)entry->content.len,
                              .method = entry->method != 0   ? entry->method
                                        : entry->is_deflated ? 8
                                                             : 0};
    put_u32(out, 0x04034b50);
    put_u16(out, 20);
    put_u16(out, FLAGS | entry->flags);
    put_u16(out, written.method);
    put_u32(out, 0x5b754800); /* some time */
    for (int i = 0; i < 3; i++) {
        put_u32(out, 0); /* said behind it */
    }
    put_u16(out, (uint32_t)strlen(entry->name));
    put_u16(out, 0);
    mg_buffer_append_text(out, entry->name);
    size_t begin = out->len;
    if (entry->is_deflated) {
        pack(out, entry);
    } else {
        mg_buffer_append_slice(out, entry->content);
    }
    written.packed_len = (uint32_t)(out->len - begin);
    put_u32(out, 0x08074b50);
    put_u32(out, written.checksum);
    put_u32(out, written.packed_len);
    put_u32(out, written.size);
    return written;
}

static void put_central(struct mg_buffer *out, const struct jar_entry *entry, const struct written *written)
{
    put_u32(out, 0x02014b50);
    put_u16(out, entry->mode != 0 ? UNIX | 20 : 20);
    put_u16(out, 20);
    put_u16(out, FLAGS | entry->flags);
    put_u16(out, written->method);
    put_u32(out, 0x5b754800);
    put_u32(out, written->checksum);
    put_u32(out, written->packed_len);
    put_u32(out, written->size);
    put_u16(out, (uint32_t)strlen(entry->name));
    for (int i = 0; i < 4; i++) {
        put_u16(out, 0); /* extra field, comment, disk, internal attributes */
    }
    put_u32(out, entry->mode << 16);
    put_u32(out, written->offset);
    mg_buffer_append_text(out, entry->name);
}

void jar_build(struct mg_buffer *out, const struct jar_entry *entries, size_t num_entries)
{
    struct written written[JAR_BUILDER_MAX_ENTRIES];
    assert_true(num_entries <= JAR_BUILDER_MAX_ENTRIES);
    for (size_t i = 0; i < num_entries; i++) {
        written[i] = put_local(out, &entries[i]);
    }
    uint32_t directory = (uint32_t)out->len;
    for (size_t i = 0; i < num_entries; i++) {
        put_central(out, &entries[i], &written[i]);
    }
    uint32_t directory_len = (uint32_t)out->len - directory;
    put_u32(out, 0x06054b50);
    put_u32(out, 0); /* disks */
    put_u16(out, (uint32_t)num_entries);
    put_u16(out, (uint32_t)num_entries);
    put_u32(out, directory_len);
    put_u32(out, directory);
    put_u16(out, 0);
    assert_true(mg_buffer_ok(out));
}
