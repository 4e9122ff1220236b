/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API keys of the Securosys family (X-API-KEY, contracts.md section 4.1): random, told once, kept as SHA-256, each with
 * one role, which says what it opens. Several with one role, so that clients can roll over. Statements in the caller's
 * transaction; any thread.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_API_KEY_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_API_KEY_H

#include "control/http/identity.h"
#include "control/store.h"
#include "control/words.h"

/* What the module's tables have of this. */
#define SKA_API_KEY_TABLE                                                                                              \
    "CREATE TABLE ska_api_key ("                                                                                       \
    "  name TEXT PRIMARY KEY,"                                                                                         \
    "  role TEXT NOT NULL,"                                                                                            \
    "  sha256 BLOB NOT NULL UNIQUE,"                                                                                   \
    "  created_us INTEGER NOT NULL"                                                                                    \
    ") STRICT;"

enum ska_api_role {
    SKA_KEY_MANAGEMENT = 1,
    SKA_KEY_OPERATION,
    SKA_APPROVER,
    SKA_SERVICE,
};

extern const struct words ska_api_role_words; /* "keyManagementToken" and so on, as the vendor calls them */

#define SKA_API_KEY_LEN 65 /* 256 random bits in hexadecimal, and a NUL */
#define SKA_MAX_API_KEYS 64

struct ska_api_key {
    char name[HTTP_MAX_NAME];
    enum ska_api_role role;
    int64_t created_us;
};

/* ska_api_key_create makes a key, told by |text|, which the caller wipes. MG_INVALID: the name has other than 1 to 64
 * letters, digits, '.', '_' and '-'; MG_EXISTS; MG_LIMIT: there are SKA_MAX_API_KEYS. */
MG_MUST_USE enum mg_status ska_api_key_create(struct store_tx *tx, const struct ska_api_key *key,
                                              char text[SKA_API_KEY_LEN], struct mg_error *error);
MG_MUST_USE enum mg_status ska_api_key_delete(struct store_tx *tx, const char *name, struct mg_error *error);

typedef enum mg_status ska_api_key_visitor(void *arg, const struct ska_api_key *key);
MG_MUST_USE enum mg_status ska_api_key_each(struct store_tx *tx, ska_api_key_visitor *visit, void *arg,
                                            struct mg_error *error);

/* ska_api_key_find finds whose key |text| is: MG_NOT_FOUND, nobody's. */
MG_MUST_USE enum mg_status ska_api_key_find(struct store_tx *tx, const char *text, struct ska_api_key *out,
                                            struct mg_error *error);

/* ska_api_key_has_role tells whether there is any key with |role|. */
MG_MUST_USE enum mg_status ska_api_key_has_role(struct store_tx *tx, enum ska_api_role role, bool *out,
                                                struct mg_error *error);

#endif
