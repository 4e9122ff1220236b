/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a journal file, which whoever can write the disk may have changed: a batch counts as right only if
 * closing it again gives the very line that was read. */
#include <stdlib.h>

#include "hsm/journal_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mg_slice take_line(struct mg_slice *in)
{
    const uint8_t *feed = in->len > 0 ? memchr(in->data, '\n', in->len) : NULL;
    struct mg_slice line;
    if (!mg_slice_take(in, &line, feed != NULL ? (size_t)(feed - in->data) + 1 : in->len)) {
        abort();
    }
    return line;
}

/* check_closing writes the closing line from the position before it and the records' hash. */
static void check_closing(const struct journal_reader *reader, struct journal_position before, uint64_t num_records,
                          struct mg_slice records, struct mg_slice line)
{
    uint8_t hash[JOURNAL_HASH_LEN], storage[JOURNAL_MAX_CLOSING];
    struct mg_buffer again;
    mg_buffer_wrap(&again, storage, sizeof(storage));
    if (EVP_Digest(records.data, records.len, hash, NULL, EVP_sha256(), NULL) != 1 ||
        !journal_chain_close(&again, reader->sha256, num_records, hash, &before) ||
        !mg_slice_equal(mg_buffer_slice(&again), line)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice in = mg_slice_of(data, size), records = in;
    struct journal_reader reader;
    if (journal_reader_init(&reader, NULL) != MG_OK) {
        abort();
    }
    journal_reader_start_file(&reader, false);
    while (in.len > 0) {
        struct journal_position before = reader.position;
        uint64_t num_records = reader.num_records;
        records.len = (size_t)(in.data - records.data);
        struct mg_slice line = take_line(&in);
        enum journal_line kind = journal_reader_line(&reader, line);
        if (kind == JOURNAL_LINE_BROKEN) {
            break;
        }
        if (kind == JOURNAL_LINE_BATCH) {
            check_closing(&reader, before, num_records, records, line);
        }
        if (kind != JOURNAL_LINE_RECORD) {
            records = in;
        }
    }
    journal_reader_free(&reader);
    return 0;
}
