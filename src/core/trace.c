/* SPDX-License-Identifier: MIT
 *
 * trace.c - how switches and wakes are recorded at no cost while they are not.
 *
 * While its thread is recorded, a worker's budget is 1: so every pick calls
 * weft__worker_tick(), which is here, notes who leaves and why, and counts
 * budget_kept down in place of the budget. When that is used up the worker looks
 * around as it would have at this very pick.
 *
 * Who leaves at a pick has run since the last one. So one record a switch tells
 * all, and a reader knows who ran by looking at the next record of that kind.
 */
#include <string.h>

#include <core/crowd.h>
#include <core/trace.h>
#include <core/worker.h>

/* --- who is who ------------------------------------------------------------ */

static void put_name(struct trace_ring *ring, const struct task *task)
{
	const char *name = task_name(task);
	uint64_t part;

	for (unsigned i = 0; i * sizeof part < sizeof task->ext->name && *name; i++) {
		size_t length = strnlen(name, sizeof part);

		part = 0;
		memcpy(&part, name, length);
		weft__trace_put(ring, trace_what(TRACE_NAME, i, 0), task_id(task), part);
		name += length;
	}
}

/* The ring tells who the task is, and does so again before that is overwritten. */
static void make_known(struct trace_ring *ring, const struct task *task)
{
	struct trace_known *known = &ring->known[task_id(task) & ring->mask / 4];
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (likely(known->id == task_id(task) && head - known->at < ring->mask / 2))
		return;
	*known = (struct trace_known){ .id = task_id(task), .at = head };
	weft__trace_put(ring, trace_what(TRACE_TASK, (task->flags & TASK_THREAD) != 0, 0),
			task_id(task), (uintptr_t)task_site(task));
	put_name(ring, task);
}

static uint64_t running_id(void)
{
	return weft__thread.task ? task_id(weft__thread.task) : 0;
}

/* Whom the coming pick takes, as far as one can tell. */
static uint64_t next_id(const struct worker *worker)
{
	return worker->queue.head ? task_id(worker->queue.head) : 0;
}

/* --- picks ----------------------------------------------------------------- */

/* What it waits for, of what is known in the core. */
static uint64_t object_of(const struct task *self)
{
	switch (task_state(self)) {
	case WAIT_SLEEP:
		if (self->flags & WEFT_MIGRATE) /* its timer is elsewhere, and under a lock */
			return WEFT_FOREVER;
		return self->timer.pprev ? (uint64_t)self->timer.when_ns : WEFT_FOREVER;
	case WAIT_JOIN:
		return task_id(joined_task(self));
	case WAIT_FD:
		return (uintptr_t)self->waiter.object;
	default:
		return 0;
	}
}

/* What the pick would take from elsewhere comes to the queue a moment before, that one can
 * tell what it is: it is picked right after. */
static void settle(struct worker *worker)
{
	struct task *task;

	if (worker->queue.head)
		return;
	task = weft__worker_pick_more(worker);
	if (task)
		queue_push_front(&worker->queue, task);
}

/* The caller is about to pick. False: and need not look around. */
static bool note_leave(struct worker *worker, struct trace_ring *ring)
{
	const struct task *self = weft__thread.task;
	/* It is 0 when the recording began in a look of the embedder's own. */
	bool look = worker->budget_kept <= 1;
	uint64_t next = 0;

	if (!look) {
		settle(worker);
		next = next_id(worker);
	}
	if (self) {
		make_known(ring, self);
		weft__trace_put(ring, trace_what(TRACE_LEAVE, task_state(self), next),
				task_id(self), object_of(self));
	} else {
		weft__trace_put(ring, trace_what(TRACE_LEAVE, 0, next), 0, 0);
	}
	if (!look)
		worker_set_budget(worker, worker->budget_kept - 1);
	return look;
}

/* A look may end the recording of this thread, or begin the next one: the poller's
 * end is one of the places where threads find out. */
static noinline void tick_traced(struct worker *worker)
{
	if (!note_leave(worker, weft__thread.trace))
		return;
	weft__worker_look_paced(worker);
	if (!weft__thread.trace)
		return;
	worker_set_budget(worker, worker->budget);
	settle(worker);
	weft__trace_put(weft__thread.trace, trace_what(TRACE_LOOKED, 0, next_id(worker)), 0, 0);
}

void weft__worker_tick(struct worker *worker)
{
	trace_look();
	if (unlikely(worker->crowded))
		weft__crowd_turn(worker);
	if (unlikely(weft__thread.trace))
		tick_traced(worker);
	else if (likely(!worker->crowded))
		weft__worker_look_paced(worker);
	else
		crowd_look_paced(worker);
}

void weft__trace_enter(struct worker *worker)
{
	trace_look();
	if (!weft__thread.trace)
		return;
	worker_set_budget(worker, worker->budget_full);
	if (weft__thread.task)
		make_known(weft__thread.trace, weft__thread.task);
	weft__trace_put(weft__thread.trace, trace_what(TRACE_ENTER, 0, running_id()), 0, 0);
}

/* --- the rest -------------------------------------------------------------- */

bool weft__trace_ready(struct task *task)
{
	weft__trace_put(weft__thread.trace, trace_what(TRACE_WAKE, 0, (uint32_t)task->result),
			task_id(task), running_id());
	return task_worker(task) == weft__thread.worker->index;
}

void weft__trace_spawned(struct task *task)
{
	make_known(weft__thread.trace, task);
	weft__trace_put(weft__thread.trace, trace_what(TRACE_SPAWN, 0, 0), task_id(task),
			running_id());
}

void weft__trace_canceled(struct task *task)
{
	weft__trace_put(weft__thread.trace, trace_what(TRACE_CANCEL, 0, 0), task_id(task),
			running_id());
}

void weft__trace_timer(uint64_t ticket, int64_t late_ns)
{
	weft__trace_put(weft__thread.trace, trace_what(TRACE_TIMER, 0, 0),
			task_id(ticket_task(ticket)), (uint64_t)late_ns);
}
