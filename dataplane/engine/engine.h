/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: everything put together, started, reloaded and stopped, by the main thread. */
#ifndef MINTGATE_DATAPLANE_ENGINE_ENGINE_H
#define MINTGATE_DATAPLANE_ENGINE_ENGINE_H

#include "base/buffer.h"
#include "base/status.h"
#include "config/config.h"

struct engine;

/* engine_start brings the engine up with |config|, which it takes over on success. What needs privilege is done here;
 * when it returns, the process has given up all but what adoption needs. */
MG_MUST_USE enum mg_status engine_start(struct engine **out, struct config *config, struct mg_error *error);

/* engine_reload reads the configuration file again and takes over what can be changed in a running engine. On any
 * error, told in |error|, the old settings stay. */
MG_MUST_USE enum mg_status engine_reload(struct engine *engine, struct mg_error *error);

/* engine_tick does what is to be done every second or so, and whenever engine_fd is readable. */
void engine_tick(struct engine *engine);
int engine_fd(const struct engine *engine);

/* engine_drain has new flows bypassed, and waits for the running sessions as long as configured. */
void engine_drain(struct engine *engine);

/* engine_stop ends everything and frees |engine|. */
void engine_stop(struct engine *engine);

#endif
