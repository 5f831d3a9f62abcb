/* SPDX-License-Identifier: MIT
 *
 * valgrind.c - valgrind.h, where Valgrind's own header is there. That one is macros
 * only: libweft needs nothing of Valgrind's to run, and outside of it a request is a few
 * instructions that do nothing.
 */
#include <base/valgrind.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

_Atomic bool weft__valgrind_on;

/* NVALGRIND: the header knows no Valgrind for this CPU. */
#if defined(VALGRIND_STACK_REGISTER) && !defined(NVALGRIND)

void weft__valgrind_stack(const void *low, const void *top)
{
	if (!RUNNING_ON_VALGRIND)
		return;
	/* A context begins with its stack pointer at the very top: that counts as well. */
	(void)VALGRIND_STACK_REGISTER(low, top);
	atomic_store_explicit(&weft__valgrind_on, true, memory_order_relaxed);
}

/* To Memcheck a push makes the bytes at the lower end of the red zone accessible; the
 * rest of that must be so before. */
void weft__valgrind_frames_slow(const char *low, size_t bytes)
{
	enum { RED_ZONE = 128 };

	(void)VALGRIND_MAKE_MEM_UNDEFINED(low - RED_ZONE, bytes + RED_ZONE);
}

#else

void weft__valgrind_stack(const void *low, const void *top)
{
	(void)low;
	(void)top;
}

void weft__valgrind_frames_slow(const char *low, size_t bytes)
{
	(void)low;
	(void)bytes;
}

#endif
