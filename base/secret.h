/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that held a secret is wiped before it is freed. */
#ifndef MINTGATE_BASE_SECRET_H
#define MINTGATE_BASE_SECRET_H

#include <stddef.h>

#include "base/buffer.h"

/* mg_secret_wipe overwrites |len| bytes in a way that the compiler keeps. */
void mg_secret_wipe(void *data, size_t len);

/* mg_secret_buffer_init makes an empty buffer that never moves (all |limit| bytes are allocated now), so that
 * growing leaves no copy behind. Returns false if memory is short. */
MG_MUST_USE bool mg_secret_buffer_init(struct mg_buffer *buffer, size_t limit);

/* mg_secret_free wipes the whole capacity of |buffer| and frees it. */
void mg_secret_free(struct mg_buffer *buffer);

#endif
