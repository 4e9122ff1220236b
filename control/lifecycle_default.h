/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an intermediate the default, in two steps, so that engines can prepare in between (design.md section 5), and
 * the built-in intermediate, the first default. Contracts as in lifecycle.h.
 */
#ifndef MINTGATE_CONTROL_LIFECYCLE_DEFAULT_H
#define MINTGATE_CONTROL_LIFECYCLE_DEFAULT_H

#include "control/default_issuer.h"
#include "control/lifecycle.h"

/* lifecycle_check_default: could |id| be the default now? It is finalized, its validity has not ended, and it is
 * enabled or may be. Changes nothing. */
MG_MUST_USE enum mg_status lifecycle_check_default(struct lifecycle_call *call, int64_t id, struct intermediate *out,
                                                   struct mg_error *error);

/* lifecycle_check_previous is lifecycle_check_default for the default before the present one: MG_NOT_FOUND if there was
 * none or it was deleted. out->id is what to commit. */
MG_MUST_USE enum mg_status lifecycle_check_previous(struct lifecycle_call *call, struct intermediate *out,
                                                    struct mg_error *error);

/* lifecycle_commit_default checks the same again, makes |id| the default in the next epoch, and enables it; where only
 * one may be enabled, the others are disabled. *now is what holds from then on. For the present default nothing changes
 * and *now is what held. */
MG_MUST_USE enum mg_status lifecycle_commit_default(struct lifecycle_call *call, int64_t id, struct default_issuer *now,
                                                    struct intermediate *out, struct mg_error *error);

/* The built-in intermediate, as the signer has it. Borrowed. */
struct lifecycle_builtin {
    const char *name;
    struct wire_key_id key_id;
    enum wire_key_type key_type;
    struct mg_slice public_key;  /* PEM */
    struct mg_slice certificate; /* PEM of the one certificate; expired or not, since the program has to start */
    struct mg_slice chain;       /* PEM of what is above it; without memory: nothing */
};

/* lifecycle_install_builtin is called at each start, before other calls, by the program itself. The first time it makes
 * the record INTERMEDIATE_BUILTIN_ID, ready, enabled and the default of epoch 1. Later it takes over what the signer
 * has renewed, and if that is the default, the epoch goes on, so that engines get it. */
MG_MUST_USE enum mg_status lifecycle_install_builtin(struct lifecycle_call *call,
                                                     const struct lifecycle_builtin *builtin, struct mg_error *error);

#endif
