/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root for labs, so that an intermediate's whole life can be walked on one machine: it certifies whatever request it
 * is given, its key lies in a plain file, and its name says so. In memory; control/ctl/root.c keeps the files. Time is
 * a parameter, in seconds since 1970. Any thread, one at a time for a root. Errors are MG_INVALID with the field and
 * the rule where the input is wrong, else MG_MEMORY or MG_INTERNAL.
 */
#ifndef MINTGATE_CONTROL_CTL_THROWAWAY_ROOT_H
#define MINTGATE_CONTROL_CTL_THROWAWAY_ROOT_H

#include <openssl/x509.h>

#include "base/buffer.h"
#include "base/status.h"

#define THROWAWAY_MAX_FILE ((size_t)64 << 10)

/* Zero state: none. */
struct throwaway_root {
    EVP_PKEY *key;     /* owned */
    X509 *certificate; /* owned */
};
void throwaway_root_free(struct throwaway_root *root);

/* throwaway_root_make_key makes a key, EC P-256; throwaway_root_certify makes the certificate of |root|'s key. */
MG_MUST_USE enum mg_status throwaway_root_make_key(struct throwaway_root *root, struct mg_error *error);
MG_MUST_USE enum mg_status throwaway_root_certify(struct throwaway_root *root, int64_t now, struct mg_error *error);

/* These read PEM, with or without text around it: a key that needs no passphrase; then its certificate, which must be
 * of that key, a CA's that may certify CAs (RFC 5280 sections 4.2.1.3 and 4.2.1.9), and valid at |now|. */
MG_MUST_USE enum mg_status throwaway_root_read_key(struct throwaway_root *root, struct mg_slice pem,
                                                   struct mg_error *error);
MG_MUST_USE enum mg_status throwaway_root_read_certificate(struct throwaway_root *root, struct mg_slice pem,
                                                           int64_t now, struct mg_error *error);

/* These append PEM to |out|; for a key that is a secret buffer (base/secret.h). */
MG_MUST_USE enum mg_status throwaway_root_write_key(const struct throwaway_root *root, struct mg_buffer *out,
                                                    struct mg_error *error);
MG_MUST_USE enum mg_status throwaway_root_write_certificate(X509 *certificate, struct mg_buffer *out,
                                                            struct mg_error *error);

/* throwaway_request_read reads a certification request (PKCS#10, RFC 2986) in PEM: signed with its own key, which is of
 * 112 bits of security at least, and with a subject. The caller frees it with X509_REQ_free. */
MG_MUST_USE enum mg_status throwaway_request_read(struct mg_slice pem, X509_REQ **out, struct mg_error *error);

/* throwaway_root_sign makes of |request| the certificate of an intermediate: a CA with no CA below it, that may sign
 * certificates and CRLs, from an hour before |now| to |seconds| after it, but within the root's own validity. What the
 * request asks for beyond its subject and key is not looked at. The caller frees it with X509_free. */
MG_MUST_USE enum mg_status throwaway_root_sign(const struct throwaway_root *root, X509_REQ *request, int64_t now,
                                               uint64_t seconds, X509 **out, struct mg_error *error);

#endif
