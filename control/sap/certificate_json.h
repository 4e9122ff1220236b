/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a certificate, as Apigee tells it (contracts.md section 3.4). Any thread. */
#ifndef MINTGATE_CONTROL_SAP_CERTIFICATE_JSON_H
#define MINTGATE_CONTROL_SAP_CERTIFICATE_JSON_H

#include <jansson.h>
#include <openssl/x509.h>
#include <stdint.h>

/* certificate_json_info returns a certInfo: times in milliseconds since 1970, isValid at |now_ms|. NULL: no memory. */
json_t *certificate_json_info(X509 *x509, int64_t now_ms);

#endif
