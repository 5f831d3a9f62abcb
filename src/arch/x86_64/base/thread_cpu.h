/* SPDX-License-Identifier: MIT
 *
 * thread_cpu.h - thread-local variables after a switch, x86-64.
 *
 * They are reached through the segment register, which is the thread's own: what a
 * compiler keeps over a switch is an offset, and that is the same in all threads. Only
 * the address itself (&weft__thread) must not be kept.
 */
#ifndef WEFT_BASE_THREAD_CPU_H
#define WEFT_BASE_THREAD_CPU_H

#if WEFT_ASAN || WEFT_TSAN
/* They want the address of each access, and that is what compilers keep then. */
#define thread_fresh() weft__thread_now()
#else
#define thread_fresh() (&weft__thread)
#endif

#endif
