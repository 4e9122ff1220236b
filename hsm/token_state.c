/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token_state.h"

#include <stddef.h>

typedef enum token_action token_step(struct token_state *state, uint64_t now_ns);

static void enter(struct token_state *state, enum token_phase phase, uint64_t due_ns, uint64_t now_ns)
{
    if ((state->phase == TOKEN_UP) != (phase == TOKEN_UP)) {
        state->since_ns = now_ns;
    }
    state->phase = phase;
    state->due_ns = due_ns;
}

uint64_t token_state_pause_ns(unsigned failures)
{
    uint64_t pause_ns = TOKEN_STATE_FIRST_PAUSE_NS;
    for (unsigned i = 1; i < failures && pause_ns < TOKEN_STATE_LAST_PAUSE_NS; i++) {
        pause_ns *= 2;
    }
    return pause_ns < TOKEN_STATE_LAST_PAUSE_NS ? pause_ns : TOKEN_STATE_LAST_PAUSE_NS;
}

/* The steps of the table below */

static enum token_action start_if_due(struct token_state *state, uint64_t now_ns)
{
    if (now_ns < state->due_ns) {
        return TOKEN_ACTION_NONE;
    }
    enter(state, TOKEN_STARTING, now_ns + TOKEN_STATE_OPENING_NS, now_ns);
    return TOKEN_ACTION_LAUNCH;
}

static enum token_action kill_now(struct token_state *state, uint64_t now_ns)
{
    enter(state, TOKEN_ENDING, now_ns + TOKEN_STATE_ENDING_NS, now_ns);
    return TOKEN_ACTION_KILL;
}

static enum token_action kill_if_late(struct token_state *state, uint64_t now_ns)
{
    return now_ns < state->due_ns ? TOKEN_ACTION_NONE : kill_now(state, now_ns);
}

static enum token_action be_up(struct token_state *state, uint64_t now_ns)
{
    enter(state, TOKEN_UP, 0, now_ns);
    return TOKEN_ACTION_NONE;
}

static enum token_action forget_failures(struct token_state *state, uint64_t now_ns)
{
    if (now_ns - state->since_ns >= TOKEN_STATE_STABLE_NS) {
        state->failures = 0;
    }
    return TOKEN_ACTION_NONE;
}

/* It ends by itself, and is killed if it does not. */
static enum token_action await_end(struct token_state *state, uint64_t now_ns)
{
    enter(state, TOKEN_ENDING, now_ns + TOKEN_STATE_ENDING_NS, now_ns);
    return TOKEN_ACTION_NONE;
}

static enum token_action refuse_pin(struct token_state *state, uint64_t now_ns)
{
    state->pin_is_refused = true;
    return await_end(state, now_ns);
}

static enum token_action bury(struct token_state *state, uint64_t now_ns)
{
    state->failures++;
    if (state->pin_is_refused) {
        enter(state, TOKEN_LOCKED_OUT, 0, now_ns);
    } else {
        enter(state, TOKEN_DOWN, now_ns + token_state_pause_ns(state->failures), now_ns);
    }
    return TOKEN_ACTION_NONE;
}

static enum token_action try_new_pin(struct token_state *state, uint64_t now_ns)
{
    state->pin_is_refused = false;
    enter(state, TOKEN_DOWN, now_ns, now_ns);
    return TOKEN_ACTION_NONE;
}

static token_step *const steps[TOKEN_NUM_PHASES][TOKEN_NUM_EVENTS] = {
    [TOKEN_DOWN] = {[TOKEN_EVENT_TICK] = start_if_due},
    [TOKEN_STARTING] = {[TOKEN_EVENT_TICK] = kill_if_late,
                        [TOKEN_EVENT_READY] = be_up,
                        [TOKEN_EVENT_NOT_OPENED] = await_end,
                        [TOKEN_EVENT_PIN_REFUSED] = refuse_pin,
                        [TOKEN_EVENT_SILENT] = kill_now,
                        [TOKEN_EVENT_EXITED] = bury},
    [TOKEN_UP] = {[TOKEN_EVENT_TICK] = forget_failures, [TOKEN_EVENT_SILENT] = kill_now, [TOKEN_EVENT_EXITED] = bury},
    [TOKEN_ENDING] = {[TOKEN_EVENT_TICK] = kill_if_late, [TOKEN_EVENT_EXITED] = bury},
    [TOKEN_LOCKED_OUT] = {[TOKEN_EVENT_PIN_CHANGED] = try_new_pin},
};

void token_state_init(struct token_state *state, uint64_t now_ns)
{
    *state = (struct token_state){.phase = TOKEN_DOWN, .due_ns = now_ns, .since_ns = now_ns};
}

enum token_action token_state_event(struct token_state *state, enum token_event event, uint64_t now_ns)
{
    token_step *step = steps[state->phase][event];
    return step != NULL ? step(state, now_ns) : TOKEN_ACTION_NONE;
}

enum token_mode token_state_mode(const struct token_state *state, uint64_t now_ns)
{
    if (state->phase == TOKEN_UP) {
        return TOKEN_MODE_UP;
    }
    bool is_passing = state->failures <= 1 && !state->pin_is_refused && now_ns - state->since_ns < TOKEN_STATE_GRACE_NS;
    return is_passing ? TOKEN_MODE_RESTARTING : TOKEN_MODE_BROKEN;
}

const char *token_phase_name(enum token_phase phase)
{
    static const char *const names[TOKEN_NUM_PHASES] = {
        [TOKEN_DOWN] = "down",     [TOKEN_STARTING] = "starting",     [TOKEN_UP] = "up",
        [TOKEN_ENDING] = "ending", [TOKEN_LOCKED_OUT] = "locked_out",
    };
    return (unsigned)phase < TOKEN_NUM_PHASES ? names[phase] : "unknown";
}
