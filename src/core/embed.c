/* SPDX-License-Identifier: MIT
 *
 * embed.c - a runtime inside a foreign event loop.
 */
#include <errno.h>

#include <base/clock.h>
#include <core/park.h>
#include <core/runtime.h>

int weft_runtime_fd(void)
{
	int rc = 0;

	if (!weft__task_self(&rc))
		return rc;
	if (weft__thread.worker->runtime)
		return -EPERM;
	return weft__thread.worker->poller.epoll_fd;
}

int64_t weft_runtime_step(void)
{
	struct task *self = weft__thread.task;
	struct worker *worker = weft__thread.worker;
	int64_t next_ns, now_ns;

	if (!self || !(self->flags & TASK_THREAD) || weft__thread.coroutine || worker->runtime)
		return -EPERM;
	weft__worker_look(worker);
	weft__yield_now(self);
	/* From here on wakers in other threads must make the fd readable. */
	if (worker->queue.head || worker->crowded || !weft__worker_announce_sleep(worker))
		return 0;
	next_ns = weft__wheel_next(&worker->wheel);
	if (next_ns == INT64_MAX)
		return WEFT_FOREVER;
	now_ns = weft__now();
	return next_ns > now_ns ? next_ns - now_ns : 0;
}
