/* SPDX-License-Identifier: MIT
 *
 * backtrace.c - which stacks a task is on, from the innermost one out.
 *
 * A task that parks inside a coroutine leaves its context on the coroutine's stack;
 * whose that is, the block at the top of its slot says. From there coroutine.caller
 * leads to the frame that resumed it, and so on, down to the task's own stack. A
 * coroutine on a shared stack is suspended for the time (core/coroutine_park.c): the
 * task is on its own stack then, and its frames below the coroutine are what is shown.
 */
#include <base/peek.h>
#include <core/coroutine.h>
#include <debug/backtrace.h>

enum { NESTING_MAX = 32 };

/* The private coroutine on whose stack @sp lies. */
static bool coroutine_on(uintptr_t sp, struct coroutine *ret_copy)
{
	struct stack_slot slot;

	if (weft__stack_find((const void *)sp, &slot) != STACK_HIT_USABLE)
		return false;
	weft__peek_racy(ret_copy, slot.top, sizeof(*ret_copy));
	return !ret_copy->no_task_id && tagged_pointer(coroutine_word(ret_copy)) == slot.top;
}

/* How the stack that @sp is on is to be read: a shared one of the task may be away, and
 * ours are mapped for ever, up to their tops. */
static void init_memory(struct unwinder *unwinder, struct stack_memory *memory,
			const struct task_view *view, uintptr_t sp)
{
	const struct strand *strand = &view->copy.task.strand;
	struct shared_place place;
	struct stack_slot slot;

	if (strand->shared && weft__shared_place(strand, &unwinder->shared, &place) &&
	    sp >= place.low && sp < place.high)
		stack_memory_init(memory, place.low, place.high, place.bytes, place.mapped);
	else if (weft__stack_find((const void *)sp, &slot) == STACK_HIT_USABLE &&
		 sp < (uintptr_t)slot.top)
		stack_memory_init(memory, (uintptr_t)slot.low, (uintptr_t)slot.top,
				  (uintptr_t)slot.low, true);
	else
		stack_memory_init(memory, 0, 0, 0, false);
}

static void walk_on(struct unwinder *unwinder, struct stack_memory *memory,
		    const weft_context *ctx, struct backtrace *bt)
{
	bt->depth += weft__unwind(unwinder, memory, ctx, bt->pcs + bt->depth,
				  UNWIND_DEPTH - bt->depth, &bt->end);
}

void weft__backtrace_task(struct unwinder *unwinder, const struct task *task,
			  const struct task_view *view, struct backtrace *ret)
{
	weft_context ctx = view->copy.task.strand.ctx;
	struct stack_memory memory;
	struct coroutine co;

	(void)task;
	*ret = (struct backtrace){ .depth = 0 };
	init_memory(unwinder, &memory, view, (uintptr_t)ctx.sp);
	walk_on(unwinder, &memory, &ctx, ret);
	for (unsigned i = 0; i < NESTING_MAX; i++) {
		/* Where it is depends on the switch; its stack pointer does everywhere. */
		if (ret->end != UNWIND_COMPLETE || ret->depth + 1 >= UNWIND_DEPTH ||
		    !coroutine_on((uintptr_t)ctx.sp, &co))
			return;
		init_memory(unwinder, &memory, view, (uintptr_t)co.caller);
		if (!weft__stack_memory_read(&memory, &ctx, (uintptr_t)co.caller, sizeof(ctx)))
			return;
		/* It may be parked lower than where it says so. */
		init_memory(unwinder, &memory, view, (uintptr_t)ctx.sp);
		ret->pcs[ret->depth++] = BACKTRACE_RESUMED_BY;
		walk_on(unwinder, &memory, &ctx, ret);
	}
}
