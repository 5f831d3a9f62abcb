/* SPDX-License-Identifier: MIT
 *
 * ticks_cpu.h - the time-stamp counter of i386: a third of the price of
 * clock_gettime(2), and fit to order events when it is invariant: one rate, in
 * every state of the CPU. (Intel SDM vol. 3, 17.17.1; CPUID 0x80000007, EDX bit 8)
 */
#ifndef WEFT_BASE_TICKS_CPU_H
#define WEFT_BASE_TICKS_CPU_H

#include <cpuid.h>

#include <base/compiler.h>

static always_inline uint64_t cpu_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static inline bool cpu_ticks_steady(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && (edx & 1u << 8);
}

#endif
