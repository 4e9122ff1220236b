/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record ids as CCADB has them, which are Salesforce's (contracts.md section 2.2): 15 letters and digits whose case
 * matters, and three more that repeat the case of each five, so that an id survives readers that do not mind it. Ours
 * are "001" (what Salesforce's accounts begin with), "Mg0", and a number to the base 62. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_CCADB_RECORD_ID_H
#define MINTGATE_CONTROL_CCADB_RECORD_ID_H

#include <stdint.h>

#include "base/slice.h"

#define RECORD_ID_LEN 18
#define RECORD_ID_SIZE (RECORD_ID_LEN + 1) /* with a NUL */

/* What an id is of: its first three characters. */
#define RECORD_ID_RECORD "001"
#define RECORD_ID_USER "005"
#define RECORD_ID_ORGANIZATION "00D"
#define RECORD_ID_COMMUNITY "0DB"

/* record_id_make writes the id of |number|, less than 62 to the power of 9, of the kind |prefix|. */
void record_id_make(const char *prefix, uint64_t number, char out[RECORD_ID_SIZE]);

/* record_id_number reads the number back from an id that record_id_make could have made of |prefix|. */
MG_MUST_USE bool record_id_number(struct mg_slice text, const char *prefix, uint64_t *out);

/* record_id_is_valid tells whether |text| has 18 letters and digits, of which the last three fit the others. */
MG_MUST_USE bool record_id_is_valid(struct mg_slice text);

#endif
