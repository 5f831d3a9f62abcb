/* SPDX-License-Identifier: MIT
 *
 * rwlock.c - pthread_rwlock_*: as mutex.c, with two ways to have it.
 *
 * L1 M1 and M2 of mutex.c: the lock is libc's, and whoever gives it back looks into the lot.
 * L2 libc tells a writer from a reader by the thread that unlocks, and answers EDEADLK to a thread
 *    that has it to write. While a task has it so, libc's writer is nobody, and its token
 *    says who it is; before it is given back the writer is the thread that does so. As M3, M4.
 * L3 Who reads may come by another reader's leave, heir or not: he may have it already, and the
 *    heir waits for that (P3 of lot.h). Nobody has it already when it is free: then the heir
 *    goes first.
 * L4 A waker that finds it free takes the oldest; if he reads, all who read; and only those when it
 *    is being read. So one who is taken to write and then finds readers there, who are
 *    not of the lot, takes those of it; and so does one who gives up.
 *
 * With PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP a task that reads waits for all who wait to write.
 * Threads that read know of threads alone. Locks shared by processes are libc's.
 */
#include <errno.h>
#include <pthread.h>

#include <hook/allocator.h>
#include <hook/mutex.h>
#include <weft/task.h>

const char weft__hook_link_rwlock;

static bool rwlock_is_foreign(const pthread_rwlock_t *rwlock)
{
	return rwlock->__data.__shared;
}

static bool prefers_writers(const pthread_rwlock_t *rwlock)
{
	return rwlock->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
}

/* relaxed: what it says may be over at once */
static unsigned state_of(const pthread_rwlock_t *rwlock)
{
	return __atomic_load_n(&rwlock->__data.__readers, __ATOMIC_RELAXED);
}

static bool is_read(const pthread_rwlock_t *rwlock)
{
	unsigned state = state_of(rwlock);

	return !(state & LIBC_WRITE_PHASE) && state >> LIBC_READERS_SHIFT;
}

/* --- whose it is ------------------------------------------------------------------------------- */

static void set_writer(pthread_rwlock_t *rwlock, int writer, uint64_t token)
{
	/* relaxed: whoever finds himself there has written it */
	atomic_store_explicit(libc_writer(rwlock), token, memory_order_relaxed);
	__atomic_store_n(&rwlock->__data.__cur_writer, writer, __ATOMIC_RELAXED);
}

static bool written_by(pthread_rwlock_t *rwlock, const struct task *self)
{
	uint64_t token = atomic_load_explicit(libc_writer(rwlock), memory_order_relaxed);

	if (token || !(self->flags & TASK_THREAD))
		return token == party_token(self);
	return __atomic_load_n(&rwlock->__data.__cur_writer, __ATOMIC_RELAXED) ==
	       thread_fresh()->worker->tid;
}

/* --- once, without waiting ------------------------------------------------------------------------ */

/* EBUSY: somebody else has it. EDEADLK: the caller, to write. */
static int try_read(struct task *self, pthread_rwlock_t *rwlock)
{
	int rc = weft__real.pthread_rwlock_tryrdlock(rwlock);

	return rc == EBUSY && written_by(rwlock, self) ? EDEADLK : rc;
}

static int try_write(struct task *self, pthread_rwlock_t *rwlock)
{
	int rc = weft__real.pthread_rwlock_trywrlock(rwlock);

	if (rc == 0)
		set_writer(rwlock, LIBC_NOBODY, party_token(self));
	return rc == EBUSY && written_by(rwlock, self) ? EDEADLK : rc;
}

/* --- telling ---------------------------------------------------------------------------------------- */

/* L4 */
static enum lot_whom whom(const void *address)
{
	const pthread_rwlock_t *rwlock = address;
	unsigned state = state_of(rwlock);

	if (is_read(rwlock))
		return LOT_READERS;
	if (state & LIBC_WRITE_LOCKED)
		return LOT_NOBODY;
	return prefers_writers(rwlock) ? LOT_WRITER_FIRST : LOT_OLDEST;
}

/* It may have come free, and may be gone. */
static always_inline void rwlock_told(pthread_rwlock_t *rwlock)
{
	fence_after_unlock();
	/* relaxed: the fences order it, P2 of lot.h */
	if (unlikely(atomic_load_explicit(&lot_bucket(rwlock)->waiting, memory_order_relaxed)))
		weft__lot_wake_by(rwlock, whom);
}

/* --- waiting ----------------------------------------------------------------------------------------- */

struct attempt {
	struct task *self;
	pthread_rwlock_t *rwlock;
	int rc;
};

