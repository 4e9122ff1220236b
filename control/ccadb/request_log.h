/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API Log (contracts.md section 2.3): each call and its answer, with who made it, in the audit record. A request is
 * kept as text without the certificates, whose fingerprints say more, up to REQUEST_LOG_MAX bytes; its SHA-256 is that
 * of the body as it came.
 */
#ifndef MINTGATE_CONTROL_CCADB_REQUEST_LOG_H
#define MINTGATE_CONTROL_CCADB_REQUEST_LOG_H

#include "control/audit.h"
#include "control/http/request.h"

#define REQUEST_LOG_MAX 2048

/* request_log_write writes the entry of |operation|: done, or refused, by whether |status| is 200; |answer| is what the
 * client is told, |record_id| the record that it was about, or "". Within a transaction that writes. */
MG_MUST_USE enum mg_status request_log_write(struct store_tx *tx, const struct http_request *request,
                                             const struct control_actor *actor, const char *operation,
                                             const char *record_id, unsigned status, const json_t *answer,
                                             struct mg_error *error);

#endif
