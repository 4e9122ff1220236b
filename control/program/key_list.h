/* SPDX-License-Identifier: Apache-2.0 */
/* The signer's keys, for people: which there are, which token holds each, and whose it is. Any thread. */
#ifndef MINTGATE_CONTROL_PROGRAM_KEY_LIST_H
#define MINTGATE_CONTROL_PROGRAM_KEY_LIST_H

#include <jansson.h>

#include "control/keys/signer_client.h"
#include "control/store.h"

/* key_list_new makes an array with an object for each key of |signer|, in the order of their ids; the caller's. Errors
 * as signer_client_list and store_begin. */
MG_MUST_USE enum mg_status key_list_new(struct signer_client *signer, struct store *store, json_t **out,
                                        struct mg_error *error);

#endif
