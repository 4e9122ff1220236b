/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/slots.h"

#include <assert.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLOTS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOTS_ASAN 1
#endif
#endif
#ifdef SLOTS_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

/*
 * The stack of free slots: the head has the number of the uppermost, counted from 1 (0: none), in its lower half, and
 * how often it was changed in its upper one, so that whoever looked at a head that has come back since does not take
 * it for the same. The links lie beside the slots, not in them, for a taker may read one of a slot that is another's
 * by then; the exchange fails, and what it read is thrown away.
 */
#define NUMBER_MASK UINT64_C(0xffffffff)
#define ONE_CHANGE (UINT64_C(1) << 32)

static void *slot_with(const struct slots *slots, uint64_t number)
{
    return slots->first + (number - 1) * SLOT_SIZE;
}

/* What is free is not to be touched. */
static void forbid(void *slot)
{
#ifdef SLOTS_ASAN
    ASAN_POISON_MEMORY_REGION(slot, SLOT_SIZE);
#else
    (void)slot;
#endif
}

static void allow(void *slot)
{
#ifdef SLOTS_ASAN
    ASAN_UNPOISON_MEMORY_REGION(slot, SLOT_SIZE);
#else
    (void)slot;
#endif
}

static size_t mapped_len(const struct slots *slots)
{
    return (slots->num * (SLOT_SIZE + sizeof(*slots->below)) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

void slots_init(struct slots *slots, size_t num)
{
    assert(num >= 1 && num <= SLOTS_MAX);
    *slots = (struct slots){.num = num};
    size_t len = mapped_len(slots);
    uint8_t *memory =
        mmap(NULL, len + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        slots->num = 0;
        return;
    }
    size_t before = HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE; /* 1 to HUGE_PAGE: what is cut off is not nothing */
    munmap(memory, before);
    if (before < HUGE_PAGE) {
        munmap(memory + before + len, HUGE_PAGE - before);
    }
    slots->first = memory + before;
    slots->below = (_Atomic uint32_t *)(void *)(slots->first + num * SLOT_SIZE);
    (void)madvise(slots->first, len, MADV_HUGEPAGE); /* a kernel without them does as well, only slower */
}

void slots_end(struct slots *slots)
{
    if (slots->first != NULL) {
#ifdef SLOTS_ASAN
        ASAN_UNPOISON_MEMORY_REGION(slots->first, mapped_len(slots));
#endif
        munmap(slots->first, mapped_len(slots));
    }
    *slots = (struct slots){.first = NULL};
}

/* begin_one takes one that was never taken. */
static void *begin_one(struct slots *slots)
{
    size_t index = atomic_load_explicit(&slots->num_begun, memory_order_relaxed);
    do {
        if (index >= slots->num) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(&slots->num_begun, &index, index + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return slots->first + index * SLOT_SIZE;
}

void *slots_take(struct slots *slots)
{
    uint64_t head = atomic_load_explicit(&slots->free, memory_order_acquire), next;
    do {
        if ((head & NUMBER_MASK) == 0) {
            return begin_one(slots);
        }
        uint32_t number = atomic_load_explicit(&slots->below[(head & NUMBER_MASK) - 1], memory_order_relaxed);
        next = ((head & ~NUMBER_MASK) + ONE_CHANGE) | number;
    } while (
        !atomic_compare_exchange_weak_explicit(&slots->free, &head, next, memory_order_acquire, memory_order_acquire));
    void *slot = slot_with(slots, head & NUMBER_MASK);
    allow(slot);
    return slot;
}

bool slots_own(const struct slots *slots, const void *memory)
{
    uintptr_t offset = (uintptr_t)memory - (uintptr_t)slots->first;
    return slots->first != NULL && offset < slots->num * SLOT_SIZE;
}

void slots_give(struct slots *slots, void *slot)
{
    assert(slots_own(slots, slot));
    uint64_t number = ((uintptr_t)slot - (uintptr_t)slots->first) / SLOT_SIZE + 1;
    uint64_t head = atomic_load_explicit(&slots->free, memory_order_relaxed), next;
    forbid(slot);
    do {
        atomic_store_explicit(&slots->below[number - 1], (uint32_t)(head & NUMBER_MASK), memory_order_relaxed);
        next = ((head & ~NUMBER_MASK) + ONE_CHANGE) | number;
    } while (
        !atomic_compare_exchange_weak_explicit(&slots->free, &head, next, memory_order_release, memory_order_relaxed));
}
