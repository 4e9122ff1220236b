/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor of the tokens' processes: a thread that has them started by the launcher, tells the signing threads
 * how each is (backend_pkcs11.h), asks each idle one every second whether its token is there and logged in, kills those
 * that a deadline has passed for, and starts them again, later and later (token_state.h). And the way of management
 * calls to a token.
 *
 * What counts as hanging: work, a ping or a call that a token has had for longer than its deadline; the making of a key
 * that took longer than TOKEN_SUPERVISOR_MAKE_KEY_NS. While a key is made nothing else counts, since some modules do
 * nothing else then.
 */
#ifndef MINTGATE_HSM_TOKEN_SUPERVISOR_H
#define MINTGATE_HSM_TOKEN_SUPERVISOR_H

#include "base/metrics.h"
#include "hsm/backend.h"
#include "hsm/token_config.h"
#include "hsm/token_state.h"

/* An RSA key may take a hardware token minutes. */
#define TOKEN_SUPERVISOR_MAKE_KEY_NS UINT64_C(180000000000)
#define TOKEN_SUPERVISOR_PING_NS UINT64_C(1000000000)
/* How often time passes for the state machines. */
#define TOKEN_SUPERVISOR_TICK_MS 50
/* How often the PIN of a token that refused it is looked at. */
#define TOKEN_SUPERVISOR_PIN_NS UINT64_C(2000000000)

struct token_supervisor;

/* struct token_answer is the reply to a call and what it borrows from. */
struct token_answer {
    struct wire_token_reply reply;
    size_t len;
    uint8_t packet[WIRE_TOKEN_MAX_PACKET];
};

/* Supervisor's thread: rw, metrics: ro. */
struct token_supervisor_counters {
    struct mg_counter starts, kills, exits;
    struct mg_counter refused_pins, failed_openings;
    struct mg_counter calls, failed_calls;
    struct mg_counter mode;         /* enum token_mode; a gauge, as the next two */
    struct mg_counter num_sessions; /* that it signs on; 0: not up */
    struct mg_counter rate;         /* that its calibration found */
};

/* token_supervisor_start starts the thread. |launcher_fd| is taken over; |tokens| and |backend| outlive it. Once every
 * signing session exists: each gets a socket of each token. */
MG_MUST_USE enum mg_status token_supervisor_start(struct token_supervisor **out, const struct backend *backend,
                                                  const struct token_config *tokens, size_t num_tokens, int launcher_fd,
                                                  struct mg_error *error);

/* token_supervisor_stop ends the thread and with it every token's process. After the sessions' work is done, and after
 * the last call has returned. NULL is nothing to stop. */
void token_supervisor_stop(struct token_supervisor *supervisor);

/* token_supervisor_refuse_calls ends the calls under way and refuses all further ones, so that whoever makes them can
 * stop: a key may take minutes. Any thread. NULL is nothing to do. */
void token_supervisor_refuse_calls(struct token_supervisor *supervisor);

/* token_supervisor_call has the token at |place| do |request| and waits for the answer, which out->reply holds; its
 * status may be a refusal, of which |error| tells too. MG_OK if it is WIRE_TOKEN_OK; else the status's class, MG_IO
 * when the token is not up or its process dies meanwhile: done or not, asked again it is done once. Any thread but the
 * supervisor's; one call at a time is under way at a token, others wait. */
MG_MUST_USE enum mg_status token_supervisor_call(struct token_supervisor *supervisor, size_t place,
                                                 const struct wire_token_request *request, struct token_answer *out,
                                                 struct mg_error *error);

/* token_supervisor_identity copies who the token at |place| is into out->packet, from which *identity borrows. MG_IO if
 * it is not up. */
MG_MUST_USE enum mg_status token_supervisor_identity(struct token_supervisor *supervisor, size_t place,
                                                     struct token_answer *out, struct wire_token_identity *identity,
                                                     struct mg_error *error);

/* token_supervisor_config returns the configuration of the token at |place|. Any thread. */
const struct token_config *token_supervisor_config(const struct token_supervisor *supervisor, size_t place);

/* token_supervisor_counters returns the counters of the token at |place|. Any thread. */
const struct token_supervisor_counters *token_supervisor_counters(const struct token_supervisor *supervisor,
                                                                  size_t place);

#endif
