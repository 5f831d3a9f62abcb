/* SPDX-License-Identifier: MIT
 *
 * join_cycle.c - tasks that join each other in a circle, found by the one that is
 * about to close it.
 *
 * Only tasks of one worker are followed, and only joins without a deadline: these
 * cannot change while we look, for their owner is the caller. A circle over several
 * workers, or a longer one, is left to the search for deadlocks (debug/deadlock.c).
 */
#include <base/log.h>
#include <core/runtime.h>

enum { LONGEST = 64 };

/* Whom @task joins for good, or NULL. */
static const struct task *next_of(const struct task *task, unsigned worker)
{
	uint32_t word = atomic_load_explicit(&((struct task *)task)->wait, memory_order_relaxed);

	if (task_worker(task) != worker || task->state != WAIT_JOIN || !(word & WAIT_WAITING) ||
	    join_is_timed(task))
		return NULL;
	return joined_task(task);
}

static bool closes_circle(const struct task *self, const struct task *task)
{
	for (unsigned i = 0; task && i < LONGEST; i++) {
		if (task == self)
			return true;
		task = next_of(task, task_worker(self));
	}
	return false;
}

static void say(const struct task *task, const char *then, const struct task *next)
{
	weft__warn("task %llu \"%s\" (spawned at %s) %s task %llu",
		   (unsigned long long)task_id(task), task_name(task),
		   task_site(task) ? task_site(task) : "the start of its thread", then,
		   (unsigned long long)task_id(next));
}

coldpath void weft__join_cycle_find(const struct task *self, const struct task *task)
{
	if (!closes_circle(self, task))
		return;
	weft__warn("a circle of joins can never end:");
	for (; task != self; task = next_of(task, task_worker(self)))
		say(task, "joins", next_of(task, task_worker(self)));
	weft__die("task %llu \"%s\" (spawned at %s) was about to join the first of them",
		  (unsigned long long)task_id(self), task_name(self),
		  task_site(self) ? task_site(self) : "the start of its thread");
}
