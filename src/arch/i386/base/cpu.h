/* SPDX-License-Identifier: MIT
 *
 * cpu.h - the stack pointer, i386.
 */
#ifndef WEFT_BASE_CPU_H
#define WEFT_BASE_CPU_H

#include <base/compiler.h>

static always_inline char *stack_pointer(void)
{
	char *sp;

	__asm__ volatile("mov %%esp, %0" : "=r"(sp));
	return sp;
}

/** For functions that return right after a switch; x86-64 has another way to return. */
#define RETURNS_BY_JUMP __attribute__((__noinline__))

#endif
