/* SPDX-License-Identifier: MIT
 *
 * cond.c - pthread_cond_*: a task waits in the lot, under the condition's address.
 *
 * N1 A task is queued before it drops the mutex: whoever has the mutex after it and signals
 *    finds it. (C1 of sync/cond.c.)
 * N2 A signal goes to the lot and to libc, for the waiters may be of both kinds. If they are,
 *    two wake up; POSIX allows that.
 * N3 However its wait ends, the task takes the mutex again, and that is not cancelled.
 * N4 In libc's wait the mutex is given back unseen. So whoever goes in there says so (P5 of lot.h).
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include <hook/mutex.h>
#include <weft/task.h>

const char weft__hook_link_cond;

static bool cond_is_shared(const pthread_cond_t *cond)
{
	return cond->__data.__wrefs & LIBC_COND_SHARED;
}

static clockid_t cond_clock(const pthread_cond_t *cond)
{
	return cond->__data.__wrefs & LIBC_COND_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

/* --- in the lot ------------------------------------------------------------------------------- */

struct drop {
	struct task *self;
	pthread_mutex_t *mutex;
	int rc;
	bool done;
};

static void drop_mutex(void *arg)
{
	struct drop *drop = arg;

	drop->rc = weft__hook_mutex_unlock(drop->self, drop->mutex);
	drop->done = true;
}

/* It has been cancelled, or is late: no wait any more. All the same the others must get a
 * chance to have the mutex: such loops do not look at results. */
static void step_aside(struct drop *drop)
{
	drop_mutex(drop);
	if (drop->rc == 0)
		weft_task_yield();
}

static int wait_in_lot(struct task *self, pthread_cond_t *cond, pthread_mutex_t *mutex,
		       const struct until *until)
{
	struct drop drop = { .self = self, .mutex = mutex };
	struct lot_wait wait = { .address = cond,
				 .kind = LOT_COND,
				 .deadline_ns = until->ns,
				 .clock = until->clock,
				 .queued = drop_mutex,
				 .arg = &drop };
	int rc, rc_lock;

	if (!weft__hook_mutex_is_held(self, mutex))
		return EPERM;
	rc = weft__lot_wait(self, &wait);
	if (!drop.done)
		step_aside(&drop);
	rc_lock = weft__hook_mutex_lock(self, mutex);
	if (rc == -ECANCELED)
		weft__hook_testcancel();
	return rc_lock ? rc_lock : rc == -ENOMEM ? 0 : -rc; /* a spurious one is allowed */
}

/* --- in libc ------------------------------------------------------------------------------------ */

struct native {
	pthread_cond_t *cond;
	pthread_mutex_t *mutex;
	const struct timespec *abstime; /* NULL: without end */
	clockid_t clock;
	bool by_clock;
};

static int wait_natively(const struct native *native)
{
	if (!native->abstime)
		return weft__real.pthread_cond_wait(native->cond, native->mutex);
	if (native->by_clock)
		return weft__real.pthread_cond_clockwait(native->cond, native->mutex, native->clock,
							 native->abstime);
	return weft__real.pthread_cond_timedwait(native->cond, native->mutex, native->abstime);
}

static void count_out(void *bucket)
{
	/* relaxed: who sees it late looks once more for nothing */
	atomic_fetch_sub_explicit(&((struct lot_bucket *)bucket)->natives, 1, memory_order_relaxed);
}

/* N4. Not inlined: pthread_cleanup_push() may return twice. */
static noinline int wait_counted(const struct native *native)
{
	struct lot_bucket *bucket = lot_bucket(native->mutex);
	volatile int rc;

	/* seq_cst, and the fence: P5 */
	atomic_fetch_add(&bucket->natives, 1);
	full_fence();
	lot_tell(native->mutex, UINT_MAX);
	pthread_cleanup_push(count_out, bucket);
	rc = wait_natively(native);
	pthread_cleanup_pop(1);
	return rc;
}

static int wait_in_libc(const struct native *native)
{
	struct task *self = weft__thread.task;
	uint64_t depth;
	int rc;

	if (likely(!self))
		return wait_counted(native);
	depth = weft__hook_mutex_lend(self, native->mutex);
	rc = wait_counted(native);
	weft__hook_mutex_lent(self, native->mutex, depth);
	return rc;
}

/* --- the names ---------------------------------------------------------------------------------- */

static struct task *hooked_wait(const pthread_cond_t *cond, const pthread_mutex_t *mutex)
{
	struct task *self = hooked(HOOK_SYNC);

	if (likely(!self) || mutex_is_foreign(mutex) || cond_is_shared(cond))
		return NULL;
	return self;
}

HOOK int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	struct task *self = hooked_wait(cond, mutex);

	if (self)
		return wait_in_lot(self, cond, mutex, &until_forever);
	return wait_in_libc(&(struct native){ .cond = cond, .mutex = mutex });
}

static int wait_until(struct task *self, pthread_cond_t *cond, pthread_mutex_t *mutex,
		      clockid_t clock, const struct timespec *abstime)
{
	struct until until;
	int rc = until_init(&until, clock, abstime);

	return rc ? rc : wait_in_lot(self, cond, mutex, &until);
}

HOOK int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				const struct timespec *abstime)
{
	struct task *self = hooked_wait(cond, mutex);

	if (self)
		return wait_until(self, cond, mutex, cond_clock(cond), abstime);
	return wait_in_libc(&(struct native){ .cond = cond, .mutex = mutex, .abstime = abstime });
}

HOOK int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
				const struct timespec *abstime)
{
	struct task *self = hooked_wait(cond, mutex);

	if (self)
		return wait_until(self, cond, mutex, clock, abstime);
	return wait_in_libc(&(struct native){ .cond = cond,
					      .mutex = mutex,
					      .abstime = abstime,
					      .clock = clock,
					      .by_clock = true });
}

/* Whoever has had the mutex after a waiter dropped it sees it queued: no fence (N1). */
HOOK int pthread_cond_signal(pthread_cond_t *cond)
{
	int rc = weft__real.pthread_cond_signal(cond);

	lot_tell(cond, 1);
	return rc;
}

HOOK int pthread_cond_broadcast(pthread_cond_t *cond)
{
	int rc = weft__real.pthread_cond_broadcast(cond);

	lot_tell(cond, UINT_MAX);
	return rc;
}

HOOK int pthread_cond_destroy(pthread_cond_t *cond)
{
	if (unlikely(weft__lot_awaited(cond)))
		return EBUSY;
	return weft__real.pthread_cond_destroy(cond);
}
