/* SPDX-License-Identifier: MIT
 *
 * worker.c - one thread's loop: find a task, run it, or sleep.
 *
 * The walk of a wake-up: weft__poller_wait() reports a descriptor, the io
 * layer takes its first waiter and calls weft__wake(ticket); the claim takes
 * the WAITING bit; task_ready() (wake.h) appends the task to our queue; whoever
 * leaves the CPU next, a task or this loop, pops it and jumps into it.
 */
#include <errno.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/log.h>
#include <base/observe.h>
#include <core/leave.h>
#include <core/runtime.h>
#include <core/wake.h>

enum {
	BUDGET_MAX = 256,         /* picks between two looks: what a change of pace may cost once */
	SLICE = 4,                /* M:N: picks between two turns of the rings */
	LOOK_EVERY_NS = 50000,    /* at inbox and timers: what the budget aims at */
	POLL_EVERY_NS = 1000000,  /* at descriptors, while tasks are ready all the time */
	SHARED_RETRY_NS = 1000000 /* no memory to save a shared stack: try again after 1 ms */
};

_Atomic(poll_ready_fn *) weft__on_fd_ready;

/* --- looking around -------------------------------------------------------- */

static void fire_timers(struct worker *worker, int64_t now_ns)
{
	struct timer *timer = weft__wheel_advance(&worker->wheel, now_ns);

	while (timer) {
		struct timer *next = timer->next;

		if (next)
			__builtin_prefetch(ticket_task(next->ticket));
		if (likely(!timer_called(timer))) {
			trace_timer(timer->ticket, now_ns - timer->when_ns);
			task_wake(timer->ticket, -ETIMEDOUT);
		}
		timer = next;
	}
}

int weft__worker_poll(struct worker *worker, int64_t timeout_ns)
{
	/* relaxed: who has registered a descriptor has seen it set */
	return weft__poller_wait(&worker->poller, timeout_ns,
				 atomic_load_explicit(&weft__on_fd_ready, memory_order_relaxed));
}

/* Lookouts read it (lookout.c): relaxed, they only compare it with their own clock. */
static inline void set_last_look(struct worker *worker, int64_t now_ns)
{
	atomic_store_explicit(&worker->last_look_ns, now_ns, memory_order_relaxed);
}

static void fire_all(struct worker *worker, int64_t now_ns)
{
	worker->stacks = weft__thread.stacks;
	worker->now_coarse = coarse_time(now_ns);
	if (worker->wheel.armed)
		fire_timers(worker, now_ns);
	if (worker->runtime)
		weft__movers_fire(&worker->movers, now_ns);
}

void weft__worker_look(struct worker *worker)
{
	int64_t now_ns = weft__now();

	weft__inbox_drain(worker);
	fire_all(worker, now_ns);
	weft__worker_poll(worker, 0);
	set_last_look(worker, now_ns);
	worker->last_poll_ns = now_ns;
}

/* There is work. What the poller has would queue up behind it anyway. */
static void look_while_busy(struct worker *worker, int64_t now_ns)
{
	fire_all(worker, now_ns);
	if (now_ns - worker->last_poll_ns >= POLL_EVERY_NS || !worker->queue.head) {
		weft__worker_poll(worker, 0);
		worker->last_poll_ns = now_ns;
	}
	set_last_look(worker, now_ns);
	if (worker->runtime)
		weft__runtime_check_drained(worker);
}

/* So many picks until the next look. In a runtime of several workers they come in
 * slices: between two of them something of the rings has its turn. */
static void start_budget(struct worker *worker)
{
	worker->budget = worker->budget_full;
	if (!worker->runtime)
		return;
	worker->slices = worker->budget_full / SLICE;
	if (worker->budget > SLICE)
		worker->budget = SLICE;
}

/* The budget follows the tasks: so many picks as took LOOK_EVERY_NS last time,
 * growing at most twofold, shrinking at once. Two tasks that do nothing but
 * yield look every 256 picks; tasks that compute for a millisecond, each. */
static void look_around(struct worker *worker)
{
	int64_t now_ns = weft__now();
	int64_t last_ns = atomic_load_explicit(&worker->last_look_ns, memory_order_relaxed);
	int64_t elapsed_ns = now_ns - last_ns;
	int64_t budget = worker->budget_full;

	weft__inbox_drain(worker);
	worker->now_coarse = coarse_time(now_ns);
	if (!last_ns) {
		set_last_look(worker, now_ns);
		worker->last_poll_ns = now_ns;
		start_budget(worker);
		return;
	}
	if (elapsed_ns * 2 < LOOK_EVERY_NS) {
		budget *= 2;
	} else if (elapsed_ns > LOOK_EVERY_NS) {
		budget = budget * LOOK_EVERY_NS / elapsed_ns;
	}
	worker->budget_full = (uint32_t)(budget < 1            ? 1
					 : budget > BUDGET_MAX ? BUDGET_MAX
							       : budget);
	start_budget(worker);
	if (elapsed_ns * 2 >= LOOK_EVERY_NS || worker->budget_full == BUDGET_MAX)
		look_while_busy(worker, now_ns);
}

void weft__worker_look_paced(struct worker *worker)
{
	if (worker->slices) {
		worker->slices--;
		worker->budget = SLICE;
	} else {
		look_around(worker);
	}
	if (worker->runtime)
		weft__share_turn(worker);
}

