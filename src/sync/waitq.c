/* SPDX-License-Identifier: MIT
 *
 * waitq.c - see waitq.h.
 */
#include <sync/waitq.h>

unsigned weft__waitq_wake_all(struct waitq *queue, int result)
{
	struct task *task;
	unsigned count = 0;

	while ((task = waitq_take(queue)) != NULL) {
		party_wake(task, result);
		count++;
	}
	return count;
}

int weft__waitq_wait(struct waitq *queue, struct spinlock *lock, struct waitable *object,
		     struct task *self, int64_t deadline_ns, uint32_t bits)
{
	int rc;

	if (unlikely(!party_begin_with(self, bits))) {
		spin_unlock(lock);
		return party_refused(self);
	}
	self->waiter.object = waited_object_of(object, deadline_ns != WEFT_FOREVER);
	list_push_back(&queue->list, &self->waiter.link);
	spin_unlock(lock);
	rc = party_park_named(self, deadline_ns);
	if (unlikely(rc == -ETIMEDOUT || rc == -ECANCELED || rc == -ENOMEM))
		waiter_leave(lock, &self->waiter);
	return rc;
}
