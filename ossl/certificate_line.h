/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate as some APIs have it: PEM (RFC 7468) as a JSON text, usually in one line, so that OpenSSL's own reader,
 * which wants lines of at most 76 characters, does not take it (contracts.md sections 2.2 and 2.3). Any thread.
 */
#ifndef MINTGATE_OSSL_CERTIFICATE_LINE_H
#define MINTGATE_OSSL_CERTIFICATE_LINE_H

#include <openssl/x509.h>

#include "base/slice.h"
#include "base/status.h"

#define CERTIFICATE_LINE_MAX ((size_t)64 * 1024)

/* certificate_line_parse reads |text|: both PEM markers, base64 between them, white space or none anywhere in it, and
 * nothing else but white space around. The caller frees *out with X509_free. MG_INVALID: it is no such text, or longer
 * than CERTIFICATE_LINE_MAX, or not exactly one certificate; the error says what, without naming the field. */
MG_MUST_USE enum mg_status certificate_line_parse(struct mg_slice text, X509 **out, struct mg_error *error);

#endif