static bool attempt_write(void *arg)
{
	struct attempt *attempt = arg;

	attempt->rc = try_write(attempt->self, attempt->rwlock);
	return attempt->rc != EBUSY;
}

/* L3. Who has it to write need not wait to be told so. */
static bool must_let_go_first(const struct attempt *attempt)
{
	pthread_rwlock_t *rwlock = attempt->rwlock;

	if (written_by(rwlock, attempt->self))
		return false;
	if (weft__lot_has_heir(rwlock, attempt->self))
		return prefers_writers(rwlock) || !is_read(rwlock);
	return prefers_writers(rwlock) && weft__lot_has_queued(rwlock, LOT_WRITE) &&
	       !weft__lot_has_heir(rwlock, NULL); /* the caller is */
}

static bool attempt_read(void *arg)
{
	struct attempt *attempt = arg;

	attempt->rc = must_let_go_first(attempt) ? EBUSY : try_read(attempt->self, attempt->rwlock);
	return attempt->rc != EBUSY;
}

static void queued_again(void *arg)
{
	rwlock_told(((struct attempt *)arg)->rwlock);
}

static noinline int wait_for(struct task *self, pthread_rwlock_t *rwlock, enum lot_kind kind,
			     const struct until *until)
{
	struct attempt att = { .self = self, .rwlock = rwlock };
	struct lot_wait wait = { .address = rwlock,
				 .kind = kind,
				 .deadline_ns = until->ns,
				 .clock = until->clock,
				 .bits = WAIT_SHIELD,
				 .unheeding = kind == LOT_READ,
				 .try = kind == LOT_READ ? attempt_read : attempt_write,
				 .arg = &att };

	for (;;) {
		int rc = weft__lot_wait(self, &wait);

		if (rc == LOT_DONE || rc == -ETIMEDOUT) {
			if (rc != LOT_DONE || kind == LOT_READ)
				rwlock_told(rwlock);
			return rc == LOT_DONE ? att.rc : ETIMEDOUT;
		}
		if (rc == -ENOMEM) {
			weft_task_yield(); /* no timer for a task on a shared stack */
			continue;
		}
		wait.vain++;
		wait.queued = kind == LOT_WRITE ? queued_again : NULL;
	}
}

static always_inline bool has_heirs(void)
{
	/* relaxed: an heir whom nobody sees yet is passed once more */
	return unlikely(atomic_load_explicit(&weft__lot_heirs, memory_order_relaxed));
}

static bool must_queue(struct task *self, pthread_rwlock_t *rwlock, enum lot_kind kind)
{
	if (kind == LOT_WRITE)
		return has_heirs() && !written_by(rwlock, self);
	if (prefers_writers(rwlock)) /* an heir on his way is not queued */
		return has_heirs() ||
		       atomic_load_explicit(&lot_bucket(rwlock)->waiting, memory_order_relaxed);
	return has_heirs() && !is_read(rwlock);
}

static int try_once(struct task *self, pthread_rwlock_t *rwlock, enum lot_kind kind)
{
	return kind == LOT_READ ? try_read(self, rwlock) : try_write(self, rwlock);
}

/* @caller: NULL, or who calls without a limit */
static always_inline int lock(struct task *self, pthread_rwlock_t *rwlock, enum lot_kind kind,
			      const struct until *until, const void *caller)
{
	int rc = must_queue(self, rwlock, kind) ? EBUSY : try_once(self, rwlock, kind);

	if (likely(rc != EBUSY))
		return rc;
	if (unlikely(weft__hook_in_allocator(caller)))
		return kind == LOT_READ ? weft__real.pthread_rwlock_rdlock(rwlock)
					: weft__real.pthread_rwlock_wrlock(rwlock);
	return wait_for(self, rwlock, kind, until);
}

static int lock_until(struct task *self, pthread_rwlock_t *rwlock, enum lot_kind kind,
		      clockid_t clock, const struct timespec *abstime)
{
	struct until until;
	int rc = until_init(&until, clock, abstime);

	return rc ? rc : lock(self, rwlock, kind, &until, NULL);
}

/* --- the names ----------------------------------------------------------------------------------------- */

/* The calling task, when this lock is its own business. */
static always_inline struct task *hooked_rwlock(const pthread_rwlock_t *rwlock)
{
	struct task *self = hooked(HOOK_SYNC);

	return likely(!self) || unlikely(rwlock_is_foreign(rwlock)) ? NULL : self;
}

