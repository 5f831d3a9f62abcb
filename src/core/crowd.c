/* SPDX-License-Identifier: MIT
 *
 * crowd.c - see crowd.h.
 */
#include <core/crowd.h>

enum { CROWD_OLDER_NS = 200000 };

void weft__crowd_add(struct worker *worker, struct task *task)
{
	queue_push_front(&worker->aside, task);
	/* Y2: the next pick may be that of a yield. A traced worker's budget is kept already. */
	if (!worker->crowded && !weft__thread.trace)
		worker->budget_kept = worker->budget;
	worker->crowded = true;
	worker->budget = 1;
}

/* Some have been taken. */
static inline void look_whether_crowded(struct worker *worker)
{
	if (worker->aside.head || worker->later.head)
		return;
	worker->crowded = false;
	worker_set_budget(worker, worker->budget_kept);
}

/* Y3: the caller's task is in the queue already, so they come before all that is there. */
static void take_all(struct worker *worker)
{
	queue_append(&worker->aside, &worker->later);
	queue_append(&worker->aside, &worker->queue);
	queue_append(&worker->queue, &worker->aside);
	look_whether_crowded(worker);
}

/* Y4 */
static void take_older(struct worker *worker)
{
	if (!worker->later.head)
		queue_append(&worker->later, &worker->aside);
	queue_push_front(&worker->queue, queue_pop(&worker->later));
	look_whether_crowded(worker);
}

static bool is_older_turn(struct worker *worker)
{
	int64_t now_ns = atomic_load_explicit(&worker->last_look_ns, memory_order_relaxed);

	if (now_ns - worker->oldest_ns < CROWD_OLDER_NS)
		return false;
	worker->oldest_ns = now_ns;
	return true;
}

void weft__crowd_turn(struct worker *worker)
{
	const struct task *self = weft__thread.task;

	if (self && task_state(self) == TASK_READY)
		take_all(worker);
	else if (is_older_turn(worker))
		take_older(worker);
}

struct task *weft__worker_pick_more(struct worker *worker)
{
	struct task *task;

	if (worker->runtime)
		return weft__share_pick(worker);
	if (!worker->crowded)
		return NULL;
	task = queue_pop(worker->aside.head ? &worker->aside : &worker->later);
	look_whether_crowded(worker);
	return task;
}
