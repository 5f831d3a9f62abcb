/* SPDX-License-Identifier: MIT
 *
 * thread_cpu.h - thread-local variables after a switch, riscv64.
 *
 * Compilers keep the address that they have made from tp over the switch: ask another
 * function.
 */
#ifndef WEFT_BASE_THREAD_CPU_H
#define WEFT_BASE_THREAD_CPU_H

#define thread_fresh() weft__thread_now()

#endif
