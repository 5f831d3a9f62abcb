/* SPDX-License-Identifier: MIT
 *
 * thread_cpu.h - thread-local variables after a switch, aarch64.
 *
 * Compilers read the thread pointer once a function and keep it, or an address
 * made from it, over the switch: ask another function.
 */
#ifndef WEFT_BASE_THREAD_CPU_H
#define WEFT_BASE_THREAD_CPU_H

#define thread_fresh() weft__thread_now()

#endif
