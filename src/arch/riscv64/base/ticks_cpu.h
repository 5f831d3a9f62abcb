/* SPDX-License-Identifier: MIT
 *
 * ticks_cpu.h - the time counter of riscv64: of one rate, and the same on each CPU within
 * one tick, by definition. (RISC-V unprivileged ISA, "Zicntr")
 */
#ifndef WEFT_BASE_TICKS_CPU_H
#define WEFT_BASE_TICKS_CPU_H

#include <base/compiler.h>

static always_inline uint64_t cpu_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("rdtime %0" : "=r"(ticks));
	return ticks;
}

static inline bool cpu_ticks_steady(void)
{
	return true;
}

#endif
