/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an API asks of the control plane that takes more than one step of the life cycle: the signer is asked for keys,
 * signatures and issuers, engines are told what to serve. Whatever is cut off in between, by a crash or a failure, is
 * either not done or done when it is asked for again.
 *
 * Any thread. |call|, |out| and failures are as in lifecycle.h: |call->code| is always set on failure, and is
 * SERVICE_UNAVAILABLE with MG_IO and MG_AGAIN, when the signer or an engine is away; nothing has changed then unless
 * said.
 */
#ifndef MINTGATE_CONTROL_SERVICE_SERVICE_H
#define MINTGATE_CONTROL_SERVICE_SERVICE_H

#include "control/keys/signer_client.h"
#include "control/lifecycle_default.h"
#include "control/publish/engines.h"
#include "control/service/approval_gate.h"

#define SERVICE_UNAVAILABLE "SERVICE_UNAVAILABLE"

struct service;

/* All borrowed, and outlives the service. */
struct service_config {
    const struct lifecycle *lifecycle;
    struct signer_client *signer;
    struct engines *engines;
    const struct config_tokens *tokens; /* that keys of type CUSTOM_HSM are made on */
    uint32_t prepare_ms;                /* for minting ahead, at first */
    const struct approval_gate *gate;   /* what makeDefault and generateCsr must pass; NULL: nothing */
};

MG_MUST_USE enum mg_status service_new(struct service **out, const struct service_config *config,
                                       struct mg_error *error);
void service_free(struct service *service);

/* service_set_prepare_ms changes the time for minting ahead, from the next publication on. */
void service_set_prepare_ms(struct service *service, uint32_t prepare_ms);

/* service_start brings store, signer and engines together after a start: the built-in intermediate is taken from the
 * signer, which is made to issue with the finalized intermediates and no others; engines are told what is present; then
 * keys that nobody wants any more are destroyed.
 * MG_IO: the signer is not there; try again. |now_us|: since 1970. Before that, nothing else of this header may be
 * called. */
MG_MUST_USE enum mg_status service_start(struct service *service, int64_t now_us, struct mg_error *error);

/* service_make_key has the signer make the key pair of |id|, once, for CUSTOM_HSM on a token of its region: POST
 * keyPair. MG_INVALID: no token keeps keys there; MG_AGAIN: the token is away. Asked again, it is the same key on the
 * same token.
 */
MG_MUST_USE enum mg_status service_make_key(struct service *service, struct lifecycle_call *call, int64_t id,
                                            struct intermediate *out, struct mg_error *error);

/* service_read_attestation appends what the token says of the key of |id|, signed by that key, to |text|, which takes
 * ATTESTATION_MAX_FILE bytes: downloadAttestation. Nothing is judged. service_verify_attestation asks afresh and
 * judges: POST verifyKeyAttestation. Both: MG_AGAIN where the token is away, MG_DENIED where it has another key or its
 * signature is wrong; verifying, also for a key that was not made there or can leave it, and |error| names the
 * attribute. */
MG_MUST_USE enum mg_status service_read_attestation(struct service *service, struct lifecycle_call *call, int64_t id,
                                                    struct mg_buffer *text, struct intermediate *out,
                                                    struct mg_error *error);
MG_MUST_USE enum mg_status service_verify_attestation(struct service *service, struct lifecycle_call *call, int64_t id,
                                                      struct intermediate *out, struct mg_error *error);

/* service_make_csr has the signer sign a request: POST generateCsr. As the gate says; MG_EXISTS with APPROVAL_REQUIRED:
 * approvals are missing. */
MG_MUST_USE enum mg_status service_make_csr(struct service *service, struct lifecycle_call *call, int64_t id,
                                            const struct lifecycle_csr_wish *wish, struct intermediate *out,
                                            struct mg_error *error);

/* service_finalize makes it an issuer of the signer's, and ready: POST finalizeCert. Where it is ENABLED, engines are
 * told of it, for rules that name it, and where it is another's successor. */
MG_MUST_USE enum mg_status service_finalize(struct service *service, struct lifecycle_call *call, int64_t id,
                                            struct intermediate *out, struct mg_error *error);

/* service_import is lifecycle_import, with an issuer of the signer's made of it, as service_finalize does. */
MG_MUST_USE enum mg_status service_import(struct service *service, struct lifecycle_call *call,
                                          const struct lifecycle_draft *draft, const struct lifecycle_import *import,
                                          const struct wire_key_id *key_id, struct intermediate *out,
                                          struct mg_error *error);

/* service_update is lifecycle_update; engines are told where that enables or disables one that is ready. */
MG_MUST_USE enum mg_status service_update(struct service *service, struct lifecycle_call *call, int64_t id,
                                          const struct lifecycle_draft *draft, struct intermediate *out,
                                          struct mg_error *error);

/* service_set_successor is lifecycle_set_successor; engines are told where |id| is ready: they help themselves when it
 * expires. */
MG_MUST_USE enum mg_status service_set_successor(struct service *service, struct lifecycle_call *call, int64_t id,
                                                 int64_t successor_id, struct intermediate *out,
                                                 struct mg_error *error);

/* service_publish tells engines of what has changed beside the default, such as what issuer_use.h keeps. A failure is
 * logged: the next publication says it too. */
void service_publish(struct service *service);

/* service_delete is lifecycle_delete, then engines are told, and the key is destroyed; if the signer is away, later. */
MG_MUST_USE enum mg_status service_delete(struct service *service, struct lifecycle_call *call, int64_t id,
                                          struct mg_error *error);

/* service_destroy_doomed destroys the keys that deleted records had (control/doomed_key.h); if the signer is away, or
 * engines may still use them, later. */
void service_destroy_doomed(struct service *service);

/*
 * service_make_default swaps the default, and returns when every engine serves it: PUT makeDefault. |force| goes on
 * although an engine cannot prepare.
 *
 * MG_EXISTS: another publication is under way, or with the code APPROVAL_REQUIRED, approvals are missing. MG_DENIED
 * with the code ENGINE_NOT_READY: an engine cannot serve it, |error| says which and why. MG_AGAIN: it is the default
 * now, and |out| is filled, but an engine has not confirmed yet.
 */
MG_MUST_USE enum mg_status service_make_default(struct service *service, struct lifecycle_call *call, int64_t id,
                                                bool force, struct intermediate *out, struct mg_error *error);

/* service_make_previous_default goes back to the default before the present one. */
MG_MUST_USE enum mg_status service_make_previous_default(struct service *service, struct lifecycle_call *call,
                                                         bool force, struct intermediate *out, struct mg_error *error);

#endif
