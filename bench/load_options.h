/* SPDX-License-Identifier: Apache-2.0 */
/* What a run of the load generator does. Read-only once parsed: any thread. */
#ifndef MINTGATE_BENCH_LOAD_OPTIONS_H
#define MINTGATE_BENCH_LOAD_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/status.h"
#include "bench/zipf.h"

#define LOAD_MAX_NAME 253
#define LOAD_MAX_THREADS 64

union load_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* |prefix|, a number, |suffix|; or |prefix| alone. */
struct load_pattern {
    char prefix[LOAD_MAX_NAME + 1];
    char suffix[LOAD_MAX_NAME + 1];
    bool numbered;
};

struct load_options {
    struct load_pattern pattern; /* of the server names */
    uint64_t first_name, last_name;
    struct load_pattern fresh_pattern; /* of names that come up once each, numbered by connection */
    unsigned fresh_percent;            /* of the connections, at random; 0: none */

    union load_address target;
    union load_address first_source; /* family 0: the kernel chooses */
    uint64_t num_sources;            /* consecutive addresses, used in turn */

    uint64_t connections;
    uint64_t in_flight; /* at one time, all threads together */
    double rate;        /* starts a second; 0: as soon as one of |in_flight| is free */
    bool poisson;       /* starts at random intervals instead of even ones */
    bool random_names;  /* names at random instead of in turn */
    bool zipf_names;    /* as popular as |zipf| says, the first name most of all */
    struct zipf zipf;
    uint64_t seed;            /* of all that is random here (TLS's own randomness is not) */
    uint64_t max_seconds;     /* start nothing later than that; 0: no limit */
    unsigned timeout_seconds; /* of one connection, from its real start to its end */
    unsigned threads;

    uint16_t min_version, max_version; /* 0: the library's own */
    const char *alpn;                  /* protocols, separated by commas; NULL: none */
    const char *groups;                /* as SSL_CTX_set1_curves_list wants them; NULL: the library's own */
    const char *ciphers;               /* TLS 1.2's, as SSL_CTX_set_cipher_list wants them */
    bool resume;                       /* offer a session of an earlier connection to the same name */
    unsigned resume_percent;           /* on how many of the connections, at random */
    const char *ca_file;               /* NULL: do not verify */

    const char *path; /* of the GET; NULL: the handshake is all */
    unsigned expect_status;
    int64_t expect_len; /* of the answer's body; -1: any */

    const char *json;    /* file for the report, "-" for standard output; NULL: tables for people */
    const char *records; /* file for one JSON object per connection; NULL: none */
    bool timeline;
    bool distribution; /* in the JSON report: every bucket of the latencies */
};

/* load_options_parse fills |out|, which borrows from |argv|. MG_INVALID with a text that names the option. */
MG_MUST_USE enum mg_status load_options_parse(struct load_options *out, int argc, char **argv, struct mg_error *error);

/* load_options_usage is the text of --help. */
extern const char load_options_usage[];

/* load_options_name_index returns the name's index for connection |index|, the same with any number of threads: below
 * load_options_num_names, or from there on for a name that comes up once. */
uint64_t load_options_name_index(const struct load_options *options, uint64_t index);

/* load_options_name writes the name with that index, NUL-terminated. */
void load_options_name(const struct load_options *options, uint64_t name_index, char out[LOAD_MAX_NAME + 1]);

/* load_options_may_resume tells whether connection |index| offers a session if there is one. */
bool load_options_may_resume(const struct load_options *options, uint64_t index);

static inline uint64_t load_options_num_names(const struct load_options *options)
{
    return options->pattern.numbered ? options->last_name - options->first_name + 1 : 1;
}

/* load_options_source returns the source address of that index, modulo their number. */
union load_address load_options_source(const struct load_options *options, uint64_t index);

/* load_address_parse reads "1.2.3.4:443" or "[fd00::1]:443"; without a port that is 0. */
MG_MUST_USE bool load_address_parse(union load_address *out, const char *text);

#endif
