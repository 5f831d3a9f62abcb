/* SPDX-License-Identifier: MIT
 *
 * leave.h - how a task leaves the CPU: one inline function, the heart of
 * yield, sleep and park. Inlined, so that a parked task keeps one frame of
 * weft's own and not three.
 *
 * The walk of a switch: the leaving task picks its successor itself and jumps
 * straight into it (the worker's own context runs only when nothing is ready,
 * or when the successor's shared stack must change hands, which cannot be
 * done while standing on it). What belongs to the task and lives in the
 * thread - errno, the innermost coroutine - waits in this frame. The value
 * that comes through the switch is the task that has just left, if that matters to
 * others: we are the first who no longer stand on its stack. Has it ended, we free it;
 * may it go on in another thread, we say that it can.
 */
#ifndef WEFT_CORE_LEAVE_H
#define WEFT_CORE_LEAVE_H

#include <base/cpu.h>
#include <base/sanitizer.h>
#include <core/coroutine.h>
#include <core/worker.h>
#include <stack/shared.h>

/** Once a process: overflow reports know tasks. */
void weft__leave_init(void);

/** Sets TASK_CANARY when the new task's slot has one. */
void weft__leave_note_canary(struct task *task);

/** Dies when the canary of the task's slot is gone. */
void weft__leave_check_canary(struct task *self);

/** What only few tasks need at a switch: FP words, canaries; and, where the rest of
 * leaving is different as well, all of it. True: it has left, and is back. */
bool weft__leave_rare(struct worker *worker, struct task *self, struct task *next);
void weft__arrive_rare(struct worker *worker, struct task *self);

/** The whole way of a task that may go on in another thread: movable.c. */
void weft__leave_whole(struct worker *worker, struct task *self, struct task *next);

/** Dies: the stack pointer or the canary says that the stack is overrun. */
void weft__task_overrun(struct task *self) __attribute__((cold, noreturn));

/* ASan wants to know the stack that comes next, and tells whoever arrives which
 * one was left: so each strand's stack is known from its first leave on. */
static always_inline void asan_leave(struct worker *worker, struct strand *self,
				     struct strand *next, void **fake)
{
#if WEFT_ASAN
	worker->asan_leaver = self;
	weft__asan_leave(fake, next->asan_low, next->asan_bytes);
#else
	(void)worker, (void)self, (void)next, (void)fake;
#endif
}

static always_inline void asan_arrive(struct worker *worker, void *fake)
{
#if WEFT_ASAN
	weft__asan_arrive(fake, &worker->asan_leaver->asan_low, &worker->asan_leaver->asan_bytes);
#else
	(void)worker, (void)fake;
#endif
}

#if WEFT_ASAN
#define strand_of_target(worker) \
	(weft__thread.task ? &weft__thread.task->strand : &(worker)->asan_idle)
#else
#define strand_of_target(worker) NULL
#endif

#if WEFT_TSAN
/** The fiber of a task, made when it has none yet, or of the loop (NULL). */
void *weft__leave_fiber(struct worker *worker, struct task *task);
#endif

/* The last thing before the switch to weft__thread.task, or to the loop: not a call
 * lies in between. @self: who leaves; NULL: the loop. (base/sanitizer.h, T2 and T4) */
static always_inline void tsan_leave(struct worker *worker, struct strand *self)
{
#if WEFT_TSAN
	if (self)
		self->fiber = weft__tsan_self();
	weft__tsan_switch(weft__leave_fiber(worker, weft__thread.task));
#else
	(void)worker, (void)self;
#endif
}

/** The context to jump to for @next (NULL: nothing is ready): its own, or idle. */
static always_inline weft_context *worker_target(struct worker *worker, struct task *next)
{
	if (unlikely(!next)) {
		weft__thread.task = NULL;
		return &worker->idle;
	}
	if (unlikely(!weft__shared_resident(&next->strand))) {
		weft__thread.task = NULL;
		worker->pending = next;
		return &worker->idle;
	}
	task_set_state(next, TASK_RUNNING);
	weft__thread.task = next;
	return &next->strand.ctx;
}

/** Where a switch leaves and arrives. */
struct leave_way {
	weft_context *from, *to;
};

/* Up to the switch: picks, checks, announces. to == NULL: it has been picked again
 * already; by then this may be another thread. @is_plain: the caller knows that none of
 * TASK_LEAVES_RARE is set. */
static always_inline struct leave_way leave_begin(struct worker *worker, struct task *self,
						  bool is_plain)
{
	struct task *next = worker_pick(worker);

	if (next == self) {
		task_set_state(self, TASK_RUNNING);
		return (struct leave_way){ NULL, NULL };
	}
	if (unlikely(stack_pointer() < self->strand.low) && !self->strand.shared &&
	    !weft__thread.coroutine)
		weft__task_overrun(self);
	if (!is_plain && unlikely(self->flags & TASK_LEAVES_RARE) &&
	    weft__leave_rare(worker, self, next))
		return (struct leave_way){ NULL, NULL };
	worker->switches++;
	weft__thread.coroutine = NULL;
	return (struct leave_way){ &self->strand.ctx, worker_target(worker, next) };
}

/* The switch itself. Return: the task that left just before us, if that must be
 * known (weft__task_left()); else NULL. */
static always_inline struct task *leave_switch(struct leave_way way)
{
	struct task *left;
	void *fake = NULL;

	asan_leave(weft__thread.worker, container_of(way.from, struct strand, ctx),
		   strand_of_target(weft__thread.worker), &fake);
	tsan_leave(weft__thread.worker, container_of(way.from, struct strand, ctx));
	left = weft_context_switch(way.from, way.to, NULL);
	asan_arrive(weft__thread.worker, fake);
	return left;
}

/* We are back, in the thread that we left (others go another way, weft__leave_rare):
 * self and worker are what it says they are. */
static always_inline void leave_end(struct task *left, int saved_errno)
{
	*weft__thread.worker->errno_location = saved_errno;
	if (unlikely(weft__thread.task->flags & WEFT_KEEP_FP))
		weft__arrive_rare(weft__thread.worker, weft__thread.task);
	if (unlikely(left != NULL))
		weft__task_left(left);
}

/* All of it. Only errno stays in the frame over the switch. */
static always_inline void worker_leave_from(struct worker *worker, struct task *self, bool is_plain)
{
	int saved_errno = *worker->errno_location;
	struct leave_way way = leave_begin(worker, self, is_plain);

	if (likely(way.to != NULL))
		leave_end(leave_switch(way), saved_errno);
}

/** worker_leave_from(), for those who do not want it inlined. */
void weft__worker_leave(struct worker *worker, struct task *self);

/** worker_leave() for a task that runs a coroutine just now. */
void weft__worker_leave_in_coroutine(struct worker *worker, struct task *self);

/** @self is queued, or waits to be woken. Returns when it is picked again. */
static always_inline void worker_leave(struct worker *worker, struct task *self, bool is_plain)
{
	if (unlikely(weft__thread.coroutine != NULL))
		weft__worker_leave_in_coroutine(worker, self);
	else
		worker_leave_from(worker, self, is_plain);
}

#endif
