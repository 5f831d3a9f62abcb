/* SPDX-License-Identifier: MIT
 *
 * worker.c - one thread's loop: find a task, run it, or sleep; and the ways
 * by which a task becomes runnable.
 *
 * The walk of a wake-up: weft__poller_wait() reports a descriptor, the io
 * layer takes its first waiter and calls weft__wake(ticket); the claim takes
 * the WAITING bit; task_ready() (wake.h) appends the task to our queue; whoever
 * leaves the CPU next, a task or this loop, pops it and jumps into it.
 */
#include <errno.h>

#include <base/clock.h>
#include <base/log.h>
#include <base/syscall.h>
#include <core/leave.h>
#include <core/wake.h>

enum {
	BUDGET_MAX = 256,         /* picks between two looks: what a change of pace may cost once */
	LOOK_EVERY_NS = 50000,    /* at inbox and timers: what the budget aims at */
	POLL_EVERY_NS = 1000000,  /* at descriptors, while tasks are ready all the time */
	SHARED_RETRY_NS = 1000000 /* no memory to save a shared stack: try again after 1 ms */
};

poll_ready_fn *weft__on_fd_ready;

/* --- making ready ---------------------------------------------------------- */

/* The worker may wake up for another reason, end the task that we have woken, and
 * be gone before we write: so wakers holds it back (W5). seq_cst: we count
 * ourselves, then take sleeping; the end takes sleeping, then looks at the
 * count. Either it sees us, or we see that nobody sleeps. */
static coldpath void wake_sleeper(struct worker *worker)
{
	atomic_fetch_add(&worker->wakers, 1);
	if (atomic_exchange(&worker->sleeping, 0))
		weft__poller_wake(&worker->poller);
	/* release pairs with the load in weft__worker_end_wakes() */
	atomic_fetch_sub_explicit(&worker->wakers, 1, memory_order_release);
}

void weft__worker_end_wakes(struct worker *worker)
{
	atomic_exchange(&worker->sleeping, 0);
	while (atomic_load(&worker->wakers))
		weft__syscall(SYS_sched_yield, 0);
}

/* (I) The push's release pairs with inbox_drain()'s acquire: the claim's
 * result is visible to the owner. The fence pairs with the one in
 * weft__worker_announce_sleep(): we publish, fence, read sleeping; the
 * owner stores sleeping, fences, reads the inbox. One sees the other (W4). */
static void inbox_push(struct worker *worker, struct task *task)
{
	struct task *head = atomic_load_explicit(&worker->inbox, memory_order_relaxed);

	do
		task->next = head;
	while (!atomic_compare_exchange_weak_explicit(&worker->inbox, &head, task,
						      memory_order_release, memory_order_relaxed));
	full_fence();
	if (atomic_load_explicit(&worker->sleeping, memory_order_relaxed))
		wake_sleeper(worker);
}

void weft__ready_elsewhere(struct task *task)
{
	struct worker *worker = weft__worker(task_worker(task));

	if (unlikely(weft__thread.trace != NULL) && weft__trace_ready(task)) {
		ready_here(task);
		return;
	}
	if (worker)
		inbox_push(worker, task);
}

/* Newest first comes out, so it is reversed on the way to the queue. */
static void inbox_drain(struct worker *worker)
{
	struct task *task, *oldest = NULL;

	if (likely(!atomic_load_explicit(&worker->inbox, memory_order_relaxed)))
		return;
	task = atomic_exchange_explicit(&worker->inbox, NULL, memory_order_acquire);
	while (task) {
		struct task *next = task->next;

		task->next = oldest;
		oldest = task;
		task = next;
	}
	while (oldest) {
		struct task *next = oldest->next;

		oldest->state = TASK_READY;
		trace_event(TRACE_INBOX, 0, oldest->id, 0);
		queue_push(&worker->queue, oldest);
		oldest = next;
	}
}

/* --- looking around -------------------------------------------------------- */

static void fire_timers(struct worker *worker, int64_t now_ns)
{
	struct timer *timer = weft__wheel_advance(&worker->wheel, now_ns);

	while (timer) {
		struct timer *next = timer->next;

		if (next)
			__builtin_prefetch(ticket_task(next->ticket));
		trace_timer(timer->ticket, now_ns - timer->when_ns);
		task_wake(timer->ticket, -ETIMEDOUT);
		timer = next;
	}
}

static void poll_ready(struct worker *worker, int64_t timeout_ns)
{
	weft__poller_wait(&worker->poller, timeout_ns, weft__on_fd_ready);
}

