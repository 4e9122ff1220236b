/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar archive (pax, POSIX.1-2001; libarchive) of regular files: written in one go, read entry by entry, and nothing
 * but that: no links, no directories, no owners, no compression. One thread.
 */
#ifndef MINTGATE_CONTROL_BACKUP_ARCHIVE_FILE_H
#define MINTGATE_CONTROL_BACKUP_ARCHIVE_FILE_H

#include "base/buffer.h"
#include "base/status.h"

#define ARCHIVE_FILE_HASH_LEN 32 /* SHA-256 */

struct archive;

/* archive_file_create begins an archive on |fd|, which stays the caller's. End it with archive_file_finish. */
MG_MUST_USE enum mg_status archive_file_create(struct archive **out, int fd, struct mg_error *error);

/* archive_file_add writes a file of |bytes|; archive_file_add_from one of the |size| bytes of the file |path|. |made|
 * is its time in seconds since 1970. MG_IO; MG_INVALID: |path| is shorter or longer. */
MG_MUST_USE enum mg_status archive_file_add(struct archive *archive, const char *name, int64_t made,
                                            struct mg_slice bytes, struct mg_error *error);
MG_MUST_USE enum mg_status archive_file_add_from(struct archive *archive, const char *name, int64_t made,
                                                 const char *path, uint64_t size, struct mg_error *error);

/* archive_file_finish writes the end and frees. */
MG_MUST_USE enum mg_status archive_file_finish(struct archive *archive, struct mg_error *error);

/* archive_file_open begins to read an archive from |fd|, which stays the caller's. End it with archive_file_free. */
MG_MUST_USE enum mg_status archive_file_open(struct archive **out, int fd, struct mg_error *error);
void archive_file_free(struct archive *archive);

/* archive_file_next goes to the next entry, which must be a regular file called |name|. *size is what it says to have.
 * MG_INVALID. archive_file_end makes sure that there is none. */
MG_MUST_USE enum mg_status archive_file_next(struct archive *archive, const char *name, uint64_t *size,
                                             struct mg_error *error);
MG_MUST_USE enum mg_status archive_file_end(struct archive *archive, struct mg_error *error);

/* archive_file_read appends the whole entry to |out|, whose limit bounds it: MG_INVALID if it is longer or broken.
 * archive_file_read_to writes it to |fd|, which must give |size| bytes, and tells their SHA-256. */
MG_MUST_USE enum mg_status archive_file_read(struct archive *archive, struct mg_buffer *out, struct mg_error *error);
MG_MUST_USE enum mg_status archive_file_read_to(struct archive *archive, int fd, uint64_t size,
                                                uint8_t sha256[ARCHIVE_FILE_HASH_LEN], struct mg_error *error);

#endif
