/* SPDX-License-Identifier: MIT
 *
 * share.h - what share.c and lookout.c have in common; the others know runtime.h.
 */
#ifndef WEFT_CORE_SHARE_H
#define WEFT_CORE_SHARE_H

#include <core/runtime.h>

/** Work for anybody is there: somebody else should wake up for it (D8). */
static inline void share_notify(struct runtime *runtime)
{
	int place = idle_notify(&runtime->idle);

	if (place >= 0)
		weft__worker_wake(runtime->workers[place]);
}

/** Is there work in any ring, or in the injector? */
bool weft__share_anywhere(struct runtime *runtime);

#endif
