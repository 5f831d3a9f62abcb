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
 *   - a child of fork(2) finds the objects as they were: what other tasks or threads held stays
 *     held there.
 *
 * Where nothing else is said: any task or thread, many at once; not a cancellation point; not
 * async-signal-safe.
 *
 * @mutex:     mutex
 * @lock:      lock
 * @cond:      condition
 * @semaphore: semaphore
 * @group:     waitgroup
 * @event:     event
 * @barrier:   barrier
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

/** How many later ones may take a mutex before the one that waits longest, at most; and how many
 * before it matters for how long they do: weft_mutex_lock(). */
#define WEFT_MUTEX_BARGES      4096
#define WEFT_MUTEX_BARGES_FREE 128
#define WEFT_MUTEX_BARGES_NS   1000000

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
 * most WEFT_MUTEX_BARGES times; then it is handed over. When WEFT_MUTEX_BARGES_FREE have passed it
 * and they go on for longer than WEFT_MUTEX_BARGES_NS, one of the next 64 is the last. So
 * whoever has n before it in the queue is passed at most (n + 1) * WEFT_MUTEX_BARGES times.
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

/* --- rwlock ------------------------------------------------------------------------------- */

/** Many readers, or one writer. */
typedef struct WEFT__OBJECT weft_rwlock {
	uint64_t weft__private[6];
} weft_rwlock;

#define WEFT_RWLOCK_INIT                 \
	{                                \
		{                        \
			0, 0, 0, 0, 0, 0 \
		}                        \
	}

/** weft_rwlock_init - make one, of memory of any contents: free. Return: 0. */
WEFT_API int weft_rwlock_init(weft_rwlock *lock);

/** weft_rwlock_fini - it is not needed any more. 0, -EBUSY (held, or waited for). */
WEFT_API int weft_rwlock_fini(weft_rwlock *lock);

/**
 * weft_rwlock_read - take it for reading, beside other readers
 * @lock:        lock
 * @deadline_ns: absolute; WEFT_NOWAIT tries once; WEFT_FOREVER waits
 *
 * Writers are preferred: a reader waits while one writes, and also while one waits. But after a
 * writer come all readers that have been waiting by then, and after those the next writer: a
 * reader is passed by one writer at most, and a writer waits for the readers that are in and for
 * the writers before it, with the readers between them. Nobody barges.
 *
 * A reader that takes it once more may therefore wait for ever, for a writer that waits for it.
 * There is no upgrade either, for two who ask for it wait for each other: unlock, take
 * it for writing, and look again.
 *
 * Return: 0; -EDEADLK (the caller writes); -EAGAIN (WEFT_NOWAIT, or a million readers);
 * -EOWNERDEAD (who wrote has ended, as with weft_mutex_lock()); -ETIMEDOUT, -ECANCELED, -ENOMEM.
 * Cancellation point if it waits.
 */
WEFT_API int weft_rwlock_read(weft_rwlock *lock, int64_t deadline_ns);

/**
 * weft_rwlock_write - take it for writing, alone
 *
 * In the order that weft_rwlock_read() tells. Circles of writers, and of writers and mutexes,
 * are named as with weft_mutex_lock().
 *
 * Return: 0; -EDEADLK (the caller writes already); -EAGAIN (WEFT_NOWAIT); -EOWNERDEAD (who
 * wrote has ended, as with weft_mutex_lock()); -ETIMEDOUT, -ECANCELED, -ENOMEM. Cancellation
 * point if it waits.
 */
WEFT_API int weft_rwlock_write(weft_rwlock *lock, int64_t deadline_ns);

/**
 * weft_rwlock_unlock - give back what either of them took
 *
 * Return: 0, -EPERM (another writes, or nobody has it; who reads is not known by name). Not a
 * cancellation point.
 */
WEFT_API int weft_rwlock_unlock(weft_rwlock *lock);

/* --- condition ------------------------------------------------------------------------------ */

/** Where one waits, with a mutex, until what that protects has changed. */
typedef struct WEFT__OBJECT weft_cond {
	uint64_t weft__private[5];
} weft_cond;

#define WEFT_COND_INIT                \
	{                             \
		{                     \
			0, 0, 0, 0, 0 \
		}                     \
	}

/** weft_cond_init - make one, of memory of any contents. Return: 0. */
WEFT_API int weft_cond_init(weft_cond *cond);

/** weft_cond_fini - it is not needed any more. 0, -EBUSY (waited for). */
WEFT_API int weft_cond_fini(weft_cond *cond);

