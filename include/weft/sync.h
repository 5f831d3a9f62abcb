/* SPDX-License-Identifier: MIT
 *
 * weft/sync.h - mutexes and their like, between tasks of any runtimes and plain threads, in any
 * mixture.
 *
 * A task that waits here parks, and its thread goes on with other tasks; a plain thread sleeps.
 * A lock belongs to the task that took it, wherever that runs, and not to its thread: it may be
 * held while the task sleeps, yields or waits for something else.
 *
 * Objects lie where their user puts them: in static memory, in a struct, in the frame of a
 * function (not on a shared stack: others could not reach it there). All zero is a good object,
 * free of everything, and so is what the WEFT_..._INIT macros say; init and fini are for those
 * who want other options or the check. An object must not be copied or moved once it is used. It
 * may be freed as soon as nobody is inside a call that waits for it: at once, for instance,
 * by the task that has just got and dropped the last lock, while the one before it is
 * on its way out of unlock.
 *
 * What they all have in common:
 *   - a wait returns 0 when it has got what it asked for, -EAGAIN (WEFT_NOWAIT), -ETIMEDOUT,
 *     -ECANCELED, or -ENOMEM (a task on a shared stack found no memory for its timer, or a plain
 *     thread none for its first wait), and with an error it has got nothing: of a wake-up and a
 *     deadline or cancel that come at the same time one wins, whole;
 *   - a call that need not wait succeeds in a cancelled task, too, and without regard to the
 *     deadline;
 *   - no function is async-signal-safe. Each may be called by tasks and threads;
 *   - a child of fork(2) finds the objects as they were: what other tasks or threads held stays
 *     held there.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/time.h>
#include <weft/types.h>

WEFT_BEGIN_DECLS

/* The fields are private, and their compiler must not think that nobody else writes them. */
#define WEFT__OBJECT __attribute__((may_alias))

/* --- mutex -------------------------------------------------------------------------------- */

typedef struct WEFT__OBJECT weft_mutex {
	uint64_t weft__private[6];
} weft_mutex;

enum weft_mutex_flags {
	/** Its owner may lock it again; it is free when it has been unlocked as often. */
	WEFT_MUTEX_RECURSIVE = 1u << 0,
	/** To wait for it is no cancellation point: for what must be tidied up by a task that
	 * has been cancelled. */
	WEFT_MUTEX_SHIELDED = 1u << 1
};

#define WEFT_MUTEX_INIT                  \
	{                                \
		{                        \
			0, 0, 0, 0, 0, 0 \
		}                        \
	}
#define WEFT_MUTEX_RECURSIVE_INIT                           \
	{                                                   \
		{                                           \
			0, 0, 0, 0, 0, WEFT_MUTEX_RECURSIVE \
		}                                           \
	}

/** How many later ones may take a mutex before the one that waits longest: weft_mutex_lock(). */
#define WEFT_MUTEX_BARGES 128

/**
 * weft_mutex_init - make a mutex: free, and nobody's
 * @mutex: memory of any contents
 * @flags: a set of enum weft_mutex_flags
 *
 * Return: 0, -EINVAL (an unknown flag). Not a cancellation point.
 */
WEFT_API int weft_mutex_init(weft_mutex *mutex, unsigned flags);

/**
 * weft_mutex_fini - the mutex is not needed any more
 *
 * Holds nothing that had to be given back; it is the check. Return: 0, -EBUSY (it is locked, or
 * waited for; nothing has changed). One whose owner has ended is not locked in that sense.
 */
WEFT_API int weft_mutex_fini(weft_mutex *mutex);

/**
 * weft_mutex_lock - take it, waiting while it is another's
 * @mutex:       mutex
 * @deadline_ns: absolute, weft_now() clock; WEFT_NOWAIT tries once; WEFT_FOREVER waits
 *
 * First come, first served, with one exception: while the one that waits longest is on its way
 * - woken, but not yet running - others that come by may take the mutex and drop it again. At
 * most WEFT_MUTEX_BARGES times; then it is handed over. So whoever has n before it in the queue
 * is passed at most (n + 1) * WEFT_MUTEX_BARGES times.
 *
 * A circle of tasks of one worker that wait for each other's mutexes or ends, without a
 * deadline, ends the process: each is named, with what it waits for, on standard error. Circles
 * over several workers are found by the search for deadlocks (debug.h).
 *
 * Return: 0: it is the caller's; -EDEADLK (it was already, and the mutex is not
 * WEFT_MUTEX_RECURSIVE); -EAGAIN (WEFT_NOWAIT, or locked 65,535 times by its owner);
 * -EOWNERDEAD (who held it has ended and can never unlock it, and what it protects may be half
 * done; nobody gets it any more, until weft_mutex_init() makes it anew); -ETIMEDOUT,
 * -ECANCELED, -ENOMEM. Cancellation point if it waits, unless WEFT_MUTEX_SHIELDED.
 */
WEFT_API int weft_mutex_lock(weft_mutex *mutex, int64_t deadline_ns);

/**
 * weft_mutex_unlock - give it back
 *
 * Never waits, and runs no other task. Return: 0, -EPERM (it is not the caller's). Not a
 * cancellation point.
 */
WEFT_API int weft_mutex_unlock(weft_mutex *mutex);

WEFT_END_DECLS

#endif
