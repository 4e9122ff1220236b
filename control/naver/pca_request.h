/* SPDX-License-Identifier: Apache-2.0 */
/* Certification requests (PKCS#10, RFC 2986) that clients of private CAs send. Pure but for memory: any thread. */
#ifndef MINTGATE_CONTROL_NAVER_PCA_REQUEST_H
#define MINTGATE_CONTROL_NAVER_PCA_REQUEST_H

#include <openssl/x509v3.h>

#include "base/slice.h"
#include "base/status.h"

#define PCA_MAX_REQUEST 32768

/* pca_request_read reads |pem|: one block, with a newline behind its BEGIN line and before its END line (the contract's
 * rule), the base64 in between in one line or many. MG_INVALID also where its signature is not by its own key, or that
 * key is weaker than RSA of 2048 bits or EC P-256. The caller frees *out with X509_REQ_free. */
MG_MUST_USE enum mg_status pca_request_read(struct mg_slice pem, X509_REQ **out, struct mg_error *error);

/* pca_request_read_der is pca_request_read for DER in base64. */
MG_MUST_USE enum mg_status pca_request_read_der(struct mg_slice base64, X509_REQ **out, struct mg_error *error);

/* What a request asks for by extensions (RFC 2985 section 5.4.2). Zero state: nothing, and nothing owned. */
struct pca_asked {
    int path_len;       /* PCA_NO_PATH_LEN: none */
    unsigned key_usage; /* OpenSSL's KU_ flags */
    EXTENDED_KEY_USAGE *usages;
    GENERAL_NAMES *names;
};

/* pca_request_asked reads them; others are not looked at. MG_INVALID: one is malformed, or there twice. Free with
 * pca_asked_free in any case. */
MG_MUST_USE enum mg_status pca_request_asked(X509_REQ *request, struct pca_asked *out, struct mg_error *error);
void pca_asked_free(struct pca_asked *asked);

#endif
