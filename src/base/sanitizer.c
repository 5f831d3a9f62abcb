/* SPDX-License-Identifier: MIT
 *
 * sanitizer.c - fibers for TSan: how many there are, and who has to share.
 * Nothing in every other build.
 */
#include <stdatomic.h>

#include <base/sanitizer.h>
#include <base/thread.h>

#if WEFT_TSAN

/* The runtime of gcc 13 and clang 14 makes a fiber in 10 us and slows down with their
 * number a little. That of older ones takes 1 ms, compares all of them with each
 * other, and dies at 8,000: there they are used again, a number of times. What
 * their last owner has not left stays on their lists of functions, which end at 65,536. */
#if defined(__clang__) ? __clang_major__ >= 14 : __GNUC__ >= 13
enum { FIBERS_MAX = 1000, CROWD_TURNS = 1 };
#else
#define WEFT__TSAN_SPARES 1
enum { FIBERS_MAX = 200, CROWD_TURNS = 16 };
#endif

/* A member of the crowd may return from functions that it has entered on another
 * fiber: so many are pretended to have been entered. */
enum { CROWD_DEPTH = 1000 };

static _Atomic int fibers;

/* --- fibers that are used again ---------------------------------------------- */

#ifdef WEFT__TSAN_SPARES

enum { SPARES = 64, USES_MAX = 200 };

static __thread struct spares {
	void *fiber[SPARES];
	unsigned count, given;
} spares __attribute__((tls_model("initial-exec")));

static void *take_fiber(void)
{
	return spares.count ? spares.fiber[--spares.count] : __tsan_create_fiber(0);
}

/* Each USES_MAX-th is really freed, whichever it is. */
static void give_fiber(void *fiber)
{
	if (spares.count == SPARES || ++spares.given % USES_MAX == 0)
		__tsan_destroy_fiber(fiber);
	else
		spares.fiber[spares.count++] = fiber;
}

#else

static void *take_fiber(void)
{
	return __tsan_create_fiber(0);
}

static void give_fiber(void *fiber)
{
	__tsan_destroy_fiber(fiber);
}

#endif

/* --- own ones -------------------------------------------------------------------- */

void *weft__tsan_new(void)
{
	/* relaxed: only the number matters */
	if (atomic_fetch_add_explicit(&fibers, 1, memory_order_relaxed) < FIBERS_MAX)
		return take_fiber();
	atomic_fetch_sub_explicit(&fibers, 1, memory_order_relaxed);
	return WEFT__TSAN_CROWD;
}

void weft__tsan_free(void *fiber)
{
	if (!fiber || fiber == WEFT__TSAN_CROWD)
		return;
	give_fiber(fiber);
	atomic_fetch_sub_explicit(&fibers, 1, memory_order_relaxed);
}

void *weft__tsan_self(void)
{
	void *fiber = __tsan_get_current_fiber();

	return fiber == weft__thread.tsan_crowd ? WEFT__TSAN_CROWD : fiber;
}

/* --- the crowd ------------------------------------------------------------------- */

static void *make_crowd(void)
{
	enum { NO_ORDER = 1 };
	void *self = __tsan_get_current_fiber(), *crowd = __tsan_create_fiber(0);

	__tsan_switch_to_fiber(crowd, NO_ORDER);
	for (unsigned i = 0; i < CROWD_DEPTH; i++)
		__tsan_func_entry((void *)make_crowd);
	__tsan_switch_to_fiber(self, NO_ORDER);
	return crowd;
}

/* The last one may be running: it is freed a time later. */
void *weft__tsan_crowd(void)
{
	struct thread *thread = &weft__thread;

	if (thread->tsan_crowd_turns++ % CROWD_TURNS)
		return thread->tsan_crowd;
	if (thread->tsan_crowd_before)
		__tsan_destroy_fiber(thread->tsan_crowd_before);
	thread->tsan_crowd_before = thread->tsan_crowd;
	thread->tsan_crowd = make_crowd();
	return thread->tsan_crowd;
}

#endif
