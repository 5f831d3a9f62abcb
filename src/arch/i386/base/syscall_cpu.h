/* SPDX-License-Identifier: MIT
 *
 * syscall_cpu.h - the system call of i386, out of line (syscall.S).
 *
 * Times are of 64 bits here (CMake says _TIME_BITS=64), so calls that take one go by their
 * newer numbers. (Linux 5.1)
 */
#ifndef WEFT_BASE_SYSCALL_CPU_H
#define WEFT_BASE_SYSCALL_CPU_H

#undef SYS_futex
#define SYS_futex SYS_futex_time64
#undef SYS_clock_nanosleep
#define SYS_clock_nanosleep SYS_clock_nanosleep_time64

long weft__syscall6(long nr, long a, long b, long c, long d, long e, long f);

#endif
