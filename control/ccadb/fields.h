/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attributes of an intermediate's record, and their rules, as one table: that of the seed document and, beside it,
 * of the present upstream schema (contracts.md sections 2.3 and 2.4). A record keeps them as one flat JSON object by
 * the field's own name; sections, and second spellings, are where requests have them.
 *
 * In a request null and what is missing leave a field as it is, "" clears it, whatever its type. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_CCADB_FIELDS_H
#define MINTGATE_CONTROL_CCADB_FIELDS_H

#include "control/ccadb/findings.h"

#define PICKLIST_REVOCATION_STATUS "RevocationStatus"
#define PICKLIST_REVOKED "Revoked" /* the word of that list by which the appliance acts */
#define PICKLIST_REVOCATION_REASON "RevocationReasonCode"
#define PICKLIST_AUDIT_TYPE "AuditType"
#define PICKLIST_POLICY_IDENTIFIER "CABForumCertificatePolicyIdentifier"

/* Words that may change while the program runs are asked for. Each returns false also where it cannot be known. */
struct field_words {
    bool (*has_word)(void *arg, const char *list, const char *word);
    bool (*has_auditor)(void *arg, const char *auditor);
    bool (*has_location)(void *arg, const char *auditor, const char *location);
    void *arg;
};

/* fields_merge changes |record|, the attributes so far (an object), by those of |request|, and then looks at what has
 * come of it: whatever breaks a rule is noted in |findings|, and so are members that no field has. After an error
 * |record| is not to be kept. */
void fields_merge(json_t *record, const json_t *request, const struct field_words *words, struct findings *findings);

/* fields_section returns the member |name| of |request| where it is an object, else NULL. */
const json_t *fields_section(const json_t *request, const char *name);

/* fields_is_revoked tells whether a record's attributes say so. */
bool fields_is_revoked(const json_t *record);

/* fields_crl_url returns the address of the one list of all that the record's CA revokes, or NULL: the full list, of
 * several the first; or the only part of a list in one part. Borrowed from |record|. */
const char *fields_crl_url(const json_t *record);

#endif
