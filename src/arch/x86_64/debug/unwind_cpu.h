/* SPDX-License-Identifier: MIT
 *
 * unwind_cpu.h - the registers of x86-64 as DWARF numbers them. (System V AMD64
 * ABI, 3.6.2)
 */
#ifndef WEFT_DEBUG_UNWIND_CPU_H
#define WEFT_DEBUG_UNWIND_CPU_H

#include <base/compiler.h>

enum { UNWIND_BP = 6, UNWIND_SP = 7, UNWIND_PC = 16, UNWIND_REGS = 17 };

/** An address of code, without what a CPU may hide in it. */
static inline uintptr_t unwind_strip(uintptr_t pc)
{
	return pc;
}

#endif
