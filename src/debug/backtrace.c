/* SPDX-License-Identifier: MIT
 *
 * backtrace.c - which stacks a task is on, from the innermost one out.
 *
 * A task that parks inside a coroutine leaves its context on the coroutine's stack;
 * whose that is, the block at the top of its slot says. A coroutine on a shared stack is
 * suspended for the time, and the task steps back to its own stack
 * (core/coroutine_park.c): there a mark says which one it was. From a coroutine its
 * caller leads to the frame that resumed it, on the stack of its resumer, and so on out
 * to the task's own.
 */
#include <base/peek.h>
#include <core/coroutine.h>
#include <debug/backtrace.h>

enum { NESTING_MAX = 32, DETOUR_FRAMES = 8 };

/* A mark lies at most so far up: ucontext keeps a large record below. */
#define DETOUR_BYTES (WEFT_SWITCH_UCONTEXT ? 2048u : 512u)

/* --- coroutines ---------------------------------------------------------------- */

static bool coroutine_at_addr(uintptr_t addr, struct coroutine *ret_copy)
{
	return weft__peek(ret_copy, addr, sizeof(*ret_copy)) && !ret_copy->no_task_id &&
	       (uintptr_t)coroutine_block(coroutine_word(ret_copy)) == addr;
}

/* The private coroutine on whose stack @sp lies. Blocks of slots are mapped for ever, and
 * this is asked for each task: no system call. */
static bool coroutine_on(uintptr_t sp, struct coroutine *ret_copy)
{
	struct stack_slot slot;

	if (weft__stack_find((const void *)sp, &slot) != STACK_HIT_USABLE)
		return false;
	weft__peek_racy(ret_copy, slot.top, sizeof(*ret_copy));
	return !ret_copy->no_task_id && coroutine_block(coroutine_word(ret_copy)) == slot.top;
}

/* --- memory -------------------------------------------------------------------- */

/* How the stack that @sp is on is to be read. A shared one of @strand may be away, and ours
 * are mapped for ever, up to their tops. */
static void init_memory(struct unwinder *unwinder, struct stack_memory *memory,
			const struct strand *strand, uintptr_t sp)
{
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

/* The coroutine that the detour below the frames just walked was taken for. */
static bool find_detour(struct stack_memory *memory, uintptr_t sp, struct coroutine *ret_copy)
{
	uintptr_t end = memory->high - sp > DETOUR_BYTES ? sp + DETOUR_BYTES : memory->high;
	struct detour_mark mark;

	if (!memory->high)
		return false; /* a thread's own stack: it may, but rarely does */
	for (uintptr_t at = sp; at + sizeof(mark) <= end; at += sizeof(uint64_t))
		/* A saved register below that is inner looks like a mark with its halves changed. */
		if (weft__stack_memory_read(memory, &mark, at, sizeof(mark)) &&
		    mark.magic == (DETOUR_MARK ^ (uintptr_t)mark.inner) &&
		    coroutine_at_addr((uintptr_t)mark.inner, ret_copy))
			return true;
	return false;
}

/* --- the walk ------------------------------------------------------------------ */

struct walk {
	struct unwinder *unwinder;
	struct stack_memory memory;
	struct backtrace *bt;
};

static void walk_stack(struct walk *walk, const struct strand *strand, const weft_context *ctx)
{
	struct backtrace *bt = walk->bt;

	init_memory(walk->unwinder, &walk->memory, strand, (uintptr_t)ctx->sp);
	bt->depth += weft__unwind(walk->unwinder, &walk->memory, ctx, bt->pcs + bt->depth,
				  UNWIND_DEPTH - bt->depth, &bt->end);
}

/* From @co, whose own frames have been walked, to the frame that resumed it. @co becomes its
 * resumer; false: that is the task itself. */
static bool walk_resumer(struct walk *walk, const struct task_view *view, struct coroutine *co)
{
	uintptr_t caller = (uintptr_t)co->caller;
	bool in_coroutine = co->resumer != NULL;
	const struct strand *strand = &view->copy.task.strand;
	weft_context ctx;

	walk->bt->end = UNWIND_LOST;
	if (in_coroutine) {
		if (!coroutine_at_addr((uintptr_t)co->resumer, co))
			return false;
		strand = &co->strand;
	}
	init_memory(walk->unwinder, &walk->memory, strand, caller);
	if (!weft__stack_memory_read(&walk->memory, &ctx, caller, sizeof(ctx)))
		return false;
	walk->bt->pcs[walk->bt->depth++] = BACKTRACE_RESUMED_BY;
	walk_stack(walk, strand, &ctx);
	return in_coroutine;
}

void weft__backtrace_task(struct unwinder *unwinder, const struct task_view *view,
			  struct backtrace *ret)
{
	const struct strand *strand = &view->copy.task.strand;
	uintptr_t sp = (uintptr_t)strand->ctx.sp;
	struct walk walk = { .unwinder = unwinder, .bt = ret };
	struct coroutine co;
	bool inside;

	*ret = (struct backtrace){ .depth = 0 };
	walk_stack(&walk, strand, &strand->ctx);
	inside = coroutine_on(sp, &co);
	if (!inside && ret->depth <= DETOUR_FRAMES && find_detour(&walk.memory, sp, &co)) {
		ret->depth = 0;
		walk_stack(&walk, &co.strand, &co.strand.ctx);
		inside = true;
	}
	for (unsigned i = 0; inside && i < NESTING_MAX; i++)
		inside = ret->end == UNWIND_COMPLETE && ret->depth + 1 < UNWIND_DEPTH &&
			 walk_resumer(&walk, view, &co);
}
