/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read within a limit, written so that a crash leaves the old content or the new, never a part. */
#ifndef MINTGATE_BASE_FILE_H
#define MINTGATE_BASE_FILE_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/status.h"

/* mg_file_read appends the content of |path| to |out|, whose limit bounds it. MG_NOT_FOUND, MG_LIMIT, MG_IO: |out| then
 * holds what was read so far. */
MG_MUST_USE enum mg_status mg_file_read(const char *path, struct mg_buffer *out, struct mg_error *error);

/* mg_file_read_secret is mg_file_read for a file that holds a secret: refused with MG_DENIED unless it is a regular
 * file of this user that nobody else may read or write (mode 0600 or stricter). Wipe |out| with mg_secret_free. */
MG_MUST_USE enum mg_status mg_file_read_secret(const char *path, struct mg_buffer *out, struct mg_error *error);

/* mg_file_read_open is mg_file_read for a regular file that is open as |fd|, of which it reads all from the beginning;
 * it stays open. MG_DENIED: |fd| is something else. |name| is what errors call it. */
MG_MUST_USE enum mg_status mg_file_read_open(int fd, const char *name, struct mg_buffer *out, struct mg_error *error);

/* mg_file_write_atomic replaces |path| by |content|: a temporary file beside it (|path|.new.PID), fsync, rename, fsync
 * of the directory. The file gets |mode| exactly. */
MG_MUST_USE enum mg_status mg_file_write_atomic(const char *path, struct mg_slice content, mode_t mode,
                                                struct mg_error *error);

/* mg_file_remove_unfinished removes the temporary files that processes have left which died in mg_file_write_atomic of
 * |path|; what cannot be removed stays. For a program that is the only one that writes |path|, before it does. */
void mg_file_remove_unfinished(const char *path);

/* mg_file_rename gives |from| the name |to| in the same directory, replacing what is there, and syncs the directory.
 * MG_NOT_FOUND if |from| is missing. */
MG_MUST_USE enum mg_status mg_file_rename(const char *from, const char *to, struct mg_error *error);

/* mg_file_remove unlinks |path| and syncs its directory. MG_OK also if nothing is there. */
MG_MUST_USE enum mg_status mg_file_remove(const char *path, struct mg_error *error);

/* mg_file_shred overwrites |path|, a regular file, with zeros, syncs it, and removes it. MG_OK also if nothing is
 * there. What a file system or a disk that writes elsewhere keeps of the old content is out of reach. */
MG_MUST_USE enum mg_status mg_file_shred(const char *path, struct mg_error *error);

/* mg_file_make_directory creates |path| with |mode|, less the umask, if it is missing (its parent must exist) and
 * checks that it is a directory; one that exists keeps its mode. */
MG_MUST_USE enum mg_status mg_file_make_directory(const char *path, mode_t mode, struct mg_error *error);

#endif
