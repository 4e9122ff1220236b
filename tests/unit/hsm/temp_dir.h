/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of its own for each test. */
#ifndef MINTGATE_TESTS_TEMP_DIR_H
#define MINTGATE_TESTS_TEMP_DIR_H

#include <limits.h>
#include <stddef.h>

/* The current test's directory and names in it. temp_path returns one of eight buffers in turn. */
extern char temp_dir[PATH_MAX / 2];
const char *temp_path(const char *name);

/* A cmocka setup and teardown: makes the directory, removes it with all that is in it. */
int temp_dir_make(void **state);
int temp_dir_remove(void **state);

/* temp_flip_byte changes one byte of a file; temp_file_size returns its size, -1 if there is none. */
void temp_flip_byte(const char *path, long offset);
long temp_file_size(const char *path);

#endif
