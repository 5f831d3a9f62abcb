/* SPDX-License-Identifier: MIT
 *
 * syscall_cpu.h - the x86-64 system call: number in rax, arguments in rdi,
 * rsi, rdx, r10, r8, r9; rcx and r11 are lost. (System V AMD64 ABI, A.2)
 */
#ifndef WEFT_BASE_SYSCALL_CPU_H
#define WEFT_BASE_SYSCALL_CPU_H

static inline long weft__syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
