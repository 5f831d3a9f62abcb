/* SPDX-License-Identifier: MIT
 *
 * only_once.h - weft's own pthread_once(): libweft-hook makes of libc's a wait of the task, and
 * nothing of weft's own may park in the middle.
 */
#ifndef WEFT_BASE_ONLY_ONCE_H
#define WEFT_BASE_ONLY_ONCE_H

#include <base/atomic.h>

/** All zero: it has not been called. */
struct only_once {
	_Atomic uint32_t state; /* a futex: 0, ONCE_DONE, or which process is at it */
};

enum { ONCE_DONE = 1 };

void weft__only_once_slow(struct only_once *once, void (*fn)(void));

/** When it returns, fn() has been called in this process or an ancestor of it, and has returned. */
static inline void only_once(struct only_once *once, void (*fn)(void))
{
	/* acquire pairs with the release in weft__only_once_slow() */
	if (unlikely(atomic_load_explicit(&once->state, memory_order_acquire) != ONCE_DONE))
		weft__only_once_slow(once, fn);
}

#endif
