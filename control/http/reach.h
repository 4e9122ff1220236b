/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which families of APIs a session or token counts, so that one family's clients can neither see nor touch another's
 * objects. Sets of bits; the numbers stand in the database. The families of CCADB and NAVER are not among them: their
 * tokens and access keys are their own. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_HTTP_REACH_H
#define MINTGATE_CONTROL_HTTP_REACH_H

#include <stdbool.h>

#define REACH_ZIA 1U
#define REACH_SAP 2U /* SAP API Management and Apigee Edge, which have one set of stores */
#define REACH_SECUROSYS 4U
#define REACH_MINTGATE 8U /* Mintgate's own API, all of it: what manages the other families too */
#define REACH_ALL 15U
#define REACH_NUM 4

/* reach_name returns the word of the bit with this index, "zia", "sap", "securosys" or "mintgate". */
const char *reach_name(unsigned index);

/* reach_bit returns the bit of |name|, 0 for a word that is none. */
unsigned reach_bit(const char *name);

/* reach_text writes the words of |reach| with commas in between. */
#define REACH_TEXT_SIZE 40
void reach_text(unsigned reach, char out[REACH_TEXT_SIZE]);

/* reach_is_valid: some bits, and no others than these. */
bool reach_is_valid(unsigned reach);

#endif
