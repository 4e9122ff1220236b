/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of text for people: as wide as their longest cell, two spaces apart. Pure: any thread. */
#ifndef MINTGATE_CONTROL_CTL_TABLE_H
#define MINTGATE_CONTROL_CTL_TABLE_H

#include "base/buffer.h"
#include "base/clock.h"

#define TABLE_MAX_COLUMNS 8

/* table_write appends |num_rows| rows of |num_columns| cells (at most TABLE_MAX_COLUMNS), row by row, to |out|. NULL is
 * an empty cell. Control characters are shown as '?', so that no text can steer a terminal; widths count characters of
 * UTF-8 (RFC 3629), not bytes. No spaces at the end of a line. */
void table_write(struct mg_buffer *out, const char *const *cells, size_t num_rows, size_t num_columns);

/* A table that is filled cell by cell, row by row; it copies what it is given. Where memory runs out, table_end marks
 * its |out| as failed. */
struct table {
    size_t num_columns, num_cells;
    struct mg_buffer texts; /* the cells, a NUL behind each */
};

/* table_begin begins with a row of titles, unless NULL; |num_columns| are at most TABLE_MAX_COLUMNS. */
void table_begin(struct table *table, const char *const *titles, size_t num_columns);
void table_add(struct table *table, const char *cell);
void table_add_number(struct table *table, int64_t number);

/* table_end appends the whole to |out|, and frees. */
void table_end(struct table *table, struct mg_buffer *out);

/* table_line appends one row: |label| in a column of ten characters, and |value|. */
void table_line(struct mg_buffer *out, const char *label, const char *value);

/* table_time writes |wall_seconds| as UTC to the second, as in "2026-11-21 09:41:00Z"; 0, which is no time, as "-". */
void table_time(char out[MG_CLOCK_TEXT_LEN], int64_t wall_seconds);

#endif
