/* SPDX-License-Identifier: MIT
 *
 * mutex.c - pthread_mutex_*: a task that meets a mutex held by somebody waits in the lot
 * (sync/lot.h), and its thread goes on.
 *
 * M1 The mutex is libc's all the time: a task takes it by libc's trylock and gives it back by libc's
 *    unlock. So plain threads, which wait as libc has it, work beside.
 * M2 Whoever unlocks looks into the lot afterwards: in a task or not.
 * M3 Of recursive and error-checking ones libc takes the thread for the owner, and a thread has many
 *    tasks. While a task has such a mutex, libc's owner is nobody, its depth is 1, and who it
 *    is and how deep stands in struct libc_owner. Before it is given back the owner is the thread
 *    that does so: a movable task may have changed it.
 * M4 The main task of a thread is that thread: what it had locked before it became a task, or while
 *    its hooks were off, is libc's to judge.
 *
 * Shared by processes, robust, or inheriting priorities: these are libc's alone and block the
 * thread. So does one that the allocator locks: it may be half-way through its thread's own lists.
 */
#include <errno.h>
#include <pthread.h>

#include <base/observe.h>
#include <hook/allocator.h>
#include <hook/mutex.h>
#include <weft/task.h>

const char weft__hook_link_mutex;

/* --- once, without waiting ------------------------------------------------------------------- */

static bool owned_by(pthread_mutex_t *mutex, const struct task *self)
{
	return atomic_load_explicit(&libc_owner(mutex)->token, memory_order_relaxed) ==
	       party_token(self);
}

static void set_token(pthread_mutex_t *mutex, uint64_t token)
{
	atomic_store_explicit(&libc_owner(mutex)->token, token, memory_order_relaxed);
}

/* Is it this thread's otherwise, and the task its main one (M4)? */
static bool owned_by_thread(pthread_mutex_t *mutex, const struct task *self)
{
	return (self->flags & TASK_THREAD) &&
	       !atomic_load_explicit(&libc_owner(mutex)->token, memory_order_relaxed) &&
	       mutex->__data.__owner == thread_fresh()->worker->tid;
}

static int lock_deeper(pthread_mutex_t *mutex)
{
	if ((mutex->__data.__kind & LIBC_TYPE) == PTHREAD_MUTEX_ERRORCHECK)
		return EDEADLK;
	if (libc_owner(mutex)->depth == UINT32_MAX)
		return EAGAIN;
	libc_owner(mutex)->depth++;
	return 0;
}

/* Of an owned one. EDEADLK: the caller has it. */
static noinline int try_owned(struct task *self, pthread_mutex_t *mutex)
{
	int rc;

	if (owned_by(mutex, self))
		return lock_deeper(mutex);
	if (owned_by_thread(mutex, self)) {
		rc = weft__real.pthread_mutex_trylock(mutex);
		return rc == EBUSY ? EDEADLK : rc;
	}
	rc = weft__real.pthread_mutex_trylock(mutex);
	if (rc != 0)
		return rc;
	/* Another task of this thread, whose hooks are off, has it already. */
	if ((mutex->__data.__kind & LIBC_TYPE) == PTHREAD_MUTEX_RECURSIVE &&
	    mutex->__data.__count != 1) {
		weft__real.pthread_mutex_unlock(mutex);
		return EBUSY;
	}
	set_token(mutex, party_token(self));
	libc_owner(mutex)->depth = 1;
	mutex->__data.__owner = LIBC_NOBODY;
	return 0;
}

static int try_once(struct task *self, pthread_mutex_t *mutex)
{
	int rc;

	if (unlikely(mutex_is_owned(mutex)))
		return try_owned(self, mutex);
	rc = weft__real.pthread_mutex_trylock(mutex);
	if (likely(rc == 0))
		set_token(mutex, party_token(self)); /* for dumps */
	return rc;
}

/* --- waiting ---------------------------------------------------------------------------------- */

struct attempt {
	struct task *self;
	pthread_mutex_t *mutex;
	int rc;
};

static bool attempt(void *arg)
{
	struct attempt *attempt = arg;

	attempt->rc = try_once(attempt->self, attempt->mutex);
	return attempt->rc != EBUSY;
}

