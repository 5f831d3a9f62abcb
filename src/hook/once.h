/* SPDX-License-Identifier: MIT
 *
 * once.h - what the two halves of pthread_once() know of each other.
 */
#ifndef WEFT_HOOK_ONCE_H
#define WEFT_HOOK_ONCE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** A call of somebody's initialiser, in the caller's frame. */
struct making {
	_Atomic uint32_t *word;
	bool settled;               /* made, or abandoned */
	__pthread_unwind_buf_t buf; /* registered while fn() runs */
};

/** Has not returned: the next who comes makes it. May be called again. */
void weft__once_abandon(struct making *making);

/** fn(), between register and unregister of @making's buf; and weft__once_abandon() when an exception of
 * C++ goes through. */
void weft__once_call(void (*fn)(void), struct making *making);

/** In the child of fork(2): what is being made is made by nobody any more. */
void weft__once_forked(void);

#endif
