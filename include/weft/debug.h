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

/**
 * weft_trace_start - begin to record what every runtime of this process does
 * @path:              file for the trace; made or emptied now, written by the stop;
 *                     a relative one is meant from the present directory
 * @events_per_worker: how many records each thread keeps, rounded up to a power of
 *                     two; the oldest are overwritten. 0: 65,536, which is 2 MiB.
 *
 * Recorded are switches with their reasons, spawns, wakes, steals, polls, timers
 * and cancels: see docs/tracing.md. Other threads take part from their next look
 * around on; a thread that is no runtime is not recorded. If it is not stopped, the trace is
 * written by exit(3). WEFT_TRACE=path in the environment starts it with the first
 * runtime of the process. A fork's child is not recorded.
 *
 * Names of tasks are copied; their spawn sites must be string literals of code that is
 * still loaded when the trace is written.
 *
 * Any thread or task; blocks the thread for a moment; not async-signal-safe.
 * Return: 0, -EINVAL (no path; more than 16 M events), -EBUSY (recording already),
 * -ENAMETOOLONG, or what open(2) failed with.
 */
WEFT_API int weft_trace_start(const char *path, size_t events_per_worker);

/**
 * weft_trace_stop - end the recording and write it: JSON in the trace event format,
 * for ui.perfetto.dev and chrome://tracing
 *
 * The other threads need not stop, and are not waited for. Any thread or task, not only
 * the one that started it. It blocks the thread while it writes; no cancellation point;
 * not async-signal-safe.
 *
 * Return: 0, -EALREADY (nothing is recorded), -ENOMEM, or what open(2) or write(2)
 * failed with. The recording has ended in any case.
 */
WEFT_API int weft_trace_stop(void);

WEFT_END_DECLS

#endif
