/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ZIA family's objects (contracts.md section 1.4): records as JSON, with the names, the order and the omissions of
 * the vendor's answers, and what clients send, read into what lifecycle.h takes. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_ZIA_ZIA_JSON_H
#define MINTGATE_CONTROL_ZIA_ZIA_JSON_H

#include <jansson.h>

#include "control/certificate_check.h"
#include "control/lifecycle.h"

/* Each renders |record|; the caller owns what it returns. NULL: no memory. Absent values are left out. */
typedef json_t *zia_json_renderer(const struct intermediate *record);

zia_json_renderer zia_json_cert;  /* Cert: all fields */
zia_json_renderer zia_json_lite;  /* CertLite: without public key, times and files of key and CSR */
zia_json_renderer zia_json_ready; /* an item of readyToUse */
zia_json_renderer zia_json_csr;   /* CsrInfo: what the CSR was asked to say */

/* zia_json_signed renders CsrInfo of the uploaded certificate, whose subject is |subject|; what only a request has
 * (signatureAlgorithm, pathLengthConstraint, csrGenerationTime) is left out. */
json_t *zia_json_signed(const struct intermediate *record, const struct certificate_subject *subject);

/*
 * The readers fill |out| from |object|, whose texts it borrows. Members that they do not name are ignored, since
 * vendors' clients send whole objects; null, and an empty text where a word is asked for, count as absent. MG_INVALID:
 * the error names the member and its rule. What the life cycle checks is not checked here.
 */
MG_MUST_USE enum mg_status zia_json_read_draft(const json_t *object, struct lifecycle_draft *out,
                                               struct mg_error *error);
MG_MUST_USE enum mg_status zia_json_read_csr_wish(const json_t *object, struct lifecycle_csr_wish *out,
                                                  struct mg_error *error);

/* zia_json_read_id reads the id of a request that has none in its path: `id`, or `certId`, as CsrInfo calls it. */
MG_MUST_USE enum mg_status zia_json_read_id(const json_t *object, int64_t *out, struct mg_error *error);

/* zia_json_read_file reads the PEM text of an upload that is no form: `fileUpload`, which is required. */
MG_MUST_USE enum mg_status zia_json_read_file(const json_t *object, struct mg_slice *out, struct mg_error *error);

#endif