static noinline int wait_for(struct task *self, pthread_mutex_t *mutex, const struct until *until)
{
	struct attempt att = { .self = self, .mutex = mutex };
	struct lot_wait wait = { .address = mutex,
				 .kind = LOT_MUTEX,
				 .deadline_ns = until->ns,
				 .clock = until->clock,
				 .bits = WAIT_SHIELD,
				 .try = attempt,
				 .arg = &att };

	for (;;) {
		int rc = weft__lot_wait(self, &wait);

		if (rc == LOT_DONE)
			return att.rc;
		if (rc == -ETIMEDOUT)
			return ETIMEDOUT;
		if (rc == -ENOMEM)
			weft_task_yield(); /* no timer for a task on a shared stack */
		else
			wait.vain++;
	}
}

/* May nobody pass an heir (P3)? Who has the mutex already does not. */
static always_inline bool must_queue(struct task *self, pthread_mutex_t *mutex)
{
	/* relaxed: an heir whom nobody sees yet is passed once more */
	return unlikely(atomic_load_explicit(&weft__lot_heirs, memory_order_relaxed)) &&
	       !(mutex_is_owned(mutex) && (owned_by(mutex, self) || owned_by_thread(mutex, self)));
}

static always_inline int lock(struct task *self, pthread_mutex_t *mutex, const void *caller)
{
	int rc = must_queue(self, mutex) ? EBUSY : try_once(self, mutex);

	if (likely(rc != EBUSY))
		return rc;
	if (unlikely(weft__hook_in_allocator(caller)))
		return weft__real.pthread_mutex_lock(mutex);
	return wait_for(self, mutex, &until_forever);
}

int weft__hook_mutex_lock(struct task *self, pthread_mutex_t *mutex)
{
	return lock(self, mutex, NULL);
}

/* --- giving back ------------------------------------------------------------------------------ */

static void make_threads(pthread_mutex_t *mutex)
{
	set_token(mutex, 0);
	mutex->__data.__owner = thread_fresh()->worker->tid;
}

static noinline int unlock_owned(struct task *self, pthread_mutex_t *mutex)
{
	int rc;

	if (owned_by(mutex, self)) {
		if (--libc_owner(mutex)->depth > 0)
			return 0;
		make_threads(mutex);
	}
	rc = weft__real.pthread_mutex_unlock(mutex); /* nobody's: EPERM */
	mutex_told(mutex);
	return rc;
}

int weft__hook_mutex_unlock(struct task *self, pthread_mutex_t *mutex)
{
	int rc;

	if (unlikely(mutex_is_owned(mutex)))
		return unlock_owned(self, mutex);
	set_token(mutex, 0);
	rc = weft__real.pthread_mutex_unlock(mutex);
	mutex_told(mutex);
	return rc;
}

bool weft__hook_mutex_is_held(struct task *self, pthread_mutex_t *mutex)
{
	return !mutex_is_owned(mutex) || owned_by(mutex, self) || owned_by_thread(mutex, self);
}

uint64_t weft__hook_mutex_lend(struct task *self, pthread_mutex_t *mutex)
{
	if (mutex_is_foreign(mutex) || !mutex_is_owned(mutex) || !owned_by(mutex, self))
		return 0;
	make_threads(mutex);
	return libc_owner(mutex)->depth;
}

void weft__hook_mutex_lent(struct task *self, pthread_mutex_t *mutex, uint64_t depth)
{
	if (!depth)
		return;
	set_token(mutex, party_token(self));
	libc_owner(mutex)->depth = depth;
	mutex->__data.__owner = LIBC_NOBODY;
}

/* --- the names ---------------------------------------------------------------------------------- */

/* The calling task, when this mutex is its own business. */
static always_inline struct task *hooked_mutex(const pthread_mutex_t *mutex)
{
	struct task *self = hooked(HOOK_SYNC);

	return likely(!self) || unlikely(mutex_is_foreign(mutex)) ? NULL : self;
}

