/* SPDX-License-Identifier: MIT
 *
 * party.h - whoever waits for an object: a task, or a plain thread by its guest. park.h's
 * moves for both.
 *
 *	struct task *self = party_self(&rc);       // NULL: rc says why
 *	spin_lock(&object->lock);
 *	... look: nothing to wait for? ...
 *	if (!party_begin(self)) {                  // a new wait; opened under the lock
 *		spin_unlock(&object->lock);
 *		return party_refused(self);        // cancelled
 *	}
 *	... queue self->waiter ...
 *	spin_unlock(&object->lock);
 *	rc = party_park(self, &object->waitable, deadline_ns);
 *
 * Most objects have a queue and want waitq.h instead.
 */
#ifndef WEFT_SYNC_PARTY_H
#define WEFT_SYNC_PARTY_H

#include <errno.h>

#include <core/guest.h>
#include <core/wake.h>
#include <core/waitable.h>

/** Who calls; NULL and *ret_error only without memory for a new guest. */
static always_inline struct task *party_self(int *ret_error)
{
	struct task *self = weft__thread.task;

	return likely(self != NULL) ? self : weft__guest_self(ret_error);
}

/** The same when it has a block already; else NULL. */
static always_inline struct task *party_known(void)
{
	struct task *self = weft__thread.task;

	return likely(self != NULL) ? self : weft__thread.guest;
}

static always_inline bool party_is_guest(const struct task *self)
{
	return unlikely(self->flags & TASK_GUEST);
}

/** Are pointers into the caller's frames good only while it runs (K2)? So it is on a shared stack;
 * and inside a coroutine, whose stack may be a shared one. */
static always_inline bool party_frames_move(const struct task *self)
{
	return unlikely(self->strand.shared != NULL) || unlikely(weft__thread.coroutine != NULL);
}

/** Opens a wait; never switches, so it may be called under a lock. @bits: 0 or WAIT_SHIELD.
 * 0: refused, and party_refused() says with what. */
static always_inline uint32_t party_begin_with(struct task *self, uint32_t bits)
{
	if (!party_is_guest(self)) /* as wait_begin() */
		self->result = (int32_t)thread_fresh()->worker->now_coarse;
	return wait_word_begin(&self->wait, bits);
}

static always_inline uint32_t party_begin(struct task *self)
{
	return party_begin_with(self, 0);
}

/** What follows when begin has refused; without a lock, for others run meanwhile. Return: the
 * negative error. (A guest cannot be cancelled.) */
static inline int party_refused(struct task *self)
{
	return weft__park_refused(self);
}

/** The ticket of the wait that is open. */
static always_inline uint64_t party_ticket(const struct task *self)
{
	return ticket_of(self,
			 atomic_load_explicit(&((struct task *)self)->wait, memory_order_relaxed));
}

/** weft__park() for an object that stands in self->waiter.object: for dumps. */
static always_inline int party_park_named(struct task *self, int64_t deadline_ns)
{
	if (party_is_guest(self))
		return weft__guest_park(self, deadline_ns);
	if (unlikely(deadline_ns != WEFT_FOREVER))
		return weft__park(self, WAIT_OBJECT, deadline_ns);
	leave_parked(thread_fresh()->worker, self, WAIT_OBJECT);
	return thread_fresh()->task->result;
}

static always_inline int party_park(struct task *self, struct waitable *object, int64_t deadline_ns)
{
	self->waiter.object = waited_object_of(object, deadline_ns != WEFT_FOREVER);
	return party_park_named(self, deadline_ns);
}

/** Closes a wait that was opened and will not be parked. No lock held. False: somebody has
 * ended it meanwhile, and *ret_result is what it was woken with, which must not be lost. */
static inline bool party_abort(struct task *self, int *ret_result)
{
	if (wait_word_take(&self->wait))
		return true;
	*ret_result = party_is_guest(self) ? weft__guest_park(self, WEFT_FOREVER)
					   : weft__park(self, WAIT_OTHER, WEFT_FOREVER);
	return false;
}

/** Takes the wait of a party that is queued in an object whose lock is held, so that its wait is
 * the one that it queued for. True: the caller has won, delivers, and must party_wake(). */
static always_inline bool party_claim(struct task *task)
{
	return wait_word_take(&task->wait);
}

/** The end of a claimed wait. Under a lock or not; the task may be gone afterwards. */
static always_inline void party_wake(struct task *task, int result)
{
	task->result = result;
	/* fresh: the caller may have waited before, and be in another thread since */
	task_ready_from(thread_fresh(), task);
}

#endif
