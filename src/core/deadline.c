/* SPDX-License-Identifier: MIT
 *
 * deadline.c - see deadline.h.
 */
#include <errno.h>

#include <base/clock.h>
#include <base/fault.h>
#include <core/deadline.h>
#include <core/exit.h>
#include <core/park.h>
#include <core/runtime.h>
#include <weft/time.h>

/* --- passing ------------------------------------------------------------------------------ */

static inline bool has_passed(const struct deadline *deadline)
{
	/* acquire pairs with pass(); with D2 the wait word does so already */
	return atomic_load_explicit(&((struct deadline *)deadline)->passed, memory_order_acquire);
}

static void mark(struct task *task)
{
	if (!wait_word_expire(&task->wait))
		return;
	/* relaxed: the wait is claimed, and no other can begin */
	task->ext->ended_wait =
		ticket_of(task, atomic_load_explicit(&task->wait, memory_order_relaxed));
	weft__wake_claimed(task, -ETIMEDOUT);
}

static void pass(struct call_timer *call)
{
	struct deadline *deadline = container_of(call, struct deadline, call);

	atomic_store_explicit(&deadline->passed, true, memory_order_release);
	mark(deadline->task);
}

/* Of one that is in the list and whose timer is not armed. */
static void start(struct deadline *deadline)
{
	const struct deadline *outer = deadline->outer;

	deadline->until_ns = deadline->when_ns;
	if (outer && outer->until_ns <= deadline->when_ns)
		deadline->until_ns = outer->until_ns; /* D3 */
	else if (deadline->when_ns <= weft__now())
		pass(&deadline->call);
	else if (deadline->when_ns != WEFT_FOREVER)
		weft__call_timer_arm(&deadline->call, deadline->when_ns);
}

/* --- lists -------------------------------------------------------------------------------- */

/* One around these has gone before them. From the outside in. */
static void start_again(struct deadline *innermost, const struct deadline *from)
{
	while (innermost != from) {
		struct deadline *at = innermost;

		while (at->outer != from)
			at = at->outer;
		weft__call_timer_cancel(&at->call);
		if (!has_passed(at))
			start(at);
		from = at;
	}
}

/* D2. Those that are left. */
static void settle(struct task *task)
{
	const struct deadline *at = task->ext->deadlines;

	if (!(atomic_load_explicit(&task->wait, memory_order_relaxed) & WAIT_EXPIRED))
		return;
	wait_word_unexpire(&task->wait);
	for (; at; at = at->outer)
		if (has_passed(at))
			mark(task);
}

static void leave_list(struct deadline *deadline)
{
	struct task *task = deadline->task;
	struct deadline **at = &task->ext->deadlines;

	weft__call_timer_cancel(&deadline->call);
	while (*at != deadline)
		at = &(*at)->outer;
	*at = deadline->outer;
	start_again(task->ext->deadlines, deadline->outer);
	settle(task);
}

/* Its cleanup has been taken out. */
static void drop(void *arg)
{
	struct deadline *deadline = arg;

	if (deadline->task)
		leave_list(deadline);
	weft__free(deadline);
}

/* Of a list that the caller may change. False: it is not in there. */
static bool take_cleanup(weft_cleanup **list, const struct deadline *deadline)
{
	while (*list && *list != &deadline->cleanup)
		list = &(*list)->weft__next;
	if (!*list)
		return false;
	*list = deadline->cleanup.weft__next;
	return true;
}

/* --- the interface -------------------------------------------------------------------------- */

int weft_deadline_push(weft_deadline **ret_deadline, int64_t deadline_ns)
{
	struct deadline *deadline;
	struct task *self;
	int rc = 0;

	if (!ret_deadline || deadline_ns < 0)
		return -EINVAL;
	self = weft__task_self(&rc);
	if (!self)
		return rc;
	deadline = weft__calloc(1, sizeof(*deadline));
	if (!deadline)
		return -ENOMEM;
	/* In a coroutine the cleanup is not the task's, but the list of deadlines is. */
	if (weft__task_ext(self) < 0 || weft_cleanup_push(&deadline->cleanup, drop, deadline) < 0) {
		weft__free(deadline);
		return -ENOMEM;
	}
	deadline->call.fn = pass;
	deadline->task = self;
	deadline->number = weft__runtime_next_id(weft__thread.worker);
	deadline->when_ns = deadline_ns;
	deadline->in_coroutine = weft__thread.coroutine != NULL;
	deadline->outer = self->ext->deadlines;
	self->ext->deadlines = deadline;
	start(deadline);
	*ret_deadline = (weft_deadline *)(uintptr_t)deadline->number;
	return 0;
}

int weft_deadline_pop(weft_deadline *handle)
{
	struct task *self = weft__thread.task;
	struct deadline *deadline = self && self->ext ? self->ext->deadlines : NULL;
	bool late;

	if (!deadline || (uintptr_t)deadline->number != (uintptr_t)handle ||
	    !take_cleanup(weft__cleanup_list(), deadline))
		return -EINVAL;
	late = atomic_load_explicit(&self->wait, memory_order_relaxed) & WAIT_EXPIRED;
	drop(deadline);
	return late;
}

int64_t weft_deadline_get(void)
{
	const struct task *self = weft__thread.task;

	return self && self->ext && self->ext->deadlines ? self->ext->deadlines->until_ns
							 : WEFT_FOREVER;
}

/* --- ends --------------------------------------------------------------------------------- */

void weft__deadline_end(struct task *self)
{
	struct deadline *deadline;

	while ((deadline = self->ext->deadlines) != NULL) {
		leave_list(deadline);
		deadline->task = NULL;
		/* A coroutine's may be gone on elsewhere: it goes with that (D1). */
		if (!deadline->in_coroutine && take_cleanup(&self->ext->cleanups, deadline))
			drop(deadline);
	}
}

void weft__deadline_forked(struct task *self)
{
	struct deadline *innermost = self->ext ? self->ext->deadlines : NULL;

	if (innermost)
		start_again(innermost, NULL);
}
