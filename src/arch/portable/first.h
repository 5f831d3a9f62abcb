/* SPDX-License-Identifier: MIT
 *
 * first.h - what the portable backends share: how a context is entered for
 * the first time, and how its fields are used.
 *
 *        before the first switch              parked
 *   sp   as arch.h says                       its record, which begins with a trail
 *   bp   as arch.h says                       the value handed over, on return
 *   pc   weft__context_entry, _arg or _run    lowest byte of its stack in use
 *
 * The first switch to a context runs begin() on its stack by makecontext(3):
 * the one stack switch that POSIX knows.
 */
#ifndef WEFT_ARCH_PORTABLE_FIRST_H
#define WEFT_ARCH_PORTABLE_FIRST_H

#include <ucontext.h>

#include <arch/arch.h>
#include <base/cpu.h>

/**
 * weft__context_first - the ucontext that begins @ctx
 *
 * Return: valid until the next call in this thread; to be continued at once.
 */
ucontext_t *weft__context_first(weft_context *ctx, void *value);

/** An address right below the caller's frame. */
void *weft__below_caller(void);

/** What weft__context_trail() finds: where the function that parks is. The record itself
 * may be in libc's own secret form. */
#define TRAIL_HERE()                                                              \
	(weft_context)                                                            \
	{                                                                         \
		stack_pointer(), __builtin_frame_address(0), weft__caller_place() \
	}

/** Where the caller goes on. */
void *weft__caller_place(void);

#endif
