/* SPDX-License-Identifier: MIT
 *
 * coroutine_park.c - a task parks inside a coroutine.
 *
 * Nothing needs to be done when all stacks are private: the task is parked
 * wherever it stands. With shared stacks,
 *
 *   - other tasks may evict the frames of our RUNNING coroutines, and of the
 *     task itself: the stacks must say how far they reach (coroutine_rare.c,
 *     R1). When the task is woken, the scheduler brings the task's own frames
 *     back, and a coroutine those of its resumer when it yields to it.
 *   - when the innermost coroutine stands on one, it may be evicted itself, and
 *     nobody would bring it back. So it is suspended for the time: the task
 *     parks on its own stack, below the frame that resumed the outermost
 *     coroutine, and brings the innermost one back after that (detour).
 *
 * FP words of a coroutine that keeps them are not for other tasks either.
 */
#include <errno.h>

#include <base/cpu.h>
#include <core/coroutine.h>
#include <core/leave.h>
#include <core/park.h>

/* Says of every shared stack that @inner's resumers are on how far their
 * frames reach. Return: the outermost coroutine with FP words of its own. */
static struct coroutine *expose_all(const struct task *self, struct coroutine *inner)
{
	struct coroutine *keeps_fp = NULL;

	for (struct coroutine *co = inner; co; co = co->resumer) {
		const struct strand *resumer = co->resumer ? &co->resumer->strand : &self->strand;
		struct shared_stack *stack = resumer->shared;

		if (stack && stack->occupant == resumer) {
			stack->outer = co->caller;
			co->rare |= RARE_EVICTABLE;
		}
		if (co->rare & RARE_KEEP_FP)
			keeps_fp = co;
	}
	return keeps_fp;
}

static struct coroutine *outermost_of(struct coroutine *co)
{
	while (co->resumer)
		co = co->resumer;
	return co;
}

/* --- the detour ------------------------------------------------------------ */

/* What runs there is no_tsan_frame: it ends by a switch, and the task's own frames go on
 * one day as if nothing had been (base/sanitizer.h, T3). */

/* The detour's frames are left without returning: ASan's marks must not stay. */
static always_inline void forget_frames(const struct coroutine *outer)
{
	if (WEFT_ASAN)
		weft__asan_forget(stack_pointer(),
				  (size_t)(weft__context_low(outer->caller) - stack_pointer()));
}

/* From the task's own stack back to @inner. */
static no_tsan_frame int bring_back(struct thread *thread, struct task *self,
				    struct coroutine *inner, weft_context *here)
{
	struct coroutine *outer = outermost_of(inner);
	struct shared_stack *stack = inner->strand.shared;
	struct hop_request request = { .newcomer = &inner->strand,
				       .target = &inner->strand.ctx,
				       .landing = landing_at(inner) };

	if (stack == self->strand.shared) {
		/* Our frames end where they ended before: this one is not needed. */
		stack->outer = outer->caller;
		outer->rare |= RARE_EVICTABLE;
		return weft__hop(thread, here, &request, NULL);
	}
	if (weft__shared_enter(&inner->strand) < 0)
		return -ENOMEM;
	stack->outer = NULL;
	forget_frames(outer);
	coroutine_switch_last(here, &inner->strand.ctx, NULL, landing_at(inner));
}

static no_tsan_frame void detour_main(void *arg, void *value)
{
	struct coroutine *inner = arg;
	struct thread *thread = &weft__thread;
	struct task *self = thread->task;
	struct detour_mark mark = { DETOUR_MARK ^ (uintptr_t)inner, inner };
	weft_context here;

	(void)value;
	coroutine_arrived(NULL);
	__asm__ volatile("" : : "r"(&mark) : "memory"); /* it is there before ... */
	weft__worker_leave(thread->worker, self);
	__asm__ volatile("" : : "r"(&mark) : "memory"); /* ... and until after */
	for (;;) {
		thread->coroutine = inner;
		if (bring_back(thread, self, inner, &here) == 0)
			__builtin_unreachable();
		thread->coroutine = NULL;
		weft__yield_now(self); /* others may free memory */
	}
}

static weft_context *start_detour(weft_context *detour, struct coroutine *inner)
{
	*detour = *outermost_of(inner)->caller;
	weft__context_divert(detour, detour_main, inner);
	return detour;
}

static void start_detour_after_hop(const struct hop_request *request)
{
	start_detour(request->target, request->arg);
}

static void take_detour(struct thread *thread, struct task *self, struct coroutine *inner)
{
	struct coroutine *outer = outermost_of(inner);
	struct shared_stack *stack = self->strand.shared;
	struct hop_request request = { .newcomer = &self->strand,
				       .target = &thread->hop->detour,
				       .then = start_detour_after_hop,
				       .arg = inner,
				       .landing = landing_at_caller(outer) };

	thread->coroutine = NULL;
	outer->rare &= (uint8_t)~RARE_EVICTABLE;
	if (weft__shared_resident(&self->strand)) {
		if (stack)
			stack->outer = NULL;
		coroutine_switch(&inner->strand.ctx, start_detour(request.target, inner), NULL,
				 landing_at_caller(outer));
		return;
	}
	while (weft__hop(thread, &inner->strand.ctx, &request, NULL) < 0)
		weft__wait_for_memory();
}

bool weft__coroutine_park(struct worker *worker, struct task *self)
{
	struct thread *thread = &weft__thread;
	struct coroutine *inner = thread->coroutine, *keeps_fp;
	struct fp_control mine = { 0 };

	if (likely(!thread->coroutines_rare && !self->strand.shared))
		return false;
	keeps_fp = expose_all(self, inner);
	if (!keeps_fp && !inner->strand.shared)
		return false;
	if (keeps_fp)
		weft__fp_swap(&mine, &keeps_fp->ext->outer);
	if (inner->strand.shared) {
		take_detour(thread, self, inner);
	} else {
		weft__worker_leave(worker, self);
		thread->coroutine = inner;
	}
	if (keeps_fp)
		weft__fp_swap(&keeps_fp->ext->outer, &mine);
	return true;
}
