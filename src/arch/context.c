/* SPDX-License-Identifier: MIT
 *
 * context.c - what all backends have in common: first frames, and when to refuse.
 *
 * A call to be made is two words on the context's own stack, and
 * weft__context_entry_arg as the place to go on. Only the switch itself and
 * these entries differ from backend to backend.
 */
#include <stdatomic.h>

#include <arch/arch.h>
#include <base/log.h>
#include <base/valgrind.h>

/* Lets @ctx go on with fn(arg, value), its stack beginning below @top. */
static void push_call(weft_context *ctx, char *top, void (*fn)(void *arg, void *value), void *arg)
{
	void **call = (void **)((uintptr_t)top & ~(uintptr_t)15) - 2;

	call[0] = (void *)(uintptr_t)fn;
	call[1] = arg;
	ctx->sp = call;
	ctx->bp = NULL;
	ctx->pc = (void *)(uintptr_t)weft__context_entry_arg;
}

WEFT_API void weft_context_make(weft_context *ctx, void *stack_low, size_t stack_bytes,
				void (*fn)(void *arg, void *value), void *arg)
{
	push_call(ctx, (char *)stack_low + stack_bytes, fn, arg);
}

void weft__context_divert(weft_context *ctx, void (*fn)(void *arg, void *value), void *arg)
{
	char *top = weft__context_low(ctx);

	weft__valgrind_frames(top - 32, 32);
	push_call(ctx, top, fn, arg);
}

coldpath void weft__context_returned(void)
{
	weft__die("the function of a context returned; it must end by switching away");
}

bool weft__shadow_stack_active(void)
{
	enum { UNKNOWN, OFF, ON };
	static _Atomic unsigned char known;
	/* relaxed: whoever asks twice gets the same answer twice */
	unsigned char state = atomic_load_explicit(&known, memory_order_relaxed);

	if (unlikely(state == UNKNOWN)) {
		state = weft__shadow_stack_probe() ? ON : OFF;
		atomic_store_explicit(&known, state, memory_order_relaxed);
	}
	return state == ON;
}
