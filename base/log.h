/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process log: one line per event on standard error, which systemd and containers collect. For operators; the
 * record of sessions is elsewhere (docs/operations.md). Any thread may log except dataplane workers, which count
 * instead. Never pass a secret.
 */
#ifndef MINTGATE_BASE_LOG_H
#define MINTGATE_BASE_LOG_H

#include "base/attr.h"
#include "base/status.h"

enum mg_log_level { MG_LOG_ERROR, MG_LOG_WARNING, MG_LOG_INFO, MG_LOG_DEBUG };

/* mg_log_init names the program in every line and sets the lowest level written. Call once, before threads. */
void mg_log_init(const char *program, enum mg_log_level level);

/* mg_log_set_level may be called at any time. */
void mg_log_set_level(enum mg_log_level level);

/* mg_log_level_parse turns "error", "warning", "info" or "debug" into a level. */
MG_MUST_USE enum mg_status mg_log_level_parse(const char *name, enum mg_log_level *out);

/* mg_log writes one line. Control characters in it are replaced, so that hostile names cannot forge lines. */
void mg_log(enum mg_log_level level, const char *format, ...) MG_PRINTF(2, 3);

#define mg_log_error(...) mg_log(MG_LOG_ERROR, __VA_ARGS__)
#define mg_log_warning(...) mg_log(MG_LOG_WARNING, __VA_ARGS__)
#define mg_log_info(...) mg_log(MG_LOG_INFO, __VA_ARGS__)
#define mg_log_debug(...) mg_log(MG_LOG_DEBUG, __VA_ARGS__)

#endif
