/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting token processes through the launcher (hsm/token/launcher.h), which is started before the signer confines
 * itself, and what such a process gets: sockets, and its PIN through a pipe.
 */
#ifndef MINTGATE_HSM_TOKEN_LAUNCH_H
#define MINTGATE_HSM_TOKEN_LAUNCH_H

#include "base/status.h"
#include "hsm/token_config.h"

#define TOKEN_PIN_DIGEST_LEN 32

/* token_launcher_start starts |program| (mintgate-token) as launcher: our end of its socket in *out_fd, non-blocking.
 * It ends when that is closed. Before the seccomp filter; the descriptors of this process must be close-on-exec. */
MG_MUST_USE enum mg_status token_launcher_start(const char *program, int *out_fd, struct mg_error *error);

/* struct token_ends are our ends of a new process's sockets, non-blocking; -1: none. */
struct token_ends {
    int control;
    int lanes[WIRE_TOKEN_MAX_LANES];
    size_t num_lanes;
};

/* token_launch has the launcher start the process of |token| at |place|, with |num_lanes| signing sockets and
 * |num_sessions|. The PIN is read from its file now, wiped behind, and |pin_digest| tells it from another one. On error
 * nothing is open. */
MG_MUST_USE enum mg_status token_launch(int launcher_fd, const struct token_config *token, size_t place,
                                        size_t num_lanes, unsigned num_sessions, struct token_ends *out,
                                        uint8_t pin_digest[TOKEN_PIN_DIGEST_LEN], struct mg_error *error);

void token_ends_close(struct token_ends *ends);

/* token_kill has the launcher kill the process at |place|; its end is told as of any other. */
MG_MUST_USE enum mg_status token_kill(int launcher_fd, size_t place, struct mg_error *error);

/* token_pin_digest reads the PIN file of |token| for its digest alone. The digest is keyed with randomness of this
 * process, so that nobody who sees it can try PINs. */
MG_MUST_USE enum mg_status token_pin_digest(const struct token_config *token, uint8_t out[TOKEN_PIN_DIGEST_LEN],
                                            struct mg_error *error);

#endif
