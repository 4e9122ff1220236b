/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/process_cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define MAX_DEPTH 8 /* of the tree: the signer's is three */

static bool own_cpu_ns(pid_t pid, uint64_t *out)
{
    clockid_t clock;
    struct timespec spent;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &spent) != 0) {
        return false;
    }
    *out = (uint64_t)spent.tv_sec * MG_NS_PER_SECOND + (uint64_t)spent.tv_nsec;
    return true;
}

static uint64_t add_tree(pid_t pid, int depth);

/* add_children is for the children that one thread has made. */
static uint64_t add_children(pid_t pid, const char *thread, int depth)
{
    char path[64];
    uint64_t sum_ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", pid, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0; /* it has ended */
    }
    for (int child; fscanf(file, "%d", &child) == 1;) {
        sum_ns += add_tree(child, depth + 1);
    }
    fclose(file);
    return sum_ns;
}

static uint64_t add_tree(pid_t pid, int depth)
{
    char path[32];
    uint64_t sum_ns = 0;
    if (depth > MAX_DEPTH || !own_cpu_ns(pid, &sum_ns)) {
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (threads == NULL) {
        return sum_ns;
    }
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] != '.') {
            sum_ns += add_children(pid, entry->d_name, depth);
        }
    }
    closedir(threads);
    return sum_ns;
}

bool process_tree_cpu_ns(pid_t pid, uint64_t *out)
{
    *out = add_tree(pid, 0);
    return own_cpu_ns(pid, &(uint64_t){0});
}
