/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuance journal: what this signer was asked to sign and was about to, so that afterwards it can be told what a
 * compromised engine obtained. Append-only, hash-chained (journal_chain.h), one write a batch, done before anything of
 * the batch is signed: a record without a certificate is possible, a certificate without a record is not. While it
 * cannot be written nothing is signed.
 *
 * A write reaches the kernel before the signature exists, so that no crash of this process loses it; a crash of the
 * machine can lose what is younger than the last journal_sync. Files are 0600, rotated by size, and never removed.
 *
 * A struct journal_batch belongs to one thread. journal_commit and journal_sync may be called from several threads.
 */
#ifndef MINTGATE_HSM_JOURNAL_H
#define MINTGATE_HSM_JOURNAL_H

#include "base/metrics.h"
#include "hsm/journal_chain.h"

struct journal;

struct journal_config {
    const char *directory; /* made (0700) if missing */
    uint64_t rotate_bytes; /* a file that has grown to this is followed by another */
};

/* Counts since the start. Written under the journal's lock, read by anybody. */
struct journal_counters {
    struct mg_counter records, batches, bytes, files;
    struct mg_counter write_errors, sync_errors;
};

/* journal_open continues the journal in its directory, or begins one. An unfinished write at its end, which a crash
 * leaves, is cut off. Where the last file is otherwise broken it is left as it is, and a new one begun without a
 * predecessor, so that journal_verify shows the break for ever; both are logged. */
MG_MUST_USE enum mg_status journal_open(struct journal **out, const struct journal_config *config, int64_t now_us,
                                        struct mg_error *error);

/* journal_close syncs, logs the last chain value, and frees. */
void journal_close(struct journal *journal);

/* A batch being made: memory that is kept from one to the next. */
struct journal_batch {
    struct mg_buffer lines;
    EVP_MD_CTX *sha256;
    struct journal_keys keys; /* from one batch to the next */
    char time_text[32];
    uint64_t num_records;
};

MG_MUST_USE enum mg_status journal_batch_init(struct journal_batch *batch, struct mg_error *error);
void journal_batch_free(struct journal_batch *batch);

/* journal_batch_start empties |batch|; its records will carry |now_us|. journal_batch_add adds one; false if it does
 * not fit or hashing fails, and then the batch is lost: start anew. */
void journal_batch_start(struct journal_batch *batch, int64_t now_us);
MG_MUST_USE bool journal_batch_add(struct journal_batch *batch, const struct journal_record *record);

/* journal_commit writes a batch of at least one record. MG_IO: nothing of it is in the journal and nothing of it may be
 * signed; the next commit tries again. */
MG_MUST_USE enum mg_status journal_commit(struct journal *journal, struct journal_batch *batch, int64_t now_us,
                                          struct mg_error *error);

/* journal_sync brings what was written to the disk; it does nothing if there is nothing new. Called every second or
 * so, not from a thread that signs, since it blocks. Once it has failed, what is on the disk is unknown, and every
 * commit fails until the signer is started anew. */
MG_MUST_USE enum mg_status journal_sync(struct journal *journal, struct mg_error *error);

const struct journal_counters *journal_counters(const struct journal *journal);
/* journal_is_writable tells whether the last commit or sync worked. Any thread. */
bool journal_is_writable(const struct journal *journal);

#endif
