/* SPDX-License-Identifier: MIT
 *
 * inbox.c - wakes from other threads: a worker's inbox, and how its sleep is ended.
 */
#include <base/syscall.h>
#include <core/guest.h>
#include <core/inbox.h>
#include <core/runtime.h>
#include <core/wake.h>

/* The worker may wake up for another reason, end the task that we have woken, and
 * be gone before we write: so wakers holds it back (W5). seq_cst: we count
 * ourselves, then take sleeping; the end takes sleeping, then looks at the
 * count. Either it sees us, or we see that nobody sleeps. */
coldpath void weft__worker_wake(struct worker *worker)
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

/* (I) The fence pairs with the one in weft__worker_announce_sleep(): we publish, fence,
 * read sleeping; the owner stores sleeping, fences, reads the inbox. One sees the
 * other (W4). */
void weft__inbox_push(struct worker *worker, struct task *task)
{
	inbox_push(&worker->inbox, task);
	full_fence();
	if (atomic_load_explicit(&worker->sleeping, memory_order_relaxed))
		weft__worker_wake(worker);
}

void weft__ready_elsewhere(struct task *task)
{
	unsigned index = task_worker(task);
	struct worker *worker;

	if (unlikely(weft__thread.trace != NULL) && weft__trace_ready(task)) {
		ready_here(task);
		return;
	}
	if (index == OWNER_NONE) {
		weft__movable_deliver(task);
		return;
	}
	if (index == OWNER_GUEST) {
		weft__guest_ready(task);
		return;
	}
	worker = weft__worker(index);
	if (worker)
		weft__inbox_push(worker, task);
}

bool weft__inbox_drain(struct worker *worker)
{
	struct task *task = inbox_take(&worker->inbox);

	if (likely(!task))
		return false;
	while (task) {
		struct task *next = task->next;

		if (task_state(task) != TASK_NEW) /* handed out to us, it begins here */
			task_set_state(task, TASK_READY);
		trace_event(TRACE_INBOX, 0, task_id(task), 0);
		queue_push(&worker->queue, task);
		task = next;
	}
	return true;
}

bool weft__worker_announce_sleep(struct worker *worker)
{
	/* release pairs with the exchange in weft__worker_wake(): a waker of whoever had this
	 * memory before may be so late that he takes our sleep for his, and then he reads
	 * our poller. It gets a wake that it can do without. */
	atomic_store_explicit(&worker->sleeping, SLEEP_ANNOUNCED, memory_order_release);
	/* pairs with the fence in weft__inbox_push(), see (I) */
	full_fence();
	if (likely(inbox_is_empty(&worker->inbox)))
		return true;
	atomic_store_explicit(&worker->sleeping, 0, memory_order_relaxed);
	return false;
}
