/* SPDX-License-Identifier: MIT
 *
 * valgrind.h - tells Valgrind which memory is a stack.
 *
 * Memcheck follows the stack pointer: what it leaves behind must not be touched any
 * more. A jump from one stack to another looks to it like one huge frame come or gone,
 * unless it knows both: then no access is judged by the jump, and a backtrace ends
 * where the stack does.
 *
 * Where Valgrind's header is not installed at build time, this does nothing.
 */
#ifndef WEFT_BASE_VALGRIND_H
#define WEFT_BASE_VALGRIND_H

#include <stdatomic.h>
#include <stdbool.h>

#include <base/compiler.h>

/** True once a stack has been made under Valgrind. Relaxed: who has a stack to speak of
 * has seen it being made. */
extern _Atomic bool weft__valgrind_on;

static inline bool weft__valgrind_active(void)
{
	return unlikely(atomic_load_explicit(&weft__valgrind_on, memory_order_relaxed));
}

/** [low, top) is a stack, for ever. */
void weft__valgrind_stack(const void *low, const void *top);

void weft__valgrind_frames_slow(const char *low, size_t bytes);

/** [low, low + bytes) is about to be written by somebody who does not stand on that stack,
 * and continued with its stack pointer at @low. */
static inline void weft__valgrind_frames(const char *low, size_t bytes)
{
	if (weft__valgrind_active())
		weft__valgrind_frames_slow(low, bytes);
}

#endif
