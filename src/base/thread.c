/* SPDX-License-Identifier: MIT
 *
 * thread.c - the one thread-local variable of libweft.
 */
#include <stdatomic.h>

#include <base/thread.h>

__thread struct thread weft__thread __attribute__((tls_model("initial-exec")));

/* The empty asm keeps compilers from proving the result constant. */
noinline struct thread *weft__thread_now(void)
{
	__asm__ volatile("" ::: "memory");
	return &weft__thread;
}

uintptr_t weft__thread_number_new(void)
{
	static _Atomic uintptr_t last;

	return atomic_fetch_add_explicit(&last, 2, memory_order_relaxed) + 2; /* a count */
}
