/* SPDX-License-Identifier: MIT
 *
 * told.c - ThreadSanitizer learns of libc's mutexes from its own functions of their names, which
 * ours take the place of. gcc's runtime is a library, and what we find behind us is that; clang's is
 * linked into the program, and behind us is libc. So in such builds the calls of libc tell
 * it themselves who got a mutex, and who gave it back. Twice does no harm.
 */
#include <hook/hook.h>

#if WEFT_TSAN

/* sanitizer/tsan_interface.h */
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);

static struct real libc;

static int got(int rc, void *lock)
{
	if (rc == 0)
		__tsan_acquire(lock);
	return rc;
}

static int told_lock(pthread_mutex_t *mutex)
{
	return got(libc.pthread_mutex_lock(mutex), mutex);
}

static int told_trylock(pthread_mutex_t *mutex)
{
	return got(libc.pthread_mutex_trylock(mutex), mutex);
}

static int told_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
	return got(libc.pthread_mutex_timedlock(mutex, until), mutex);
}

static int told_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
	return got(libc.pthread_mutex_clocklock(mutex, clock, until), mutex);
}

static int told_unlock(pthread_mutex_t *mutex)
{
	__tsan_release(mutex);
	return libc.pthread_mutex_unlock(mutex);
}

/* Whatever the result, the mutex is the caller's again. */
static int got_back(int rc, pthread_mutex_t *mutex)
{
	__tsan_acquire(mutex);
	return rc;
}

static int told_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	__tsan_release(mutex);
	return got_back(libc.pthread_cond_wait(cond, mutex), mutex);
}

static int told_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
			  const struct timespec *until)
{
	__tsan_release(mutex);
	return got_back(libc.pthread_cond_timedwait(cond, mutex, until), mutex);
}

static int told_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
			  const struct timespec *until)
{
	__tsan_release(mutex);
	return got_back(libc.pthread_cond_clockwait(cond, mutex, clock, until), mutex);
}

/* --- read-write locks ------------------------------------------------------------------------- */

#define TOLD_RWLOCK(way)                                                                   \
	static int told_##way(pthread_rwlock_t *rwlock)                                    \
	{                                                                                  \
		return got(libc.pthread_rwlock_##way(rwlock), rwlock);                     \
	}                                                                                  \
	static int told_try##way(pthread_rwlock_t *rwlock)                                 \
	{                                                                                  \
		return got(libc.pthread_rwlock_try##way(rwlock), rwlock);                  \
	}                                                                                  \
	static int told_timed##way(pthread_rwlock_t *rwlock, const struct timespec *until) \
	{                                                                                  \
		return got(libc.pthread_rwlock_timed##way(rwlock, until), rwlock);         \
	}                                                                                  \
	static int told_clock##way(pthread_rwlock_t *rwlock, clockid_t clock,              \
				   const struct timespec *until)                           \
	{                                                                                  \
		return got(libc.pthread_rwlock_clock##way(rwlock, clock, until), rwlock);  \
	}

TOLD_RWLOCK(rdlock)
TOLD_RWLOCK(wrlock)

static int told_rwlock_unlock(pthread_rwlock_t *rwlock)
{
	__tsan_release(rwlock);
	return libc.pthread_rwlock_unlock(rwlock);
}

static void tell_rwlocks(void)
{
	weft__real.pthread_rwlock_rdlock = told_rdlock;
	weft__real.pthread_rwlock_tryrdlock = told_tryrdlock;
	weft__real.pthread_rwlock_timedrdlock = told_timedrdlock;
	weft__real.pthread_rwlock_clockrdlock = told_clockrdlock;
	weft__real.pthread_rwlock_wrlock = told_wrlock;
	weft__real.pthread_rwlock_trywrlock = told_trywrlock;
	weft__real.pthread_rwlock_timedwrlock = told_timedwrlock;
	weft__real.pthread_rwlock_clockwrlock = told_clockwrlock;
	weft__real.pthread_rwlock_unlock = told_rwlock_unlock;
}

/* --- semaphores and barriers --------------------------------------------------------------------- */

static int told_sem_wait(sem_t *sem)
{
	return got(libc.sem_wait(sem), sem);
}

static int told_sem_trywait(sem_t *sem)
{
	return got(libc.sem_trywait(sem), sem);
}

static int told_sem_timedwait(sem_t *sem, const struct timespec *until)
{
	return got(libc.sem_timedwait(sem, until), sem);
}

static int told_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
	return got(libc.sem_clockwait(sem, clock, until), sem);
}

static int told_sem_post(sem_t *sem)
{
	__tsan_release(sem);
	return libc.sem_post(sem);
}

static int told_barrier_wait(pthread_barrier_t *barrier)
{
	int rc;

	__tsan_release(barrier);
	rc = libc.pthread_barrier_wait(barrier);
	__tsan_acquire(barrier);
	return rc;
}

static void tell_semaphores(void)
{
	weft__real.sem_wait = told_sem_wait;
	weft__real.sem_trywait = told_sem_trywait;
	weft__real.sem_timedwait = told_sem_timedwait;
	weft__real.sem_clockwait = told_sem_clockwait;
	weft__real.sem_post = told_sem_post;
	weft__real.pthread_barrier_wait = told_barrier_wait;
}

/* clang's runtime, linked into the program: what it knows of ends of threads comes by these. */
int __interceptor_pthread_join(pthread_t thread, void **ret) __attribute__((weak));
int __interceptor_pthread_timedjoin_np(pthread_t thread, void **ret, const struct timespec *until)
	__attribute__((weak));

static void tell_joins(void)
{
	if (__interceptor_pthread_join && __interceptor_pthread_timedjoin_np) {
		weft__real.pthread_join = __interceptor_pthread_join;
		weft__real.pthread_timedjoin_np = __interceptor_pthread_timedjoin_np;
	}
}

void weft__hook_tell_tsan(void)
{
	libc = weft__real;
	tell_rwlocks();
	tell_semaphores();
	tell_joins();
	weft__real.pthread_mutex_lock = told_lock;
	weft__real.pthread_mutex_trylock = told_trylock;
	weft__real.pthread_mutex_timedlock = told_timedlock;
	weft__real.pthread_mutex_clocklock = told_clocklock;
	weft__real.pthread_mutex_unlock = told_unlock;
	weft__real.pthread_cond_wait = told_wait;
	weft__real.pthread_cond_timedwait = told_timedwait;
	weft__real.pthread_cond_clockwait = told_clockwait;
}

#else

void weft__hook_tell_tsan(void)
{
}

#endif
