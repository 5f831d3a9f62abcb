/* SPDX-License-Identifier: MIT
 *
 * semaphore.c - sem_wait() and its kin: a task that finds no permit waits in the lot.
 *
 * Y1 The semaphore is libc's: a task takes a permit by libc's sem_trywait(), and whoever posts does
 *    that by libc's sem_post() and tells the lot, in a way that a signal handler may (sync/post.h).
 * Y2 A post wakes one. Who has his permit after a wait looks whether there is one more, and
 *    wakes another: posts that come while an heir is on his way (P3 of lot.h) wake nobody.
 * Y3 Of one that is shared by processes, as named ones are, others post unseen. The task
 *    looks by itself now and then (P5), and is told of what is posted in here.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include <hook/allocator.h>
#include <hook/mutex.h>
#include <sync/post.h>
#include <weft/task.h>

const char weft__hook_link_semaphore;

static const struct libc_semaphore *inside(const sem_t *sem)
{
	return (const struct libc_semaphore *)(const void *)sem;
}

/* relaxed: whoever posts next looks for us */
static bool has_permit(const sem_t *sem)
{
	return (uint32_t)atomic_load_explicit(
		&((struct libc_semaphore *)(uintptr_t)inside(sem))->value, memory_order_relaxed);
}

/* errno stays: a call that succeeds leaves it alone. */
static bool try_once(sem_t *sem)
{
	int saved_errno = errno;
	bool taken = has_permit(sem) && weft__real.sem_trywait(sem) == 0;

	errno = saved_errno;
	return taken;
}

static bool attempt(void *sem)
{
	return try_once(sem);
}

/* Y2 */
static void pass_on(sem_t *sem)
{
	if (has_permit(sem))
		lot_tell(sem, 1);
}

/* Return: 0, or a negative error. */
static noinline int wait_for(struct task *self, sem_t *sem, const struct until *until)
{
	bool told = weft__post_office_open() == 0;
	struct lot_wait wait = { .address = told ? (const char *)sem : (const char *)sem + 1,
				 .kind = LOT_SEMAPHORE,
				 .deadline_ns = until->ns,
				 .clock = until->clock,
				 .unseen = !told || inside(sem)->shared,
				 .try = attempt,
				 .arg = sem };

	for (;;) {
		int rc = weft__lot_wait(self, &wait);

		if (rc == LOT_DONE) {
			pass_on(sem);
			return 0;
		}
		if (rc == -ENOMEM)
			weft_task_yield(); /* no timer for a task on a shared stack */
		else if (rc < 0)
			return rc;
		else
			wait.vain++;
	}
}

static always_inline int take(struct task *self, sem_t *sem, const struct until *until)
{
	/* relaxed: an heir whom nobody sees yet is passed once more */
	bool heirs = atomic_load_explicit(&weft__lot_heirs, memory_order_relaxed);

	if (likely(!heirs) && likely(try_once(sem)))
		return 0;
	return (int)hook_return(wait_for(self, sem, until));
}

static int take_until(struct task *self, sem_t *sem, clockid_t clock,
		      const struct timespec *abstime)
{
	struct until until;
	int rc = until_init(&until, clock, abstime);

	return rc ? (int)weft__hook_fail(-rc) : take(self, sem, &until);
}

/* --- the names ---------------------------------------------------------------------------------- */

HOOK int sem_wait(sem_t *sem)
{
	struct task *self = hooked(HOOK_SYNC);

	if (likely(!self) || unlikely(weft__hook_in_allocator(__builtin_return_address(0))))
		return weft__real.sem_wait(sem);
	return take(self, sem, &until_forever);
}

HOOK int sem_timedwait(sem_t *sem, const struct timespec *abstime)
{
	struct task *self = hooked(HOOK_SYNC);

	if (likely(!self))
		return weft__real.sem_timedwait(sem, abstime);
	return take_until(self, sem, CLOCK_REALTIME, abstime);
}

HOOK int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *abstime)
{
	struct task *self = hooked(HOOK_SYNC);

	if (likely(!self))
		return weft__real.sem_clockwait(sem, clock, abstime);
	return take_until(self, sem, clock, abstime);
}

/* The semaphore may be gone after libc's. Async-signal-safe. */
HOOK int sem_post(sem_t *sem)
{
	int rc = weft__real.sem_post(sem);

	fence_after_unlock();
	lot_post(sem);
	return rc;
}

HOOK int sem_destroy(sem_t *sem)
{
	if (unlikely(weft__lot_awaited(sem)))
		return (int)weft__hook_fail(-EBUSY);
	return weft__real.sem_destroy(sem);
}
