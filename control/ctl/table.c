/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2
#define MAX_TEXTS ((size_t)64 << 20)

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; text != NULL && *text != '\0'; text++) {
        width += !is_continuation((unsigned char)*text);
    }
    return width;
}

static void write_text(struct mg_buffer *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        /* U+0080 to U+009F, which terminals obey too, are 0xc2 and one of these bytes. */
        bool is_c1 = byte == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;
        mg_buffer_append_u8(out, byte < 0x20 || byte == 0x7f || is_c1 ? '?' : byte);
        text += is_c1;
    }
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

static void write_row(struct mg_buffer *out, const char *const *cells, size_t num_columns, const size_t *widths)
{
    while (num_columns > 0 && is_empty(cells[num_columns - 1])) {
        num_columns--;
    }
    for (size_t i = 0; i < num_columns; i++) {
        write_text(out, cells[i]);
        for (size_t at = width_of(cells[i]); i + 1 < num_columns && at < widths[i] + GAP; at++) {
            mg_buffer_append_u8(out, ' ');
        }
    }
    mg_buffer_append_u8(out, '\n');
}

void table_write(struct mg_buffer *out, const char *const *cells, size_t num_rows, size_t num_columns)
{
    size_t widths[TABLE_MAX_COLUMNS] = {0};
    for (size_t i = 0; i < num_rows * num_columns; i++) {
        size_t width = width_of(cells[i]);
        size_t *widest = &widths[i % num_columns];
        *widest = width > *widest ? width : *widest;
    }
    for (size_t row = 0; row < num_rows; row++) {
        write_row(out, cells + row * num_columns, num_columns, widths);
    }
}

void table_begin(struct table *table, const char *const *titles, size_t num_columns)
{
    *table = (struct table){.num_columns = num_columns};
    mg_buffer_init(&table->texts, MAX_TEXTS);
    for (size_t i = 0; titles != NULL && i < num_columns; i++) {
        table_add(table, titles[i]);
    }
}

void table_add(struct table *table, const char *cell)
{
    mg_buffer_append(&table->texts, cell, strlen(cell) + 1);
    table->num_cells++;
}

void table_add_number(struct table *table, int64_t number)
{
    char text[sizeof("-9223372036854775808")];
    snprintf(text, sizeof(text), "%" PRId64, number);
    table_add(table, text);
}

void table_end(struct table *table, struct mg_buffer *out)
{
    const char **cells = calloc(table->num_cells + 1, sizeof(*cells));
    if (cells == NULL || !mg_buffer_ok(&table->texts)) {
        out->failed = true;
    } else {
        const char *cell = (const char *)table->texts.data;
        for (size_t i = 0; i < table->num_cells; i++) {
            cells[i] = cell;
            cell += strlen(cell) + 1;
        }
        table_write(out, cells, table->num_cells / table->num_columns, table->num_columns);
    }
    free(cells);
    mg_buffer_free(&table->texts);
}

void table_line(struct mg_buffer *out, const char *label, const char *value)
{
    char padded[16];
    snprintf(padded, sizeof(padded), "%-10s", label);
    const char *cells[] = {padded, value};
    table_write(out, cells, 1, MG_ARRAY_LEN(cells));
}

void table_time(char out[MG_CLOCK_TEXT_LEN], int64_t wall_seconds)
{
    if (wall_seconds == 0) {
        strcpy(out, "-");
        return;
    }
    mg_clock_format_us(out, wall_seconds * INT64_C(1000000));
    char *fraction = strchr(out, '.');
    char *middle = strchr(out, 'T');
    if (fraction != NULL && middle != NULL) {
        strcpy(fraction, "Z");
        *middle = ' ';
    }
}
