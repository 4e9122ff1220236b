/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a request, all of it: CCADB collects errors and tells them together (contracts.md section 2.3), in
 * the array that its answers call "Errors/Warnings". One owner, no locking.
 */
#ifndef MINTGATE_CONTROL_CCADB_FINDINGS_H
#define MINTGATE_CONTROL_CCADB_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

/* Of errors, and of warnings; the last one says that there are more. */
#define FINDINGS_MAX 100

/* Zero state: none. */
struct findings {
    json_t *errors, *warnings; /* arrays of texts; owned; NULL: none */
    bool is_short;             /* of memory: something was not noted */
};

void findings_free(struct findings *findings);

/* findings_error and findings_warning note a sentence that names the field and the rule. */
void findings_error(struct findings *findings, const char *format, ...) MG_PRINTF(2, 3);
void findings_warning(struct findings *findings, const char *format, ...) MG_PRINTF(2, 3);

/* findings_failed tells whether there is an error. */
MG_MUST_USE bool findings_failed(const struct findings *findings);

/* findings_status returns "Fail", "SuccessWithWarnings" or "Success". */
const char *findings_status(const struct findings *findings);

/* findings_list returns all of them, errors first, as a new array. NULL: no memory. */
json_t *findings_list(const struct findings *findings);

#endif
