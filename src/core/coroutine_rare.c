/* SPDX-License-Identifier: MIT
 *
 * coroutine_rare.c - what the quick paths of coroutine.c leave to others:
 * errors, shared stacks, FP words, overrun stacks, cleanups, weft_exit().
 *
 * Shared stacks. A RUNNING coroutine, or task, whose descendants run on other
 * stacks may be evicted (taken off its stack) like a suspended one; its frames
 * end where its child's caller says, and the stack's `outer` must point there.
 * That is found out late, by those who evict (make_room) and those who let
 * others run (coroutine_park.c), and not by every resume. Whoever sets `outer`
 * marks the child RARE_EVICTABLE; the child, on its way back, brings its
 * resumer back first, and clears both (recall_resumer).
 *
 * R1 stack.outer is set only while its occupant is RUNNING and not innermost,
 *    and then the occupant's child is RARE_EVICTABLE.
 * R2 The innermost coroutine of the running task stands on its own stack, so a
 *    shared one is its stack's occupant.
 */
#include <errno.h>
#include <time.h>

#include <base/cpu.h>
#include <base/log.h>
#include <base/syscall.h>
#include <core/cleanup.h>
#include <core/coroutine.h>
#include <core/exit.h>
#include <core/task.h>
#include <stack/overflow.h>

enum { STRAIGHT = 0, BY_HOP = 1 }; /* how to go on; or a negative errno */

/* --- whose frames are where ------------------------------------------------ */

static struct strand *task_strand(const struct thread *thread)
{
	return thread->task ? &thread->task->strand : NULL;
}

/* Whose stack we stand on. NULL: a thread's own that is no task yet. */
static struct strand *innermost(const struct thread *thread)
{
	return thread->coroutine ? &thread->coroutine->strand : task_strand(thread);
}

static struct strand *resumer_of(const struct thread *thread, const struct coroutine *co)
{
	return co->resumer ? &co->resumer->strand : task_strand(thread);
}

/* Is it known that @strand is not RUNNING in the current task? */
static bool surely_suspended(const struct thread *thread, struct strand *strand)
{
	struct coroutine *co = (struct coroutine *)strand;

	/* relaxed: its owner's */
	if (atomic_load_explicit(&co->no_task_id, memory_order_relaxed)) /* it is a task */
		return strand != task_strand(thread);
	return !coroutine_busy(co);
}

/* The occupant of @stack is about to be evicted. If it is RUNNING further up,
 * says where its frames end. */
static void expose(const struct thread *thread, struct shared_stack *stack)
{
	if (!stack->occupant || surely_suspended(thread, stack->occupant))
		return;
	for (struct coroutine *co = thread->coroutine; co; co = co->resumer) {
		if (resumer_of(thread, co) == stack->occupant) {
			stack->outer = co->caller;
			co->rare |= RARE_EVICTABLE;
			return;
		}
	}
	/* It runs in a parked task, and has been exposed by weft__coroutine_park(). */
}

/* Brings @co to its stack, from where we stand. When that is the very stack, a
 * hop must do it, and @here (NULL: our own context) is where we end. */
static int make_room(const struct thread *thread, struct coroutine *co, weft_context *here)
{
	struct shared_stack *stack = co->strand.shared;

	if (weft__shared_resident(&co->strand))
		return STRAIGHT;
	if (stack->occupant && stack->occupant == innermost(thread)) {
		if (here) {
			stack->outer = here;
			co->rare |= RARE_EVICTABLE;
		}
		return BY_HOP;
	}
	expose(thread, stack);
	return weft__shared_enter(&co->strand);
}

