/* SPDX-License-Identifier: Apache-2.0 */
/* Contracts that the compiler checks. */
#ifndef MINTGATE_BASE_ATTR_H
#define MINTGATE_BASE_ATTR_H

#include <stdint.h>

#define MG_MUST_USE __attribute__((warn_unused_result))
#define MG_NONNULL __attribute__((nonnull))
#define MG_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define MG_CACHE_ALIGNED __attribute__((aligned(64)))

#define MG_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* MG_CONTAINER_OF returns the struct of |type| whose |member| is at |pointer|. */
#define MG_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* MG_UNCONST takes const off a pointer: for interfaces that lack it and only read, and for freeing what is owned. */
#define MG_UNCONST(pointer) ((void *)(uintptr_t)(pointer))

#endif
