/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of one small size, all in one stretch of memory that asks for huge pages: what is looked up at random costs
 * fewer TLB misses than allocations spread over the heap, and no allocator's overhead. Memory comes as it is first
 * needed, is used again, and goes back to the kernel at the end.
 *
 * Any thread may take and give at any time, without a lock. The kernel clears a huge page when its first slot is first
 * taken (some 0.1 ms for 16,384 slots).
 */
#ifndef MINTGATE_CACHE_SLOTS_H
#define MINTGATE_CACHE_SLOTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_SIZE ((size_t)128) /* two cache lines, which processors fetch together */
#define SLOTS_MAX ((size_t)1 << 30)

struct slots {
    uint8_t *first;          /* aligned to a huge page; NULL: there are none */
    _Atomic uint32_t *below; /* behind the last slot: for each free one the number of the one below it on the stack */
    size_t num;
    _Atomic size_t num_begun; /* taken at least once: those in front */
    _Atomic uint64_t free;    /* those given back, a stack: see slots.c */
};

/* slots_init reserves |num| slots, at most SLOTS_MAX. If the kernel refuses, there are none: slots_take says so. */
void slots_init(struct slots *slots, size_t num);

/* slots_end gives the memory back, taken ones too. */
void slots_end(struct slots *slots);

/* slots_take returns a slot with any content, aligned to its size; NULL if all are taken. */
void *slots_take(struct slots *slots);

/* slots_own tells whether |memory| is one of the slots. */
bool slots_own(const struct slots *slots, const void *memory);

/* slots_give gives a slot back. */
void slots_give(struct slots *slots, void *slot);

#endif
