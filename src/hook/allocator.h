/* SPDX-License-Identifier: MIT
 *
 * allocator.h - does a call come from the library that malloc is from, if that is not libc?
 *
 * An allocator keeps lists for each thread. A task that parks in the middle of one leaves it to
 * other tasks of its thread half done.
 */
#ifndef WEFT_HOOK_ALLOCATOR_H
#define WEFT_HOOK_ALLOCATOR_H

#include <base/compiler.h>

extern struct hook_range {
	uintptr_t low, high;
} weft__hook_allocator; /* where its code is; nowhere, when it is libc or the program itself */

/** At load. */
void weft__hook_allocator_init(void);

static inline bool weft__hook_in_allocator(const void *caller)
{
	uintptr_t pc = (uintptr_t)caller;

	return pc >= weft__hook_allocator.low && pc < weft__hook_allocator.high;
}

#endif
