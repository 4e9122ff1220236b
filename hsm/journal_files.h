/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's files as they lie in its directory, issuance-NNNNNNNN.jsonl with rising numbers: finding them, reading
 * one through, and checking them all. Reads only. Any thread.
 */
#ifndef MINTGATE_HSM_JOURNAL_FILES_H
#define MINTGATE_HSM_JOURNAL_FILES_H

#include <limits.h>
#include <stdio.h>

#include "hsm/journal_chain.h"

/* journal_file_path writes the path of file number |file|. */
void journal_file_path(char out[PATH_MAX], const char *directory, uint64_t file);

/* journal_files_list sets *out to the numbers of the files in |directory|, rising, *num_out of them; the caller frees
 * it with free. None: MG_OK and 0. */
MG_MUST_USE enum mg_status journal_files_list(const char *directory, uint64_t **out, size_t *num_out,
                                              struct mg_error *error);

enum journal_file_state {
    JOURNAL_FILE_WHOLE,
    JOURNAL_FILE_TORN,   /* its end is an unfinished write, as a crash leaves it: no closing line is in it */
    JOURNAL_FILE_BROKEN, /* no crash explains it */
};

struct journal_file_scan {
    enum journal_file_state state;
    uint64_t num_batches, num_records; /* that are right */
    uint64_t good_len;                 /* bytes up to the end of the last part that is right */
    uint64_t len;                      /* bytes of the file */
    bool has_header;
};

/* journal_file_scan reads the file at |path| through |reader|, for which the caller has called
 * journal_reader_start_file. MG_IO if it cannot be read. */
MG_MUST_USE enum mg_status journal_file_scan(const char *path, struct journal_reader *reader,
                                             struct journal_file_scan *out, struct mg_error *error);

/* journal_verify reads every file in |directory|, writes what it finds to |report|, one line a file, and returns
 * MG_INVALID where the chain is broken. A torn end of the last file is reported and is no break. */
MG_MUST_USE enum mg_status journal_verify(const char *directory, FILE *report, struct mg_error *error);

#endif