int64_t weft__worker_timeout(struct worker *worker, int64_t now_ns)
{
	int64_t next_ns = weft__stack_age(now_ns), due_ns;

	if (worker->queue.head)
		return 0;
	if (worker->wheel.armed) {
		due_ns = weft__wheel_next(&worker->wheel);
		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	if (worker->runtime) {
		due_ns = weft__movers_next(&worker->movers);
		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	if (next_ns == INT64_MAX)
		return -1;
	return next_ns > now_ns ? next_ns - now_ns : 0;
}

/* Somebody wants to know that we are idle (base/observe.h), and not only after the next
 * time that something has run. */
static bool idle_is_observed(struct worker *worker)
{
	if (!worker->idle_ask_ns)
		worker->idle_ask_ns = OBSERVE_IDLE_NS;
	return weft__observe_idle && worker->idle_ask_ns != INT64_MAX && !worker->wheel.armed &&
	       !atomic_load_explicit(&worker->movers.armed, memory_order_relaxed);
}

/* After a look at the poller. */
static void observe_idle(struct worker *worker, bool observed)
{
	int64_t (*observe)(void) = weft__observe_idle;

	if (worker->queue.head || atomic_load_explicit(&worker->inbox, memory_order_relaxed))
		worker->idle_ask_ns = OBSERVE_IDLE_NS;
	else if (observed && observe)
		worker->idle_ask_ns = observe();
}

/* Work that the last look found elsewhere may be gone at the next one, again and again while
 * somebody spawns and runs: that is no reason for a system call each time. */
static int ask_poller(struct worker *worker, int64_t timeout_ns, int64_t now_ns)
{
	if (!timeout_ns && worker->saw_work && now_ns - worker->last_poll_ns < LOOK_EVERY_NS)
		return 0;
	worker->last_poll_ns = now_ns;
	return weft__worker_poll(worker, timeout_ns);
}

/* All that a worker does before it sleeps is done. A waker may have been faster. */
static void settle_sleep(struct worker *worker)
{
	cas32(&worker->sleeping, SLEEP_ANNOUNCED, SLEEP_SETTLED);
}

/* Nothing is ready: wait for a descriptor, a timer or another thread. */
static void wait_for_work(struct worker *worker)
{
	int64_t now_ns = weft__now(), timeout_ns;
	bool observed;
	int events;

	weft__inbox_drain(worker);
	if (unlikely(worker->orphan) && !worker_alive(worker))
		exit(0);
	fire_all(worker, now_ns);
	timeout_ns = weft__worker_timeout(worker, now_ns);
	observed = timeout_ns != 0 && idle_is_observed(worker);
	if (observed && (timeout_ns < 0 || timeout_ns > worker->idle_ask_ns))
		timeout_ns = worker->idle_ask_ns;
	if (timeout_ns != 0 && !weft__worker_announce_sleep(worker))
		return;
	if (timeout_ns != 0 && worker->runtime)
		timeout_ns = weft__share_before_sleep(worker, timeout_ns);
	if (timeout_ns != 0)
		settle_sleep(worker);
	events = ask_poller(worker, timeout_ns, now_ns);
	atomic_store_explicit(&worker->sleeping, 0, memory_order_relaxed);
	observe_idle(worker, observed && timeout_ns != 0);
	worker->slices = 0;
	worker_set_budget(worker, worker->budget_full);
	if (timeout_ns) {
		now_ns = worker->last_poll_ns = weft__now();
		worker->sleeps++;
		worker->spurious += !events && !worker->queue.head;
	}
	worker->now_coarse = coarse_time(now_ns);
	set_last_look(worker, now_ns);
	if (worker->runtime)
		weft__share_after_sleep(worker);
}

/* --- the loop -------------------------------------------------------------- */

/* The shared stack of @task changes hands. Out of memory (S4): the occupant
 * stays, the newcomer waits for its turn again. *first_failed is the first to
 * fail since a task has run: when its turn comes again nobody else can run. */
static bool make_resident(struct worker *worker, struct task *task, struct task **first_failed)
{
	if (likely(weft__shared_enter(&task->strand) == 0))
		return true;
	weft__warn_once("no memory to save a shared stack; its next user waits");
	if (worker->queue.head == NULL || *first_failed == task)
		weft__worker_poll(worker, SHARED_RETRY_NS);
	if (!*first_failed)
		*first_failed = task;
	queue_push(&worker->queue, task);
	worker_look_soon(worker); /* timers and other threads go on meanwhile */
	return false;
}

void weft__worker_enter(void *idle_context, void *note)
{
	struct worker *worker = container_of(idle_context, struct worker, idle);

	asan_arrive(worker, NULL);
	weft__worker_loop(worker, note);
}

void weft__worker_loop(struct worker *worker, struct task *note)
{
	struct task *first_failed = NULL;
	void *fake = NULL;

	for (;;) {
		struct task *next = worker->pending;

		if (note)
			weft__task_left(note);
		note = NULL;
		worker->pending = NULL;
		if (!next)
			next = worker_pick(worker);
		if (next && unlikely(worker->spinning || worker->saw_work))
			weft__share_pass_on(worker);
		if (!next && worker->runtime) {
			/* acquire pairs with dismiss_all() in crew.c */
			if (unlikely(atomic_load_explicit(&worker->runtime->stopping,
							  memory_order_acquire)))
				return;
			next = weft__share_hunt(worker);
			trace_event(TRACE_LOOKED, next ? task_id(next) : 0, 0, 0);
		}
		if (!next) {
			wait_for_work(worker);
			continue;
		}
		if (!weft__shared_resident(&next->strand) &&
		    !make_resident(worker, next, &first_failed))
			continue;
		first_failed = NULL;
		task_set_state(next, TASK_RUNNING);
		weft__thread.task = next;
		worker->switches++;
#if WEFT_ASAN
		asan_leave(worker, &worker->asan_idle, &next->strand, &fake);
#endif
		tsan_leave(worker, NULL);
		note = weft_context_switch(&worker->idle, &next->strand.ctx, NULL);
		asan_arrive(worker, fake);
	}
}
