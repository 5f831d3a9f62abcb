/* SPDX-License-Identifier: MIT
 *
 * observe.h - where the observers of debug/ hang on: the lower layers call these
 * and know nothing else of them.
 */
#ifndef WEFT_BASE_OBSERVE_H
#define WEFT_BASE_OBSERVE_H

#include <stdatomic.h>

#include <base/compiler.h>

/** Once a process, before its first runtime begins: reads the environment and
 * hangs on. (debug/init.c) */
void weft__debug_init(void);

/** A worker asks so often at most, while it has nothing to do. */
#define OBSERVE_IDLE_NS INT64_C(20000000)

/**
 * weft__observe_idle - a worker has had nothing to do for a while
 *
 * Called in the worker's loop when it has been idle for OBSERVE_IDLE_NS, or for what
 * the last call returned, and has no timer armed. NULL: nobody cares.
 *
 * Return: when to call again if it is idle still, in nanoseconds; INT64_MAX: not
 * before something has run.
 */
extern int64_t (*_Atomic weft__observe_idle)(void);

/**
 * What wants to know of locks that block threads, taken by tasks: of libc's mutexes where they are
 * not libweft-hook's to wait for. Each is called by the task, which runs on.
 */
struct lock_observer {
	/** @site: the address in the caller's code; @why: it blocks the thread, in words that last */
	void (*locked)(const void *mutex, const void *site, const char *why);
	void (*unlocked)(const void *mutex);
	/** A task with TASK_HOLDS leaves the CPU to others. */
	void (*leaves)(void);
};

/** NULL: nobody does. It does not change once the first runtime has begun. */
extern const struct lock_observer *_Atomic weft__observe_locks WEFT_PRIVATE;

/** OS threads of this process that are weft's own business: each thread with a
 * runtime, and helpers. Whoever counts itself does so while it is alive. */
extern _Atomic int weft__known_threads;

static inline void observe_thread(int change)
{
	/* relaxed: it is compared with what the kernel says, which is no more exact */
	atomic_fetch_add_explicit(&weft__known_threads, change, memory_order_relaxed);
}

#endif
