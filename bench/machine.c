/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/bench_commit.h"

/* look_at_cpuinfo reads the first processor's part of /proc/cpuinfo. */
static void look_at_cpuinfo(struct bench_machine *out)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && getline(&line, &size, file) > 1) {
        sscanf(line, "model name : %127[^\n]", out->cpu);
        if (strncmp(line, "flags", 5) == 0) {
            out->has_ifma = strstr(line, " avx512ifma") != NULL;
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
}

void bench_machine_look(struct bench_machine *out)
{
    struct utsname names;
    memset(out, 0, sizeof(*out));
    look_at_cpuinfo(out);
    if (uname(&names) == 0) {
        snprintf(out->kernel, sizeof(out->kernel), "%s", names.release);
    }
    out->num_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    (void)getloadavg(&out->load, 1);
    snprintf(out->commit, sizeof(out->commit), "%s", BENCH_COMMIT);
}
