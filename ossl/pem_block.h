/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block of PEM (RFC 7468) as clients put it into JSON: the base64 in between may be one line or many, with LF or
 * CRLF; a newline must stand behind the BEGIN line and before the END line. OpenSSL's reader is stricter with long
 * lines. Pure: any thread.
 */
#ifndef MINTGATE_OSSL_PEM_BLOCK_H
#define MINTGATE_OSSL_PEM_BLOCK_H

#include "base/buffer.h"
#include "base/status.h"

/* pem_block_decode appends to |der| what |text| holds between the lines of |label|, such as "CERTIFICATE REQUEST";
 * white space around the block is allowed, and nothing else. MG_INVALID: the error names the rule, never the text. */
MG_MUST_USE enum mg_status pem_block_decode(struct mg_slice text, const char *label, struct mg_buffer *der,
                                            struct mg_error *error);

/* pem_base64_decode appends what |text| is in base64 (RFC 4648 section 4), with white space anywhere. MG_INVALID. */
MG_MUST_USE enum mg_status pem_base64_decode(struct mg_slice text, struct mg_buffer *out, struct mg_error *error);

#endif
