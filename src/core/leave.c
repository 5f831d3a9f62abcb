/* SPDX-License-Identifier: MIT
 *
 * leave.c - the rare parts of leave.h, kept out of every caller's way.
 */
#include <base/log.h>
#include <base/observe.h>
#include <core/leave.h>
#include <core/runtime.h>
#include <stack/overflow.h>

#if WEFT_TSAN

void *weft__leave_fiber(struct worker *worker, struct task *task)
{
	if (!task)
		return worker->idle_fiber;
	if (!task->strand.fiber)
		task->strand.fiber = weft__tsan_new();
	return task->strand.fiber;
}

#endif

static struct stack_slot slot_of(struct task *task)
{
	return (struct stack_slot){ .top = (char *)task,
				    .low = task->strand.low,
				    .class = task->stack_class };
}

void weft__leave_note_canary(struct task *task)
{
	struct stack_slot slot = slot_of(task);

	if (weft__stack_canaries && weft__stack_guard_kind(&slot) == GUARD_CANARY)
		task->flags |= TASK_CANARY;
}

void weft__leave_check_canary(struct task *self)
{
	struct stack_slot slot = slot_of(self);

	if (!weft__stack_canary_intact(&slot))
		weft__task_overrun(self);
}

static noinline void tell_of_locks(void)
{
	/* relaxed: whoever has set TASK_HOLDS is called by it */
	const struct lock_observer *observer =
		atomic_load_explicit(&weft__observe_locks, memory_order_relaxed);

	if (observer)
		observer->leaves();
}

bool weft__leave_rare(struct worker *worker, struct task *self, struct task *next)
{
	if (unlikely(self->flags & TASK_HOLDS))
		tell_of_locks();
	if (self->flags & TASK_CANARY)
		weft__leave_check_canary(self);
	if (self->flags & WEFT_KEEP_FP) {
		weft__fp_swap(&self->ext->fp, &worker->fp);
		self->ext->left_as = task_state(self);
	}
	if (!(self->flags & (WEFT_MIGRATE | TASK_CXX)))
		return false;
	weft__leave_whole(worker, self, next);
	return true;
}

/* The others may have changed the thread's words meanwhile: they are theirs. */
void weft__arrive_rare(struct worker *worker, struct task *self)
{
	weft__fp_swap(&worker->fp, &self->ext->fp);
}

void weft__worker_leave(struct worker *worker, struct task *self)
{
	worker_leave_from(worker, self, false);
}

void weft__worker_leave_in_coroutine(struct worker *worker, struct task *self)
{
	struct coroutine *coroutine = weft__thread.coroutine;

	/* A coroutine belongs to its thread, so whoever runs one stays. */
	if (self->flags & WEFT_MIGRATE) {
		self->flags |= TASK_STAYS;
		atomic_store_explicit(&task_private(self)->last_worker, worker->index,
				      memory_order_relaxed);
	}
	if (!weft__coroutine_park(worker, self)) {
		worker_leave_from(worker, self, false);
		weft__thread.coroutine = coroutine;
	}
	self->flags &= (uint16_t)~TASK_STAYS;
}

void weft__task_overrun(struct task *self)
{
	weft__overflow_die(&self->strand);
}

/* A stack overflows while it is in use, so only the running task can be meant. */
static size_t describe_task(const struct strand *strand, char *buf, size_t size)
{
	const struct task *task = weft__thread.task;

	if (!task || strand != &task->strand)
		return 0;
	if (task->flags & TASK_THREAD)
		return weft__format(buf, size, "task %llu, the main task of its thread",
				    (unsigned long long)task_id(task));
	return weft__format(buf, size, "task %llu \"%s\" (spawned at %s)",
			    (unsigned long long)task_id(task), task_name(task), task_site(task));
}

void weft__leave_init(void)
{
	weft__overflow_describe(describe_task);
}
