/* SPDX-License-Identifier: MIT
 *
 * wait_cycle.c - tasks that wait for each other in a circle, by joins and by locks, found
 * by the one that is about to close it.
 *
 * Only tasks of one worker are followed, and only waits without a deadline: these
 * cannot change while we look, for their owner is the caller. And an object that a parked task
 * of ours waits for is there: whoever frees it under a waiter has done so before. A circle over
 * several workers, or a longer one, is left to the search for deadlocks (debug/deadlock.c).
 */
#include <base/log.h>
#include <core/deadline.h>
#include <core/runtime.h>

enum { LONGEST = 64 };

static const struct task *holder_of(const struct waitable *object)
{
	const struct waitable_kind *kind = object->kind;

	return kind->holder && !kind->only_expected ? kind->holder(object) : NULL;
}

/* Whose task it is. A holder may be of another thread and end while we look; then his block is
 * cleared by plain stores and serves another. But never one of ours: those we make ourselves. */
static no_tsan unsigned worker_seen(const struct task *task)
{
	return (unsigned)(*(const volatile uint64_t *)&task->origin >> 48);
}

/* Whom @task waits for, for good, or NULL. Of a task that is not ours nothing else is read. */
static const struct task *next_of(const struct task *task, unsigned worker)
{
	uint32_t word;

	if (worker_seen(task) != worker || weft__deadline_bounds(task))
		return NULL;
	word = atomic_load_explicit(&((struct task *)task)->wait, memory_order_relaxed);
	if (!(word & WAIT_WAITING))
		return NULL;
	switch (task_state(task)) {
	case WAIT_JOIN:
		return join_is_timed(task) ? NULL : joined_task(task);
	case WAIT_OBJECT:
		return object_is_timed(task) ? NULL : holder_of(waited_object(task));
	default:
		return NULL;
	}
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

static const char *site_of(const struct task *task)
{
	return task_site(task) ? task_site(task) : "the start of its thread";
}

static void say(const struct task *task)
{
	unsigned long long id = task_id(task);
	unsigned long long next = task_id(next_of(task, task_worker(task)));

	if (task_state(task) == WAIT_JOIN)
		weft__warn("task %llu \"%s\" (spawned at %s) joins task %llu", id, task_name(task),
			   site_of(task), next);
	else
		weft__warn("task %llu \"%s\" (spawned at %s) waits for %s %p, held by task %llu",
			   id, task_name(task), site_of(task), waited_object(task)->kind->noun,
			   (const void *)waited_object(task), next);
}

static coldpath void __attribute__((noreturn)) die(const struct task *self, const struct task *task,
						   const char *noun, const struct waitable *object)
{
	unsigned long long id = task_id(self);

	weft__warn("a circle of waits can never end:");
	for (; task != self; task = next_of(task, task_worker(self)))
		say(task);
	if (!object)
		weft__die("task %llu \"%s\" (spawned at %s) was about to join the first of them",
			  id, task_name(self), site_of(self));
	weft__die("task %llu \"%s\" (spawned at %s) was about to wait for %s %p, held by the first "
		  "of them; take locks in one order everywhere, or wait with a deadline",
		  id, task_name(self), site_of(self), noun, (const void *)object);
}

coldpath void weft__wait_cycle_find(const struct task *self, const struct task *task,
				    const char *noun, const struct waitable *object)
{
	/* One that has been cancelled will be refused; and a pushed deadline ends any wait. */
	if (!(atomic_load_explicit(&((struct task *)self)->wait, memory_order_relaxed) &
	      WAIT_REFUSED) &&
	    !weft__deadline_bounds(self) && closes_circle(self, task))
		die(self, task, noun, object);
}
