/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rcu.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

#include "base/clock.h"

#ifdef MG_RCU_TSAN
/* In the runtime library of gcc and of clang, but in no header of theirs. */
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
#endif

/* An mg_rcu_head begins with what liburcu takes for its own head; rcu.h hides the type to keep liburcu's out. */
_Static_assert(sizeof(struct rcu_head) == offsetof(struct mg_rcu_head, run), "rcu_head is two words");
_Static_assert(_Alignof(struct rcu_head) == _Alignof(struct mg_rcu_head), "rcu_head is aligned as a word");

_Thread_local unsigned mg_rcu_online_index = MG_RCU_MAX_THREADS;
static _Thread_local unsigned thread_slot = MG_RCU_MAX_THREADS; /* the same, but kept while offline */

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static bool slots_taken[MG_RCU_MAX_THREADS]; /* under slots_lock */

/* The edges of grace periods, for ThreadSanitizer: all that readers did before a quiescent state happened before what
 * runs after the grace period, and deferred work happened before mg_rcu_barrier returns. */
static char readers_done, deferred_done;

static void quiescent_edge(void)
{
    mg_rcu_annotate_publish(&readers_done);
}

static void grace_period_edge(void)
{
    mg_rcu_annotate_found(&readers_done);
}

/* What liburcu allocates in its barrier is freed by a helper thread, and the order of the two is liburcu's own, which
 * ThreadSanitizer does not see: it looks away from this thread's writes meanwhile. */
static void urcu_barrier(void)
{
#ifdef MG_RCU_TSAN
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
    urcu_qsbr_barrier();
#ifdef MG_RCU_TSAN
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
#endif
}

/*
 * Two helper threads run what is deferred: liburcu's default one sleeps on a futex until it is woken; the one created
 * as "real-time" is polled by itself instead. One serves all poll-mode threads: each of them polls a hundred times a
 * second, and liburcu before 0.13.3 leaks the thread of a helper that is freed.
 */
static pthread_once_t helpers_once = PTHREAD_ONCE_INIT;
static struct call_rcu_data *poll_mode_helper;

static void create_helpers(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    struct call_rcu_data *sleeping_helper = urcu_qsbr_get_default_call_rcu_data();
    poll_mode_helper = urcu_qsbr_create_call_rcu_data(URCU_CALL_RCU_RT, -1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(urcu_qsbr_get_call_rcu_thread(sleeping_helper), "rcu-helper");
    pthread_setname_np(urcu_qsbr_get_call_rcu_thread(poll_mode_helper), "rcu-helper-poll");
}

static unsigned take_slot(void)
{
    unsigned slot = 0;
    pthread_mutex_lock(&slots_lock);
    while (slot < MG_RCU_MAX_THREADS && slots_taken[slot]) {
        slot++;
    }
    if (slot < MG_RCU_MAX_THREADS) {
        slots_taken[slot] = true;
    }
    pthread_mutex_unlock(&slots_lock);
    return slot;
}

static void give_slot_back(unsigned slot)
{
    pthread_mutex_lock(&slots_lock);
    slots_taken[slot] = false;
    pthread_mutex_unlock(&slots_lock);
}

enum mg_status mg_rcu_thread_start(void)
{
    assert(thread_slot == MG_RCU_MAX_THREADS);
    pthread_once(&helpers_once, create_helpers);
    unsigned slot = take_slot();
    if (slot == MG_RCU_MAX_THREADS) {
        return MG_LIMIT;
    }
    urcu_qsbr_register_thread();
    thread_slot = slot;
    mg_rcu_online_index = slot;
    return MG_OK;
}

enum mg_status mg_rcu_thread_start_poll_mode(void)
{
    enum mg_status status = mg_rcu_thread_start();
    if (status == MG_OK) {
        urcu_qsbr_set_thread_call_rcu_data(poll_mode_helper);
    }
    return status;
}

void mg_rcu_thread_stop(void)
{
    assert(thread_slot < MG_RCU_MAX_THREADS);
    quiescent_edge();
    urcu_qsbr_set_thread_call_rcu_data(NULL);
    urcu_qsbr_unregister_thread();
    give_slot_back(thread_slot);
    thread_slot = MG_RCU_MAX_THREADS;
    mg_rcu_online_index = MG_RCU_MAX_THREADS;
}

void mg_rcu_quiescent(void)
{
    mg_rcu_assert_online();
    quiescent_edge();
    urcu_qsbr_quiescent_state();
}

void mg_rcu_offline(void)
{
    mg_rcu_assert_online();
    mg_rcu_online_index = MG_RCU_MAX_THREADS;
    quiescent_edge();
    urcu_qsbr_thread_offline();
}

void mg_rcu_online(void)
{
    assert(thread_slot < MG_RCU_MAX_THREADS && mg_rcu_online_index == MG_RCU_MAX_THREADS);
    urcu_qsbr_thread_online();
    mg_rcu_online_index = thread_slot;
}

static void run_deferred(struct rcu_head *urcu_head)
{
    struct mg_rcu_head *head = MG_CONTAINER_OF(urcu_head, struct mg_rcu_head, urcu);
    mg_rcu_annotate_found(head);
    grace_period_edge();
    head->run(head);
    mg_rcu_annotate_publish(&deferred_done);
}

static void defer(struct mg_rcu_head *head, void (*run)(struct mg_rcu_head *head))
{
    head->run = run;
    mg_rcu_annotate_publish(head);
    urcu_qsbr_call_rcu((struct rcu_head *)head->urcu, run_deferred);
}

/*
 * The age of grace periods is that of a probe: a deferred function of our own, at most one at a time, sent off beside
 * whatever waits for a grace period when none is under way.
 */
static struct mg_rcu_head probe_head;   /* whoever set probe_since_ns from 0: rw, until the probe ends */
static _Atomic uint64_t probe_since_ns; /* 0: none under way */

static void probe_ended(struct mg_rcu_head *head)
{
    (void)head;
    atomic_store_explicit(&probe_since_ns, 0, memory_order_release);
}

static void probe_start(void)
{
    uint64_t none = 0;
    if (atomic_load_explicit(&probe_since_ns, memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong(&probe_since_ns, &none, mg_clock_monotonic_ns())) {
        defer(&probe_head, probe_ended);
    }
}

uint64_t mg_rcu_stall_ns(void)
{
    mg_rcu_assert_online();
    probe_start();
    uint64_t since_ns = atomic_load_explicit(&probe_since_ns, memory_order_relaxed);
    uint64_t now_ns = mg_clock_monotonic_ns();
    return since_ns == 0 || now_ns < since_ns ? 0 : now_ns - since_ns;
}

void mg_rcu_defer(struct mg_rcu_head *head, void (*run)(struct mg_rcu_head *head))
{
    mg_rcu_assert_online();
    probe_start();
    defer(head, run);
}

void mg_rcu_synchronize(void)
{
    assert(thread_slot < MG_RCU_MAX_THREADS);
    probe_start();
    quiescent_edge();
    urcu_qsbr_synchronize_rcu();
    grace_period_edge();
}

void mg_rcu_barrier(void)
{
    assert(thread_slot < MG_RCU_MAX_THREADS);
    quiescent_edge();
    urcu_barrier();
    mg_rcu_annotate_found(&deferred_done);
}

struct cds_lfht *mg_rcu_table_new(size_t num_buckets)
{
    return cds_lfht_new_flavor(num_buckets, num_buckets, num_buckets, 0, &urcu_qsbr_flavor, NULL);
}
