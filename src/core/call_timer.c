/* SPDX-License-Identifier: MIT
 *
 * call_timer.c - see call_timer.h.
 *
 * A wheel may be gone before the timer is: the runtime has ended, or we are in the child of a
 * fork, where wheels begin anew. The number of the runtime's main task and the first id of this
 * process tell.
 */
#include <core/call_timer.h>
#include <core/runtime.h>

static uint64_t runtime_number(const struct worker *worker)
{
	return task_id(&(worker->runtime ? worker->runtime->workers[0] : worker)->main.task);
}

void weft__call_timer_arm(struct call_timer *call, int64_t when_ns)
{
	struct worker *worker = weft__thread.worker;

	call->home = worker;
	call->runtime = runtime_number(worker);
	call->forks = weft__first_id;
	if (worker->runtime) {
		weft__movers_arm(&worker->movers, &call->timer, when_ns, 0);
		weft__share_watch(worker->runtime);
		return;
	}
	call->timer.when_ns = when_ns;
	call->timer.ticket = 0;
	weft__timer_arm(&worker->wheel, &call->timer);
}

void weft__call_timer_cancel(struct call_timer *call)
{
	struct worker *worker = weft__thread.worker, *home = call->home;

	call->home = NULL;
	if (!home || !worker || call->runtime != runtime_number(worker) ||
	    call->forks != weft__first_id)
		return;
	if (worker->runtime) {
		weft__movers_cancel(&home->movers, &call->timer);
		weft__share_unwatch(worker->runtime);
	} else {
		weft__timer_cancel(&worker->wheel, &call->timer);
	}
}
