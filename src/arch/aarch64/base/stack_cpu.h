/* SPDX-License-Identifier: MIT
 *
 * stack_cpu.h - what stacks must know of aarch64.
 */
#ifndef WEFT_BASE_STACK_CPU_H
#define WEFT_BASE_STACK_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* Compilers for this CPU take for granted that a guard is at least so large:
 * with -fstack-clash-protection they probe once in 64 KiB. */
#define CPU_GUARD_BYTES (64 << 10)

/** The stack pointer of an interrupted context, as a signal handler gets it. */
static inline char *ucontext_stack_pointer(const void *ucontext)
{
	const ucontext_t *uc = ucontext;

	return (char *)(uintptr_t)uc->uc_mcontext.sp;
}

/** Has any general register of an interrupted context this property? */
static inline bool ucontext_any_register(const void *ucontext, bool (*is)(uint64_t value))
{
	const ucontext_t *uc = ucontext;

	for (int i = 0; i < 31; i++)
		if (is(uc->uc_mcontext.regs[i]))
			return true;
	return false;
}

#endif
