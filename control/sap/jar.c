/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/jar.h"

#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <zip.h>

#include "base/secret.h"
#include "base/utf8.h"
#include "control/http/scan.h"
#include "control/sap/jar_descriptor.h"
#include "control/sap/pem_bundle.h"

#define DESCRIPTOR "META-INF/descriptor.properties"

/* An archive that is being read. What libzip returns is borrowed from it. */
struct jar {
    zip_t *zip;
    size_t num_entries;
    const char *names[JAR_MAX_ENTRIES];
    size_t sizes[JAR_MAX_ENTRIES]; /* unpacked */
};

/* ---- guards ---- */

static enum mg_status refuse(struct mg_error *error, const char *name, const char *rule)
{
    return mg_error_set(error, MG_INVALID, "file: the entry \"%.64s\" %s", name, rule);
}

/* check_name refuses what is no plain relative path: a reader that unpacks would write it somewhere else. */
static enum mg_status check_name(const char *name, struct mg_error *error)
{
    struct mg_slice rest = mg_slice_of_text(name);
    if (rest.len == 0 || rest.len > JAR_MAX_NAME || !mg_utf8_is_label(rest)) {
        return mg_error_set(error, MG_INVALID, "file: an entry's name must have 1 to %d bytes of UTF-8 text",
                            JAR_MAX_NAME);
    }
    if (name[0] == '/' || strpbrk(name, "\\:") != NULL) {
        return refuse(error, name, "has an absolute name, or one of another system");
    }
    while (rest.len > 0) {
        struct mg_slice segment = scan_until(&rest, '/');
        if (segment.len == 0 || mg_slice_equal(segment, mg_slice_of_text(".")) ||
            mg_slice_equal(segment, mg_slice_of_text(".."))) {
            return refuse(error, name, "has a name that leads elsewhere");
        }
    }
    return MG_OK;
}

static enum mg_status check_twins(const struct jar *jar, const char *name, struct mg_error *error)
{
    for (size_t i = 0; i < jar->num_entries; i++) {
        if (strcasecmp(jar->names[i], name) == 0) {
            return refuse(error, name, "is there twice");
        }
    }
    return MG_OK;
}

/* Of what Unix wrote, the mode is in the upper half; a program that says nothing of it writes 0. */
static enum mg_status check_kind(const struct jar *jar, size_t index, const char *name, struct mg_error *error)
{
    zip_uint8_t system;
    zip_uint32_t attributes;
    if (zip_file_get_external_attributes(jar->zip, index, 0, &system, &attributes) != 0) {
        return refuse(error, name, "has no attributes");
    }
    unsigned kind = (attributes >> 16) & S_IFMT;
    return kind == 0 || kind == S_IFREG || kind == S_IFDIR ? MG_OK
                                                           : refuse(error, name, "is a link, or a special file");
}

static enum mg_status check_bytes(const zip_stat_t *stat, const char *name, struct mg_error *error)
{
    const zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((stat->valid & wanted) != wanted) {
        return refuse(error, name, "has no sizes");
    }
    if (stat->encryption_method != ZIP_EM_NONE) {
        return refuse(error, name, "is encrypted");
    }
    if (stat->comp_method != ZIP_CM_STORE && stat->comp_method != ZIP_CM_DEFLATE) {
        return refuse(error, name, "is neither stored nor deflated");
    }
    if (stat->size > JAR_MAX_ENTRY) {
        return refuse(error, name, "is larger than 50 KB");
    }
    if (stat->size > JAR_FREE_BYTES && stat->size / JAR_MAX_RATIO > stat->comp_size) {
        return refuse(error, name, "is packed more than a hundredfold");
    }
    return MG_OK;
}

static enum mg_status add_entry(struct jar *jar, size_t index, struct mg_error *error)
{
    zip_stat_t stat;
    const char *name = zip_get_name(jar->zip, index, ZIP_FL_ENC_STRICT);
    if (name == NULL || zip_stat_index(jar->zip, index, 0, &stat) != 0) {
        return mg_error_set(error, MG_INVALID, "file: entry %zu has no name", index + 1);
    }
    enum mg_status status = check_name(name, error);
    if (status == MG_OK) {
        status = check_twins(jar, name, error);
    }
    if (status == MG_OK) {
        status = check_kind(jar, index, name, error);
    }
    if (status == MG_OK) {
        status = check_bytes(&stat, name, error);
    }
    if (status == MG_OK) {
        jar->names[jar->num_entries] = name;
        jar->sizes[jar->num_entries++] = (size_t)stat.size;
    }
    return status;
}

