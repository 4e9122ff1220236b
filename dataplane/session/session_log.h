/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session log: records go from workers and session threads to one writer thread without a lock or system call.
 * Each producer has a channel of its own with a bounded number of records; when none is free the record is lost, and
 * the caller counts it.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_SESSION_LOG_H
#define MINTGATE_DATAPLANE_SESSION_SESSION_LOG_H

#include "base/status.h"
#include "dataplane/session/session_record.h"

struct session_log;
struct session_log_channel;

/* session_log_new opens |path| (appending, mode 0640; "": records are taken and thrown away), which it borrows, and
 * starts the writer with |num_channels| channels that share |max_records| evenly: each has a power of two of places, at
 * least one. Main thread. */
MG_MUST_USE enum mg_status session_log_new(struct session_log **out, const char *path, unsigned num_channels,
                                           unsigned max_records, struct mg_error *error);

/* session_log_free writes what waits and ends the writer; all producers have ended. */
void session_log_free(struct session_log *log);

/* session_log_reopen has the file closed and opened again by its path, for log rotation; where it cannot be opened the
 * old one is kept. Any thread. */
void session_log_reopen(struct session_log *log);

/* session_log_queue returns how many records are not yet in the file. Any thread. */
uint64_t session_log_queue(const struct session_log *log);

/* session_log_write_errors returns how often the file could not be written (a full disk); the records of these writes
 * are lost. Said in the process log when it begins and when it ends. Any thread. */
uint64_t session_log_write_errors(const struct session_log *log);

struct session_log_channel *session_log_channel(struct session_log *log, unsigned index);

/* session_log_put has a copy of |record| written. False: all of the channel's places wait to be written, and the record
 * is lost. The channel's one producer thread; no system call. */
MG_MUST_USE bool session_log_put(struct session_log_channel *channel, const struct session_record *record);

#endif
