/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the signer's supervisor may ask of a token process (wire/token.h, CALL), done on the managing session. Keys are
 * made so that a repeated call finds what the first one made, and kept only if the token says of them what it must
 * (wire/token_attributes.h). One thread.
 */
#ifndef MINTGATE_HSM_TOKEN_SERVICE_H
#define MINTGATE_HSM_TOKEN_SERVICE_H

#include "hsm/token/workers.h"

struct token_service {
    const struct token *token; /* borrowed, as the next two */
    struct token_keys *keys;
    struct workers *workers;
};

/* token_service_handle does what |packet| asks and puts the reply into |out| (limit WIRE_TOKEN_MAX_PACKET). What else
 * it returns than MG_OK means that |packet| is no request. *is_lost tells that the token is gone, once the reply is
 * sent. Takes as long as the token does: minutes for an RSA key on some. */
MG_MUST_USE enum mg_status token_service_handle(struct token_service *service, struct mg_slice packet,
                                                struct mg_buffer *out, bool *is_lost, struct mg_error *error);

#endif