/* Brings the resumer of @self back to its stack, as make_room() does. */
static int recall_resumer(const struct thread *thread, struct coroutine *self)
{
	struct strand *resumer = resumer_of(thread, self);

	if (!(self->rare & RARE_EVICTABLE))
		return STRAIGHT;
	if (!weft__shared_resident(resumer)) {
		if (resumer->shared == self->strand.shared)
			return BY_HOP;
		expose(thread, resumer->shared);
		if (weft__shared_enter(resumer) < 0)
			return -ENOMEM;
	}
	resumer->shared->outer = NULL;
	self->rare &= (uint8_t)~RARE_EVICTABLE;
	return STRAIGHT;
}

/* --- floating point -------------------------------------------------------- */

static void fp_enter(struct coroutine *co)
{
	if (co->rare & RARE_KEEP_FP)
		weft__fp_swap(&co->ext->outer, &co->ext->fp);
}

static void fp_leave(struct coroutine *self)
{
	if (self->rare & RARE_KEEP_FP)
		weft__fp_swap(&self->ext->fp, &self->ext->outer);
}

/* --- resume ---------------------------------------------------------------- */

static int resumable(const struct thread *thread, const struct coroutine *co)
{
	if (!co)
		return -ESRCH;
	if (!coroutine_ours(co))
		return -EPERM;
	if (!coroutine_busy(co))
		return 0;
	if (co->state == COROUTINE_DEAD)
		return -ESRCH;
	return co == thread->coroutine ? -EDEADLK : -EBUSY;
}

/* The other way into a suspended coroutine: instead of going on it runs its
 * cleanups, below everything that is live on its stack, and ends. */
static void unwind_main(void *arg, void *value)
{
	struct coroutine *self = arg;

	(void)value;
	coroutine_arrived(NULL);
	weft__cleanup_run(&self->cleanups);
	weft__coroutine_finish(self, NULL);
}

static void divert_to_unwind(const struct hop_request *request)
{
	weft__context_divert(request->target, unwind_main, request->arg);
}

static void undo_enter(struct thread *thread, struct coroutine *co)
{
	coroutine_leave(thread, co);
	co->rare &= (uint8_t)~RARE_EVICTABLE;
	if (co->rare & RARE_KEEP_FP)
		weft__fp_load(&co->ext->outer);
}

/* @co may be resumed. 1 when it yielded, 0 when it ended, or -ENOMEM. */
static int run(struct thread *thread, struct coroutine *co, void *value, void **ret_out)
{
	weft_context here;
	struct hop_request request = { .newcomer = &co->strand,
				       .then = co->rare & RARE_UNWINDING ? divert_to_unwind : NULL,
				       .arg = co,
				       .target = &co->strand.ctx,
				       .value = value,
				       .landing = landing_at(co) };
	int way = make_room(thread, co, &here);

	if (way < 0)
		return way;
	coroutine_enter(thread, co, coroutine_word(co), &here, ret_out);
	coroutine_asan_resume(co);
	fp_enter(co);
	if (way == STRAIGHT) {
		if (request.then)
			request.then(&request);
		value = coroutine_switch(&here, &co->strand.ctx, value, landing_at(co));
	} else if (weft__hop(thread, &here, &request, &value) < 0) {
		undo_enter(thread, co);
		return -ENOMEM;
	}
	return (int)(intptr_t)value;
}

weft_context *weft__begin_resume_rare(weft_coroutine *handle, weft_context *here, void **ret_out)
{
	struct thread *thread = &weft__thread;
	struct coroutine *co = coroutine_of(handle);

	if (resumable(thread, co) < 0 || make_room(thread, co, here) != STRAIGHT)
		return NULL;
	coroutine_enter(thread, co, (uintptr_t)handle, here, ret_out);
	fp_enter(co);
	return &co->strand.ctx;
}

WEFT_API int weft__resume_rare(weft_coroutine *handle, void *value, void **ret_out)
{
	struct thread *thread = &weft__thread;
	struct coroutine *co = coroutine_of(handle);
	int rc = resumable(thread, co);

	return rc < 0 ? rc : run(thread, co, value, ret_out);
}

