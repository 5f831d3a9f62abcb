/* SPDX-License-Identifier: MIT
 *
 * park.h - how a task waits, and how anything wakes it. The one door through
 * which every layer above blocks.
 *
 *	struct task *self = weft__task_self();     // the calling thread's task
 *	uint64_t ticket = weft__park_begin(self);  // a new wait; 0: refused
 *	if (!ticket)
 *		return weft__park_refusal(self);
 *	... under the object's lock: the condition is false; queue the ticket
 *	    (self->waiter is free for it) ...
 *	rc = weft__park(self, WAIT_OTHER, deadline_ns);
 *	... under the object's lock: unqueue it if it is still there ...
 *
 * Between begin and park the task runs on, and may already be woken: park then
 * returns at once (after others had their turn). It must be called all the
 * same, or weft__park_abort().
 */
#ifndef WEFT_CORE_PARK_H
#define WEFT_CORE_PARK_H

#include <errno.h>

#include <core/task.h>

/** weft__task_self() outside of a task. */
struct task *weft__task_self_slow(int *ret_error) WEFT_PRIVATE;

/**
 * weft__task_self - the calling task; makes this thread a runtime if need be
 *
 * Return: task, or NULL when that fails (errno-like code in *ret_error, which
 * may be NULL).
 */
static inline struct task *weft__task_self(int *ret_error)
{
	if (likely(weft__thread.task != NULL))
		return weft__thread.task;
	return weft__task_self_slow(ret_error);
}

/** The calling task, or NULL outside of one. Never makes a runtime. */
static inline struct task *weft__task_current(void)
{
	return weft__thread.task;
}

/** Opens a wait. Return: its ticket, or 0 when the task has been cancelled, or is late by a
 * deadline that it has pushed (deadline.c); others have had their turn then. */
uint64_t weft__park_begin(struct task *self) WEFT_PRIVATE;

/** Why a wait would be refused now: -ECANCELED, -ETIMEDOUT; 0: it would not be. */
static inline int weft__park_refusal(const struct task *self)
{
	/* relaxed: begin has looked before, or will */
	uint32_t word = atomic_load_explicit(&((struct task *)self)->wait, memory_order_relaxed);

	if (likely(!(word & WAIT_REFUSED)))
		return 0;
	return word & WAIT_CANCELED ? -ECANCELED : -ETIMEDOUT;
}

/** What follows when begin has refused: others run once. Return: why. */
int weft__park_refused(struct task *self);

/** As begin, for a wait that must not end by a cancel or a pushed deadline (a joined
 * offload). Never 0. */
uint64_t weft__park_begin_shielded(struct task *self) WEFT_PRIVATE;

/** Closes a wait that was opened and not parked. */
void weft__park_abort(struct task *self) WEFT_PRIVATE;

/**
 * weft__park - wait until a claim, or the deadline
 * @kind:        WAIT_SLEEP or a later one: for dumps
 * @deadline_ns: absolute; WEFT_FOREVER: none. (Answer WEFT_NOWAIT before.)
 *
 * Return: what the waker passed; -ETIMEDOUT (this deadline, or one that was pushed);
 * -ECANCELED; or -ENOMEM (a shared stack task found no memory for its timer; the wait is
 * closed).
 */
int weft__park(struct task *self, enum task_state kind, int64_t deadline_ns) WEFT_PRIVATE;

/**
 * weft__wake - claim a wait and end it with @result
 *
 * From any thread, any number of times, with stale tickets too. Not
 * async-signal-safe. Return: true when this call ended the wait.
 */
bool weft__wake(uint64_t ticket, int result) WEFT_PRIVATE;

/** Claims a wait without ending it yet: the winner may now deliver into the
 * task, and must call weft__wake_claimed(). */
bool weft__claim(uint64_t ticket);
void weft__wake_claimed(struct task *task, int result);

/** Other runnable tasks first. The caller stays runnable. */
void weft__yield_now(struct task *self);

/** Runs fn(arg) on a helper thread, then wakes @ticket with 0. 0, -ENOMEM, -EAGAIN.
 * The job record is copied: neither it nor the queue points into a stack. */
int weft__offload_submit(void (*fn)(void *arg), void *arg, uint64_t ticket) WEFT_PRIVATE;

#endif
