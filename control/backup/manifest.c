/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "control/backup/hex.h"

#define FORMAT 1
#define ID_LEN 32

bool manifest_is_key_name(const char *name)
{
    const char *rest = name + strspn(name, "0123456789abcdef");
    return rest - name == ID_LEN &&
           (strcmp(rest, ".key") == 0 || strcmp(rest, ".pem") == 0 || strcmp(rest, ".removed.pem") == 0);
}

static bool is_name(const char *name)
{
    size_t prefix = strlen(MANIFEST_KEYS);
    return strcmp(name, MANIFEST_DATABASE) == 0 ||
           (strncmp(name, MANIFEST_KEYS, prefix) == 0 && manifest_is_key_name(name + prefix));
}

static bool has_name(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->num_files; i++) {
        if (strcmp(manifest->files[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

enum mg_status manifest_add(struct manifest *manifest, const char *name, uint64_t size, struct mg_error *error)
{
    if (!is_name(name) || has_name(manifest, name)) {
        return mg_error_set(error, MG_INVALID, "manifest: files: a name that a backup has not, or twice");
    }
    if (strcmp(name, MANIFEST_DATABASE) != 0 && size > MANIFEST_MAX_KEY_FILE) {
        return mg_error_set(error, MG_INVALID, "manifest: %s: has more than %u bytes", name, MANIFEST_MAX_KEY_FILE);
    }
    if (manifest->num_files == MANIFEST_MAX_FILES) {
        return mg_error_set(error, MG_LIMIT, "a backup has at most %d files", MANIFEST_MAX_FILES);
    }
    struct manifest_file *file = &manifest->files[manifest->num_files++];
    *file = (struct manifest_file){.size = size};
    snprintf(file->name, sizeof(file->name), "%s", name);
    return MG_OK;
}

enum mg_status manifest_write(const struct manifest *manifest, struct mg_buffer *out, struct mg_error *error)
{
    mg_json_begin_object(out, NULL);
    mg_json_uint(out, "format", FORMAT);
    mg_json_uint(out, "made", (uint64_t)manifest->made);
    mg_json_hex(out, "keyCheck", manifest->key_check, sizeof(manifest->key_check));
    mg_json_bool(out, "wrappedKey", manifest->has_wrapped_key);
    mg_json_begin_array(out, "files");
    for (size_t i = 0; i < manifest->num_files; i++) {
        const struct manifest_file *file = &manifest->files[i];
        mg_json_begin_object(out, NULL);
        mg_json_string(out, "name", file->name);
        mg_json_uint(out, "size", file->size);
        mg_json_hex(out, "sha256", file->sha256, sizeof(file->sha256));
        mg_json_end_object(out);
    }
    mg_json_end_array(out);
    mg_json_end_object(out);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for the manifest");
}

/* get_number reads a member that is a number and not negative. */
static bool get_number(const json_t *object, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_integer_value(value);
    *out = (uint64_t)number;
    return json_is_integer(value) && number >= 0;
}

static bool get_hash(const json_t *object, const char *name, uint8_t out[MANIFEST_HASH_LEN])
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && hex_read(text, out, MANIFEST_HASH_LEN);
}

static enum mg_status parse_file(const json_t *object, struct manifest *out, struct mg_error *error)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    uint64_t size;
    uint8_t hash[MANIFEST_HASH_LEN];
    if (name == NULL || !get_number(object, "size", &size) || !get_hash(object, "sha256", hash)) {
        return mg_error_set(error, MG_INVALID, "manifest: files: each must have name, size and sha256");
    }
    enum mg_status status = manifest_add(out, name, size, error);
    if (status == MG_OK) {
        memcpy(out->files[out->num_files - 1].sha256, hash, sizeof(hash));
    }
    return status == MG_LIMIT ? MG_INVALID : status;
}

static enum mg_status parse(const json_t *json, struct manifest *out, struct mg_error *error)
{
    const json_t *files = json_object_get(json, "files"), *wrapped = json_object_get(json, "wrappedKey");
    uint64_t format, made;
    if (!get_number(json, "format", &format) || format != FORMAT) {
        return mg_error_set(error, MG_INVALID, "manifest: format: must be %d: is this a backup by another version?",
                            FORMAT);
    }
    if (!get_number(json, "made", &made) || !get_hash(json, "keyCheck", out->key_check) || !json_is_boolean(wrapped) ||
        !json_is_array(files)) {
        return mg_error_set(error, MG_INVALID, "manifest: made, keyCheck, wrappedKey and files must be there");
    }
    out->made = (int64_t)made;
    out->has_wrapped_key = json_is_true(wrapped);
    for (size_t i = 0; i < json_array_size(files); i++) {
        enum mg_status status = parse_file(json_array_get(files, i), out, error);
        if (status != MG_OK) {
            return status;
        }
    }
    return has_name(out, MANIFEST_DATABASE)
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "manifest: files: " MANIFEST_DATABASE " is missing");
}

enum mg_status manifest_parse(struct mg_slice text, struct manifest *out, struct mg_error *error)
{
    json_error_t why;
    json_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL) {
        return mg_error_set(error, MG_INVALID, "manifest: no JSON at line %d", why.line);
    }
    *out = (struct manifest){.made = 0};
    enum mg_status status = parse(json, out, error);
    json_decref(json);
    return status;
}
