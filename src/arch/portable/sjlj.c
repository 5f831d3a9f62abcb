/* SPDX-License-Identifier: MIT
 *
 * sjlj.c - the switch by _setjmp and _longjmp (-DWEFT_SWITCH=sjlj).
 *
 * No system call, except that the first switch to a context goes by
 * makecontext(3). (Engelschall, "Portable Multithreading", USENIX 2000, knows
 * how to do without, by a signal stack; every libc we meet has makecontext.)
 * Jumping to another stack is more than C promises for longjmp, but every
 * libc's is a plain load of registers, with one exception: glibc's fortified
 * one aborts when the target frame lies deeper, so this file is never
 * fortified. The compilers' __builtin_setjmp would be faster, but clang has it
 * for few CPUs only.
 */
#undef _FORTIFY_SOURCE

#include <setjmp.h>

#include <arch/portable/first.h>

struct record {
	weft_context trail;
	jmp_buf place;
};

static void __attribute__((noreturn)) jump(weft_context *to, void *value)
{
	if (weft__context_is_new(to)) {
		setcontext(weft__context_first(to, value));
		__builtin_trap(); /* only a corrupt mask or context makes it return */
	}
	to->bp = value;
	_longjmp(((struct record *)to->sp)->place, 1);
}

WEFT_API noinline void *weft_context_switch(weft_context *from, weft_context *to, void *value)
{
	struct record here;

	here.trail = TRAIL_HERE();
	from->sp = &here;
	from->pc = weft__below_caller();
	if (_setjmp(here.place) == 0)
		jump(to, value);
	return from->bp;
}
