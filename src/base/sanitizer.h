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
 * TSan: one fiber a context; weft__tsan_switch() right before the switch, and
 * also orders what happened before it in the leaver before what comes after.
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

#endif

#if WEFT_TSAN

/* sanitizer/tsan_interface.h */
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

/** The fiber that runs: of a thread, when it has not switched yet. */
static always_inline void *weft__tsan_self(void)
{
	return __tsan_get_current_fiber();
}

/** A fiber for a new context. */
static always_inline void *weft__tsan_new(void)
{
	return __tsan_create_fiber(0);
}

/** Must not be the one that runs. */
static always_inline void weft__tsan_free(void *fiber)
{
	__tsan_destroy_fiber(fiber);
}

static always_inline void weft__tsan_switch(void *fiber)
{
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
