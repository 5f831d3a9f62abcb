/* SPDX-License-Identifier: MIT
 *
 * join.c - pthread_join() and its kin, for a task: libc's join with a limit that is over says at once
 * whether the thread has ended, or can never be joined. Until it has, the task looks now and then.
 *
 * Nobody tells of a thread's end: the kernel says it to a word that is libc's secret. So the looks
 * are 0.1 ms apart at first, later up to 13 (P5 of lot.h). A helper that waits in libc's join instead
 * could not be taken back when the task is cancelled: and the thread must stay joinable.
 *
 * Under ThreadSanitizer a join blocks the thread. Its functions of these names lose a thread that ends
 * while a join with a limit gives up (gcc 12, clang 14), and then abort.
 */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include <hook/mutex.h>
#include <weft/task.h>

const char weft__hook_link_join;

/* ETIMEDOUT: it runs. */
static int try_join(pthread_t thread, void **ret)
{
	static const struct timespec over = { -1, 0 };

	return weft__real.pthread_timedjoin_np(thread, ret, &over);
}

/* In the lot libc's must not be called: it frees memory, and an allocator may lock. */
static bool not_yet(void *unused)
{
	(void)unused;
	return false;
}

static int join(struct task *self, pthread_t thread, void **ret, const struct until *until)
{
	struct lot_wait wait = { .address = (const void *)thread, /* NOLINT: an address in glibc */
				 .kind = LOT_THREAD,
				 .deadline_ns = until->ns,
				 .clock = until->clock,
				 .unseen = true,
				 .try = not_yet };
	int rc = 0, rc_join;

	while ((rc_join = try_join(thread, ret)) == ETIMEDOUT && rc >= 0) {
		rc = weft__lot_wait(self, &wait);
		if (rc == -ENOMEM) {
			weft_task_yield(); /* no timer for a task on a shared stack */
			rc = 0;
		}
		wait.vain++;
	}
	if (rc_join == ETIMEDOUT && rc == -ECANCELED)
		weft__hook_testcancel();
	return rc_join == ETIMEDOUT ? -rc : rc_join;
}

static int join_until(struct task *self, pthread_t thread, void **ret, clockid_t clock,
		      const struct timespec *abstime)
{
	struct until until;
	int rc;

	if (!abstime)
		return join(self, thread, ret, &until_forever);
	rc = until_init(&until, clock, abstime);
	return rc ? rc : join(self, thread, ret, &until);
}

/* --- the names ------------------------------------------------------------------------------- */

static struct task *hooked_join(void)
{
	return WEFT_TSAN ? NULL : hooked(HOOK_SYNC);
}

HOOK int pthread_join(pthread_t thread, void **ret)
{
	struct task *self = hooked_join();

	if (likely(!self))
		return weft__real.pthread_join(thread, ret);
	return join(self, thread, ret, &until_forever);
}

HOOK int pthread_timedjoin_np(pthread_t thread, void **ret, const struct timespec *abstime)
{
	struct task *self = hooked_join();

	if (likely(!self))
		return weft__real.pthread_timedjoin_np(thread, ret, abstime);
	return join_until(self, thread, ret, CLOCK_REALTIME, abstime);
}

HOOK int pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock,
			      const struct timespec *abstime)
{
	struct task *self = hooked_join();

	if (likely(!self))
		return weft__real.pthread_clockjoin_np(thread, ret, clock, abstime);
	return join_until(self, thread, ret, clock, abstime);
}

HOOK int thrd_join(thrd_t thread, int *ret)
{
	void *value;
	int rc = pthread_join(thread, &value);

	if (rc == 0 && ret)
		*ret = (int)(intptr_t)value;
	return rc == 0 ? thrd_success : rc == ENOMEM ? thrd_nomem : thrd_error;
}
