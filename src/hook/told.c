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

static int got(int rc, pthread_mutex_t *mutex)
{
	if (rc == 0)
		__tsan_acquire(mutex);
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

void weft__hook_tell_tsan(void)
{
	libc = weft__real;
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
