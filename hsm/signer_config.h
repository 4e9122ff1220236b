/* SPDX-License-Identifier: Apache-2.0 */
/* What the signer takes from the configuration file; the only place in this room that knows it. */
#ifndef MINTGATE_HSM_SIGNER_CONFIG_H
#define MINTGATE_HSM_SIGNER_CONFIG_H

#include <limits.h>

#include "base/log.h"
#include "base/status.h"
#include "hsm/token_config.h"

/* struct signer_config is self-contained. Paths are as configured; those below |state_dir| are derived. */
struct signer_config {
    char engine_socket[128];
    char control_socket[128];
    char metrics_socket[128]; /* empty: none */
    char state_dir[PATH_MAX / 2];
    char kek_file[PATH_MAX / 2];
    char kek_credential[256]; /* not empty: used instead of the file */
    char keys_dir[PATH_MAX];
    char journal_dir[PATH_MAX];
    char root_path[PATH_MAX]; /* the root's certificate, for clients */
    char lock_path[PATH_MAX];
    enum wire_key_type builtin_key_type;
    int64_t max_validity_seconds;
    bool use_crypto_mb;
    unsigned num_threads;
    unsigned queue; /* requests waiting, all threads together */
    uint64_t journal_rotate_bytes;
    char token_program[PATH_MAX]; /* mintgate-token, beside this program */
    struct token_config tokens[WIRE_TOKEN_MAX_PLACES];
    size_t num_tokens;
    enum mg_log_level log_level;
};

/* signer_config_load reads |path|. MG_INVALID: |error| says where and what. */
MG_MUST_USE enum mg_status signer_config_load(struct signer_config *out, const char *path, struct mg_error *error);

#endif
