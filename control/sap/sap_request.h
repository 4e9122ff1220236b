/* SPDX-License-Identifier: Apache-2.0 */
/* Certification requests (PKCS#10, RFC 2986) for the keys of key stores. They are made while a key passes through,
 * since afterwards it is the signer's, which signs nothing of others' making. Any thread. */
#ifndef MINTGATE_CONTROL_SAP_SAP_REQUEST_H
#define MINTGATE_CONTROL_SAP_SAP_REQUEST_H

#include "control/sap/material.h"

/* sap_request_make gives a request in PEM for |material|'s key, with the subject and the names of its certificate, as a
 * renewal needs them. The caller frees *out with free. */
MG_MUST_USE enum mg_status sap_request_make(const struct material *material, char **out, struct mg_error *error);

#endif
