/* SPDX-License-Identifier: MIT
 *
 * ref.h - the references that users hold, and give back once too often.
 */
#ifndef WEFT_SYNC_REF_H
#define WEFT_SYNC_REF_H

#include <base/atomic.h>
#include <base/log.h>

/**
 * ref_drop - ref_put() of a user's reference; ends the process when there is none
 * @call:   the function that he called
 * @object: what he gave it
 *
 * A count that is 0 belongs to an object that is gone. We read freed memory then: what malloc() writes
 * into a free block, its first 16 bytes, must not reach the count. Where the process has several
 * threads the last count stays 1 (ref_put()), and free() finds the second time.
 */
static inline bool ref_drop(_Atomic uint32_t *refs, const char *call, const void *object)
{
	if (unlikely(atomic_load_explicit(refs, memory_order_relaxed) == 0))
		weft__die("%s: %p has no reference left: it was freed once too often", call,
			  object);
	return ref_put(refs);
}

#endif
