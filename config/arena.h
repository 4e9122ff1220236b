/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that lives and dies with one configuration. One owner; not for threads to share while it grows. */
#ifndef MINTGATE_CONFIG_ARENA_H
#define MINTGATE_CONFIG_ARENA_H

#include <stddef.h>

struct config_arena;

struct config_arena *config_arena_new(void);
void config_arena_free(struct config_arena *arena);

/* config_arena_alloc returns |size| zeroed bytes, or NULL when memory is short. */
void *config_arena_alloc(struct config_arena *arena, size_t size);

/* config_arena_text copies |len| bytes and a NUL. */
const char *config_arena_text(struct config_arena *arena, const char *text, size_t len);

#endif
