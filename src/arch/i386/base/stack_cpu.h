/* SPDX-License-Identifier: MIT
 *
 * stack_cpu.h - what stacks must know of i386.
 */
#ifndef WEFT_BASE_STACK_CPU_H
#define WEFT_BASE_STACK_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* Compilers probe each page of a large frame with -fstack-clash-protection. */
#define CPU_GUARD_BYTES 4096

/** The stack pointer of an interrupted context, as a signal handler gets it. */
static inline char *ucontext_stack_pointer(const void *ucontext)
{
	const ucontext_t *uc = ucontext;

	return (char *)uc->uc_mcontext.gregs[REG_ESP];
}

/** Has any general register of an interrupted context this property? */
static inline bool ucontext_any_register(const void *ucontext, bool (*is)(uint64_t value))
{
	const ucontext_t *uc = ucontext;

	for (int i = REG_EDI; i <= REG_EAX; i++)
		if (is((uint32_t)uc->uc_mcontext.gregs[i]))
			return true;
	return false;
}

#endif
