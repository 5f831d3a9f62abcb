/* SPDX-License-Identifier: MIT
 *
 * early.c - see early.h. Robust mutexes and those that inherit priorities are more than a word:
 * nobody has them that early, and they are locked like plain ones.
 */
#include <errno.h>
#include <linux/futex.h>

#include <base/syscall.h>
#include <hook/early.h>
#include <sync/libc.h>

/* libc's: free, locked, locked and somebody sleeps. */
enum { FREE, LOCKED, CONTENDED };

static int thread_id(void)
{
	return (int)weft__syscall(SYS_gettid, 0);
}

static bool is_mine(const pthread_mutex_t *mutex)
{
	return mutex->__data.__lock != FREE && mutex->__data.__owner == thread_id();
}

static int lock_again(pthread_mutex_t *mutex, int error)
{
	if ((mutex->__data.__kind & LIBC_TYPE) != PTHREAD_MUTEX_RECURSIVE)
		return error;
	mutex->__data.__count++;
	return 0;
}

static int take_over(pthread_mutex_t *mutex)
{
	mutex->__data.__owner = thread_id();
	mutex->__data.__count = 1; /* libc looks at it in recursive ones alone */
	mutex->__data.__nusers++;
	return 0;
}

int weft__early_mutex_trylock(pthread_mutex_t *mutex)
{
	int expected = FREE;

	if (is_mine(mutex))
		return lock_again(mutex, EBUSY);
	if (!__atomic_compare_exchange_n(&mutex->__data.__lock, &expected, LOCKED, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return EBUSY;
	return take_over(mutex);
}

int weft__early_mutex_lock(pthread_mutex_t *mutex)
{
	int kind = mutex->__data.__kind;

	if ((kind & LIBC_TYPE) != PTHREAD_MUTEX_NORMAL && is_mine(mutex))
		return lock_again(mutex, EDEADLK);
	while (__atomic_exchange_n(&mutex->__data.__lock, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
		weft__syscall(SYS_futex, &mutex->__data.__lock,
			      kind & LIBC_FOREIGN ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, CONTENDED,
			      NULL);
	return take_over(mutex);
}

int weft__early_mutex_unlock(pthread_mutex_t *mutex)
{
	int kind = mutex->__data.__kind;

	if ((kind & LIBC_TYPE) == PTHREAD_MUTEX_RECURSIVE && --mutex->__data.__count > 0)
		return 0;
	mutex->__data.__owner = 0;
	mutex->__data.__nusers--;
	if (__atomic_exchange_n(&mutex->__data.__lock, FREE, __ATOMIC_RELEASE) == CONTENDED)
		weft__syscall(SYS_futex, &mutex->__data.__lock,
			      kind & LIBC_FOREIGN ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 1);
	return 0;
}
