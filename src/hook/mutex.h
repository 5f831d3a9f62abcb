/* SPDX-License-Identifier: MIT
 *
 * mutex.h - libc's mutexes in the hands of tasks, for those who give one back and take it again.
 */
#ifndef WEFT_HOOK_MUTEX_H
#define WEFT_HOOK_MUTEX_H

#include <hook/hook.h>
#include <sync/libc.h>
#include <sync/lot.h>

/** Until when a call waits. */
struct until {
	clockid_t clock;
	int64_t ns; /* WEFT_FOREVER: without end */
};

/** Of a call's arguments. 0 or an error number. */
static inline int until_init(struct until *until, clockid_t clock, const struct timespec *abstime)
{
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return EINVAL;
	if (abstime->tv_nsec < 0 || abstime->tv_nsec >= 1000000000)
		return EINVAL;
	until->clock = clock;
	until->ns = abstime->tv_sec < 0 ? 1 : weft__hook_timespec_ns(abstime);
	return 0;
}

static inline bool mutex_is_foreign(const pthread_mutex_t *mutex)
{
	return mutex->__data.__kind & LIBC_FOREIGN;
}

/** Does libc look at who locks and unlocks it? */
static inline bool mutex_is_owned(const pthread_mutex_t *mutex)
{
	int type = mutex->__data.__kind & LIBC_TYPE;

	return type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK;
}

/* Stores come before the loads that follow. What libc gives a mutex back with is an atomic
 * instruction that does so by itself on this CPU, while there is a second thread. */
static always_inline void fence_after_unlock(void)
{
#if defined(__x86_64__) && !WEFT_TSAN
	atomic_signal_fence(memory_order_seq_cst);
#else
	full_fence();
#endif
}

static const struct until until_forever = { CLOCK_MONOTONIC, WEFT_FOREVER };

/** Those who wait for a mutex that has just been given back: one of them goes on. */
static always_inline void mutex_told(pthread_mutex_t *mutex)
{
	fence_after_unlock();
	lot_tell(mutex, 1);
}

/** For a task whose mutexes are hooked, and a mutex that is not foreign. Each 0 or an error. */
int weft__hook_mutex_lock(struct task *self, pthread_mutex_t *mutex);
int weft__hook_mutex_unlock(struct task *self, pthread_mutex_t *mutex);

/** The hooks of these calls, by other names of theirs: @site is where it was called. */
int weft__hook_mutex_lock_at(pthread_mutex_t *mutex, const void *site);
int weft__hook_mutex_trylock_at(pthread_mutex_t *mutex, const void *site);
int weft__hook_mutex_timedlock_at(pthread_mutex_t *mutex, const struct timespec *abstime,
				  const void *site);

/** False: it is an owned one, and neither the task's nor its thread's. */
bool weft__hook_mutex_is_held(struct task *self, pthread_mutex_t *mutex);

/** Makes an owned mutex the thread's, as libc has it. Return: how deep the task held it, to be given
 * to the other function, which undoes it; 0: it did not. */
uint64_t weft__hook_mutex_lend(struct task *self, pthread_mutex_t *mutex);
void weft__hook_mutex_lent(struct task *self, pthread_mutex_t *mutex, uint64_t depth);

#endif
