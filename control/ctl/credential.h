/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of users, API keys and clients have in common. */
#ifndef MINTGATE_CONTROL_CTL_CREDENTIAL_H
#define MINTGATE_CONTROL_CTL_CREDENTIAL_H

#include "control/ctl/api.h"

/* The columns of a list: members of each object that are texts, arrays of texts, or flags, and their titles. */
struct credential_columns {
    const char *const *members;
    const char *const *titles;
    size_t num;
};

/* credential_print prints |list|, a JSON array, or one object: as a table, or as JSON where that was asked for. */
MG_MUST_USE enum mg_status credential_print(const struct ctl *ctl, json_t *list,
                                            const struct credential_columns *columns, struct mg_error *error);

/* credential_list asks for |path| and prints the answer. */
MG_MUST_USE enum mg_status credential_list(struct ctl *ctl, const char *path, const struct credential_columns *columns,
                                           struct mg_error *error);

/* credential_delete deletes the first argument below |base|. */
MG_MUST_USE enum mg_status credential_delete(struct ctl *ctl, const char *base, struct mg_error *error);

/* credential_ask sends |body|, which it takes over (NULL: an argument was no UTF-8), and prints the answer. */
MG_MUST_USE enum mg_status credential_ask(struct ctl *ctl, const char *method, const char *path, json_t *body,
                                          const struct credential_columns *columns, struct mg_error *error);

#endif
