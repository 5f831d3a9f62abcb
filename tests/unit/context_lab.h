/* SPDX-License-Identifier: MIT
 *
 * context_lab.h - contexts with stacks, for the tests of contexts: a switch that
 * also tells the sanitizers.
 */
#ifndef WEFT_TESTS_CONTEXT_LAB_H
#define WEFT_TESTS_CONTEXT_LAB_H

#include <sys/mman.h>

#include <arch/arch.h>
#include <base/sanitizer.h>

#include "test.h"

struct fiber {
	weft_context ctx;
	const void *low; /* of its stack */
	size_t bytes;
	void *tsan;
};

/* The case itself; its stack is known once another fiber has landed. */
static struct fiber home;

static inline char *map_stack(size_t bytes)
{
	char *low = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(low != MAP_FAILED);
	return low;
}

/* A stack for @fiber, which is then ready for weft_context_make(). */
static inline void fiber_init(struct fiber *fiber, size_t bytes)
{
	if (!home.tsan)
		home.tsan = weft__tsan_self();
	fiber->low = map_stack(bytes);
	fiber->bytes = bytes;
	fiber->tsan = weft__tsan_new();
}

static inline void fiber_make(struct fiber *fiber, size_t bytes, void (*fn)(void *arg, void *value),
			      void *arg)
{
	fiber_init(fiber, bytes);
	weft_context_make(&fiber->ctx, (void *)fiber->low, bytes, fn, arg);
}

static inline void *fiber_top(const struct fiber *fiber)
{
	return (char *)fiber->low + fiber->bytes;
}

/* First thing in a body that was entered from home. */
static inline void landed(void)
{
	weft__asan_arrive(NULL, &home.low, &home.bytes);
}

/* First thing in a body that was entered from another fiber. */
static inline void landed_from_fiber(void)
{
	weft__asan_arrive(NULL, NULL, NULL);
}

static always_inline void *hop(struct fiber *from, struct fiber *to, void *value)
{
	void *fake;

	weft__asan_leave(&fake, to->low, to->bytes);
	weft__tsan_switch(to->tsan);
	value = weft_context_switch(&from->ctx, &to->ctx, value);
	weft__asan_arrive(fake, NULL, NULL);
	return value;
}

#endif
