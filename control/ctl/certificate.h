/* SPDX-License-Identifier: Apache-2.0 */
/* The API's Cert objects (docs/api/zia.md): finding one by its id or name, and showing them to people. */
#ifndef MINTGATE_CONTROL_CTL_CERTIFICATE_H
#define MINTGATE_CONTROL_CTL_CERTIFICATE_H

#include "control/ctl/ctl.h"

/* certificate_list asks for all; *out is an array, the caller's. Errors as api_ask. */
MG_MUST_USE enum mg_status certificate_list(struct ctl *ctl, json_t **out, struct mg_error *error);

/* certificate_match returns of |list| the one whose id, in decimal, is |text|, or else the one of exactly that name,
 * borrowed; NULL: none. Pure. */
const json_t *certificate_match(const json_t *list, const char *text);

/* certificate_find asks for the id of what |text| names. MG_NOT_FOUND, and errors as api_ask. */
MG_MUST_USE enum mg_status certificate_find(struct ctl *ctl, const char *text, int64_t *id, struct mg_error *error);

/* certificate_end writes when |cert| expires, and how many days that is where it is soon, or that it has. */
#define CERTIFICATE_END_LEN 64
void certificate_end(char out[CERTIFICATE_END_LEN], const json_t *cert);

/* certificate_print_step prints one after a step: its state, and the command for the next step. |cert| is borrowed. */
MG_MUST_USE enum mg_status certificate_print_step(const struct ctl *ctl, const json_t *cert, struct mg_error *error);

/* certificate_print_all prints one, member by member; certificate_print_list a table. */
MG_MUST_USE enum mg_status certificate_print_all(const struct ctl *ctl, json_t *cert, struct mg_error *error);
MG_MUST_USE enum mg_status certificate_print_list(const struct ctl *ctl, const json_t *list, struct mg_error *error);

#endif
