/* SPDX-License-Identifier: MIT
 *
 * ticks_cpu.h - the virtual counter of aarch64: the same on each CPU and of
 * one rate by definition. (Arm ARM, D11.1)
 */
#ifndef WEFT_BASE_TICKS_CPU_H
#define WEFT_BASE_TICKS_CPU_H

#include <base/compiler.h>

static always_inline uint64_t cpu_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
}

static inline bool cpu_ticks_steady(void)
{
	return true;
}

#endif
