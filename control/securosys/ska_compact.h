/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as it came, without its white space: what signatures over requests are made of (contracts.md section 4.2). From
 * the bytes and not from what a parser made of them, which would write numbers and escapes its own way. Pure: any
 * thread. */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_COMPACT_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_COMPACT_H

#include "base/buffer.h"

/* ska_compact_member appends the value of the member |name| of the object |json|, which has been parsed before. False:
 * there is none whose name is written so, or |out| is full. */
MG_MUST_USE bool ska_compact_member(struct mg_buffer *out, struct mg_slice json, const char *name);

#endif
