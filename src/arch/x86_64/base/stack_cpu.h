/* SPDX-License-Identifier: MIT
 *
 * stack_cpu.h - what stacks must know of x86-64.
 */
#ifndef WEFT_BASE_STACK_CPU_H
#define WEFT_BASE_STACK_CPU_H

#include <ucontext.h>

/* Compilers probe each page of a large frame with -fstack-clash-protection. */
#define CPU_GUARD_BYTES 4096

/** The stack pointer of an interrupted context, as a signal handler gets it. */
static inline char *ucontext_stack_pointer(const void *ucontext)
{
	const ucontext_t *uc = ucontext;

	return (char *)uc->uc_mcontext.gregs[REG_RSP];
}

#endif