void weft__worker_look(struct worker *worker)
{
	int64_t now_ns = weft__now();

	inbox_drain(worker);
	if (worker->wheel.armed)
		fire_timers(worker, now_ns);
	poll_ready(worker, 0);
	worker->last_look_ns = worker->last_poll_ns = now_ns;
}

/* There is work. What the poller has would queue up behind it anyway. */
static void look_while_busy(struct worker *worker, int64_t now_ns)
{
	if (worker->wheel.armed)
		fire_timers(worker, now_ns);
	if (now_ns - worker->last_poll_ns >= POLL_EVERY_NS || !worker->queue.head) {
		poll_ready(worker, 0);
		worker->last_poll_ns = now_ns;
	}
	worker->last_look_ns = now_ns;
}

/* The budget follows the tasks: so many picks as took LOOK_EVERY_NS last time,
 * growing at most twofold, shrinking at once. Two tasks that do nothing but
 * yield look every 256 picks; tasks that compute for a millisecond, each. */
void weft__worker_look_paced(struct worker *worker)
{
	int64_t now_ns = weft__now();
	int64_t elapsed_ns = now_ns - worker->last_look_ns;
	int64_t budget = worker->budget_full;

	inbox_drain(worker);
	if (!worker->last_look_ns) {
		worker->last_look_ns = worker->last_poll_ns = now_ns;
		worker->budget = worker->budget_full;
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
	worker->budget = worker->budget_full;
	if (elapsed_ns * 2 >= LOOK_EVERY_NS || worker->budget_full == BUDGET_MAX)
		look_while_busy(worker, now_ns);
}

bool weft__worker_announce_sleep(struct worker *worker)
{
	atomic_store_explicit(&worker->sleeping, 1, memory_order_relaxed);
	/* pairs with the fence in inbox_push(), see (I) */
	full_fence();
	if (likely(!atomic_load_explicit(&worker->inbox, memory_order_relaxed)))
		return true;
	atomic_store_explicit(&worker->sleeping, 0, memory_order_relaxed);
	return false;
}

/* Nothing is ready: wait for a descriptor, a timer or another thread. */
static void wait_for_work(struct worker *worker)
{
	int64_t now_ns, next_ns, timeout_ns = -1;

	inbox_drain(worker);
	now_ns = weft__now();
	if (worker->wheel.armed) {
		fire_timers(worker, now_ns);
		next_ns = weft__wheel_next(&worker->wheel);
		if (next_ns != INT64_MAX)
			timeout_ns = next_ns > now_ns ? next_ns - now_ns : 0;
	}
	/* Stacks that a past crowd has left warm: look at them again in a while. */
	next_ns = weft__stack_age(now_ns);
	if (next_ns != INT64_MAX && (timeout_ns < 0 || timeout_ns > next_ns - now_ns))
		timeout_ns = next_ns > now_ns ? next_ns - now_ns : 0;
	if (worker->queue.head)
		timeout_ns = 0;
	if (timeout_ns != 0 && !weft__worker_announce_sleep(worker))
		return;
	poll_ready(worker, timeout_ns);
	atomic_store_explicit(&worker->sleeping, 0, memory_order_relaxed);
	/* After a sleep we do not know the time: the next tick finds out. */
	worker->last_look_ns = worker->last_poll_ns = timeout_ns ? 0 : now_ns;
	worker_set_budget(worker, worker->budget_full);
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
		poll_ready(worker, SHARED_RETRY_NS);
	if (!*first_failed)
		*first_failed = task;
	queue_push(&worker->queue, task);
	worker_set_budget(worker, 1); /* timers and other threads go on meanwhile */
	return false;
}

void weft__worker_loop(void *idle_context, void *note)
{
	struct worker *worker = container_of(idle_context, struct worker, idle);
	struct task *first_failed = NULL;
	void *fake = NULL;

	asan_arrive(worker, NULL);
	for (;;) {
		struct task *next = worker->pending;

		if (note)
			weft__task_reap(note);
		note = NULL;
		worker->pending = NULL;
		if (!next)
			next = worker_pick(worker);
		if (!next) {
			wait_for_work(worker);
			continue;
		}
		if (!weft__shared_resident(&next->strand) &&
		    !make_resident(worker, next, &first_failed))
			continue;
		first_failed = NULL;
		next->state = TASK_RUNNING;
		weft__thread.task = next;
		worker->switches++;
#if WEFT_ASAN
		asan_leave(worker, &worker->asan_idle, &next->strand, &fake);
#endif
		tsan_leave(worker);
		note = weft_context_switch(&worker->idle, &next->strand.ctx, NULL);
		asan_arrive(worker, fake);
	}
}
