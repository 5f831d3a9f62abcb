/* SPDX-License-Identifier: MIT
 *
 * first.c - first.h, and weft__context_low() of the portable backends.
 */
#include <arch/portable/first.h>

/* Only their addresses matter. */
const char weft__context_entry[1] = { 0 };
const char weft__context_entry_arg[1] = { 1 };
const char weft__context_entry_run[1] = { 2 };

/* makecontext(3) passes ints, so the pointers go by here; begin() takes them
 * before anything else can run in this thread. */
static __thread struct {
	void (*fn)(void *first, void *value);
	void *first, *value;
	ucontext_t uc;
} start;

static void begin(void)
{
	start.fn(start.first, start.value);
	weft__context_returned();
}

/* weft__context_make_run(): bp is looked at before anybody can switch here again. */
static void run(void *first, void *value)
{
	const struct context_run *run = ((weft_context *)first)->bp;
	struct context_call call = run->begin(first, value);

	run->end(call.fn(call.arg));
}

ucontext_t *weft__context_first(weft_context *ctx, void *value)
{
	enum { SOME_BYTES = 4096 }; /* only the stack's upper end is looked at */

	if (ctx->pc == weft__context_entry) {
		start.fn = (void (*)(void *, void *))(uintptr_t)ctx->bp;
		start.first = ctx;
	} else if (ctx->pc == weft__context_entry_run) {
		start.fn = run;
		start.first = ctx;
	} else {
		void **call = ctx->sp;

		start.fn = (void (*)(void *, void *))(uintptr_t)call[0];
		start.first = call[1];
	}
	start.value = value;
	getcontext(&start.uc);
	start.uc.uc_link = NULL;
	start.uc.uc_stack.ss_sp = (char *)ctx->sp - SOME_BYTES;
	start.uc.uc_stack.ss_size = SOME_BYTES;
	makecontext(&start.uc, begin, 0);
	return &start.uc;
}

noinline void *weft__below_caller(void)
{
	return __builtin_frame_address(0);
}

char *weft__context_low(const weft_context *ctx)
{
	enum { OUTGOING = 128 }; /* arguments, red zone */

	return (char *)(weft__context_is_new(ctx) ? ctx->sp : ctx->pc) - OUTGOING;
}

noinline void *weft__caller_place(void)
{
	return __builtin_return_address(0);
}

const weft_context *weft__context_trail(const weft_context *ctx)
{
	return weft__context_is_new(ctx) ? NULL : ctx->sp;
}
