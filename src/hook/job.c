/* SPDX-License-Identifier: MIT
 *
 * job.c - calls that have no non-blocking form, made on a helper thread; and
 * the one place where errno is written.
 */
#include <errno.h>

#include <hook/hook.h>

noinline long weft__hook_fail(long rc)
{
	if (rc == -ECANCELED)
		weft__hook_testcancel();
	errno = (int)-rc;
	return -1;
}

void weft__hook_job_put(struct hook_job *job)
{
	if (ref_put(&job->refs))
		job->drop(job);
}

static void run_job(void *arg)
{
	struct hook_job *job = arg;

	errno = 0;
	job->run(job);
	job->error = errno;
	weft__hook_job_put(job);
}

/* Two references: ours, and the helper's. A cancelled task leaves at once and
 * takes no result; the helper then is the last. */
int weft__hook_job_run(struct task *self, struct hook_job *job)
{
	uint64_t ticket = weft__park_begin(self);
	int rc;

	if (!ticket) {
		job->drop(job);
		weft__hook_testcancel();
		return weft__park_refusal(self);
	}
	atomic_store_explicit(&job->refs, 2, memory_order_relaxed);
	rc = weft__offload_submit(run_job, job, ticket);
	if (rc < 0) {
		weft__park_abort(self);
		job->drop(job);
		return rc;
	}
	rc = weft__park(self, WAIT_OFFLOAD, WEFT_FOREVER);
	if (rc < 0) {
		weft__hook_job_put(job);
		weft__hook_testcancel();
	}
	return rc;
}
