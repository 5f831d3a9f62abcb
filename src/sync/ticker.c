/* SPDX-License-Identifier: MIT
 *
 * ticker.c - timers as channels. Nothing runs for them: who receives waits until the time
 * that is written in the channel, and takes the tick under the lock.
 *
 * Whoever waits is queued as a receiver, though nobody ever hands it a value: so that
 * a change of the time, or the end of the timer, reaches it.
 */
#include <stdint.h>

#include <sync/chan.h>
#include <weft/time.h>

/* The first tick after now: those that nobody has fetched are dropped. */
static int64_t next_tick(int64_t when_ns, int64_t period_ns, int64_t now_ns)
{
	int64_t missed = (now_ns - when_ns) / period_ns;

	if (missed >= (WEFT_FOREVER - when_ns) / period_ns)
		return WEFT_FOREVER;
	return when_ns + (missed + 1) * period_ns;
}

bool weft__ticker_take(weft_chan *timer, int64_t now_ns, void *ret_value)
{
	if (timer->when_ns == WEFT_FOREVER || now_ns < timer->when_ns)
		return false;
	if (ret_value)
		memcpy(ret_value, &timer->when_ns, sizeof timer->when_ns);
	timer->when_ns = timer->period_ns ? next_tick(timer->when_ns, timer->period_ns, now_ns)
					  : WEFT_FOREVER;
	return true;
}

/* Lock held, and released. 0: look again. */
static int wait_for_tick(weft_chan *timer, struct task *self, int64_t deadline_ns)
{
	int64_t until_ns = timer->when_ns < deadline_ns ? timer->when_ns : deadline_ns;
	bool own = deadline_ns < timer->when_ns;
	int rc = weft__waitq_wait(&timer->receivers, &timer->lock, &timer->waitable, self, until_ns,
				  0);

	return rc == -ETIMEDOUT && !own ? 0 : rc;
}

int weft__ticker_recv(weft_chan *timer, void *ret_value, int64_t deadline_ns)
{
	struct task *self = NULL;
	int rc;

	if (deadline_ns != WEFT_NOWAIT) {
		self = party_self(&rc);
		if (!self)
			return rc;
	}
	do {
		spin_lock(&timer->lock);
		rc = timer->closed                                     ? -EPIPE
		     : weft__ticker_take(timer, weft_now(), ret_value) ? 1
		     : self                                            ? 0
								       : -EAGAIN;
		if (rc != 0)
			spin_unlock(&timer->lock);
		else
			rc = wait_for_tick(timer, self, deadline_ns);
	} while (rc == 0);
	return rc > 0 ? 0 : rc;
}

int weft_timer_set(weft_chan *timer, int64_t when_ns, int64_t period_ns)
{
	struct peer peer;

	if (!timer || timer->kind != CHAN_TIMER || when_ns < 0 || period_ns < 0)
		return -EINVAL;
	spin_lock(&timer->lock);
	if (timer->closed) {
		spin_unlock(&timer->lock);
		return -EPIPE;
	}
	timer->when_ns = when_ns;
	timer->period_ns = period_ns;
	while ((peer = peer_take(&timer->receivers)).task != NULL)
		party_wake(peer.task, SELECT_AGAIN);
	spin_unlock(&timer->lock);
	return 0;
}