/**
 * weft_cond_wait - unlock a mutex and wait for a signal, in one; then lock it again
 * @cond:        condition
 * @mutex:       the caller's, perhaps recursively; the same one for all who wait at a time
 * @deadline_ns: absolute; WEFT_NOWAIT: -EAGAIN at once
 *
 * Whatever it returns, but for -EOWNERDEAD, the caller has the mutex as it had it before:
 * taking it again is not cancelled, and knows no deadline. A wait that has succeeded says that
 * somebody has signalled; others may have had the mutex since, so look again.
 *
 * Return: 0; -EPERM (the mutex is not the caller's); -EINVAL (others wait with another mutex);
 * -EOWNERDEAD (who had the mutex meanwhile has ended with it: the caller does not have it);
 * -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM. Cancellation point.
 */
WEFT_API int weft_cond_wait(weft_cond *cond, weft_mutex *mutex, int64_t deadline_ns);

/**
 * weft_cond_signal - wake the one that waits longest
 *
 * With or without the mutex. If a deadline or cancel has ended that one's wait already, the
 * next is woken: no signal is lost while somebody waits. Return: how many were woken, 0 or 1.
 */
WEFT_API int weft_cond_signal(weft_cond *cond);

/** weft_cond_broadcast - wake all that wait just now. Return: how many were woken. */
WEFT_API int weft_cond_broadcast(weft_cond *cond);

/* --- semaphore ------------------------------------------------------------------------------ */

/** A number of permits. */
typedef struct WEFT__OBJECT weft_semaphore {
	uint64_t weft__private[4];
} weft_semaphore;

/** With so many permits; at most WEFT_SEMAPHORE_MAX. */
#define WEFT_SEMAPHORE_INIT(count)                   \
	{                                            \
		{                                    \
			0, (uint64_t)(count)*4, 0, 0 \
		}                                    \
	}
#define WEFT_SEMAPHORE_MAX 0x7fffffffu

/** weft_semaphore_init - make one with @count permits, of memory of any contents. 0, -EINVAL
 * (too many). */
WEFT_API int weft_semaphore_init(weft_semaphore *semaphore, unsigned count);

/** weft_semaphore_fini - it is not needed any more. 0, -EBUSY (waited for). */
WEFT_API int weft_semaphore_fini(weft_semaphore *semaphore);

/**
 * weft_semaphore_wait - take a permit
 * @semaphore:   semaphore
 * @deadline_ns: absolute; WEFT_NOWAIT tries once; WEFT_FOREVER waits
 *
 * Strictly first come, first served: while anybody waits nobody takes a permit past him.
 * Return: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM. Cancellation point if it waits.
 */
WEFT_API int weft_semaphore_wait(weft_semaphore *semaphore, int64_t deadline_ns);

/**
 * weft_semaphore_wait_n - take @count permits at once, or none
 *
 * Those who come later wait behind it, also if there are enough for them.
 *
 * Return: 0, -EINVAL (more than there can be), -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM.
 * Cancellation point if it waits.
 */
WEFT_API int weft_semaphore_wait_n(weft_semaphore *semaphore, unsigned count, int64_t deadline_ns);

/** weft_semaphore_post - give @count permits back, or new ones. Anybody may. 0,
 * -EOVERFLOW (it would be more than WEFT_SEMAPHORE_MAX; unchanged). */
WEFT_API int weft_semaphore_post(weft_semaphore *semaphore, unsigned count);

/** weft_semaphore_value - how many permits are free just now. Return: the number. */
WEFT_API unsigned weft_semaphore_value(const weft_semaphore *semaphore);

/* --- waitgroup ------------------------------------------------------------------------------ */

/** A count of what is still to be done. */
typedef struct WEFT__OBJECT weft_waitgroup {
	uint64_t weft__private[4];
} weft_waitgroup;

#define WEFT_WAITGROUP_INIT        \
	{                          \
		{                  \
			0, 0, 0, 0 \
		}                  \
	}

/** weft_waitgroup_init - make one, of memory of any contents: nothing to be done. Return: 0. */
WEFT_API int weft_waitgroup_init(weft_waitgroup *group);

/** weft_waitgroup_fini - it is not needed any more. 0, -EBUSY (the count is not 0, or somebody
 * waits). */
WEFT_API int weft_waitgroup_fini(weft_waitgroup *group);

/**
 * weft_waitgroup_add - so much more is to be done
 * @count: how much; negative: so much has been done
 *
 * At 0 all that wait go on; the group may be used again at once, and it may be freed by one of
 * them. Return: 0, -EINVAL (it would be negative; unchanged), -EOVERFLOW (more than 2^31 - 1).
 */
WEFT_API int weft_waitgroup_add(weft_waitgroup *group, int count);

/** weft_waitgroup_done - weft_waitgroup_add() of -1. 0, -EINVAL (it is 0 already). */
WEFT_API int weft_waitgroup_done(weft_waitgroup *group);

