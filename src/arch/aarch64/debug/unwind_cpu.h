/* SPDX-License-Identifier: MIT
 *
 * unwind_cpu.h - the registers of aarch64 as DWARF numbers them. ("DWARF for the
 * Arm 64-bit Architecture", 4.1) A return address is found where x30 is.
 */
#ifndef WEFT_DEBUG_UNWIND_CPU_H
#define WEFT_DEBUG_UNWIND_CPU_H

#include <ucontext.h>

#include <base/compiler.h>

enum { UNWIND_BP = 29, UNWIND_PC = 30, UNWIND_SP = 31, UNWIND_REGS = 32 };

/** A return address may be signed (PAC): the signature lies above the 48 bits that
 * addresses of user space have here. */
static inline uintptr_t unwind_strip(uintptr_t pc)
{
	return pc & ((UINT64_C(1) << 48) - 1);
}

/** The registers of a thread that a signal has interrupted, by their numbers. Its place
 * is told apart: x30 is its own register still. */
static inline void unwind_interrupted(const ucontext_t *uc, uintptr_t regs[UNWIND_REGS])
{
	for (unsigned i = 0; i <= UNWIND_PC; i++)
		regs[i] = uc->uc_mcontext.regs[i];
	regs[UNWIND_SP] = uc->uc_mcontext.sp;
}

static inline uintptr_t unwind_interrupted_pc(const ucontext_t *uc)
{
	return uc->uc_mcontext.pc;
}

#endif
