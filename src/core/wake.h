/* SPDX-License-Identifier: MIT
 *
 * wake.h - the inline bodies of begin, claim and wake (park.h), for the core's
 * own hot paths: a join, an exit, a timer.
 */
#ifndef WEFT_CORE_WAKE_H
#define WEFT_CORE_WAKE_H

#include <core/leave.h>
#include <core/park.h>

/* wait_word_begin(). Nobody needs result before the wait ends: until then it says since
 * when the task waits. */
static always_inline uint32_t wait_begin(struct task *self, uint32_t bits)
{
	self->result = (int32_t)weft__thread.worker->now_coarse;
	return wait_word_begin(&self->wait, bits);
}

static always_inline bool wait_claim(struct task *task, uint64_t ticket)
{
	return wait_word_claim(&task->wait, tagged_tag(ticket));
}

/* A parked task's frames have left the caches when thousands take turns: they are
 * asked for while it waits in the queue. Of our own tasks only: another worker may
 * be writing its context just now. */
static always_inline void prefetch_frames(const struct task *task)
{
	/* A number, not a pointer: main has no saved context before its first park. */
	uintptr_t sp = (uintptr_t)task->strand.ctx.sp;

	for (unsigned line = 0; line < 4; line++)
		__builtin_prefetch((const void *)(sp + line * 64), 1);
}

static always_inline void ready_at(struct worker *worker, struct task *task)
{
	prefetch_frames(task);
	task_set_state(task, TASK_READY);
	queue_push(&worker->queue, task);
}

static always_inline void ready_here(struct task *task)
{
	ready_at(weft__thread.worker, task);
}

/* Puts a claimed or new task where its worker finds it. @thread: the calling one. A traced
 * thread takes every task for another's: base/trace.h, R1. */
static always_inline void task_ready_from(struct thread *thread, struct task *task)
{
	probe_wake(task, task->result);
	if (unlikely(task_worker(task) != thread->worker_index)) {
		weft__ready_elsewhere(task);
		return;
	}
	ready_at(thread->worker, task);
}

static always_inline void task_ready(struct task *task)
{
	task_ready_from(&weft__thread, task);
}

static always_inline bool task_wake(uint64_t ticket, int result)
{
	struct task *task = ticket_task(ticket);

	if (unlikely(!wait_claim(task, ticket)))
		return false;
	task->result = result;
	task_ready(task);
	return true;
}

/* Leaves with the wait open. Whoever ends it has set result by then. */
static always_inline void leave_parked(struct worker *worker, struct task *self,
				       enum task_state kind)
{
	probe_park(self, kind);
	task_set_state(self, kind);
	worker->parks++;
	worker_leave(worker, self, false);
}

#endif
