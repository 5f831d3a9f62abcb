/* SPDX-License-Identifier: MIT
 *
 * first.h - what the portable backends share: how a context is entered for
 * the first time, and how its fields are used.
 *
 *        before the first switch              parked
 *   sp   as arch.h says                       its record (ucontext_t, jmp_buf)
 *   bp   as arch.h says                       the value handed over, on return
 *   pc   weft__context_entry or _entry_arg    lowest byte of its stack in use
 *
 * The first switch to a context runs begin() on its stack by makecontext(3):
 * the one stack switch that POSIX knows.
 */
#ifndef WEFT_ARCH_PORTABLE_FIRST_H
#define WEFT_ARCH_PORTABLE_FIRST_H

#include <ucontext.h>

#include <arch/arch.h>

/** True before the first switch to @ctx. */
static inline bool context_is_new(const weft_context *ctx)
{
	return ctx->pc == weft__context_entry || ctx->pc == weft__context_entry_arg;
}

/**
 * weft__context_first - the ucontext that begins @ctx
 *
 * Return: valid until the next call in this thread; to be continued at once.
 */
ucontext_t *weft__context_first(weft_context *ctx, void *value);

/** An address right below the caller's frame. */
void *weft__below_caller(void);

#endif
