/* SPDX-License-Identifier: MIT
 *
 * task_each.h - all tasks of the process, for onlookers. See stack/walk.h for what
 * such a walk can promise: tasks begin, wait and end while it goes on.
 */
#ifndef WEFT_CORE_TASK_EACH_H
#define WEFT_CORE_TASK_EACH_H

#include <core/task.h>

struct coroutine;

/** What a walk is shown; each returns false when that is enough. */
struct task_visitor {
	bool (*task)(struct task *task, void *arg);
	/** May be NULL. */
	bool (*coroutine)(struct coroutine *coroutine, void *arg);
	void *arg;
};

/**
 * weft__task_each - shows every task (and coroutine), each at most once
 *
 * A task that lives all through the walk is shown; one that begins or ends
 * meanwhile may be. "main" of each thread comes first. Any thread,
 * async-signal-safe. Return: false when the visitor had enough.
 */
bool weft__task_each(const struct task_visitor *visitor);

/** What can be known of a task at one moment. */
struct task_view {
	struct private_task copy; /* deadline: with TASK_PRIVATE only */
	uint32_t wait;            /* the wait word */
	bool waiting;             /* it is parked, and nobody has woken it yet */
};

/**
 * weft__task_view - a copy of a task's control block that is not of two tasks
 *
 * Return: false when the block is free, or does not hold still.
 */
bool weft__task_view(const struct task *task, struct task_view *ret_view);

/** The task that a WAIT_JOIN waits for. */
static inline struct task *view_joined(const struct task_view *view)
{
	return joined_task(&view->copy.task);
}

/** The worker that it belongs to; of a movable one, that ran it last. */
static inline unsigned view_worker(const struct task_view *view)
{
	unsigned index = task_worker(&view->copy.task);

	return index != OWNER_NONE
		       ? index
		       : atomic_load_explicit(&((struct task_view *)view)->copy.last_worker,
					      memory_order_relaxed);
}

/** When a parked wait times out, or INT64_MAX: never, or nobody knows (a shared stack's
 * timer is elsewhere). */
int64_t weft__view_deadline(const struct task *task, const struct task_view *view);

#endif