/** weft_waitgroup_wait - wait until the count is 0, or has been. 0, -EAGAIN, -ETIMEDOUT,
 * -ECANCELED, -ENOMEM. Cancellation point if it waits. */
WEFT_API int weft_waitgroup_wait(weft_waitgroup *group, int64_t deadline_ns);

/* --- event ---------------------------------------------------------------------------------- */

/** Something that has happened, or not yet. */
typedef struct WEFT__OBJECT weft_event {
	uint64_t weft__private[4];
} weft_event;

enum weft_event_flags {
	/** Each set lets one through, who resets it in the same moment. */
	WEFT_EVENT_AUTO = 1u << 0
};

#define WEFT_EVENT_INIT            \
	{                          \
		{                  \
			0, 0, 0, 0 \
		}                  \
	}
#define WEFT_EVENT_AUTO_INIT       \
	{                          \
		{                  \
			0, 8, 0, 0 \
		}                  \
	}

/**
 * weft_event_init - make one, of memory of any contents: not set
 * @flags: a set of enum weft_event_flags
 *
 * Return: 0, -EINVAL (unknown flag).
 */
WEFT_API int weft_event_init(weft_event *event, unsigned flags);

/** weft_event_fini - it is not needed any more. 0, -EBUSY (waited for). */
WEFT_API int weft_event_fini(weft_event *event);

/**
 * weft_event_set - it has happened
 *
 * All who wait go on, and whoever comes until it is reset; with WEFT_EVENT_AUTO the one that
 * waits longest, or else the next who comes. To set it when it is set does nothing. Return: 0.
 */
WEFT_API int weft_event_set(weft_event *event);

/** weft_event_reset - it has not. Return: 1 when it was set, else 0. */
WEFT_API int weft_event_reset(weft_event *event);

/** weft_event_is_set - ask whether it has happened. Return: 1 when it is set, else 0; what was done
 * before it was set is seen then. */
WEFT_API int weft_event_is_set(const weft_event *event);

/** weft_event_wait - wait until it is set, or has been. 0, -EAGAIN, -ETIMEDOUT, -ECANCELED,
 * -ENOMEM. Cancellation point if it waits. */
WEFT_API int weft_event_wait(weft_event *event, int64_t deadline_ns);

/* --- once ------------------------------------------------------------------------------------ */

/** Whether something has been done that is done once. */
typedef struct WEFT__OBJECT weft_once_flag {
	uint64_t weft__private[4];
} weft_once_flag;

#define WEFT_ONCE_INIT             \
	{                          \
		{                  \
			0, 0, 0, 0 \
		}                  \
	}

/**
 * weft_once - run fn(arg) unless that has been done; wait while another does
 * @flag: zero at first; one for each thing to be done
 * @fn:   body; it may wait for anything but for this flag
 * @arg:  passed to @fn
 *
 * A body that returns a negative value has failed, and the next of those who wait, or who come,
 * tries with its own @fn. So it is when a task ends by weft_exit() inside it.
 *
 * Return: 0: it has been done, by whomever; what @fn returned, if it failed in this call;
 * -EDEADLK (called by the body); -ECANCELED (while another runs it), -ENOMEM. Cancellation point
 * if it waits.
 */
WEFT_API int weft_once(weft_once_flag *flag, weft_fn *fn, void *arg);

/* --- barrier --------------------------------------------------------------------------------- */

/** Where a number of parties wait for each other. */
typedef struct WEFT__OBJECT weft_barrier {
	uint64_t weft__private[5];
} weft_barrier;

/** For so many parties, 1 or more. All zero is none. */
#define WEFT_BARRIER_INIT(count)            \
	{                                   \
		{                           \
			0, 0, 0, 0, (count) \
		}                           \
	}

/** weft_barrier_init - make one for @count parties, of memory of any contents. 0, -EINVAL (0). */
WEFT_API int weft_barrier_init(weft_barrier *barrier, unsigned count);

/** weft_barrier_fini - it is not needed any more. 0, -EBUSY (somebody waits, or is on his way out;
 * must be asked before it is freed). */
WEFT_API int weft_barrier_fini(weft_barrier *barrier);

/**
 * weft_barrier_wait - wait until all are here
 * @barrier:     barrier; when all have come it is as new, for the next time
 * @deadline_ns: absolute; WEFT_NOWAIT: only if the caller is the last
 *
 * One whose wait ends by its deadline or a cancel has not come: one more must. If that happens
 * just when the last one comes, it has passed, and returns 0.
 *
 * Return: 1 for one of them, the last; 0 for the others; -EINVAL (of no parties); -EAGAIN,
 * -ETIMEDOUT, -ECANCELED, -ENOMEM. Cancellation point if it waits.
 */
WEFT_API int weft_barrier_wait(weft_barrier *barrier, int64_t deadline_ns);

WEFT_END_DECLS

#endif
