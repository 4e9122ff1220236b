/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that a person types or a script hands over: never by the command line, which all users of a machine can see.
 * mintgatectl's one thread. */
#ifndef MINTGATE_CONTROL_CTL_SECRET_INPUT_H
#define MINTGATE_CONTROL_CTL_SECRET_INPUT_H

#include "base/status.h"

#define SECRET_INPUT_MAX 256

/* secret_input_read reads a secret of 1 to SECRET_INPUT_MAX bytes: where standard input is a terminal, by asking there
 * for |prompt| without showing it; else the next line of standard input, and no byte more, so that several secrets come
 * one a line. The caller wipes |out|. MG_DENIED: nothing was given, or too much. */
MG_MUST_USE enum mg_status secret_input_read(const char *prompt, char out[SECRET_INPUT_MAX + 1],
                                             struct mg_error *error);

/* secret_input_choose is secret_input_read for a new secret: at a terminal it is asked for twice. MG_DENIED also where
 * the two differ. */
MG_MUST_USE enum mg_status secret_input_choose(const char *prompt, char out[SECRET_INPUT_MAX + 1],
                                               struct mg_error *error);

#endif
