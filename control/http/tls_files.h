/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own certificate and key, PEM files of mode 0600; made at the first start if there are none. */
#ifndef MINTGATE_CONTROL_HTTP_TLS_FILES_H
#define MINTGATE_CONTROL_HTTP_TLS_FILES_H

#include "base/buffer.h"
#include "base/status.h"

#define TLS_FILES_MAX ((size_t)64 << 10)

/* tls_files_load reads both files into |certificate| and |key|, which it initialises; the caller frees |certificate|
 * with mg_buffer_free and |key| with mg_secret_free. Behind both texts stands a NUL, which |len| does not count. Where
 * there is neither file it makes a fresh EC P-256 key; where there is no certificate it makes one signed by the key
 * itself, for this machine's name, localhost and the loopback addresses. MG_INVALID: a certificate without its key, or
 * of another one; MG_DENIED: others may read the key. */
MG_MUST_USE enum mg_status tls_files_load(const char *certificate_path, const char *key_path,
                                          struct mg_buffer *certificate, struct mg_buffer *key, struct mg_error *error);

#endif
