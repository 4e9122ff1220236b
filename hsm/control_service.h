/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What control may ask of the signer (wire/signer_control.h), done: keys made and destroyed, requests for certificates
 * signed, issuers installed and removed. Each call is whole by itself and may be asked again: what is already so stays
 * so. The keystore is written before a reply says that something is done.
 *
 * A table (control_service.c) says of each call which keys it may touch: those of the purpose that purpose.h names,
 * and, but for reading, only keys that control had made, never those that the signer made at its first start.
 *
 * One thread, the only one that uses the keystore and publishes issuers once the signer runs.
 */
#ifndef MINTGATE_HSM_CONTROL_SERVICE_H
#define MINTGATE_HSM_CONTROL_SERVICE_H

#include "base/metrics.h"
#include "hsm/ca_signer.h"
#include "hsm/client_keys.h"
#include "hsm/issuer_publisher.h"
#include "hsm/token_keys.h"

/* Service: rw, metrics: ro. */
struct control_counters {
    struct mg_counter calls[WIRE_CONTROL_LAST_CALL + 1];
    struct mg_counter results[WIRE_CONTROL_NUM_STATUSES];
};

struct control_service {
    struct keystore *store; /* borrowed, as the next three */
    const struct backends *backends;
    struct issuer_publisher *issuers;
    struct client_keys *client_keys;
    struct token_store tokens; /* without a supervisor where none is configured */
    struct ca_signer ca;       /* for keys of private CAs */
    struct control_counters counters;
};

/* control_service_handle does what |packet| asks at |now| (seconds since 1970) and puts the reply into |out|, which the
 * caller has initialised with WIRE_CONTROL_MAX_PACKET. MG_INVALID: |packet| is no request, nothing was done, and the
 * connection is to be closed; MG_MEMORY: the reply could not be made, likewise. It takes as long as making a key does:
 * some seconds for RSA_4K, and on a token up to TOKEN_SUPERVISOR_MAKE_KEY_NS. */
MG_MUST_USE enum mg_status control_service_handle(struct control_service *service, struct mg_slice packet, int64_t now,
                                                  struct mg_buffer *out, struct mg_error *error);

#endif