int weft__coroutine_unwind(struct coroutine *co)
{
	int rc;

	co->rare |= RARE_UNWINDING;
	rc = run(&weft__thread, co, NULL, NULL);
	co->rare &= (uint8_t)~RARE_UNWINDING;
	return rc;
}

/* --- leaving --------------------------------------------------------------- */

/* The stack pointer is not in our stack. Users may have stacks of their own
 * inside a coroutine; what lies in the arena is not one of them. */
static bool overrun(const struct coroutine *self)
{
	struct stack_slot own = { .top = (char *)self,
				  .low = self->strand.low,
				  .class = self->stack_class };

	if (self->rare & RARE_SHARED)
		return false;
	if ((self->rare & RARE_CANARY) && !weft__stack_canary_intact(&own))
		return true;
	return stack_pointer() < own.low &&
	       weft__stack_find(stack_pointer(), NULL) != STACK_HIT_NONE;
}

/* 0 when @self may be suspended. */
static int suspendable(const struct coroutine *self)
{
	if (unlikely(overrun(self)))
		weft__overflow_die(&self->strand);
	return self->rare & RARE_UNWINDING ? -EPERM : 0;
}

static void deliver_note(const struct hop_request *request)
{
	coroutine_deliver(request->arg, request->note);
}

static int yield_by_hop(struct thread *thread, struct coroutine *self, void *value, void **ret_in)
{
	struct hop_request request = { .newcomer = resumer_of(thread, self),
				       .then = deliver_note,
				       .arg = self,
				       .note = value,
				       .target = self->caller,
				       .value = YIELDED,
				       .landing = landing_at_caller(self) };

	self->rare &= (uint8_t)~RARE_EVICTABLE;
	if (weft__hop(thread, &self->strand.ctx, &request, ret_in) == 0)
		return 0;
	self->rare |= RARE_EVICTABLE;
	coroutine_set_word(self, coroutine_word(self) | COROUTINE_BUSY);
	thread->coroutine = self;
	fp_enter(self);
	return -ENOMEM;
}

struct weft__way weft__begin_yield_rare(void *value)
{
	struct thread *thread = &weft__thread;
	struct coroutine *self = thread->coroutine;

	if (!self || suspendable(self) < 0 || recall_resumer(thread, self) != STRAIGHT)
		return (struct weft__way){ NULL, NULL };
	fp_leave(self);
	coroutine_deliver(self, value);
	coroutine_leave(thread, self);
	return (struct weft__way){ &self->strand.ctx, self->caller };
}

WEFT_API int weft__yield_rare(void *value, void **ret_in)
{
	struct thread *thread = &weft__thread;
	struct coroutine *self = thread->coroutine;
	int way = self ? suspendable(self) : -EPERM;

	if (way == 0)
		way = recall_resumer(thread, self);
	if (way < 0)
		return way;
	fp_leave(self);
	coroutine_leave(thread, self);
	if (way == BY_HOP)
		return yield_by_hop(thread, self, value, ret_in);
	coroutine_deliver(self, value);
	value = coroutine_switch(&self->strand.ctx, self->caller, YIELDED, landing_at_caller(self));
	if (ret_in)
		*ret_in = value;
	return 0;
}

/* What self has of its resumer goes to @co; it may also go back. */
static void hand_over(struct thread *thread, struct coroutine *self, struct coroutine *co)
{
	fp_leave(self);
	fp_enter(co);
	co->rare |= self->rare & RARE_EVICTABLE;
	self->rare &= (uint8_t)~RARE_EVICTABLE;
	coroutine_hand_over(thread, self, co);
}

static int transfer(struct thread *thread, struct coroutine *self, struct coroutine *co,
		    void *value, void **ret_in)
{
	int way = make_room(thread, co, NULL);

	if (way < 0)
		return way;
	hand_over(thread, self, co);
	if (way == STRAIGHT) {
		value = coroutine_switch(&self->strand.ctx, &co->strand.ctx, value, landing_at(co));
	} else {
		struct hop_request request = { .newcomer = &co->strand,
					       .target = &co->strand.ctx,
					       .value = value,
					       .landing = landing_at(co) };

		if (weft__hop(thread, &self->strand.ctx, &request, &value) < 0) {
			hand_over(thread, co, self);
			return -ENOMEM;
		}
	}
	if (ret_in)
		*ret_in = value;
	return 0;
}

