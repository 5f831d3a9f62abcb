/* SPDX-License-Identifier: MIT
 *
 * context_run.c - tests of weft__context_make_run(): who is called, from where, and that
 * nothing but a return address lies above the function.
 */
#include <string.h>
#include <unwind.h>

#include "context_lab.h"

enum { STACK = 64 << 10, RESULT = 4711 };

static struct fiber peer;
static const void *lowest;
static int begun, called, ended;

static int body(void *arg)
{
	called++;
	CHECK_EQ(arg, &called);
	CHECK_EQ(hop(&peer, &home, (void *)1), (void *)2);
	return RESULT;
}

static struct context_call begin(void *ctx, void *value)
{
	landed();
	begun++;
	CHECK_EQ(ctx, &peer.ctx);
	CHECK_EQ(value, 77);
	CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
	return (struct context_call){ body, &called };
}

static void end(int result)
{
	ended++;
	CHECK_EQ(result, RESULT);
	CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
	hop(&peer, &home, (void *)3);
	CHECK(!"continued after the end");
}

static const struct context_run run = { begin, end };

TEST(context_run, begins_calls_and_ends)
{
	fiber_init(&peer, STACK);
	for (int i = 1; i <= 3; i++) {
		weft__context_make_run(&peer.ctx, fiber_top(&peer), &run);
		CHECK(weft__context_is_new(&peer.ctx));
		CHECK(weft__context_trail(&peer.ctx) == NULL);
		CHECK_EQ(hop(&home, &peer, (void *)77), 1);
		CHECK(!weft__context_is_new(&peer.ctx));
		CHECK(weft__context_trail(&peer.ctx) != NULL);
		CHECK_EQ(hop(&home, &peer, (void *)2), 3);
		CHECK(begun == i && called == i && ended == i);
		weft__asan_forget(peer.low, STACK);
	}
}

/* A new strand's shared stack belongs to another one until it is entered. */
TEST(context_run, making_writes_nothing_to_the_stack)
{
	fiber_init(&peer, STACK);
	memset((void *)peer.low, 0x5a, STACK);
	weft__context_make_run(&peer.ctx, fiber_top(&peer), &run);
	for (size_t i = 0; i < STACK; i++)
		CHECK_EQ(((const char *)peer.low)[i], 0x5a);
}

static int note_place(void *arg)
{
	(void)arg;
	lowest = __builtin_frame_address(0);
	CHECK_EQ((uintptr_t)lowest % 16, 0);
	hop(&peer, &home, NULL);
	return 0;
}

static struct context_call begin_to_note(void *ctx, void *value)
{
	(void)ctx;
	(void)value;
	landed();
	return (struct context_call){ note_place, NULL };
}

/* What is saved of a task on a shared stack is what lies below the top. */
TEST(context_run, function_begins_right_below_the_top)
{
	static const struct context_run noting = { begin_to_note, end };

	if (!WEFT_SWITCH_INLINE && !WEFT_SWITCH_ASM)
		return; /* makecontext has frames of its own */
	fiber_init(&peer, STACK);
	weft__context_make_run(&peer.ctx, fiber_top(&peer), &noting);
	CHECK_EQ(weft__context_low(&peer.ctx), fiber_top(&peer));
	hop(&home, &peer, NULL);
#ifdef __x86_64__
	/* With a frame pointer: where it is kept, the return address, and the top. */
	CHECK_EQ((const char *)lowest + 16, fiber_top(&peer));
#elif defined(__riscv)
	/* A frame pointer points behind what is saved. */
	CHECK_EQ(lowest, fiber_top(&peer));
#else
	CHECK(lowest < fiber_top(&peer));
#endif
	CHECK_LE((char *)fiber_top(&peer) - weft__context_low(&peer.ctx),
		 WEFT_ASAN || WEFT_TSAN ? STACK : 320);
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
	(void)context;
	return ++*(int *)arg < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static int unwind(void *arg)
{
	int count = 0;

	(void)arg;
	CHECK_EQ(_Unwind_Backtrace(count_frame, &count), _URC_END_OF_STACK);
	hop(&peer, &home, (void *)(intptr_t)count);
	return 0;
}

static struct context_call begin_to_unwind(void *ctx, void *value)
{
	(void)ctx;
	(void)value;
	landed();
	return (struct context_call){ unwind, NULL };
}

/* The body, the first frame, and what sanitizers and libc have between. */
TEST(context_run, unwinding_ends_at_the_first_frame)
{
	static const struct context_run unwinding = { begin_to_unwind, end };

	fiber_init(&peer, STACK);
	weft__context_make_run(&peer.ctx, fiber_top(&peer), &unwinding);
	CHECK_LE((intptr_t)hop(&home, &peer, NULL), 6);
}

static void end_and_return(int result)
{
	(void)result;
}

static int return_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static struct context_call begin_to_return(void *ctx, void *value)
{
	(void)ctx;
	(void)value;
	landed();
	return (struct context_call){ return_at_once, NULL };
}

static const struct context_run returning = { begin_to_return, end_and_return };

static void run_one_that_returns(void *unused)
{
	(void)unused;
	fiber_init(&peer, STACK);
	weft__context_make_run(&peer.ctx, fiber_top(&peer), &returning);
	hop(&home, &peer, NULL);
}

TEST(context_run, returning_aborts_and_says_why)
{
	CHECK_DEATH(SIGABRT, "must end by switching away", run_one_that_returns, NULL);
}
