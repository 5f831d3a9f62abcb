/* SPDX-License-Identifier: MIT
 *
 * runtime.h - where workers come from, and what they count.
 */
#ifndef WEFT_CORE_RUNTIME_H
#define WEFT_CORE_RUNTIME_H

#include <core/worker.h>

/** Task ids are dealt to workers in blocks, so that a spawn touches no shared line. */
uint64_t weft__runtime_more_ids(struct worker *worker);

static always_inline uint64_t weft__runtime_next_id(struct worker *worker)
{
	uint64_t id = worker->next_id++;

	if (unlikely(id == worker->end_id))
		return weft__runtime_more_ids(worker);
	return id;
}

/** Wakes the main task that waits in weft_run() for the last one. */
void weft__runtime_drained(struct worker *worker);

/** Has the last task ended that main waits for? */
static inline bool weft__runtime_is_drained(const struct worker *worker)
{
	return worker->alive == (worker->drain_all ? 0 : worker->daemons_alive);
}

static always_inline void weft__runtime_task_began(struct worker *worker)
{
	worker->spawned++;
	worker->alive++;
}

static always_inline void weft__runtime_task_ended(struct worker *worker)
{
	worker->alive--;
	if (unlikely(worker->drain_ticket) && weft__runtime_is_drained(worker))
		weft__runtime_drained(worker);
}

/** Ends a task, on its own stack; never returns. */
void weft__task_exit(struct task *self, int value) __attribute__((noreturn));

/** Dies when the joins that begin with @self joining @task lead back to @self. (join_cycle.c) */
void weft__join_cycle_find(const struct task *self, const struct task *task) __attribute__((cold));

/** @self is about to join @task, without end: can that close a circle? Tasks of other
 * workers are not looked at, they change meanwhile. */
static always_inline void weft__join_cycle_check(const struct task *self, const struct task *task)
{
	if (task_worker(task) == weft__thread.worker_index && unlikely(task->state == WAIT_JOIN))
		weft__join_cycle_find(self, task);
}

/** weft_cancel() by address. */
void weft__task_cancel(struct task *task);

#endif
