/* SPDX-License-Identifier: Apache-2.0 */
#include "leaf_builder.h"

#include <time.h>

#include "hsm/der.h"

void der_write(struct mg_buffer *out, uint8_t tag, struct mg_slice content)
{
    mg_buffer_append_u8(out, tag);
    if (content.len < 0x80) {
        mg_buffer_append_u8(out, (uint8_t)content.len);
    } else if (content.len < 0x100) {
        mg_buffer_append_u8(out, 0x81);
        mg_buffer_append_u8(out, (uint8_t)content.len);
    } else {
        mg_buffer_append_u8(out, 0x82);
        mg_buffer_append_u16(out, (uint16_t)content.len);
    }
    mg_buffer_append_slice(out, content);
}

/* since returns what was appended to |buffer| since it had |start| bytes. */
static struct mg_slice since(const struct mg_buffer *buffer, size_t start)
{
    return mg_slice_of(buffer->data + start, buffer->len - start);
}

struct mg_slice leaf_element(struct leaf *leaf, uint8_t tag, struct mg_slice content)
{
    size_t start = leaf->values.len;
    der_write(&leaf->values, tag, content);
    return since(&leaf->values, start);
}

struct mg_slice leaf_join(struct leaf *leaf, struct mg_slice a, struct mg_slice b)
{
    size_t start = leaf->values.len;
    mg_buffer_append_slice(&leaf->values, a);
    mg_buffer_append_slice(&leaf->values, b);
    return since(&leaf->values, start);
}

struct mg_slice leaf_name(struct leaf *leaf, const char *common_name)
{
    struct mg_slice type = leaf_element(leaf, DER_OID, mg_slice_of_text("\x55\x04\x03"));
    struct mg_slice value = leaf_element(leaf, 0x0c, mg_slice_of_text(common_name));
    struct mg_slice attribute = leaf_element(leaf, DER_SEQUENCE, leaf_join(leaf, type, value));
    return leaf_element(leaf, DER_SEQUENCE, leaf_element(leaf, DER_SET, attribute));
}

struct leaf_extension *leaf_extension(struct leaf *leaf, const char *oid)
{
    for (size_t i = 0; i < leaf->num_extensions; i++) {
        if (strcmp(leaf->extensions[i].oid, oid) == 0) {
            return &leaf->extensions[i];
        }
    }
    return NULL;
}

void leaf_remove(struct leaf *leaf, const char *oid)
{
    struct leaf_extension *extension = leaf_extension(leaf, oid);
    *extension = leaf->extensions[--leaf->num_extensions];
}

void leaf_add(struct leaf *leaf, const char *oid, bool critical, struct mg_slice value)
{
    leaf->extensions[leaf->num_extensions++] =
        (struct leaf_extension){.oid = oid, .critical = critical, .value = value};
}

void leaf_set_names(struct leaf *leaf, struct mg_slice general_names)
{
    leaf_extension(leaf, OID_SUBJECT_ALT_NAME)->value = leaf_element(leaf, DER_SEQUENCE, general_names);
}

void leaf_init(struct leaf *leaf, const struct leaf_issuer *issuer, struct mg_slice spki, const char *name, int64_t now)
{
    static const char server_auth[] = "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
    memset(leaf, 0, offsetof(struct leaf, storage));
    mg_buffer_wrap(&leaf->values, leaf->storage, sizeof(leaf->storage));
    leaf->version = mg_slice_of("\xa0\x03\x02\x01\x02", 5);
    leaf->serial = mg_slice_of_text("\x11\x22\x33\x44\x55\x66\x77\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
    leaf->signature_algorithm = issuer->key_type->signature_algorithm;
    leaf->issuer = issuer->subject;
    leaf->not_before = now - 3600;
    leaf->not_after = leaf->not_before + 90 * 86400;
    leaf->subject = mg_slice_of("\x30\x00", 2);
    leaf->spki = spki;
    leaf_add(leaf, OID_BASIC_CONSTRAINTS, true, mg_slice_of("\x30\x00", 2));
    leaf_add(leaf, OID_KEY_USAGE, true, mg_slice_of("\x03\x02\x07\x80", 4));
    leaf_add(leaf, OID_EXT_KEY_USAGE, false, mg_slice_of_text(server_auth));
    leaf_add(leaf, OID_SUBJECT_KEY_ID, false, leaf_element(leaf, DER_OCTET_STRING, mg_slice_of_text("leaf's own id")));
    leaf_add(leaf, OID_AUTHORITY_KEY_ID, false,
             leaf_element(leaf, DER_SEQUENCE, leaf_element(leaf, DER_CONTEXT(0), issuer->ski)));
    leaf_add(leaf, OID_SUBJECT_ALT_NAME, true, mg_slice_of(NULL, 0));
    leaf_set_names(leaf, leaf_element(leaf, DER_CONTEXT(2), mg_slice_of_text(name)));
}

static void write_time(struct mg_buffer *out, int64_t seconds)
{
    char text[32];
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    bool is_utc_time = tm.tm_year + 1900 < 2050;
    strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
    der_write(out, is_utc_time ? DER_UTC_TIME : DER_GENERALIZED_TIME, mg_slice_of_text(is_utc_time ? text + 2 : text));
}

static void write_extension(struct mg_buffer *out, const struct leaf_extension *extension)
{
    uint8_t storage[64 * 1024];
    struct mg_buffer content;
    mg_buffer_wrap(&content, storage, sizeof(storage));
    der_write(&content, DER_OID, mg_slice_of_text(extension->oid));
    if (extension->critical) {
        der_write(&content, DER_BOOLEAN, mg_slice_of("\xff", 1));
    }
    der_write(&content, DER_OCTET_STRING, extension->value);
    der_write(out, DER_SEQUENCE, mg_buffer_slice(&content));
}

static void write_extensions(struct mg_buffer *out, const struct leaf *leaf)
{
    if (leaf->num_extensions == 0) {
        return;
    }
    struct mg_buffer list, outer;
    mg_buffer_init(&list, UINT16_MAX);
    mg_buffer_init(&outer, UINT16_MAX);
    for (size_t i = 0; i < leaf->num_extensions; i++) {
        write_extension(&list, &leaf->extensions[i]);
    }
    der_write(&outer, DER_SEQUENCE, mg_buffer_slice(&list));
    der_write(out, DER_CONTEXT_CONSTRUCTED(3), mg_buffer_slice(&outer));
    mg_buffer_free(&list);
    mg_buffer_free(&outer);
}

void leaf_write(const struct leaf *leaf, struct mg_buffer *out)
{
    struct mg_buffer content, validity;
    mg_buffer_init(&content, UINT16_MAX);
    mg_buffer_init(&validity, 64);
    write_time(&validity, leaf->not_before);
    write_time(&validity, leaf->not_after);
    mg_buffer_append_slice(&content, leaf->version);
    der_write(&content, DER_INTEGER, leaf->serial);
    mg_buffer_append_slice(&content, leaf->signature_algorithm);
    mg_buffer_append_slice(&content, leaf->issuer);
    der_write(&content, DER_SEQUENCE, mg_buffer_slice(&validity));
    mg_buffer_append_slice(&content, leaf->subject);
    mg_buffer_append_slice(&content, leaf->spki);
    mg_buffer_append_slice(&content, leaf->unique_ids);
    write_extensions(&content, leaf);
    mg_buffer_append_slice(&content, leaf->behind);
    der_write(out, DER_SEQUENCE, mg_buffer_slice(&content));
    mg_buffer_free(&content);
    mg_buffer_free(&validity);
}
