/* SPDX-License-Identifier: MIT
 *
 * lookout.c - how a worker of several goes to sleep and wakes up, and the watch that one of those
 * who sleep keeps over the busy ones.
 *
 * H3 A worker that is stuck in a task does not look at its poller and timers. While
 *    movable tasks exist and some workers are busy, one of those that sleep is the
 *    lookout: it wakes up now and then and serves who has not looked for long. Events
 *    are delivered by tickets, so anybody may report them.
 */
#include <base/clock.h>
#include <core/runtime.h>
#include <core/share.h>

enum {
	LOOKOUT_NS = 250000, /* how often the lookout looks */
	STALE_NS = 250000    /* who has not looked for so long is served by it */
};

void weft__share_watch(struct runtime *runtime)
{
	/* seq_cst, then the look at who sleeps: a worker announces its sleep, then looks at the
	 * count. One of the two sees the other. */
	atomic_fetch_add(&runtime->movable_alive, 1);
	if (!atomic_load(&runtime->lookout))
		share_notify(runtime);
}

void weft__share_unwatch(struct runtime *runtime)
{
	atomic_fetch_sub_explicit(&runtime->movable_alive, 1, memory_order_relaxed); /* a count */
}

/* Spares off duty are not counted: they are not announced when they sleep. */
static bool all_asleep(struct runtime *runtime)
{
	unsigned places = atomic_load_explicit(&runtime->places, memory_order_acquire);

	for (unsigned i = 0; i < places; i++)
		if (!idle_sleeps(&runtime->idle, i) && !worker_is_off_duty(runtime->workers[i]))
			return false;
	return true;
}

/* N2. Two that have ended the last tasks, each of its own, come by here: the fence lets one of
 * them see the other's count, and main's ticket, or main see both. */
static void check_drained(struct worker *worker)
{
	full_fence();
	weft__runtime_check_drained(worker);
}

int64_t weft__share_before_sleep(struct worker *worker, int64_t timeout_ns)
{
	struct runtime *runtime = worker->runtime;
	uint32_t nobody = 0;

	if (worker_is_off_duty(worker)) {
		check_drained(worker); /* it does not announce itself */
		return worker->queue.head || atomic_load(&runtime->stopping) ? 0 : timeout_ns;
	}
	worker->announced = true;
	idle_announce(&runtime->idle, worker->place);
	check_drained(worker);
	worker->saw_work = weft__share_anywhere(runtime);
	if (worker->queue.head || worker->saw_work || atomic_load(&runtime->stopping))
		return 0;
	/* H3. With nobody awake there is nobody to watch; whoever wakes up first sees to it
	 * that there is a lookout again. */
	if (!atomic_load(&runtime->movable_alive) || /* pairs with weft__share_watch() */
	    all_asleep(runtime) ||
	    !atomic_compare_exchange_strong(&runtime->lookout, &nobody, worker->index))
		return timeout_ns;
	worker->lookout = true;
	return timeout_ns < 0 || timeout_ns > LOOKOUT_NS ? LOOKOUT_NS : timeout_ns;
}

/* Reports for a worker that has not looked for long. Its own tasks among those that are
 * woken go to its inbox; those that may move, to us. */
static void serve(struct worker *worker, struct worker *other, int64_t now_ns)
{
	int64_t looked_ns = atomic_load_explicit(&other->last_look_ns, memory_order_relaxed);

	if (other == worker || atomic_load(&other->sleeping))
		return;
	if (now_ns - looked_ns < STALE_NS &&
	    !atomic_load_explicit(&other->covered, memory_order_relaxed))
		return;
	weft__movers_fire(&other->movers, now_ns);
	weft__poller_wait_for(&worker->poller, &other->poller,
			      atomic_load_explicit(&weft__on_fd_ready, memory_order_relaxed));
}

static void keep_watch(struct worker *worker)
{
	struct runtime *runtime = worker->runtime;
	unsigned places = atomic_load_explicit(&runtime->places, memory_order_acquire);
	int64_t now_ns = weft__now();

	for (unsigned i = 0; i < places; i++)
		serve(worker, runtime->workers[i], now_ns);
	worker->lookout = false;
	atomic_store(&runtime->lookout, 0);
}

void weft__share_after_sleep(struct worker *worker)
{
	struct runtime *runtime = worker->runtime;

	if (!worker->announced)
		return;
	worker->announced = false;
	worker->spinning = idle_withdraw(&runtime->idle, worker->place);
	if (worker->lookout)
		keep_watch(worker);
	if (!worker->queue.head)
		return;
	/* Work has come while everybody slept: somebody must watch over us now. */
	if (atomic_load_explicit(&runtime->movable_alive, memory_order_relaxed) &&
	    !atomic_load_explicit(&runtime->lookout, memory_order_relaxed))
		share_notify(runtime);
}
