/* SPDX-License-Identifier: MIT
 *
 * waitq.h - a queue of parties that wait for one object, in its order. Most of sync/ is a
 * word of state, a spinlock, and one of these.
 *
 * Q1 The object's lock covers the queue and every link in it.
 * Q2 A party is linked with its wait open. Whoever takes it from the queue claims it under the
 *    lock; a party whose wait ended otherwise (deadline, cancel) is unlinked by itself,
 *    under the lock too, before it opens another wait. So the present epoch of a linked party
 *    is that of the wait it queued for.
 * Q3 What is claimed under the lock and handed over there is handed over for good: a
 *    cancel or a deadline that comes later has lost, and the party returns with what it got.
 */
#ifndef WEFT_SYNC_WAITQ_H
#define WEFT_SYNC_WAITQ_H

#include <sync/party.h>

struct waitq {
	struct list list; /* task.waiter.link, the oldest first */
};

static inline void waitq_init(struct waitq *queue)
{
	list_init(&queue->list);
}

/** True also when those who are in it have all been claimed by others. */
static inline bool waitq_empty(const struct waitq *queue)
{
	return list_empty(&queue->list);
}

static inline struct task *waitq_task(struct list *link)
{
	return container_of(link, struct task, waiter.link);
}

/** Takes the oldest whose wait can be claimed; NULL: none. Lock held. The caller delivers, and
 * ends its wait by party_wake(). */
static inline struct task *waitq_take(struct waitq *queue)
{
	while (!list_empty(&queue->list)) {
		struct task *task = waitq_task(queue->list.next);

		list_remove(&task->waiter.link);
		if (likely(party_claim(task)))
			return task;
	}
	return NULL;
}

/** The end of a wait that nobody has used: out of the queue (Q2), unless whoever looked there has
 * taken it out. @lock: the object's, not held. */
static inline void waiter_leave(struct spinlock *lock, struct waiter *waiter)
{
	spin_lock(lock);
	if (list_linked(&waiter->link))
		list_remove(&waiter->link);
	spin_unlock(lock);
}

/** Wakes all of them with @result. Lock held. Return: how many. */
unsigned weft__waitq_wake_all(struct waitq *queue, int result);

/**
 * weft__waitq_wait - queue the caller at the end, unlock, wait
 * @lock:        the object's; held, and released here
 * @object:      what to say in dumps
 * @deadline_ns: absolute; WEFT_NOWAIT is answered by the caller
 * @bits:        0, or WAIT_SHIELD: a cancel does not end this wait
 *
 * Return: what the waker passed (>= 0, or a negative errno); -ETIMEDOUT, -ECANCELED, -ENOMEM: nobody
 * has handed anything over. The lock is not held then, and the object may be gone if the waker's
 * result says so.
 */
int weft__waitq_wait(struct waitq *queue, struct spinlock *lock, struct waitable *object,
		     struct task *self, int64_t deadline_ns, uint32_t bits);

#endif
