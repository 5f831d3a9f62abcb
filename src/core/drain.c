/* SPDX-License-Identifier: MIT
 *
 * drain.c - when a runtime's tasks have all ended, and how main learns of it (N1 and N2 of
 * runtime.h).
 */
#include <core/park.h>
#include <core/runtime.h>

/* Acquire pairs with count_one(). */
static inline uint64_t count_of(_Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_acquire);
}

struct census {
	uint64_t ended, daemons_ended, daemons_spawned, spawned;
};

/* N1. What has ended is read first, and what has begun last: so that a task whose end we
 * count is one whose beginning we count, too. And of a daemon, the word that makes it one
 * is read on the side that errs towards "alive". */
static struct census take_census(struct worker *const *workers, unsigned count)
{
	struct census census = { 0 };

	for (unsigned i = 0; i < count; i++)
		census.ended += count_of(&workers[i]->ended);
	for (unsigned i = 0; i < count; i++)
		census.daemons_ended += count_of(&workers[i]->daemons_ended);
	for (unsigned i = 0; i < count; i++)
		census.daemons_spawned += count_of(&workers[i]->daemons_spawned);
	for (unsigned i = 0; i < count; i++)
		census.spawned += count_of(&workers[i]->spawned);
	return census;
}

/* Have all ended, or (unless the daemons have been told to) all but daemons? */
static bool is_drained(struct worker *worker)
{
	struct runtime *runtime = worker->runtime;
	struct worker *const *workers = runtime ? runtime->workers : &worker;
	unsigned places = 1;
	struct census census;

	if (runtime)
		places = atomic_load_explicit(&runtime->places, memory_order_acquire);
	census = take_census(workers, places);
	if (worker->daemons->ending)
		return census.ended == census.spawned;
	return census.ended - census.daemons_ended == census.spawned - census.daemons_spawned;
}

void weft__runtime_check_drained(struct worker *worker)
{
	uint64_t ticket = worker->drain_ticket;

	if (worker->runtime)
		ticket = atomic_load(&worker->runtime->drain_ticket);
	if (unlikely(ticket != 0) && is_drained(worker))
		weft__wake(ticket, 0);
}

static void set_ticket(struct worker *worker, uint64_t ticket)
{
	if (worker->runtime)
		atomic_store(&worker->runtime->drain_ticket, ticket);
	else
		worker->drain_ticket = ticket;
	full_fence(); /* N2: pairs with check_drained() in lookout.c */
}

/* A cancel of main does not end the wait. */
static void drain(struct worker *worker)
{
	struct task *main = &worker->main.task;

	while (!is_drained(worker)) {
		set_ticket(worker, weft__park_begin_shielded(main));
		if (is_drained(worker))
			weft__park_abort(main);
		else
			weft__park(main, WAIT_END, WEFT_FOREVER);
	}
	set_ticket(worker, 0);
}

static void cancel_daemons(struct worker *worker)
{
	struct daemons *daemons = worker->daemons;

	spin_lock(&daemons->lock);
	daemons->ending = true;
	for (struct list *node = daemons->list.next; node != &daemons->list; node = node->next)
		weft__task_cancel(container_of(node, struct task_ext, daemon)->task);
	spin_unlock(&daemons->lock);
}

void weft__runtime_end_all(struct worker *worker)
{
	drain(worker);
	cancel_daemons(worker);
	drain(worker);
}
