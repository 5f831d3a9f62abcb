/* SPDX-License-Identifier: MIT
 *
 * deadline.h - the deadlines that a task has pushed (weft/time.h), and what they cost a wait:
 * one more bit in a test that is made anyway.
 *
 * Each has a timer that, when it comes, marks its task's wait word as a cancel does. Waits are
 * ended and refused by that, and nothing else has to know of deadlines.
 *
 * D1 A record is on the heap. It is in its task's list, and its cleanup in the list of whoever
 *    pushed it, the task or a coroutine. It is freed when that is taken out; by then its timer is
 *    disarmed, and will not touch it.
 * D2 passed is said before EXPIRED is set. Who clears EXPIRED then looks for one that has passed,
 *    and sets it again. So it is set while one that is pushed has passed.
 * D3 The timer of one that lies inside an earlier one is not armed: it has nothing to say.
 * D4 Only the winner of a wait's claim writes ended_wait, before it makes the task ready.
 */
#ifndef WEFT_CORE_DEADLINE_H
#define WEFT_CORE_DEADLINE_H

#include <core/call_timer.h>
#include <core/task.h>

struct deadline {
	struct call_timer call;
	struct deadline *outer; /* pushed before it, by the same task */
	struct task *task;      /* NULL: that has ended, and left it to a coroutine */
	weft_cleanup cleanup;
	uint64_t number; /* of the numbers of tasks: the handle */
	int64_t when_ns;
	int64_t until_ns;    /* the earliest of it and those around it */
	_Atomic bool passed; /* D2 */
	bool in_coroutine;   /* whose list its cleanup is in */
};

/** Has the last wait of @self, the caller, been ended by a deadline that it has pushed? */
static inline bool weft__deadline_ended(const struct task *self)
{
	return self->ext && self->ext->ended_wait &&
	       self->ext->ended_wait ==
		       ticket_of(self, atomic_load_explicit(&((struct task *)self)->wait,
							    memory_order_relaxed));
}

/** Does a deadline bound what @task, one of this worker, waits for? */
static inline bool weft__deadline_bounds(const struct task *task)
{
	return task->ext && task->ext->deadlines && task->ext->deadlines->until_ns != WEFT_FOREVER;
}

/** The task ends: it has none any more. */
void weft__deadline_end(struct task *self);

/** The same for those of @self in the child of a fork(2), where timers begin anew. */
void weft__deadline_forked(struct task *self);

#endif
