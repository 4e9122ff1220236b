/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On which PKCS#11 token of the configuration (signer.tokens) the key of a new intermediate of type CUSTOM_HSM is made.
 *
 * A failover pair counts as one token, its primary: a token that another one names as its partner takes no new keys,
 * since the HSM's own replication brings them there. Where two name each other the one that is configured first is the
 * primary. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_KEY_PLACE_H
#define MINTGATE_CONTROL_KEY_PLACE_H

#include "config/config.h"
#include "control/intermediate.h"

/* key_place_exists tells whether some token of |region| takes new keys. */
MG_MUST_USE bool key_place_exists(const struct config_tokens *tokens, enum intermediate_region region);

/* key_place_choose gives the name (borrowed from |tokens|) of the token of |region| with the fewest keys, the first of
 * those; num_keys[i] is how many tokens->items[i] has. MG_NOT_FOUND where there is none: |error| names the region. */
MG_MUST_USE enum mg_status key_place_choose(const struct config_tokens *tokens, enum intermediate_region region,
                                            const size_t *num_keys, const char **out, struct mg_error *error);

#endif
