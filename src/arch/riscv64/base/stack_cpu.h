/* SPDX-License-Identifier: MIT
 *
 * stack_cpu.h - what stacks must know of riscv64.
 */
#ifndef WEFT_BASE_STACK_CPU_H
#define WEFT_BASE_STACK_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* gcc before 15 and clang before 20 take -fstack-clash-protection here, but no function
 * touches its frame on the way down: the guard has to be larger than most frames. */
#define CPU_GUARD_BYTES (64 << 10)

/** The stack pointer of an interrupted context, as a signal handler gets it. */
static inline char *ucontext_stack_pointer(const void *ucontext)
{
	const ucontext_t *uc = ucontext;

	return (char *)(uintptr_t)uc->uc_mcontext.__gregs[REG_SP];
}

/** Has any general register of an interrupted context this property? */
static inline bool ucontext_any_register(const void *ucontext, bool (*is)(uint64_t value))
{
	const ucontext_t *uc = ucontext;

	for (int i = REG_RA; i < NGREG; i++)
		if (is(uc->uc_mcontext.__gregs[i]))
			return true;
	return false;
}

#endif
