/* SPDX-License-Identifier: MIT
 *
 * movable.c - tasks that may go on in another thread (WEFT_MIGRATE): how they leave
 * the CPU, and when they may be queued (E4 of wait_word.h).
 *
 *   park:   begin -> [left] -> SAVED     --+
 *                                          +--> whoever is second queues it
 *   waker:  claim -> result -> DELIVERED --+
 *
 *   yield:  [left] -> SAVED: queued
 *
 * "Left" is noticed by the context that the thread goes on with: the task comes through
 * the switch in the register in which a task that has ended comes, too.
 *
 * What belongs to a task and lies in its thread goes along: errno, C++'s globals, and
 * floating-point words with WEFT_KEEP_FP. While it runs a coroutine of its thread, or
 * after weft_task_pin(), it stays.
 */
#include <errno.h>

#include <core/cxx.h>
#include <core/leave.h>
#include <core/runtime.h>

static void make_ready(struct task *task)
{
	const struct private_task *private = task_private(task);

	task->state = TASK_READY;
	if (unlikely(task->flags & TASK_STAYS))
		weft__inbox_push(weft__worker(atomic_load_explicit(
					 &((struct private_task *)private)->last_worker,
					 memory_order_relaxed)),
				 task);
	else
		weft__share_ready(private->runtime, task);
}

void weft__movable_saved(struct task *task)
{
	/* After a yield nobody else can make it ready. */
	if (task->state == TASK_READY || wait_word_saved(&task->wait))
		make_ready(task);
}

void weft__movable_deliver(struct task *task)
{
	if (wait_word_delivered(&task->wait))
		make_ready(task);
}

/* --- leaving ----------------------------------------------------------------------- */

/* On whichever thread we are by now. A function of its own, so that no address of
 * a thread-local is kept over the switch. */
static noinline void arrive(struct task *self, struct task *left, int saved_errno)
{
	struct worker *worker = thread_fresh()->worker;

	*worker->errno_location = saved_errno;
	if (self->flags & WEFT_KEEP_FP)
		weft__arrive_rare(worker, self);
	if (left)
		weft__task_left(left);
}

/* All of leaving, for tasks with WEFT_MIGRATE or TASK_CXX. */
noinline void weft__leave_whole(struct worker *worker, struct task *self, struct task *next)
{
	int saved_errno = *worker->errno_location;
	struct cxx_globals cxx;
	bool has_cxx = (self->flags & TASK_CXX) && weft__cxx_take(&cxx);
	weft_context *target;
	struct task *left;
	void *fake = NULL;

	worker->switches++;
	weft__thread.coroutine = NULL;
	target = worker_target(worker, next);
	asan_leave(worker, &self->strand, strand_of_target(worker), &fake);
	tsan_leave(worker, &self->strand);
	left = weft_context_switch(&self->strand.ctx, target,
				   self->flags & WEFT_MIGRATE ? self : NULL);
	asan_arrive(thread_fresh()->worker, fake);
	arrive(self, left, saved_errno);
	if (has_cxx)
		weft__cxx_put(&cxx);
}

int weft_task_pin(void)
{
	struct task *self = weft__thread.task;

	if (!self)
		return -EPERM;
	if (!(self->flags & WEFT_MIGRATE))
		return 0;
	self->flags &= (uint16_t)~WEFT_MIGRATE;
	task_set_worker(self, weft__thread.worker->index);
	atomic_fetch_sub_explicit(&weft__thread.worker->runtime->movable_alive, 1,
				  memory_order_relaxed); /* a count */
	return 0;
}
