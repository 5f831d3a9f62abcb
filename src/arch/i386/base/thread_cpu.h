/* SPDX-License-Identifier: MIT
 *
 * thread_cpu.h - thread-local variables after a switch, i386: as on x86-64, by a segment
 * register, but compilers may make an address first: ask another function.
 */
#ifndef WEFT_BASE_THREAD_CPU_H
#define WEFT_BASE_THREAD_CPU_H

#define thread_fresh() weft__thread_now()

#endif
