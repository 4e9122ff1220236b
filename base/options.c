/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>

/* What getopt_long returns for the option at |index|: no character, which short options are, nor its own '?'. */
#define VALUE_OF(index) (256 + (int)(index))

enum { HELP = MG_MAX_OPTIONS, VERSION };

static void fill(const struct mg_program *program, struct option known[MG_MAX_OPTIONS + 3])
{
    size_t num = program->num_options;
    assert(num <= MG_MAX_OPTIONS);
    for (size_t i = 0; i < num; i++) {
        int argument = program->options[i].text != NULL ? required_argument : no_argument;
        known[i] = (struct option){program->options[i].name, argument, NULL, VALUE_OF(i)};
    }
    known[num++] = (struct option){"help", no_argument, NULL, VALUE_OF(HELP)};
    known[num++] = (struct option){"version", no_argument, NULL, VALUE_OF(VERSION)};
    known[num] = (struct option){.name = NULL};
}

static void take(const struct mg_option *option)
{
    if (option->text != NULL) {
        *option->text = optarg;
    } else {
        *option->given = true;
    }
}

int mg_options_wrong(const struct mg_program *program, const char *text)
{
    fprintf(stderr, "%s: %s\nTry %s --help.\n", program->name, text, program->name);
    return MG_EXIT_USAGE;
}

int mg_options_parse(const struct mg_program *program, int argc, char **argv)
{
    struct option known[MG_MAX_OPTIONS + 3];
    fill(program, known);
    opterr = 0; /* what is wrong is said here */
    optind = 0; /* glibc: forgets what it parsed before */
    for (int value; (value = getopt_long(argc, argv, "+:", known, NULL)) != -1;) {
        if (value == VALUE_OF(HELP)) {
            fputs(program->usage, stdout);
            return 0;
        }
        if (value == VALUE_OF(VERSION)) {
            printf("%s " MINTGATE_VERSION "\n", program->name);
            return 0;
        }
        if (value < VALUE_OF(0)) {
            char text[256];
            snprintf(text, sizeof(text), "%s: %s", argv[optind - 1],
                     value == ':' ? "needs a value" : "no such option, or not with a value");
            return mg_options_wrong(program, text);
        }
        take(&program->options[value - VALUE_OF(0)]);
    }
    if (optind < argc) {
        char text[256];
        snprintf(text, sizeof(text), "unexpected argument: %s", argv[optind]);
        return mg_options_wrong(program, text);
    }
    return -1;
}
