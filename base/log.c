/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char *log_program = "mintgate";
static _Atomic enum mg_log_level log_level = MG_LOG_INFO;

void mg_log_init(const char *program, enum mg_log_level level)
{
    log_program = program;
    atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

void mg_log_set_level(enum mg_log_level level)
{
    atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

enum mg_status mg_log_level_parse(const char *name, enum mg_log_level *out)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum mg_log_level)i;
            return MG_OK;
        }
    }
    return MG_INVALID;
}

void mg_log(enum mg_log_level level, const char *format, ...)
{
    if (level > atomic_load_explicit(&log_level, memory_order_relaxed)) {
        return;
    }
    char when[MG_CLOCK_TEXT_LEN];
    mg_clock_format_us(when, mg_clock_wall_us());
    char line[2048];
    int head = snprintf(line, sizeof(line), "%s %s %s: ", when, level_names[level], log_program);
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + head, sizeof(line) - (size_t)head, format, args);
    va_end(args);
    if (body < 0) {
        return;
    }
    size_t len = (size_t)head + (size_t)body;
    if (len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }
    for (size_t i = (size_t)head; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 || c == 0x7f) {
            line[i] = '?';
        }
    }
    line[len++] = '\n';
    /* One write per line, so that lines of several threads do not mix. A log that cannot be written is lost. */
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}
