/* SPDX-License-Identifier: Apache-2.0 */
/* A backup from elsewhere: as the manifest, whose names never leave their places and which reads as it was written; and
 * as the archive around it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/backup/archive_file.h"
#include "control/backup/manifest.h"
#include "control/backup/paths.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct manifest manifest, again; /* large */

static void check_names(void)
{
    for (size_t i = 0; i < manifest.num_files; i++) {
        const char *name = manifest.files[i].name;
        bool is_key = strncmp(name, MANIFEST_KEYS, strlen(MANIFEST_KEYS)) == 0;
        if (strstr(name, "..") != NULL || strchr(is_key ? name + strlen(MANIFEST_KEYS) : name, '/') != NULL) {
            abort();
        }
    }
}

static void check_manifest(struct mg_slice text)
{
    struct mg_buffer out;
    if (manifest_parse(text, &manifest, NULL) != MG_OK) {
        return;
    }
    check_names();
    mg_buffer_init(&out, MANIFEST_MAX_TEXT);
    if (manifest_write(&manifest, &out, NULL) == MG_OK &&
        (manifest_parse(mg_buffer_slice(&out), &again, NULL) != MG_OK ||
         memcmp(&manifest, &again, sizeof(again)) != 0)) {
        abort();
    }
    mg_buffer_free(&out);
}

static void read_archive(int fd)
{
    struct archive *archive;
    struct mg_buffer text;
    uint64_t entry_size;
    uint8_t hash[ARCHIVE_FILE_HASH_LEN];
    if (archive_file_open(&archive, fd, NULL) != MG_OK) {
        return;
    }
    mg_buffer_init(&text, MANIFEST_MAX_TEXT);
    bool has_manifest = archive_file_next(archive, BACKUP_MANIFEST, &entry_size, NULL) == MG_OK &&
                        archive_file_read(archive, &text, NULL) == MG_OK;
    if (has_manifest) {
        check_manifest(mg_buffer_slice(&text));
    }
    /* No byte of the database is written: it must have none. */
    if (has_manifest && archive_file_next(archive, MANIFEST_DATABASE, &entry_size, NULL) == MG_OK &&
        archive_file_read_to(archive, -1, 0, hash, NULL) == MG_OK && archive_file_end(archive, NULL) == MG_OK &&
        entry_size != 0) {
        abort();
    }
    mg_buffer_free(&text);
    archive_file_free(archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_manifest(mg_slice_of(data, size));
    int fd = memfd_create("archive", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0) {
        read_archive(fd);
    }
    close(fd);
    return 0;
}
