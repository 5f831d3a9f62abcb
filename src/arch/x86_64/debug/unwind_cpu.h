/* SPDX-License-Identifier: MIT
 *
 * unwind_cpu.h - the registers of x86-64 as DWARF numbers them. (System V AMD64
 * ABI, 3.6.2)
 */
#ifndef WEFT_DEBUG_UNWIND_CPU_H
#define WEFT_DEBUG_UNWIND_CPU_H

#include <ucontext.h>

#include <base/compiler.h>

enum { UNWIND_BP = 6, UNWIND_SP = 7, UNWIND_PC = 16, UNWIND_REGS = 17 };

/** An address of code, without what a CPU may hide in it. */
static inline uintptr_t unwind_strip(uintptr_t pc)
{
	return pc;
}

/** The registers of a thread that a signal has interrupted, by their numbers. */
static inline void unwind_interrupted(const ucontext_t *uc, uintptr_t regs[UNWIND_REGS])
{
	static const uint8_t order[UNWIND_REGS] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI,
						    REG_RDI, REG_RBP, REG_RSP, REG_R8,  REG_R9,
						    REG_R10, REG_R11, REG_R12, REG_R13, REG_R14,
						    REG_R15, REG_RIP };

	for (unsigned i = 0; i < UNWIND_REGS; i++)
		regs[i] = (uintptr_t)uc->uc_mcontext.gregs[order[i]];
}

static inline uintptr_t unwind_interrupted_pc(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
}

#endif
