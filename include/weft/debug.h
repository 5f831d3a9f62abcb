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

/** Counters of a runtime since it began, or of one of its workers. */
typedef struct weft_stats_data {
	uint64_t spawned;       /* tasks made */
	uint64_t alive;         /* tasks not yet ended, main included. Of one worker: 0 */
	uint64_t switches;      /* a task began or went on to run */
	uint64_t parks;         /* waits that really parked */
	uint64_t polls;         /* calls to epoll_wait */
	uint64_t timers;        /* armed now */
	uint64_t stacks_used;   /* private stacks in use; they count where they were taken */
	uint64_t stacks_cached; /* private stacks kept warm */
	uint64_t queued;        /* tasks that are ready to run and do not run, now */
	uint64_t sleeps;        /* times that there was nothing to do, and the thread slept */
	uint64_t spurious;      /* of them, those that ended without anything to do */
	uint64_t steals;        /* times that tasks were taken from another worker */
	uint64_t stolen;        /* tasks so taken */
	uint64_t workers;       /* threads of the runtime, spares included. Of one worker: 1 */
} weft_stats_data;

/**
 * weft_stats - fill @ret_stats with the sums over the calling thread's runtime
 *
 * What other workers count is read while they count on: a snapshot, each number of
 * which was right a moment ago. Return: 0, or -EPERM when this thread has no runtime.
 */
WEFT_API int weft_stats(weft_stats_data *ret_stats);

/**
 * weft_stats_worker - the same for one worker
 * @worker: from 0; 0 is the one that weft_run() was called on
 *
 * Return: 0, -EPERM (no runtime), -ENOENT (there is no such worker).
 */
WEFT_API int weft_stats_worker(unsigned worker, weft_stats_data *ret_stats);

WEFT_END_DECLS

#endif
