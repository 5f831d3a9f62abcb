/* SPDX-License-Identifier: MIT
 *
 * valgrind.h - tells Valgrind which memory is a stack. Compiles to nothing where
 * Valgrind's header is not installed; where it is, to a few instructions that do
 * nothing outside of Valgrind, so they stand where a stack is made and not where it
 * is used. (The header is no dependency: it has macros only.)
 *
 * Memcheck follows the stack pointer: what it leaves behind must not be touched any
 * more. A jump from one stack to another looks to it like one huge frame come or gone,
 * unless it knows both: then no access is judged by the jump, and a backtrace ends
 * where the stack does.
 */
#ifndef WEFT_BASE_VALGRIND_H
#define WEFT_BASE_VALGRIND_H

#include <base/compiler.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#define WEFT_VALGRIND 1
#endif
#endif

#ifdef WEFT_VALGRIND

#include <valgrind/memcheck.h>

/** [low, top) is a stack, for ever. A context begins at @top itself: that
 * address must be known as well. */
static inline void weft__valgrind_stack(const void *low, const void *top)
{
	(void)VALGRIND_STACK_REGISTER(low, top);
}

/**
 * [low, low + bytes) may be written by somebody who does not stand on that stack, and
 * then continued with its stack pointer at @low. To Memcheck a push makes the bytes at
 * the lower end of the red zone accessible; the rest of that must be so before.
 */
static inline void weft__valgrind_frames(const char *low, size_t bytes)
{
	enum { RED_ZONE = 128 };

	(void)VALGRIND_MAKE_MEM_UNDEFINED(low - RED_ZONE, bytes + RED_ZONE);
}

#else

static inline void weft__valgrind_stack(const void *low, const void *top)
{
	(void)low;
	(void)top;
}

static inline void weft__valgrind_frames(const char *low, size_t bytes)
{
	(void)low;
	(void)bytes;
}

#endif

#endif
