/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a program that takes options alone. Main functions call this. */
#ifndef MINTGATE_BASE_OPTIONS_H
#define MINTGATE_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define MG_EXIT_USAGE 2
#define MG_MAX_OPTIONS 16

/* One option, "--name" or "--name TEXT": exactly one of |given| and |text| is set. */
struct mg_option {
    const char *name;
    bool *given;       /* becomes true */
    const char **text; /* becomes what stands behind it, borrowed from argv */
};

struct mg_program {
    const char *name;
    const char *usage;               /* what --help prints */
    const struct mg_option *options; /* at most MG_MAX_OPTIONS, beside --help and --version */
    size_t num_options;
};

/* mg_options_parse reads argv into the options of |program|; the last of several counts. --help and --version, which
 * every program has, are answered; what is not understood is said on standard error. Returns -1 to go on, else the exit
 * status of the program: 0 or MG_EXIT_USAGE. */
int mg_options_parse(const struct mg_program *program, int argc, char **argv);

/* mg_options_wrong says |text| on standard error, and where to find help; returns MG_EXIT_USAGE. */
int mg_options_wrong(const struct mg_program *program, const char *text);

#endif
