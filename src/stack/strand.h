/* SPDX-License-Identifier: MIT
 *
 * strand.h - a suspended execution and where its stack is. The common first
 * member of struct task and struct coroutine.
 */
#ifndef WEFT_STACK_STRAND_H
#define WEFT_STACK_STRAND_H

#include <arch/arch.h>

struct shared_stack;

struct strand {
	weft_context ctx;            /* valid while suspended */
	struct shared_stack *shared; /* NULL: the stack is private, or a thread's own */
	union {
		char *low;   /* private: lowest usable byte; a thread's own: NULL */
		void *saved; /* shared: copy of the live bytes, NULL while resident or new */
	};
#if WEFT_ASAN
	/* The stack it is suspended on: a coroutine's, when it parked inside one. */
	const void *asan_low;
	size_t asan_bytes;
#endif
#if WEFT_TSAN
	/* What it goes on as; NULL: it has not run yet (base/sanitizer.h, T1 and T4). */
	void *fiber;
#endif
};

#endif
