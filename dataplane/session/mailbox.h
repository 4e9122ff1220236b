/* SPDX-License-Identifier: Apache-2.0 */
/* A mailbox that any thread may post to without a lock, and one thread empties. Mails are linked in place. */
#ifndef MINTGATE_DATAPLANE_SESSION_MAILBOX_H
#define MINTGATE_DATAPLANE_SESSION_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mail {
    struct mail *next;
};

struct mailbox {
    _Atomic(struct mail *) newest; /* posters: push, owner: takes all */
};

static inline void mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    struct mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        mail->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, mail, memory_order_release,
                                                    memory_order_relaxed));
}

static inline bool mailbox_empty(const struct mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->newest, memory_order_relaxed) == NULL;
}

/* mailbox_take returns all mails, the oldest first. */
static inline struct mail *mailbox_take(struct mailbox *mailbox)
{
    struct mail *mail = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct mail *oldest = NULL;
    while (mail != NULL) {
        struct mail *next = mail->next;
        mail->next = oldest;
        oldest = mail;
        mail = next;
    }
    return oldest;
}

#endif