/* libc has locked it, or not. In a task it is one that blocks the thread. */
static noinline int noted(int rc, const pthread_mutex_t *mutex, const void *site)
{
	/* relaxed: it does not change while there are tasks */
	const struct lock_observer *observer =
		atomic_load_explicit(&weft__observe_locks, memory_order_relaxed);

	if (observer && (rc == 0 || rc == EOWNERDEAD))
		observer->locked(mutex, site,
				 mutex_is_foreign(mutex)
					 ? "it is shared by processes, robust, or inherits priority"
					 : "the task's hooks for it are off");
	return rc;
}

#define NOTED(call, mutex, site) \
	(likely(!weft__thread.task) ? (call) : noted((call), (mutex), (site)))

static always_inline int lock_at(pthread_mutex_t *mutex, const void *site)
{
	struct task *self = hooked_mutex(mutex);

	if (likely(!self))
		return NOTED(weft__real.pthread_mutex_lock(mutex), mutex, site);
	return lock(self, mutex, site);
}

int weft__hook_mutex_lock_at(pthread_mutex_t *mutex, const void *site)
{
	return lock_at(mutex, site);
}

HOOK int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	return lock_at(mutex, __builtin_return_address(0));
}
HOOK_ALIAS(__pthread_mutex_lock, pthread_mutex_lock);

int weft__hook_mutex_trylock_at(pthread_mutex_t *mutex, const void *site)
{
	struct task *self = hooked_mutex(mutex);
	int rc;

	if (likely(!self))
		return NOTED(weft__real.pthread_mutex_trylock(mutex), mutex, site);
	rc = try_once(self, mutex);
	return rc == EDEADLK ? EBUSY : rc;
}

HOOK int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	return weft__hook_mutex_trylock_at(mutex, __builtin_return_address(0));
}
HOOK_ALIAS(__pthread_mutex_trylock, pthread_mutex_trylock);

static int lock_until(struct task *self, pthread_mutex_t *mutex, clockid_t clock,
		      const struct timespec *abstime)
{
	struct until until;
	int rc = must_queue(self, mutex) ? EBUSY : try_once(self, mutex);

	if (rc != EBUSY)
		return rc;
	rc = until_init(&until, clock, abstime);
	return rc ? rc : wait_for(self, mutex, &until);
}

int weft__hook_mutex_timedlock_at(pthread_mutex_t *mutex, const struct timespec *abstime,
				  const void *site)
{
	struct task *self = hooked_mutex(mutex);

	if (likely(!self))
		return NOTED(weft__real.pthread_mutex_timedlock(mutex, abstime), mutex, site);
	return lock_until(self, mutex, CLOCK_REALTIME, abstime);
}

HOOK int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *abstime)
{
	return weft__hook_mutex_timedlock_at(mutex, abstime, __builtin_return_address(0));
}

HOOK int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
				 const struct timespec *abstime)
{
	struct task *self = hooked_mutex(mutex);

	if (likely(!self))
		return NOTED(weft__real.pthread_mutex_clocklock(mutex, clock, abstime), mutex,
			     __builtin_return_address(0));
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return EINVAL;
	return lock_until(self, mutex, clock, abstime);
}

static noinline void tell_unlocked(const pthread_mutex_t *mutex)
{
	atomic_load_explicit(&weft__observe_locks, memory_order_relaxed)->unlocked(mutex);
}

/* Not asked whether this task's calls are hooked: it may have been when it locked. */
HOOK int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	struct task *self = weft__thread.task;
	int rc;

	if (unlikely(self != NULL)) {
		if (unlikely(self->flags & TASK_HOLDS))
			tell_unlocked(mutex);
		if (likely(!mutex_is_foreign(mutex)) && weft__hook_groups)
			return weft__hook_mutex_unlock(self, mutex);
	}
	rc = weft__real.pthread_mutex_unlock(mutex);
	mutex_told(mutex);
	return rc;
}
HOOK_ALIAS(__pthread_mutex_unlock, pthread_mutex_unlock);

HOOK int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	if (unlikely(weft__lot_awaited(mutex)))
		return EBUSY;
	return weft__real.pthread_mutex_destroy(mutex);
}
HOOK_ALIAS(__pthread_mutex_destroy, pthread_mutex_destroy);
