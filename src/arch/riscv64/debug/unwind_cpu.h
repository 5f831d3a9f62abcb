/* SPDX-License-Identifier: MIT
 *
 * unwind_cpu.h - the registers of riscv64 as DWARF numbers them: as the CPU does. ("RISC-V
 * DWARF Specification", DWARF register numbers) A return address is found where ra is.
 */
#ifndef WEFT_DEBUG_UNWIND_CPU_H
#define WEFT_DEBUG_UNWIND_CPU_H

#include <ucontext.h>

#include <base/compiler.h>

enum { UNWIND_PC = 1, UNWIND_SP = 2, UNWIND_BP = 8, UNWIND_REGS = 32 };

/** An address of code, without what a CPU may hide in it. */
static inline uintptr_t unwind_strip(uintptr_t pc)
{
	return pc;
}

/** The registers of a thread that a signal has interrupted, by their numbers. Its place
 * is told apart: ra is its own register still. */
static inline void unwind_interrupted(const ucontext_t *uc, uintptr_t regs[UNWIND_REGS])
{
	regs[0] = 0;
	for (unsigned i = REG_RA; i < UNWIND_REGS; i++)
		regs[i] = uc->uc_mcontext.__gregs[i];
}

static inline uintptr_t unwind_interrupted_pc(const ucontext_t *uc)
{
	return uc->uc_mcontext.__gregs[REG_PC];
}

#endif
