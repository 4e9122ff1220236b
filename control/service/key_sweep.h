/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the signer, from the wish for one to its end. Nothing is forgotten by a crash: a wish is noted before the
 * signer is asked (control/key_wish.h), and a key that must go in the transaction that deletes its intermediate
 * (control/doomed_key.h). A thread destroys what nobody wants any more: not before engines had the time to hear that
 * its issuer is gone, and again and again while the signer is away; a token that is away does not hold up the others.
 *
 * Any thread may call, but for key_sweep_new, key_sweep_start and key_sweep_free.
 */
#ifndef MINTGATE_CONTROL_SERVICE_KEY_SWEEP_H
#define MINTGATE_CONTROL_SERVICE_KEY_SWEEP_H

#include "control/intermediate.h"
#include "control/keys/signer_client.h"
#include "control/publish/engines.h"

/* After a start an engine dials within two seconds (dataplane/publish); one that has not by then is taken for away. */
#define KEY_SWEEP_ENGINES_MS 5000 /* engines_ms, but in tests */

struct key_sweep;

/* Borrowed, and outlives the sweep. */
struct key_sweep_config {
    struct store *store;
    struct signer_client *signer;
    struct engines *engines;
    uint32_t engines_ms; /* how long after the start engines are waited for */
};

MG_MUST_USE enum mg_status key_sweep_new(struct key_sweep **out, const struct key_sweep_config *config,
                                         struct mg_error *error);
/* key_sweep_free ends the thread, after the signer's answer to what it is asked. */
void key_sweep_free(struct key_sweep *sweep);

/* key_sweep_start begins to destroy what is left of the time before, once engines can have been told what is present.
 */
MG_MUST_USE enum mg_status key_sweep_start(struct key_sweep *sweep, struct mg_error *error);

/* key_sweep_make_key has the signer make the key of |record| on the token |holder| ("": in the signer itself), or find
 * the one that it made for the same record before, wherever that was. Until key_sweep_end_wish, which must follow
 * whatever comes of it, no key is destroyed. As signer_client_make_key. */
MG_MUST_USE enum mg_status key_sweep_make_key(struct key_sweep *sweep, const struct intermediate *record,
                                              const char *holder, struct wire_key_id *out, struct mg_error *error);
void key_sweep_end_wish(struct key_sweep *sweep);

/* key_sweep_now destroys at once what may be destroyed, if the signer is there; the rest follows. */
void key_sweep_now(struct key_sweep *sweep);

#endif
