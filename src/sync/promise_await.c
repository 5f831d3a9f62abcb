/* SPDX-License-Identifier: MIT
 *
 * promise_await.c - waiting for one promise.
 */
#include <sync/promise.h>

/* Lock held, and released: the promise is pending. Who is woken has been counted out by the
 * waker. Return: PROMISE_SETTLED, PROMISE_PROGRESS, or how the wait has ended otherwise. */
static int wait_in(weft_promise *promise, struct waitq *queue, struct task *self,
		   int64_t deadline_ns)
{
	int rc;

	promise->waiting++;
	rc = weft__waitq_wait(queue, &promise->lock, &promise->waitable, self, deadline_ns, 0);
	if (unlikely(rc < 0)) {
		spin_lock(&promise->lock);
		if (!promise_settled(promise))
			promise->waiting--;
		spin_unlock(&promise->lock);
	}
	return rc;
}

static noinline int await_pending(weft_promise *promise, int64_t deadline_ns, void **ret_value)
{
	struct task *self;
	int rc = 0;

	self = party_self(&rc);
	if (!self)
		return rc;
	spin_lock(&promise->lock);
	if (unlikely(promise_settled(promise))) {
		spin_unlock(&promise->lock);
		return promise_outcome(promise, ret_value);
	}
	rc = wait_in(promise, &promise->waiters, self, deadline_ns);
	return likely(rc == PROMISE_SETTLED) ? promise_outcome(promise, ret_value) : rc;
}

int weft_await(weft_promise *promise, int64_t deadline_ns, void **ret_value)
{
	if (unlikely(!promise))
		return -EINVAL;
	if (promise_settled(promise))
		return promise_outcome(promise, ret_value);
	if (deadline_ns == WEFT_NOWAIT)
		return -EAGAIN;
	return await_pending(promise, deadline_ns, ret_value);
}

/* --- progress ----------------------------------------------------------------------------- */

/* Lock held. 1: there is something new. */
static int take_progress(weft_promise *promise, uint64_t *seen, void **ret_value)
{
	if (promise->progress_count == *seen)
		return 0;
	*seen = promise->progress_count;
	if (ret_value)
		*ret_value = promise->progress;
	return 1;
}

static int await_progress(weft_promise *promise, struct task *self, uint64_t *seen,
			  int64_t deadline_ns, void **ret_value)
{
	int rc;

	do {
		spin_lock(&promise->lock);
		rc = 0;
		if (promise_settled(promise) || (rc = take_progress(promise, seen, ret_value))) {
			spin_unlock(&promise->lock);
			return rc ? rc : promise_outcome(promise, ret_value);
		}
		if (deadline_ns == WEFT_NOWAIT) {
			spin_unlock(&promise->lock);
			return -EAGAIN;
		}
		rc = wait_in(promise, &promise->followers, self, deadline_ns);
	} while (rc == PROMISE_PROGRESS || rc == PROMISE_SETTLED);
	return rc;
}

int weft_await_progress(weft_promise *promise, uint64_t *seen, int64_t deadline_ns,
			void **ret_value)
{
	struct task *self = NULL;
	int rc = 0;

	if (!promise || !seen)
		return -EINVAL;
	if (deadline_ns != WEFT_NOWAIT && !(self = party_self(&rc)))
		return rc;
	return await_progress(promise, self, seen, deadline_ns, ret_value);
}