struct weft__way weft__begin_transfer_rare(weft_coroutine *handle)
{
	struct thread *thread = &weft__thread;
	struct coroutine *self = thread->coroutine, *co = coroutine_of(handle);

	if (!self || co == self || resumable(thread, co) < 0 || suspendable(self) < 0 ||
	    make_room(thread, co, NULL) != STRAIGHT)
		return (struct weft__way){ NULL, NULL };
	hand_over(thread, self, co);
	return (struct weft__way){ &self->strand.ctx, &co->strand.ctx };
}

WEFT_API int weft__transfer_rare(weft_coroutine *handle, void *value, void **ret_in)
{
	struct thread *thread = &weft__thread;
	struct coroutine *self = thread->coroutine, *co = coroutine_of(handle);
	int rc;

	if (!self)
		return -EPERM;
	if (co == self) {
		if (ret_in)
			*ret_in = value;
		return 0;
	}
	rc = resumable(thread, co);
	if (rc == 0)
		rc = suspendable(self);
	return rc < 0 ? rc : transfer(thread, self, co, value, ret_in);
}

/* --- leaving for good ------------------------------------------------------ */

static void exit_again(void *arg, void *value)
{
	(void)value;
	coroutine_arrived(NULL);
	weft__exit_unwound((int)(intptr_t)arg);
}

static void divert_to_exit(const struct hop_request *request)
{
	weft__context_divert(request->target, exit_again, request->note);
}

coldpath void weft__wait_for_memory(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	weft__warn_once("no memory to save a shared stack; the thread waits for some");
	weft__syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Nobody can be told here that memory is short, and the resumer's frames are
 * needed to go on. */
static int recall_resumer_for_sure(const struct thread *thread, struct coroutine *self)
{
	int way;

	while ((way = recall_resumer(thread, self)) < 0)
		weft__wait_for_memory();
	return way;
}

/* @self is DEAD, and its resumer is the innermost one: goes there, and does
 * @then before it goes on. */
static void __attribute__((noreturn))
leave_for_good(struct thread *thread, struct coroutine *self,
	       void (*then)(const struct hop_request *), void *note)
{
	struct hop_request request = { .newcomer = resumer_of(thread, self),
				       .then = then,
				       .arg = self,
				       .note = note,
				       .target = self->caller,
				       .value = ENDED,
				       .landing = landing_at_caller(self) };
	int way;

	if (self->rare & RARE_KEEP_FP)
		weft__fp_load(&self->ext->outer);
	if (self->rare & RARE_SHARED)
		weft__shared_vacate(&self->strand);
	way = recall_resumer_for_sure(thread, self);
	self->rare &= (uint8_t)~RARE_EVICTABLE;
	if (way == BY_HOP) {
		/* The stack is vacant, so nothing needs to be saved: it cannot fail. */
		weft__hop(thread, &self->strand.ctx, &request, NULL);
		__builtin_unreachable();
	}
	then(&request);
	coroutine_switch_last(&self->strand.ctx, self->caller, ENDED, landing_at_caller(self));
}

void weft__coroutine_finish_rare(struct coroutine *self, void *value)
{
	leave_for_good(&weft__thread, self, deliver_note, value);
}

void weft__coroutine_exit(int value)
{
	struct thread *thread = &weft__thread;
	struct coroutine *self = thread->coroutine;

	weft__cleanup_run(&self->cleanups);
	self->state = COROUTINE_DEAD;
	thread->coroutine = self->resumer;
	leave_for_good(thread, self, divert_to_exit, (void *)(intptr_t)value);
}
