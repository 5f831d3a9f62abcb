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
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <base/fault.h>
#include <base/helper.h>
#include <base/observe.h>
#include <core/park.h>

enum { THREADS_MAX = 64, IDLE_SECONDS = 10, STACK_BYTES = 1 << 20 };

struct job {
	struct job *next;
	void (*fn)(void *arg);
	void *arg;
	uint64_t ticket;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *head, **tail;
	unsigned queued, idle, threads;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void cond_init(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool.more, &attr);
	pthread_condattr_destroy(&attr);
}

/* The child of fork(2) has none of our threads, and its jobs are the parent's. */
static void reset_in_child(void)
{
	pthread_mutex_init(&pool.lock, NULL);
	cond_init();
	pool.head = NULL;
	pool.tail = &pool.head;
	pool.queued = pool.idle = pool.threads = 0;
}

static void pool_init(void)
{
	cond_init();
	pool.tail = &pool.head;
	pthread_atfork(NULL, NULL, reset_in_child);
}

/* The lock is held. NULL: idle for too long. */
static struct job *next_job(void)
{
	struct timespec until;
	struct job *job;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	while (!pool.head) {
		int rc;

		pool.idle++;
		rc = pthread_cond_timedwait(&pool.more, &pool.lock, &until);
		pool.idle--;
		if (rc == ETIMEDOUT && !pool.head)
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
	pthread_mutex_lock(&pool.lock);
}

/* The lock is held: this thread takes no more jobs. */
static void helper_gone(void)
{
	pool.threads--;
	observe_thread(-1);
	pthread_mutex_unlock(&pool.lock);
}

/* The job's function has called pthread_exit(): its task goes on, this thread does not. */
static void helper_ends(void *job)
{
	finish(job);
	helper_gone();
}

static void *helper_main(void *arg)
{
	struct job *job;

	(void)arg;
	pthread_mutex_lock(&pool.lock);
	while ((job = next_job()) != NULL) {
		pthread_mutex_unlock(&pool.lock);
		pthread_cleanup_push(helper_ends, job);
		job->fn(job->arg);
		pthread_cleanup_pop(0);
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
	pthread_once(&pool_once, pool_init);

	pthread_mutex_lock(&pool.lock);
	if (pool.idle <= pool.queued && pool.threads < THREADS_MAX)
		rc = helper_start();
	if (rc == 0 || pool.threads > 0) {
		*pool.tail = job;
		pool.tail = &job->next;
		pool.queued++;
		pthread_cond_signal(&pool.more);
		rc = 0;
	}
	pthread_mutex_unlock(&pool.lock);
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
