/* SPDX-License-Identifier: MIT
 *
 * offload.c - helper threads for calls that cannot be made to wait politely:
 * name resolution, files, whatever the user hands to weft_offload().
 *
 * Threads are made when work waits and none is idle, up to THREADS_MAX; one
 * that has been idle for IDLE_SECONDS ends. They take no signals and are no
 * tasks. Jobs are on the heap: a shared stack is not there while its task
 * is parked.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <base/fault.h>
#include <base/helper.h>
#include <base/lock.h>
#include <base/observe.h>
#include <base/only_once.h>
#include <base/syscall.h>
#include <core/park.h>

enum { THREADS_MAX = 64, IDLE_SECONDS = 10, STACK_BYTES = 1 << 20 };

struct job {
	struct job *next;
	void (*fn)(void *arg);
	void *arg;
	uint64_t ticket;
};

static struct {
	struct lock lock;
	_Atomic uint32_t more; /* a futex: how often a job has come */
	struct job *head, **tail;
	unsigned queued, idle, threads;
} pool;

static struct only_once pool_once;

/* The child of fork(2) has none of our threads, and its jobs are the parent's. */
static void reset_in_child(void)
{
	pool.lock = (struct lock){ LOCK_FREE };
	pool.head = NULL;
	pool.tail = &pool.head;
	pool.queued = pool.idle = pool.threads = 0;
}

static void pool_init(void)
{
	pool.tail = &pool.head;
	pthread_atfork(NULL, NULL, reset_in_child);
}

/* The lock is held, but while it sleeps. False: the time has come. */
static bool wait_for_more(const struct timespec *until)
{
	/* relaxed: it changes under the lock */
	uint32_t seen = atomic_load_explicit(&pool.more, memory_order_relaxed);
	long rc;

	lock_drop(&pool.lock);
	rc = weft__syscall(SYS_futex, &pool.more, FUTEX_WAIT_BITSET_PRIVATE, seen, until, NULL,
			   FUTEX_BITSET_MATCH_ANY);
	lock_take(&pool.lock);
	return rc != -ETIMEDOUT;
}

/* The lock is held. */
static void tell_one_more(void)
{
	atomic_fetch_add_explicit(&pool.more, 1, memory_order_relaxed);
	weft__syscall(SYS_futex, &pool.more, FUTEX_WAKE_PRIVATE, 1);
}

/* The lock is held. NULL: idle for too long. */
static struct job *next_job(void)
{
	struct timespec until;
	struct job *job;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	while (!pool.head) {
		bool in_time;

		pool.idle++;
		in_time = wait_for_more(&until);
		pool.idle--;
		if (!in_time && !pool.head)
			return NULL;
	}
	job = pool.head;
	pool.head = job->next;
	if (!pool.head)
		pool.tail = &pool.head;
	pool.queued--;
	return job;
}

static void finish(struct job *job)
{
	weft__wake(job->ticket, 0);
	free(job);
	lock_take(&pool.lock);
}

/* The lock is held: this thread takes no more jobs. */
static void helper_gone(void)
{
	pool.threads--;
	observe_thread(-1);
	lock_drop(&pool.lock);
}

/* The job's function has called pthread_exit(): its task goes on, this thread does not. */
static void helper_ends(void *job)
{
	finish(job);
	helper_gone();
}

/* Not inlined: it may return twice, as setjmp(3) does. */
static noinline void run(struct job *job)
{
	pthread_cleanup_push(helper_ends, job);
	job->fn(job->arg);
	pthread_cleanup_pop(0);
}

static void *helper_main(void *arg)
{
	struct job *job;

	(void)arg;
	lock_take(&pool.lock);
	while ((job = next_job()) != NULL) {
		lock_drop(&pool.lock);
		run(job);
		finish(job);
	}
	helper_gone();
	return NULL;
}

/* The lock is held. */
static int helper_start(void)
{
	int rc = weft__helper_start(helper_main, STACK_BYTES);

	if (rc == 0)
		pool.threads++;
	return rc;
}

int weft__offload_submit(void (*fn)(void *arg), void *arg, uint64_t ticket)
{
	struct job *job = weft__malloc(sizeof *job);
	int rc = 0;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ .fn = fn, .arg = arg, .ticket = ticket };
	only_once(&pool_once, pool_init);

	lock_take(&pool.lock);
	if (pool.idle <= pool.queued && pool.threads < THREADS_MAX)
		rc = helper_start();
	if (rc == 0 || pool.threads > 0) {
		*pool.tail = job;
		pool.tail = &job->next;
		pool.queued++;
		tell_one_more();
		rc = 0;
	}
	lock_drop(&pool.lock);
	if (rc < 0)
		free(job);
	return rc < 0 ? -EAGAIN : 0;
}

/* --- weft_offload ---------------------------------------------------------- */

struct call {
	weft_fn *fn;
	void *arg;
	int result;
};

static void run_call(void *arg)
{
	struct call *call = arg;

	call->result = call->fn(call->arg);
}

int weft_offload(weft_fn *fn, void *arg, int *ret)
{
	struct task *self = weft__task_current();
	struct call *call;
	uint64_t ticket;
	int rc;

	if (!fn)
		return -EINVAL;
	if (!self) {
		rc = fn(arg);
		if (ret)
			*ret = rc;
		return 0;
	}
	call = weft__malloc(sizeof *call);
	if (!call)
		return -ENOMEM;
	*call = (struct call){ .fn = fn, .arg = arg };
	ticket = weft__park_begin_shielded(self);
	rc = weft__offload_submit(run_call, call, ticket);
	if (rc < 0) {
		weft__park_abort(self);
	} else {
		weft__park(self, WAIT_OFFLOAD, WEFT_FOREVER);
		if (ret)
			*ret = call->result;
		if (weft_cancelled())
			rc = -ECANCELED;
	}
	free(call);
	return rc;
}
