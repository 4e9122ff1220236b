/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of the engine's and the signer's own sockets (dataplane/engine/engine_pages.h), which answer with the
 * control plane down too. */
#ifndef MINTGATE_CONTROL_CTL_ENGINE_H
#define MINTGATE_CONTROL_CTL_ENGINE_H

#include "control/ctl/ctl.h"

/* page_get gets |path| at |socket|. *out ends with a NUL, which counts; the caller frees it. MG_IO: nobody answers
 * there; MG_DENIED: refused, |error| has the reason; |who| names the program in it. */
MG_MUST_USE enum mg_status page_get(const char *who, const char *socket, const char *path, struct mg_buffer *out,
                                    struct mg_error *error);

/* engine_get is page_get of the engine; MG_DENIED too where the configuration has no socket of it. */
MG_MUST_USE enum mg_status engine_get(struct ctl *ctl, const char *path, struct mg_buffer *out, struct mg_error *error);

/* engine_get_json is engine_get of a page that is JSON; *out is the caller's. */
MG_MUST_USE enum mg_status engine_get_json(struct ctl *ctl, const char *path, json_t **out, struct mg_error *error);

#endif
