/* SPDX-License-Identifier: MIT
 *
 * movers.c - timers of movable tasks: a wheel with a lock, one a worker.
 *
 * A task arms its timer with the worker that it runs on, and disarms it wherever it goes
 * on. Whoever has time fires what is due: mostly the worker itself; when that is stuck,
 * the lookout (lookout.c). Timers that call a function (call_timer.h) are here for the same reason.
 */
#include <errno.h>

#include <core/park.h>
#include <core/runtime.h>

/* Lock held. armed is a hint for those who do not hold it: relaxed. */
static void note_armed(struct movers *movers)
{
	atomic_store_explicit(&movers->armed, (uint32_t)movers->wheel.armed, memory_order_relaxed);
}

void weft__movers_arm(struct movers *movers, struct timer *timer, int64_t when_ns, uint64_t ticket)
{
	timer->when_ns = when_ns;
	timer->ticket = ticket;
	spin_lock(&movers->lock);
	weft__timer_arm(&movers->wheel, timer);
	note_armed(movers);
	spin_unlock(&movers->lock);
}

void weft__movers_cancel(struct movers *movers, struct timer *timer)
{
	spin_lock(&movers->lock);
	weft__timer_cancel(&movers->wheel, timer);
	note_armed(movers);
	spin_unlock(&movers->lock);
}

void weft__movers_fire(struct movers *movers, int64_t now_ns)
{
	struct timer *timer;

	if (!atomic_load_explicit(&movers->armed, memory_order_relaxed))
		return;
	/* Held while they are woken: a task that is woken disarms its timer, and may arm it
	 * again, when we are done with the list that it is linked in. */
	spin_lock(&movers->lock);
	timer = weft__wheel_advance(&movers->wheel, now_ns);
	note_armed(movers);
	for (; timer; timer = timer->next) {
		if (timer_called(timer))
			continue;
		trace_timer(timer->ticket, now_ns - timer->when_ns);
		weft__wake(timer->ticket, -ETIMEDOUT);
	}
	spin_unlock(&movers->lock);
}

int64_t weft__movers_next(struct movers *movers)
{
	int64_t next_ns;

	if (!atomic_load_explicit(&movers->armed, memory_order_relaxed))
		return INT64_MAX;
	spin_lock(&movers->lock);
	next_ns = weft__wheel_next(&movers->wheel);
	spin_unlock(&movers->lock);
	return next_ns;
}
