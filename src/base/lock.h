/* SPDX-License-Identifier: MIT
 *
 * lock.h - weft's own lock for longer sections, which may make system calls: who meets it held
 * sleeps in the kernel.
 *
 * Not libc's: libweft-hook makes of pthread_mutex_lock() a wait of the task, and nothing of
 * weft's own may park in the middle. Like a spinlock it is never held across a switch.
 */
#ifndef WEFT_BASE_LOCK_H
#define WEFT_BASE_LOCK_H

#include <base/atomic.h>

enum { LOCK_FREE, LOCK_HELD, LOCK_WANTED };

/** All zero is a free one. */
struct lock {
	_Atomic uint32_t state; /* WANTED: held, and somebody may sleep on it */
};

void weft__lock_take_slow(struct lock *lock);
void weft__lock_wake(struct lock *lock);

static inline void lock_take(struct lock *lock)
{
	/* acquire pairs with the release in lock_drop() */
	if (unlikely(!cas32(&lock->state, LOCK_FREE, LOCK_HELD)))
		weft__lock_take_slow(lock);
}

static inline void lock_drop(struct lock *lock)
{
	if (weft__single_threaded()) {
		atomic_store_explicit(&lock->state, LOCK_FREE, memory_order_relaxed);
		return;
	}
	if (unlikely(atomic_exchange_explicit(&lock->state, LOCK_FREE, memory_order_release) ==
		     LOCK_WANTED))
		weft__lock_wake(lock);
}

/**
 * LOCK_OVER_FORK - how a file's one lock gets over fork(2)
 *
 * Defines take_lock() and drop_lock() as pthread_atfork(3) wants them. With the lock held over a fork
 * what it covers is whole in the child, which would inherit the lock from a thread that it
 * does not have.
 */
#define LOCK_OVER_FORK(lock)        \
	static void take_lock(void) \
	{                           \
		lock_take(&(lock)); \
	}                           \
	static void drop_lock(void) \
	{                           \
		lock_drop(&(lock)); \
	}

/**
 * AT_LOAD_BEFORE_FORKS - of a function that registers such handlers, when libweft is loaded
 * @nth: 1, 2, ...: an outer lock after those that are taken inside of it
 *
 * As early as can be: what is registered first is asked last before a fork. A handler of the program's
 * may lock a mutex, which in a task parks, and then nothing of weft's must be locked.
 */
#define AT_LOAD_BEFORE_FORKS(nth) __attribute__((constructor(100 + (nth))))

#endif
