/* SPDX-License-Identifier: Apache-2.0 */
/* Control's APIs (docs/api/zia.md; control/program/mintgate_api.h) as mintgatectl asks them. */
#ifndef MINTGATE_CONTROL_CTL_API_H
#define MINTGATE_CONTROL_CTL_API_H

#include "control/ctl/client.h"
#include "control/ctl/ctl.h"

#define API_INTERMEDIATES "/zia/api/v1/intermediateCaCertificate"
#define API_MINTGATE "/mintgate/v1"
#define API_MAX_PATH 256

/* api_ask asks control for |path|; |body| is JSON or NULL, and stays the caller's. The answer's JSON is the caller's
 * (json_decref); JSON null for an answer without a body. MG_AGAIN: control cannot be reached. MG_DENIED: refused;
 * |error| is the server's message and, where it is known, what to do next. */
MG_MUST_USE enum mg_status api_ask(struct ctl *ctl, const char *method, const char *path, const json_t *body,
                                   json_t **out, struct mg_error *error);

/* api_ask_text is api_ask with the body as text: for one with a secret in it, which the caller wipes. */
MG_MUST_USE enum mg_status api_ask_text(struct ctl *ctl, const char *method, const char *path, const char *body,
                                        json_t **out, struct mg_error *error);

/* api_path writes |base|, then |name| as one segment with all but letters and digits escaped (RFC 3986 section 2.1),
 * then |rest|. MG_INVALID: |name| is too long to be one. */
MG_MUST_USE enum mg_status api_path(char out[API_MAX_PATH], const char *base, const char *name, const char *rest,
                                    struct mg_error *error);

/* api_ask_watched is api_ask without a body, with |while_waiting| called twice a second (NULL: never), for what may
 * take minutes. */
MG_MUST_USE enum mg_status api_ask_watched(struct ctl *ctl, const char *method, const char *path,
                                           void (*while_waiting)(void *arg), void *arg, json_t **out,
                                           struct mg_error *error);

/* api_upload posts the file |name| to |path|. */
MG_MUST_USE enum mg_status api_upload(struct ctl *ctl, const char *path, const char *name, json_t **out,
                                      struct mg_error *error);

/* api_download gets |path|, which is no JSON. *out ends with a NUL, which counts; the caller frees it. */
MG_MUST_USE enum mg_status api_download(struct ctl *ctl, const char *path, struct mg_buffer *out,
                                        struct mg_error *error);

#endif
