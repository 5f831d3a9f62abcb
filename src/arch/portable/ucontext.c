/* SPDX-License-Identifier: MIT
 *
 * ucontext.c - the switch by swapcontext(3) (-DWEFT_SWITCH=ucontext).
 *
 * Works wherever libc has it; two system calls a switch, for the signal mask.
 * The record of a parked context lies on its own stack. The record also has
 * the floating-point control words, which are the thread's by weft/context.h: they
 * are carried over.
 */
#include <arch/portable/first.h>

struct record {
	weft_context trail;
	ucontext_t place;
};

static __thread struct fp_control carried;

/* Out of line: the thread may be another one after the switch, and compilers
 * keep the address of a thread-local. */
static noinline void carry_out(void)
{
	weft__fp_save(&carried);
}

static noinline void carry_in(void)
{
	weft__fp_load(&carried);
}

WEFT_API noinline void *weft_context_switch(weft_context *from, weft_context *to, void *value)
{
	struct record here;
	ucontext_t *there;

	if (from == to)
		return value;
	if (weft__context_is_new(to)) {
		there = weft__context_first(to, value);
	} else {
		there = &((struct record *)to->sp)->place;
		to->bp = value;
	}
	here.trail = TRAIL_HERE();
	from->sp = &here;
	from->pc = weft__below_caller();
	carry_out();
	swapcontext(&here.place, there);
	carry_in();
	return from->bp;
}