HOOK int pthread_rwlock_rdlock(pthread_rwlock_t *rwlock)
{
	struct task *self = hooked_rwlock(rwlock);

	if (likely(!self))
		return weft__real.pthread_rwlock_rdlock(rwlock);
	return lock(self, rwlock, LOT_READ, &until_forever, __builtin_return_address(0));
}
HOOK_ALIAS(__pthread_rwlock_rdlock, pthread_rwlock_rdlock);

HOOK int pthread_rwlock_wrlock(pthread_rwlock_t *rwlock)
{
	struct task *self = hooked_rwlock(rwlock);

	if (likely(!self))
		return weft__real.pthread_rwlock_wrlock(rwlock);
	return lock(self, rwlock, LOT_WRITE, &until_forever, __builtin_return_address(0));
}
HOOK_ALIAS(__pthread_rwlock_wrlock, pthread_rwlock_wrlock);

HOOK int pthread_rwlock_tryrdlock(pthread_rwlock_t *rwlock)
{
	return weft__real.pthread_rwlock_tryrdlock(rwlock);
}
HOOK_ALIAS(__pthread_rwlock_tryrdlock, pthread_rwlock_tryrdlock);

HOOK int pthread_rwlock_trywrlock(pthread_rwlock_t *rwlock)
{
	struct task *self = hooked_rwlock(rwlock);
	int rc;

	if (likely(!self))
		return weft__real.pthread_rwlock_trywrlock(rwlock);
	rc = try_write(self, rwlock);
	return rc == EDEADLK ? EBUSY : rc;
}
HOOK_ALIAS(__pthread_rwlock_trywrlock, pthread_rwlock_trywrlock);

/* A thread that gives up: who waits for threads that wait to write goes on. */
static int thread_gave_up(int rc, pthread_rwlock_t *rwlock)
{
	if (unlikely(rc != 0))
		rwlock_told(rwlock);
	return rc;
}

HOOK int pthread_rwlock_timedrdlock(pthread_rwlock_t *rwlock, const struct timespec *abstime)
{
	struct task *self = hooked_rwlock(rwlock);

	if (likely(!self))
		return weft__real.pthread_rwlock_timedrdlock(rwlock, abstime);
	return lock_until(self, rwlock, LOT_READ, CLOCK_REALTIME, abstime);
}

HOOK int pthread_rwlock_timedwrlock(pthread_rwlock_t *rwlock, const struct timespec *abstime)
{
	struct task *self = hooked_rwlock(rwlock);

	if (likely(!self))
		return thread_gave_up(weft__real.pthread_rwlock_timedwrlock(rwlock, abstime),
				      rwlock);
	return lock_until(self, rwlock, LOT_WRITE, CLOCK_REALTIME, abstime);
}

HOOK int pthread_rwlock_clockrdlock(pthread_rwlock_t *rwlock, clockid_t clock,
				    const struct timespec *abstime)
{
	struct task *self = hooked_rwlock(rwlock);

	if (likely(!self))
		return weft__real.pthread_rwlock_clockrdlock(rwlock, clock, abstime);
	return lock_until(self, rwlock, LOT_READ, clock, abstime);
}

HOOK int pthread_rwlock_clockwrlock(pthread_rwlock_t *rwlock, clockid_t clock,
				    const struct timespec *abstime)
{
	struct task *self = hooked_rwlock(rwlock);

	if (likely(!self))
		return thread_gave_up(weft__real.pthread_rwlock_clockwrlock(rwlock, clock, abstime),
				      rwlock);
	return lock_until(self, rwlock, LOT_WRITE, clock, abstime);
}

/* Not asked whether this task's calls are hooked: it may have been when it locked. */
HOOK int pthread_rwlock_unlock(pthread_rwlock_t *rwlock)
{
	struct task *self = weft__thread.task;
	int rc;

	/* relaxed: written by who has it */
	if (unlikely(self != NULL) &&
	    atomic_load_explicit(libc_writer(rwlock), memory_order_relaxed) == party_token(self))
		set_writer(rwlock, thread_fresh()->worker->tid, 0);
	rc = weft__real.pthread_rwlock_unlock(rwlock);
	rwlock_told(rwlock);
	return rc;
}
HOOK_ALIAS(__pthread_rwlock_unlock, pthread_rwlock_unlock);

HOOK int pthread_rwlock_destroy(pthread_rwlock_t *rwlock)
{
	if (unlikely(weft__lot_awaited(rwlock)))
		return EBUSY;
	return weft__real.pthread_rwlock_destroy(rwlock);
}
HOOK_ALIAS(__pthread_rwlock_destroy, pthread_rwlock_destroy);
