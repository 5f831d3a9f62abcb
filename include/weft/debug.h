/* SPDX-License-Identifier: MIT
 *
 * weft/debug.h - looking into a running program.
 *
 * Where nothing else is said: any thread, inside of tasks or outside; not a cancellation point;
 * not async-signal-safe.
 *
 * @ret_stats: filled in
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
 *
 * Return: bytes, -ESRCH (stale handle, or outside of a task), -ENOTSUP (shared stack, or
 * a thread's own stack).
 */
WEFT_API int64_t weft_stack_used(weft_task *task);

/**
 * weft_dump - write what every task of the process is doing, for people to read
 * @fd: descriptor to write to
 *
 * A line of counts, one a worker, and then each task: id, name, what it does or waits
 * for, for how long, its worker, where it was spawned, its stack, and, of one that does not
 * run, the calls it is in. Of more than 100 tasks those that do the same are put
 * together and counted, the most frequent first.
 *
 * Nobody is stopped: a task that goes on meanwhile may be shown as it was, as it is,
 * or as having gone on. Memory that is needed for the time is mapped, not allocated.
 * Functions get their names from the files of the program and its libraries.
 *
 * Not a cancellation point; a full pipe keeps the thread. Any thread, inside of tasks or
 * outside, and any number at once. Async-signal-safe, with 16 KiB of stack; it takes no
 * lock but the loader's (dl_iterate_phdr), for a moment.
 *
 * With WEFT_DUMP_SIGNAL in the environment (SIGQUIT, QUIT, 3 ...) the first runtime of
 * the process installs a handler of that signal which dumps to standard error.
 *
 * Return: 0, -ENOMEM, or what write(2) failed with.
 */
WEFT_API int weft_dump(int fd);

/** The status of a process that weft ended because of a deadlock. */
#define WEFT_DEADLOCK_STATUS 86

/**
 * weft_deadlock_detect - say whether a deadlock ends the process
 * @on: 1 (the default, unless WEFT_DEADLOCK=off stands in the environment) or 0
 *
 * When nothing can ever run again - every task waits for another one, or for an object
 * that only a task can release - the process says so on standard error: who waits for what
 * and whom, circles first, then a dump. Then it ends by _exit(WEFT_DEADLOCK_STATUS):
 * buffers of stdio are lost and atexit(3) is not heeded.
 *
 * It stays silent while anything might still happen: a task waits for a descriptor, a
 * timer, or a helper thread, or sleeps without end; or the process has a thread that weft
 * does not know, which might act. A task counts as waiting when it is parked,
 * so a call that blocks its thread is never taken for a deadlock. Looked for when a worker has
 * been idle for 20 ms.
 *
 * Any thread. Return: what it was before.
 */
WEFT_API int weft_deadlock_detect(int on);

/**
 * weft_watchdog - look for workers that are stuck in one task
 * @period_ns: how long a task may keep its worker, in nanoseconds; 0 ends the looking
 *
 * A thread of its own looks four times a period. A worker whose running task has not waited,
 * yielded or ended for so long is told of on standard error, once: the task, whether its
 * thread computes or is blocked in a system call, and the calls that it is in; those it says
 * itself, in a handler of SIGURG. And in a runtime of several workers a spare takes its
 * place (as for weft_blocking_begin()) until it comes back.
 *
 * WEFT_WATCHDOG_MS in the environment sets it for the first runtime; off otherwise, except
 * in builds of weft without NDEBUG, where it is 100 ms. When it is off it costs nothing.
 * A thread with a runtime of its own and no task but main is not looked at. The child of a
 * fork has none until it asks for it.
 *
 * Any thread. Return: 0, -EINVAL (negative), -ENOMEM or -EAGAIN (no thread).
 */
WEFT_API int weft_watchdog(int64_t period_ns);

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
 * which was right a moment ago. Return: 0, -EINVAL (NULL), -EPERM (this thread has no
 * runtime).
 */
WEFT_API int weft_stats(weft_stats_data *ret_stats);

/**
 * weft_stats_worker - fill @ret_stats with the counters of one worker
 * @worker: from 0; 0 is the one that weft_run() was called on
 *
 * Return: 0, -EINVAL (NULL), -EPERM (no runtime), -ENOENT (there is no such worker).
 */
WEFT_API int weft_stats_worker(unsigned worker, weft_stats_data *ret_stats);

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
 * Any thread or task; blocks the thread for a moment.
 *
 * Return: 0, -EINVAL (no path, or more than 16 M events), -EBUSY (recording already),
 * -ENAMETOOLONG, or what open(2) failed with.
 */
WEFT_API int weft_trace_start(const char *path, size_t events_per_worker);

/**
 * weft_trace_stop - end the recording and write it
 *
 * The file is JSON in the trace event format, for ui.perfetto.dev and chrome://tracing.
 * The other threads need not stop, and are not waited for.
 *
 * Any thread or task, not only the one that started it; blocks the thread while it writes.
 *
 * Return: 0, -EALREADY (nothing is recorded), -ENOMEM, or what open(2) or write(2)
 * failed with. The recording has ended in any case.
 */
WEFT_API int weft_trace_stop(void);

WEFT_END_DECLS

#endif
