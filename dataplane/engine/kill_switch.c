/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/engine/kill_switch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define MAX_FILE 4096
/* Longer than anybody means. */
#define MAX_SECONDS (INT64_C(366) * 86400)

/* parse reads the first line of |text|: seconds since 1970. */
static bool parse(const char *text, int64_t *until)
{
    char *end;
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || (*end != '\n' && *end != '\0')) {
        return false;
    }
    *until = seconds;
    return true;
}

/* turn sets the switch and says so. */
static void turn(struct kill_switch *kill_switch, int64_t until)
{
    int64_t now = mg_clock_wall_seconds();
    int64_t left = until <= now ? 0 : until - now;
    uint64_t now_ns = mg_clock_monotonic_ns();
    bool was_on = kill_switch_is_on(kill_switch, now_ns);
    left = left > MAX_SECONDS ? MAX_SECONDS : left;
    atomic_store_explicit(&kill_switch->until_ns, left == 0 ? 0 : now_ns + (uint64_t)left * MG_NS_PER_SECOND,
                          memory_order_relaxed);
    if (left > 0) {
        mg_log_warning("the kill switch is on for %lld s: nothing is intercepted or blocked", (long long)left);
    } else if (was_on) {
        mg_log_warning("the kill switch is off");
    }
}

static void read_file(struct kill_switch *kill_switch)
{
    struct mg_buffer text;
    struct mg_error error;
    int64_t until;
    mg_buffer_init(&text, MAX_FILE);
    enum mg_status status = mg_file_read(kill_switch->path, &text, &error);
    mg_buffer_append_u8(&text, '\0');
    if (status == MG_NOT_FOUND) {
        turn(kill_switch, 0);
    } else if (status != MG_OK || !mg_buffer_ok(&text)) {
        mg_log_error("the kill switch stays as it is: %s", status == MG_OK ? "the file is too large" : error.text);
    } else if (!parse((const char *)text.data, &until)) {
        mg_log_error("the kill switch stays as it is: %s: the first line must be seconds since 1970",
                     kill_switch->path);
    } else {
        turn(kill_switch, until);
    }
    mg_buffer_free(&text);
}

enum mg_status kill_switch_open(struct kill_switch *out, const char *path, struct mg_error *error)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    *out = (struct kill_switch){.path = path, .fd = -1};
    if (len == 0 || len >= sizeof(directory)) {
        return mg_error_set(error, MG_INVALID, "dataplane.kill_switch: %s: must be a path in a directory", path);
    }
    memcpy(directory, path, len);
    directory[len] = '\0';
    out->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (out->fd < 0 ||
        inotify_add_watch(out->fd, directory, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) < 0) {
        enum mg_status status = mg_error_errno(error, "dataplane.kill_switch: cannot watch %s", directory);
        kill_switch_close(out);
        return status;
    }
    read_file(out);
    return MG_OK;
}

void kill_switch_close(struct kill_switch *kill_switch)
{
    if (kill_switch->fd >= 0) {
        close(kill_switch->fd);
        kill_switch->fd = -1;
    }
}

/* concerns tells whether one of the events at |bytes| is about the file. */
static bool concerns(const struct kill_switch *kill_switch, const char *bytes, size_t len)
{
    const char *name = strrchr(kill_switch->path, '/') + 1;
    for (size_t at = 0; at + sizeof(struct inotify_event) <= len;) {
        struct inotify_event event;
        memcpy(&event, bytes + at, sizeof(event));
        at += sizeof(event);
        if ((event.mask & IN_Q_OVERFLOW) != 0 ||
            (event.len > 0 && at + event.len <= len && strncmp(bytes + at, name, event.len) == 0)) {
            return true;
        }
        at += event.len;
    }
    return false;
}

void kill_switch_read(struct kill_switch *kill_switch)
{
    char events[4096];
    bool changed = false;
    for (ssize_t len; (len = read(kill_switch->fd, events, sizeof(events))) > 0;) {
        changed = concerns(kill_switch, events, (size_t)len) || changed;
    }
    if (changed) {
        read_file(kill_switch);
    }
}