static enum mg_status check_entries(struct jar *jar, struct mg_error *error)
{
    zip_int64_t count = zip_get_num_entries(jar->zip, 0);
    size_t total = 0;
    enum mg_status status = MG_OK;
    if (count < 0 || count > JAR_MAX_ENTRIES) {
        return mg_error_set(error, MG_INVALID, "file: must have at most %d entries", JAR_MAX_ENTRIES);
    }
    for (size_t i = 0; status == MG_OK && i < (size_t)count; i++) {
        status = add_entry(jar, i, error);
        total += status == MG_OK ? jar->sizes[i] : 0;
    }
    if (status == MG_OK && total > JAR_MAX_TOTAL) {
        status = mg_error_set(error, MG_INVALID, "file: its entries have more than %zu bytes in all", JAR_MAX_TOTAL);
    }
    return status;
}

/* ---- entries ---- */

/* read_entry reads the whole entry, which libzip holds against its checksum when the end is asked for. */
static enum mg_status read_entry(const struct jar *jar, size_t index, struct mg_buffer *out, struct mg_error *error)
{
    size_t size = jar->sizes[index];
    uint8_t beyond;
    zip_file_t *file = zip_fopen_index(jar->zip, index, 0);
    bool is_whole =
        file != NULL && zip_fread(file, out->data, size) == (zip_int64_t)size && zip_fread(file, &beyond, 1) == 0;
    if (file != NULL) {
        is_whole = zip_fclose(file) == 0 && is_whole;
    }
    out->len = is_whole ? size : 0;
    return is_whole ? MG_OK : refuse(error, jar->names[index], "is damaged, or of another size than it says");
}

/* load finds the entry |name| and reads it into |out|, which it initialises, and which the caller frees by
 * mg_secret_free if this succeeds. |role| is what errors call it. */
static enum mg_status load(const struct jar *jar, struct mg_slice name, const char *role, struct mg_buffer *out,
                           struct mg_error *error)
{
    size_t index = 0;
    while (index < jar->num_entries && !mg_slice_equal(name, mg_slice_of_text(jar->names[index]))) {
        index++;
    }
    if (index == jar->num_entries) {
        return mg_error_set(error, MG_INVALID, "file: %s \"%.*s\" is not in it", role,
                            (int)(name.len < 64 ? name.len : 64), (const char *)name.data);
    }
    if (!mg_secret_buffer_init(out, jar->sizes[index] + 1)) {
        return mg_error_set(error, MG_MEMORY, "no memory for a file");
    }
    enum mg_status status = read_entry(jar, index, out, error);
    if (status != MG_OK) {
        mg_secret_free(out);
    }
    return status;
}

static enum mg_status read_part(const struct jar *jar, struct mg_slice name, const char *role,
                                const struct pem_bundle_rules *rules, struct material *material,
                                struct passphrase *passphrase, struct mg_error *error)
{
    struct mg_buffer pem;
    enum mg_status status = load(jar, name, role, &pem, error);
    if (status != MG_OK) {
        return status;
    }
    status = pem_bundle_read(material, mg_buffer_slice(&pem), rules, passphrase, error);
    mg_secret_free(&pem);
    return status;
}

static enum mg_status read_parts(const struct jar *jar, struct material *material, bool wants_lines,
                                 struct passphrase *passphrase, struct mg_error *error)
{
    const struct pem_bundle_rules certificates = {.parts = PEM_BUNDLE_CERTIFICATES, .wants_lines = wants_lines};
    const struct pem_bundle_rules key = {.parts = PEM_BUNDLE_KEY};
    struct jar_descriptor descriptor;
    struct mg_buffer text;
    enum mg_status status = load(jar, mg_slice_of_text(DESCRIPTOR), "the descriptor", &text, error);
    if (status != MG_OK) {
        return status;
    }
    status = jar_descriptor_parse(mg_buffer_slice(&text), &descriptor, error);
    if (status == MG_OK) {
        status = read_part(jar, descriptor.cert_file, "certFile", &certificates, material, passphrase, error);
    }
    if (status == MG_OK) {
        status = read_part(jar, descriptor.key_file, "keyFile", &key, material, passphrase, error);
    }
    mg_secret_free(&text);
    return status;
}

static zip_t *open_archive(struct mg_slice file)
{
    zip_source_t *source = zip_source_buffer_create(file.data, file.len, 0, NULL);
    zip_t *zip = source != NULL ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, NULL) : NULL;
    if (zip == NULL) {
        zip_source_free(source);
    }
    return zip;
}

enum mg_status jar_read(struct material *material, struct mg_slice file, bool wants_lines,
                        struct passphrase *passphrase, struct mg_error *error)
{
    if (file.len > MATERIAL_MAX_FILE) {
        return mg_error_set(error, MG_INVALID, "file: must have at most %zu bytes", MATERIAL_MAX_FILE);
    }
    struct jar jar = {.zip = open_archive(file)};
    if (jar.zip == NULL) {
        return mg_error_set(error, MG_INVALID, "file: is not a JAR, is damaged, or has a name twice");
    }
    enum mg_status status = check_entries(&jar, error);
    if (status == MG_OK) {
        status = read_parts(&jar, material, wants_lines, passphrase, error);
    }
    zip_discard(jar.zip);
    return status;
}
