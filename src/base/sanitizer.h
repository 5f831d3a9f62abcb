/* SPDX-License-Identifier: MIT
 *
 * sanitizer.h - tells ASan and TSan that stacks change hands. Compiles to
 * nothing in every other build.
 *
 * ASan, around every switch:
 *
 *	void *fake;
 *	weft__asan_leave(&fake, target_low, target_bytes);
 *	value = weft_context_switch(&mine, &target, value);
 *	weft__asan_arrive(fake, NULL, NULL);
 *
 * Who leaves for good passes NULL instead of &fake: its fake frames are freed.
 * Who runs for the first time arrives with fake == NULL, first thing in its
 * function. Arriving from a thread's own stack tells where that stack is, which
 * is needed to leave for it again: pass ret_low and ret_bytes then. Before a
 * stack is given to a new owner, its old frames' red zones are forgotten.
 *
 * A1 leave is the last thing before the switch and arrive the first after it. Between the
 *    two a frame's red zones are judged by the wrong stack.
 * A2 arrive tells the bounds of the stack that was left, and they are written into
 *    the leaver's strand: by then it must not yet be for others to continue. So a task that
 *    another thread may take is published after arrive. And thread and worker are
 *    looked up anew after the switch: it may be another thread that goes on.
 *
 * TSan knows executions as fibers. A fiber has the list of functions that it is in
 * (entered and not left), and what happened before it. It is told of a switch by
 *
 *	weft__tsan_switch(fiber of the target);
 *	value = weft_context_switch(&mine, &target, value);
 *
 * T1 Whatever runs on one stack is one fiber: a strand's own, strand.fiber, made
 *    when it first runs, freed when it is over or begins anew. A thread's own stack
 *    has the thread's.
 * T2 Nothing that TSan sees lies between the announcement and the switch: no call,
 *    no access. A function that has entered on one fiber and leaves on another
 *    would be missing here and too many there. Both stand in one function,
 *    inlined into it or written there.
 * T3 A function that is left by a switch for good, on a stack whose other frames go
 *    on, is no_tsan_frame: nobody reports that it has left. (The end of a task or of
 *    a coroutine is no such case: its fiber is freed.)
 * T4 A task may park on the stack of a coroutine, so the fiber on which it goes on is
 *    that of the moment it leaves: every site that leaves notes weft__tsan_self().
 *    The note is written before the switch and read by whoever continues the task:
 *    publishing it, after the switch, orders the two.
 * T5 TSan bears some thousand fibers and no more. The contexts beyond are a crowd: all
 *    that run on one thread share a fiber. What functions it is in is not known;
 *    it is replaced before that matters, and its reports show wrong callers.
 *
 * weft__tsan_switch() also orders what happened before it in the leaver before what
 * comes after it in the target: the switches of one thread are a chain, so memory
 * that its fibers share (a shared stack, a hop) needs no other word. A task that goes
 * on in another thread is ordered by what handed it over, which TSan must see: an
 * atomic or a lock, not a fence (full_fence() in base/atomic.h).
 */
#ifndef WEFT_BASE_SANITIZER_H
#define WEFT_BASE_SANITIZER_H

#include <base/compiler.h>

#if WEFT_ASAN

/* sanitizer/common_interface_defs.h, sanitizer/asan_interface.h */
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old,
				     size_t *size_old);
void __asan_unpoison_memory_region(const volatile void *addr, size_t size);

/* sanitizer/lsan_interface.h; weak: part of ASan, but not everywhere */
void __lsan_register_root_region(const void *addr, size_t size) __attribute__((weak));

static always_inline void weft__asan_leave(void **fake, const void *target_low, size_t target_bytes)
{
	__sanitizer_start_switch_fiber(fake, target_low, target_bytes);
}

static always_inline void weft__asan_arrive(void *fake, const void **ret_low, size_t *ret_bytes)
{
	__sanitizer_finish_switch_fiber(fake, ret_low, ret_bytes);
}

static always_inline void weft__asan_forget(const void *low, size_t bytes)
{
	__asan_unpoison_memory_region(low, bytes);
}

/** What @addr points to has not leaked: the search for leaks does not look into mappings. */
static always_inline void weft__asan_root(const void *addr, size_t bytes)
{
	if (__lsan_register_root_region)
		__lsan_register_root_region(addr, bytes);
}

#else

static always_inline void weft__asan_leave(void **fake, const void *target_low, size_t target_bytes)
{
	if (fake)
		*fake = NULL;
	(void)target_low;
	(void)target_bytes;
}

/* ret_low and ret_bytes stay as they are. */
static always_inline void weft__asan_arrive(void *fake, const void **ret_low, size_t *ret_bytes)
{
	(void)fake;
	(void)ret_low;
	(void)ret_bytes;
}

static always_inline void weft__asan_forget(const void *low, size_t bytes)
{
	(void)low;
	(void)bytes;
}

static always_inline void weft__asan_root(const void *addr, size_t bytes)
{
	(void)addr;
	(void)bytes;
}

#endif

#if WEFT_TSAN

/* sanitizer/tsan_interface.h */
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_func_entry(void *pc);

/** Stands for the fiber of a context that has none of its own (T5). */
#define WEFT__TSAN_CROWD ((void *)1)

/** The fiber that runs: a context's own, its thread's, or WEFT__TSAN_CROWD. */
void *weft__tsan_self(void);

/** A fiber for a new context, or WEFT__TSAN_CROWD. */
void *weft__tsan_new(void);

/** NULL-safe. Must not be the one that runs. */
void weft__tsan_free(void *fiber);

/** This thread's fiber for the crowd, made ready to be switched to. */
void *weft__tsan_crowd(void);

/** Inline, so that no call lies between it and the switch (T2). */
static always_inline void weft__tsan_switch(void *fiber)
{
	if (unlikely(fiber == WEFT__TSAN_CROWD))
		fiber = weft__tsan_crowd();
	__tsan_switch_to_fiber(fiber, 0);
}

#else

static always_inline void *weft__tsan_self(void)
{
	return NULL;
}

static always_inline void *weft__tsan_new(void)
{
	return NULL;
}

static always_inline void weft__tsan_free(void *fiber)
{
	(void)fiber;
}

static always_inline void weft__tsan_switch(void *fiber)
{
	(void)fiber;
}

#endif

#endif
