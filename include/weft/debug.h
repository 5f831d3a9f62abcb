/* SPDX-License-Identifier: MIT
 *
 * weft/debug.h - looking into a running program.
 */
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/**
 * weft_stack_used - how deep a stack has ever been, in bytes
 * @task: a task with a private stack, or NULL: the calling one
 *
 * Counts touched pages (mincore-like, so a multiple of the page size).
 * Return: bytes, -ESRCH, -ENOTSUP (shared stack, or a thread's own stack).
 */
WEFT_API int64_t weft_stack_used(weft_task *task);

/** Counters of the calling thread's runtime since it began. */
typedef struct weft_stats_data {
	uint64_t spawned;       /* tasks made */
	uint64_t alive;         /* tasks not yet ended, main included */
	uint64_t switches;      /* a task began or went on to run */
	uint64_t parks;         /* waits that really parked */
	uint64_t polls;         /* calls to epoll_wait */
	uint64_t timers;        /* armed now */
	uint64_t stacks_used;   /* private stacks in use */
	uint64_t stacks_cached; /* private stacks kept warm */
} weft_stats_data;

/** weft_stats - fill @ret_stats; 0, or -EPERM when this thread has no runtime */
WEFT_API int weft_stats(weft_stats_data *ret_stats);

WEFT_END_DECLS

#endif
