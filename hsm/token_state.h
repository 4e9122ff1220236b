/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one token's process as its supervisor sees it: a state machine, in a table (token_state.c), with the time
 * as a parameter. Pure.
 *
 *   DOWN ──due──► STARTING ──ready──► UP ──silent──► ENDING ──exited──► DOWN, later and later
 *                    │  └──late──────────────────────►┘
 *                    └──PIN refused──► LOCKED_OUT ──PIN changed──► DOWN
 *
 * A PIN that was refused is not tried again until it is another one, so that no restart brings a token nearer to
 * locking itself.
 *
 * The circuit breaker is what the signing threads are told: after one failure work is answered "try again", for a
 * short time; from the second in a row on, or once that time is over, it fails at once until the token is up again.
 */
#ifndef MINTGATE_HSM_TOKEN_STATE_H
#define MINTGATE_HSM_TOKEN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_STATE_FIRST_PAUSE_NS UINT64_C(100000000)
#define TOKEN_STATE_LAST_PAUSE_NS UINT64_C(30000000000)
/* From the start of a process to its READY; the calibration is in it. */
#define TOKEN_STATE_OPENING_NS UINT64_C(60000000000)
/* From KILL to the news of the end, after which KILL is sent again. */
#define TOKEN_STATE_ENDING_NS UINT64_C(5000000000)
/* A token up for so long has no failures behind it any more. */
#define TOKEN_STATE_STABLE_NS UINT64_C(30000000000)
/* How long work may be answered "try again". */
#define TOKEN_STATE_GRACE_NS UINT64_C(2000000000)

enum token_phase { TOKEN_DOWN, TOKEN_STARTING, TOKEN_UP, TOKEN_ENDING, TOKEN_LOCKED_OUT };
#define TOKEN_NUM_PHASES 5

enum token_event {
    TOKEN_EVENT_TICK,        /* time has passed */
    TOKEN_EVENT_READY,       /* the process is logged in */
    TOKEN_EVENT_NOT_OPENED,  /* the process says that it could not open the token, and ends */
    TOKEN_EVENT_PIN_REFUSED, /* likewise, and that the PIN is the reason */
    TOKEN_EVENT_SILENT,      /* a deadline has passed, or what it sends is no packet */
    TOKEN_EVENT_EXITED,      /* the process has ended */
    TOKEN_EVENT_PIN_CHANGED,
};
#define TOKEN_NUM_EVENTS 7

enum token_action { TOKEN_ACTION_NONE, TOKEN_ACTION_LAUNCH, TOKEN_ACTION_KILL };

/* What signing threads do with work for a token. */
enum token_mode {
    TOKEN_MODE_UP,
    TOKEN_MODE_RESTARTING, /* answer it "try again" */
    TOKEN_MODE_BROKEN,     /* fail it */
};

/* struct token_state is its owner's to read. */
struct token_state {
    enum token_phase phase;
    bool pin_is_refused;
    unsigned failures; /* in a row */
    uint64_t due_ns;   /* DOWN: when to start; STARTING, ENDING: when it takes too long */
    uint64_t since_ns; /* of UP, or of being anything else */
};

/* token_state_init makes a token that is to be started at once. */
void token_state_init(struct token_state *state, uint64_t now_ns);

/* token_state_event applies |event| and returns what to do. An event that means nothing in a phase changes nothing. */
enum token_action token_state_event(struct token_state *state, enum token_event event, uint64_t now_ns);

enum token_mode token_state_mode(const struct token_state *state, uint64_t now_ns);

/* token_state_pause_ns returns how long to wait after so many failures in a row. */
uint64_t token_state_pause_ns(unsigned failures);

/* token_phase_name returns a static word such as "locked_out". */
const char *token_phase_name(enum token_phase phase);

#endif
