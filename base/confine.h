/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process gives up once it has opened what it needs: core dumps, capabilities, new privileges, and the system
 * calls that it has no use for. Called by main functions, before hostile bytes are read.
 */
#ifndef MINTGATE_BASE_CONFINE_H
#define MINTGATE_BASE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* mg_confine_no_dumps makes memory unreadable to debuggers of other users and to core dumps, for a process that holds
 * secrets. */
MG_MUST_USE enum mg_status mg_confine_no_dumps(struct mg_error *error);

/* mg_confine_capabilities drops every capability but |keep| (CAP_* of linux/capability.h) from all sets of all threads,
 * by libpsx, since a capability is a thread's and a library's thread would keep its own; and forbids gaining any by
 * exec. Threads made later inherit it. */
MG_MUST_USE enum mg_status mg_confine_capabilities(const int *keep, size_t num_keep, struct mg_error *error);

/* mg_confine_thread drops all capabilities of the calling thread alone, and so of the threads that it makes: for helper
 * threads of shared libraries, which libpsx does not see. */
MG_MUST_USE enum mg_status mg_confine_thread(struct mg_error *error);

/* The system calls that a program goes on making beside those that every program needs (confine.c), by name. */
struct mg_confine_calls {
    const char *const *allowed;
    size_t num_allowed;
    const char *const *refused; /* fail with EPERM: libraries try them and can do without */
    size_t num_refused;
    bool makes_threads; /* goes on making threads; still no processes */
};

/* mg_confine_syscalls kills the process at any other system call, in any thread. A process under a sanitizer is left
 * alone, since the sanitizer makes calls of its own. */
MG_MUST_USE enum mg_status mg_confine_syscalls(const struct mg_confine_calls *calls, struct mg_error *error);

/* mg_confine_kernel refuses (EPERM), in all threads, the system calls that change or look into the kernel, other
 * processes or namespaces, and allows every other: for a program that loads code of others, whose needs nobody knows.
 * Under a sanitizer too, which makes none of them. */
MG_MUST_USE enum mg_status mg_confine_kernel(struct mg_error *error);

#endif
