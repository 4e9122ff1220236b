/* SPDX-License-Identifier: Apache-2.0 */
/* The signer's program as a child of a test, all of its files in the test's directory. */
#ifndef MINTGATE_TESTS_SIGNER_PROCESS_H
#define MINTGATE_TESTS_SIGNER_PROCESS_H

#include <sys/types.h>

struct signer_process {
    pid_t pid; /* 0: none */
    /* What signer_write_config writes. */
    const char *key_type;
    const char *crypto_mb;
    unsigned num_threads;
};
extern struct signer_process signer_process;

/* signer_write_config writes a configuration whose paths are all in the test's directory, with |more| below signer. */
void signer_write_config(const char *more);

/* signer_run_program starts the program with |argv| behind its name; its output goes to the file "output", which
 * signer_output returns. signer_wait_for waits for its end. */
pid_t signer_run_program(const char *const *argv);
const char *signer_output(void);
int signer_wait_for(pid_t pid);

/* signer_start starts the signer with that configuration and waits until it listens; signer_stop sends |signal| and
 * returns how it ended. */
void signer_start(void);
int signer_stop(int signal);
void signer_assert_stopped_well(void);

/* A cmocka setup and teardown: a test's directory with a running signer, whatever becomes of it. */
int signer_begin(void **state);
int signer_end(void **state);

/* signer_connect_engine connects to the engine socket. */
int signer_connect_engine(void);

#endif
