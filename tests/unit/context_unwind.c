/* SPDX-License-Identifier: MIT
 *
 * context_unwind.c - tests of walking a context's stack from inside. (From
 * outside: context_gdb.sh.)
 */
#include <execinfo.h>
#include <unwind.h>

#include "context_lab.h"

enum { STACK = 256 << 10, DEPTH = 64 };

static struct fiber peer;
static void *frames[DEPTH];
static int depth;

/* No tail calls: each function shall have its frame. */
static noinline int innermost(void)
{
	depth = backtrace(frames, DEPTH);
	return depth;
}

static noinline int middle(int levels)
{
	volatile int found = levels > 1 ? middle(levels - 1) : innermost();

	return found;
}

static void walk_inside(void *arg, void *value)
{
	(void)arg;
	landed();
	for (;;) {
		int found = middle((int)(intptr_t)value);

		value = hop(&peer, &home, (void *)(intptr_t)found);
	}
}

/* innermost, the levels, the body, and the first frame. */
static void check_depth(int levels)
{
	int found = (int)(intptr_t)hop(&home, &peer, (void *)(intptr_t)levels);

	/* A sanitizer's backtrace() is a frame; so may be begin() and libc's own first
	 * one of the portable backends. */
	if ((WEFT_SWITCH_INLINE || WEFT_SWITCH_ASM) && !WEFT_ASAN && !WEFT_TSAN)
		CHECK_EQ(found, levels + 3);
	CHECK_GE(found, levels + 3);
	CHECK_LE(found, levels + 5);
}

/* A stack with something above it that looks like return addresses: whoever reads
 * past the first frame goes on and on. */
static void init_with_bait(struct fiber *fiber)
{
	void **bait;

	fiber_init(fiber, 2 * STACK);
	fiber->bytes = STACK;
	bait = fiber_top(fiber);
	for (size_t i = 0; i < STACK / sizeof(*bait); i++)
		bait[i] = (char *)(uintptr_t)middle + 8;
}

TEST(context_unwind, backtrace_ends_at_the_first_frame)
{
	init_with_bait(&peer);
	weft_context_make(&peer.ctx, (char *)peer.low, STACK, walk_inside, NULL);
	for (int levels = 1; levels < 20; levels++)
		check_depth(levels);
#if WEFT_SWITCH_INLINE || WEFT_SWITCH_ASM
	CHECK((char *)frames[depth - 1] > weft__context_entry_arg &&
	      (char *)frames[depth - 1] < weft__context_entry_arg + 32);
#endif
}

TEST(context_unwind, backtrace_ends_when_made_at)
{
	init_with_bait(&peer);
	weft__context_make_at(&peer.ctx, fiber_top(&peer), walk_inside);
	for (int levels = 1; levels < 20; levels++)
		check_depth(levels);
#if WEFT_SWITCH_INLINE || WEFT_SWITCH_ASM
	CHECK((char *)frames[depth - 1] > weft__context_entry &&
	      (char *)frames[depth - 1] < weft__context_entry + 32);
#endif
}

/* The unwinder itself says how it ended. */
static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
	(void)context;
	return ++*(int *)arg < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static void unwind_inside(void *arg, void *value)
{
	int count = 0;

	(void)arg;
	(void)value;
	landed();
	CHECK_EQ(_Unwind_Backtrace(count_frame, &count), _URC_END_OF_STACK);
	hop(&peer, &home, (void *)(intptr_t)count);
}

TEST(context_unwind, unwinder_reports_the_end_of_the_stack)
{
	init_with_bait(&peer);
	weft_context_make(&peer.ctx, (char *)peer.low, STACK, unwind_inside, NULL);
	CHECK_LE((intptr_t)hop(&home, &peer, NULL), 6);
}

/* Those who follow frame pointers: ours is the last one. */
static void follow_frame_pointer(void *arg, void *value)
{
	void **frame = __builtin_frame_address(0);

	(void)arg;
	(void)value;
	landed();
#if defined(__riscv)
	frame -= 2; /* a frame pointer points behind what it leads to */
#endif
	CHECK_EQ(frame[0], 0);
	hop(&peer, &home, NULL);
}

TEST(context_unwind, frame_pointer_chain_ends)
{
	if (!WEFT_SWITCH_INLINE && !WEFT_SWITCH_ASM)
		return; /* libc's makecontext promises nothing */
	fiber_make(&peer, STACK, follow_frame_pointer, NULL);
	hop(&home, &peer, NULL);
	weft__context_make_at(&peer.ctx, fiber_top(&peer), follow_frame_pointer);
	weft__asan_forget(peer.low, STACK);
	hop(&home, &peer, NULL);
}
