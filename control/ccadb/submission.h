/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to add or update an intermediate's record (AddUpdateIntermediateCert, contracts.md section 2.3): all its
 * rules, and what is done when it breaks none. An update is one whose CertificateInformation.SalesforceRecordId is not
 * empty. Nothing changes when there is an error, and all errors are told together.
 */
#ifndef MINTGATE_CONTROL_CCADB_SUBMISSION_H
#define MINTGATE_CONTROL_CCADB_SUBMISSION_H

#include "control/ccadb/appliance.h"
#include "control/ccadb/findings.h"

/* Who asks. */
struct submission_caller {
    int64_t owner_id;  /* whose hierarchy it may touch; 0: everybody's, for an administrator on this machine */
    const char *owner; /* its name; "" where |owner_id| is 0; borrowed */
    bool may_revoke;   /* may take an intermediate of the appliance out of use, or allow it again */
};

struct submission {
    const json_t *request; /* an object; borrowed */
    struct submission_caller caller;
    struct findings findings;         /* what came of it; freed by submission_free */
    char record_id[RECORD_ID_SIZE];   /* of the record that was made or changed, or that is in the way; "": none */
    struct appliance_concern revokes; /* what becoming Revoked takes out of use */
    bool is_update;
};

void submission_free(struct submission *submission);

/* submission_check looks at all rules and changes nothing: |call->tx| may be one that reads. |submission| has request
 * and caller. MG_OK, also where there are findings; else failures of ours. */
MG_MUST_USE enum mg_status submission_check(struct submission *submission, const struct appliance_call *call,
                                            struct mg_error *error);

/* submission_apply does that again, and what is asked for if there is no error, with all that it means to the
 * appliance. */
MG_MUST_USE enum mg_status submission_apply(struct submission *submission, struct appliance_call *call,
                                            struct mg_error *error);

#endif
