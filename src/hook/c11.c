/* SPDX-License-Identifier: MIT
 *
 * c11.c - mtx_* and cnd_* of <threads.h>. In glibc they are the pthread functions on the same
 * objects by other names, and call them where no hook sees it; so they are written anew.
 */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include <hook/mutex.h>

const char weft__hook_link_c11;

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t),
	       "the same objects");

static pthread_mutex_t *mutex_of(mtx_t *mutex)
{
	return (pthread_mutex_t *)(void *)mutex;
}

static pthread_cond_t *cond_of(cnd_t *cond)
{
	return (pthread_cond_t *)(void *)cond;
}

static int result_of(int error)
{
	switch (error) {
	case 0:
		return thrd_success;
	case EBUSY:
		return thrd_busy;
	case ETIMEDOUT:
		return thrd_timedout;
	case ENOMEM:
		return thrd_nomem;
	default:
		return thrd_error;
	}
}

HOOK int mtx_lock(mtx_t *mutex)
{
	return result_of(weft__hook_mutex_lock_at(mutex_of(mutex), __builtin_return_address(0)));
}

HOOK int mtx_trylock(mtx_t *mutex)
{
	return result_of(weft__hook_mutex_trylock_at(mutex_of(mutex), __builtin_return_address(0)));
}

HOOK int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict until)
{
	return result_of(
		weft__hook_mutex_timedlock_at(mutex_of(mutex), until, __builtin_return_address(0)));
}

HOOK int mtx_unlock(mtx_t *mutex)
{
	return result_of(pthread_mutex_unlock(mutex_of(mutex)));
}

HOOK void mtx_destroy(mtx_t *mutex)
{
	pthread_mutex_destroy(mutex_of(mutex));
}

HOOK int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
	return result_of(pthread_cond_wait(cond_of(cond), mutex_of(mutex)));
}

HOOK int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
		       const struct timespec *restrict until)
{
	return result_of(pthread_cond_timedwait(cond_of(cond), mutex_of(mutex), until));
}

HOOK int cnd_signal(cnd_t *cond)
{
	return result_of(pthread_cond_signal(cond_of(cond)));
}

HOOK int cnd_broadcast(cnd_t *cond)
{
	return result_of(pthread_cond_broadcast(cond_of(cond)));
}

HOOK void cnd_destroy(cnd_t *cond)
{
	pthread_cond_destroy(cond_of(cond));
}
