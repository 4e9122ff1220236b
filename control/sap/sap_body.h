/* SPDX-License-Identifier: Apache-2.0 */
/* Files for stores in bodies of JSON, as both of our own making have them: format or fileName, content, privateKey,
 * password; files in Base64. Any thread. */
#ifndef MINTGATE_CONTROL_SAP_SAP_BODY_H
#define MINTGATE_CONTROL_SAP_SAP_BODY_H

#include <jansson.h>

#include "control/sap/sap_file.h"

/* The bound of a body: certificates and key in Base64, and what else is in it. */
#define SAP_BODY_LIMIT (2 * MATERIAL_MAX_FILE / 3 * 4 + 16 * 1024)

/* sap_body_read reads |json| and calls |use| with the file, which lives for the call and is wiped afterwards. Returns
 * what |use| returns. MG_INVALID: a member breaks a rule. */
typedef enum mg_status sap_body_user(void *arg, const struct sap_file *file, struct mg_error *error);
MG_MUST_USE enum mg_status sap_body_read(const json_t *json, sap_body_user *use, void *arg, struct mg_error *error);

#endif
