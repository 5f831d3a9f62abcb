/* SPDX-License-Identifier: MIT
 *
 * thread.c - the one thread-local variable of libweft.
 */
#include <base/thread.h>

__thread struct thread weft__thread __attribute__((tls_model("initial-exec")));

/* The empty asm keeps compilers from proving the result constant. */
noinline struct thread *weft__thread_now(void)
{
	__asm__ volatile("" ::: "memory");
	return &weft__thread;
}
