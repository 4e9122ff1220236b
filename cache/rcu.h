/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-copy-update: the only door to liburcu. The flavour is QSBR everywhere, so that reading costs nothing: an online
 * thread *is* a reader, from one quiescent state to the next. What a reader found stays valid until its next
 * mg_rcu_quiescent, mg_rcu_offline, mg_rcu_synchronize, mg_rcu_barrier or mg_rcu_thread_stop, and not longer.
 *
 * So an online thread that blocks stops all reclamation: go offline around every wait. mg_rcu_stall_ns shows who did
 * not.
 *
 * ThreadSanitizer cannot see into liburcu; the functions here tell it which edges a grace period makes.
 */
#ifndef MINTGATE_CACHE_RCU_H
#define MINTGATE_CACHE_RCU_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#if defined(__SANITIZE_THREAD__)
#define MG_RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MG_RCU_TSAN 1
#endif
#endif
#ifdef MG_RCU_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define MG_RCU_MAX_THREADS 256 /* registered at one time */

/* mg_rcu_thread_start registers the calling thread and puts it online. MG_LIMIT if MG_RCU_MAX_THREADS are registered.
 * What the thread defers is run by a helper thread that sleeps, so mg_rcu_defer may make the system call that wakes it.
 *
 * The first thread of the process to call this or mg_rcu_thread_start_poll_mode creates the two helper threads. They
 * block all signals and inherit the caller's CPU affinity, so a program calls it in main, before DPDK pins threads.
 * Every registered thread calls mg_rcu_thread_stop before the process exits (liburcu 0.15 waits for a grace period
 * in exit). */
MG_MUST_USE enum mg_status mg_rcu_thread_start(void);

/* mg_rcu_thread_start_poll_mode is mg_rcu_thread_start for workers that never sleep: what the thread defers goes to a
 * helper that looks for work every 10 ms by itself, so that mg_rcu_defer never makes a system call. */
MG_MUST_USE enum mg_status mg_rcu_thread_start_poll_mode(void);

/* mg_rcu_thread_stop unregisters the calling thread. What it deferred is still run. */
void mg_rcu_thread_stop(void);

/* mg_rcu_quiescent says that the calling thread, which is online, holds nothing that it read under RCU. Cheap: call it
 * once per burst or per turn of an event loop. It makes a system call (one futex wake) only where somebody has waited
 * for this thread's quiescent state long enough to fall asleep. */
void mg_rcu_quiescent(void);

/* mg_rcu_offline is a quiescent state that lasts until mg_rcu_online: nothing may be read under RCU meanwhile, and
 * nobody waits for this thread. They do not nest. */
void mg_rcu_offline(void);
void mg_rcu_online(void);

/* mg_rcu_thread_index returns a number below MG_RCU_MAX_THREADS that no other registered thread has, for counters with
 * one writer each; after mg_rcu_thread_stop it is given out again. Caller: online. */
static inline unsigned mg_rcu_thread_index(void);

/* mg_rcu_assert_online aborts unless the calling thread is registered and online, as whoever reads under RCU is. */
static inline void mg_rcu_assert_online(void);

/* mg_rcu_load reads a pointer that mg_rcu_publish writes; |slot| is the address of a plain pointer variable. The
 * object is valid until the reader's next quiescent state. The writer initialises the object before publishing it;
 * writers of one slot exclude each other by other means. */
#define mg_rcu_load(slot) __atomic_load_n((slot), __ATOMIC_ACQUIRE)
#define mg_rcu_publish(slot, value) __atomic_store_n((slot), (value), __ATOMIC_RELEASE)

/* struct mg_rcu_head is embedded in what is reclaimed by mg_rcu_defer. Its content is private. */
struct mg_rcu_head {
    void *urcu[2];
    void (*run)(struct mg_rcu_head *head);
};

/* mg_rcu_defer has |run| called with |head|, once, after every thread online now has passed a quiescent state, from a
 * helper thread. Caller: a registered thread, online; never a deferred function. |run| owns |head| and all around it,
 * and must not block, read under RCU, or call any function here. |head| belongs to RCU until then. */
void mg_rcu_defer(struct mg_rcu_head *head, void (*run)(struct mg_rcu_head *head));

/* mg_rcu_synchronize waits until every other online thread has passed a quiescent state. Caller: a registered thread,
 * online or offline; it is a quiescent state of its own. Blocks: not for workers, not under a lock that an online
 * thread may wait for. */
void mg_rcu_synchronize(void);

/* mg_rcu_barrier waits until all that was deferred before the call, by whatever thread, has run. Caller and blocking
 * as for mg_rcu_synchronize; never from a deferred function. */
void mg_rcu_barrier(void);

/* mg_rcu_stall_ns returns for how many nanoseconds the oldest unfinished grace period that anybody waits for has
 * lasted; tens of milliseconds are normal, since helpers collect work. Each call starts a grace period of its own if
 * none is under way, so that a stuck thread shows even where nothing is deferred. Caller: a registered thread, online.
 */
uint64_t mg_rcu_stall_ns(void);

struct cds_lfht;
/* mg_rcu_table_new returns an empty liburcu hash table (urcu/rculfhash.h) bound to this flavour, with |num_buckets|
 * buckets, a power of two, for ever: it never resizes and so never allocates. Freed by cds_lfht_destroy. Any thread. */
struct cds_lfht *mg_rcu_table_new(size_t num_buckets);

/* mg_rcu_annotate_publish and mg_rcu_annotate_found tell ThreadSanitizer what liburcu's barriers do: all that was
 * written to |object| before a thread put it into a table happened before another thread found it there. */
static inline void mg_rcu_annotate_publish(void *object)
{
#ifdef MG_RCU_TSAN
    __tsan_release(object);
#else
    (void)object;
#endif
}

static inline void mg_rcu_annotate_found(void *object)
{
#ifdef MG_RCU_TSAN
    __tsan_acquire(object);
#else
    (void)object;
#endif
}

/* The index of this thread while it is online, MG_RCU_MAX_THREADS while not; for the two functions below alone. */
extern _Thread_local unsigned mg_rcu_online_index;

static inline void mg_rcu_assert_online(void)
{
    assert(mg_rcu_online_index < MG_RCU_MAX_THREADS);
}

static inline unsigned mg_rcu_thread_index(void)
{
    mg_rcu_assert_online();
    return mg_rcu_online_index;
}

#endif
