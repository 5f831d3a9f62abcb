/* SPDX-License-Identifier: MIT
 *
 * join.c - what a handle is good for: join, detach, cancel, names.
 */
#include <errno.h>

#include <core/runtime.h>
#include <core/wake.h>

static inline uint64_t joiner_of(struct task *task)
{
	/* acquire pairs with the exchange in weft__task_exit() */
	return atomic_load_explicit(&task->joiner, memory_order_acquire);
}

/* acq_rel, and acquire on failure, see cas64(): who loses to the exit must see its result. */
static inline bool joiner_change(struct task *task, uint64_t from, uint64_t to)
{
	return cas64(&task->joiner, from, to);
}

/* Waits for the end of a task that was alive a moment ago. */
static int join_wait(struct task *task, int64_t deadline_ns)
{
	struct task *self = weft__thread.task;
	uint64_t ticket;
	uint32_t word;
	int rc;

	word = wait_begin(self, 0);
	if (unlikely(!word))
		return weft__park_refused(self);
	ticket = ticket_of(self, word);
	self->waiter.object = join_object(task, deadline_ns != WEFT_FOREVER);
	if (unlikely(!joiner_change(task, JOINER_NONE, ticket))) {
		/* It has just ended, or another one joins it. Settled before
		 * the abort, which may let that other one run. */
		bool ended = joiner_change(task, JOINER_DEAD, JOINER_JOINED);

		weft__park_abort(self);
		return ended ? 0 : -EBUSY;
	}
	if (likely(deadline_ns == WEFT_FOREVER)) {
		leave_parked(weft__thread.worker, self, WAIT_JOIN);
		rc = thread_fresh()->task->result;
	} else {
		rc = weft__park(self, WAIT_JOIN, deadline_ns);
	}
	/* Timed out or cancelled, unless the end came first after all. The exit's
	 * release came to us with the wake, or through the failed exchange. */
	if (rc < 0 && joiner_change(task, ticket, JOINER_NONE))
		return rc;
	return 0;
}

int weft_join(weft_task *handle, int64_t deadline_ns, int *ret)
{
	struct task *task = task_of(handle);
	uint64_t joiner;
	int rc;

	if (unlikely(!task))
		return -ESRCH;
	if (unlikely(task == weft__thread.task))
		return -EDEADLK;
	joiner = joiner_of(task);
	if (joiner != JOINER_DEAD) {
		if (joiner == JOINER_DETACHED)
			return -ESRCH;
		if (joiner != JOINER_NONE)
			return -EBUSY;
		if (task_is_foreign(task))
			return -ESRCH;
		if (deadline_ns == WEFT_NOWAIT)
			return -EAGAIN;
		if (unlikely(!weft__task_self(&rc)))
			return rc;
		if (deadline_ns == WEFT_FOREVER)
			weft__wait_cycle_check(weft__thread.task, task, NULL, NULL);
		rc = join_wait(task, deadline_ns);
		if (rc < 0)
			return rc;
	}
	if (ret)
		*ret = task->result;
	task_put(task);
	return 0;
}

/* --- watching, for a select ---------------------------------------------------------- */

int weft__join_ready(weft_task *handle)
{
	struct task *task = task_of(handle);
	uint64_t joiner;

	if (!task)
		return -ESRCH;
	if (task == weft__thread.task)
		return -EDEADLK;
	joiner = joiner_of(task);
	if (joiner == JOINER_DEAD)
		return 1;
	if (joiner == JOINER_DETACHED || task_is_foreign(task))
		return -ESRCH;
	return joiner == JOINER_NONE ? 0 : -EBUSY;
}

int weft__join_watch(weft_task *handle, uint64_t ticket)
{
	struct task *task = task_of(handle);

	if (!task)
		return -ESRCH;
	return joiner_change(task, JOINER_NONE, ticket) ? 0 : weft__join_ready(handle);
}

void weft__join_unwatch(weft_task *handle, uint64_t ticket)
{
	struct task *task = task_of(handle);

	/* It has ended, and left its handle to us: to whoever joins. release as in
	 * weft__task_exit(); acquire came with the exchange that failed. */
	if (!joiner_change(task, ticket, JOINER_NONE))
		atomic_store_explicit(&task->joiner, JOINER_DEAD, memory_order_release);
}

int weft_detach(weft_task *handle)
{
	struct task *task = task_of(handle);

	if (!task || joiner_of(task) == JOINER_DETACHED)
		return -ESRCH;
	if (!joiner_change(task, JOINER_NONE, JOINER_DETACHED) && joiner_of(task) != JOINER_DEAD)
		return -EBUSY;
	task_put(task);
	return 0;
}

int weft_cancel(weft_task *handle)
{
	struct task *task = task_of(handle);

	if (!task || task_is_foreign(task))
		return -ESRCH;
	weft__task_cancel(task);
	return 0;
}

void weft__task_cancel(struct task *task)
{
	trace_canceled(task);
	if (wait_word_cancel(&task->wait))
		weft__wake_claimed(task, -ECANCELED);
}

bool weft__task_cancel_seen(struct task *task, uint32_t word)
{
	bool ends_wait = (word & WAIT_WAITING) && !(word & WAIT_SHIELD);
	uint32_t next = word | WAIT_CANCELED;

	if (ends_wait)
		next &= ~(uint32_t)WAIT_WAITING;
	if (!cas32(&task->wait, word, next))
		return false;
	if (ends_wait)
		weft__wake_claimed(task, -ECANCELED);
	return true;
}

weft_task *weft_self(void)
{
	struct task *self = weft__thread.task;

	return self ? task_handle(self) : NULL;
}

uint64_t weft_task_id(weft_task *handle)
{
	struct task *task = task_of(handle);

	return task ? task_id(task) : 0;
}

const char *weft_task_name(weft_task *handle)
{
	struct task *task = task_of(handle);

	return task ? task_name(task) : NULL;
}
