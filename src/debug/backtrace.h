/* SPDX-License-Identifier: MIT
 *
 * backtrace.h - the calls that a parked task, or a suspended coroutine, is in.
 */
#ifndef WEFT_DEBUG_BACKTRACE_H
#define WEFT_DEBUG_BACKTRACE_H

#include <core/task_each.h>
#include <debug/unwind.h>

/** In place of an address: what follows are the frames that resumed the coroutine above. */
#define BACKTRACE_RESUMED_BY ((uintptr_t)1)

struct backtrace {
	unsigned depth;
	enum unwind_end end;
	uintptr_t pcs[UNWIND_DEPTH];
};

/**
 * weft__backtrace_task - walk a task that does not run
 * @view: of it
 *
 * Goes on from the coroutine that the task parked in to whoever resumed that.
 */
void weft__backtrace_task(struct unwinder *unwinder, const struct task_view *view,
			  struct backtrace *ret);

#endif
