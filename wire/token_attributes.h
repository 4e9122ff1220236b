/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CA key on a token must be like: made there, and never to leave it (PKCS#11 v2.40 base, section 4.9). One
 * table, for the process that makes keys and for whoever judges evidence of them. Pure: any thread.
 */
#ifndef MINTGATE_WIRE_TOKEN_ATTRIBUTES_H
#define MINTGATE_WIRE_TOKEN_ATTRIBUTES_H

#include "wire/token.h"

/* token_attributes_check returns MG_DENIED, and names the first attribute, unless |attributes| are those of a key that
 * was made on its token, can't be read or taken off it, and only signs. Where the token may leave an attribute unsaid
 * the table says so. */
MG_MUST_USE enum mg_status token_attributes_check(const struct wire_token_attributes *attributes,
                                                  struct mg_error *error);

#endif
