/* SPDX-License-Identifier: MIT
 *
 * cpu.h - the stack pointer, and a kind of return; x86-64.
 */
#ifndef WEFT_BASE_CPU_H
#define WEFT_BASE_CPU_H

#include <base/compiler.h>

static always_inline char *stack_pointer(void)
{
	char *sp;

	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	return sp;
}

/** For functions that return right after a switch: see return.S. */
#if defined(__has_attribute)
#if __has_attribute(function_return)
#define RETURNS_BY_JUMP __attribute__((function_return("thunk-extern"), __noinline__))
#endif
#endif
#ifndef RETURNS_BY_JUMP
#define RETURNS_BY_JUMP __attribute__((__noinline__))
#endif

#endif
