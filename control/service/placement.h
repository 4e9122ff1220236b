/* SPDX-License-Identifier: Apache-2.0 */
/* On which token a new key is made (control/key_place.h), by how many keys each has now. Any thread. */
#ifndef MINTGATE_CONTROL_SERVICE_PLACEMENT_H
#define MINTGATE_CONTROL_SERVICE_PLACEMENT_H

#include "control/key_place.h"
#include "control/keys/signer_client.h"

/* placement_choose gives the name of the token of |region| on which a new key is made, borrowed from |tokens|.
 * MG_NOT_FOUND: no token keeps keys there, and |error| names the region; else as signer_client_list. */
MG_MUST_USE enum mg_status placement_choose(const struct config_tokens *tokens, struct signer_client *signer,
                                            enum intermediate_region region, const char **out, struct mg_error *error);

#endif
