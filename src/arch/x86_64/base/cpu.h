/* SPDX-License-Identifier: MIT
 *
 * cpu.h - the stack pointer, x86-64.
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

#endif
