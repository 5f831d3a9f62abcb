/* SPDX-License-Identifier: MIT
 *
 * stats.c - weft_stats() and weft_stack_used(): numbers that are kept anyway.
 *
 * Each worker counts for itself, plainly. Others read while it does: a word of 64 bits
 * is read whole on every machine that weft runs on, and that is all they need.
 */
#include <errno.h>

#include <core/runtime.h>
#include <weft/debug.h>

/* More than any list of ready tasks; a list that is changed while we walk it may have a
 * loop for us. Control blocks are never unmapped. */
enum { QUEUE_MAX = 10000000 };

no_tsan static uint64_t queue_length(const struct task_queue *queue)
{
	const struct task *const volatile *at = (const struct task *const volatile *)&queue->head;
	const struct task *task = *at;
	uint64_t length = 0;

	while (task && length < QUEUE_MAX) {
		length++;
		at = (const struct task *const volatile *)&task->next;
		task = *at;
	}
	return length;
}

static inline uint64_t get(const _Atomic uint64_t *count)
{
	return atomic_load_explicit((_Atomic uint64_t *)count, memory_order_relaxed);
}

no_tsan static void add(weft_stats_data *sum, const struct worker *worker)
{
	uint64_t used, cached;

	weft__stack_count(worker->stacks, &used, &cached);
	sum->spawned += get(&worker->spawned);
	sum->alive += get(&worker->spawned) - get(&worker->ended);
	sum->switches += *(const volatile uint64_t *)&worker->switches;
	sum->parks += *(const volatile uint64_t *)&worker->parks;
	sum->polls += *(const volatile uint64_t *)&worker->poller.polls;
	sum->timers += *(const volatile uint64_t *)&worker->wheel.armed;
	sum->timers += atomic_load_explicit(&((struct worker *)worker)->movers.armed,
					    memory_order_relaxed);
	sum->stacks_used += used;
	sum->stacks_cached += cached;
	sum->queued += queue_length(&worker->queue) + queue_length(&worker->later) +
		       queue_length(&worker->aside) +
		       ring_count(&((struct worker *)worker)->fresh) +
		       ring_count(&((struct worker *)worker)->ready);
	sum->sleeps += *(const volatile uint64_t *)&worker->sleeps;
	sum->spurious += *(const volatile uint64_t *)&worker->spurious;
	sum->steals += *(const volatile uint64_t *)&worker->steals;
	sum->stolen += *(const volatile uint64_t *)&worker->stolen;
	sum->workers++;
}

int weft_stats(weft_stats_data *ret_stats)
{
	struct worker *worker = weft__thread.worker;
	struct runtime *runtime;
	weft_stats_data sum = { .alive = 1 };

	if (!ret_stats)
		return -EINVAL;
	if (!worker)
		return -EPERM;
	runtime = worker->runtime;
	if (!runtime) {
		add(&sum, worker);
	} else {
		unsigned places = atomic_load_explicit(&runtime->places, memory_order_acquire);

		for (unsigned i = 0; i < places; i++)
			add(&sum, runtime->workers[i]);
		sum.queued += injector_count(&runtime->injector);
	}
	*ret_stats = sum;
	return 0;
}

int weft_stats_worker(unsigned place, weft_stats_data *ret_stats)
{
	struct worker *worker = weft__thread.worker;
	struct runtime *runtime;
	weft_stats_data one = { 0 };

	if (!ret_stats)
		return -EINVAL;
	if (!worker)
		return -EPERM;
	runtime = worker->runtime;
	if (place >= (runtime ? atomic_load_explicit(&runtime->places, memory_order_acquire) : 1))
		return -ENOENT;
	add(&one, runtime ? runtime->workers[place] : worker);
	one.alive = 0; /* tasks end elsewhere than where they were made */
	*ret_stats = one;
	return 0;
}

int64_t weft_stack_used(weft_task *handle)
{
	struct task *task = handle ? task_of(handle) : weft__thread.task;
	struct stack_slot slot;

	if (!task)
		return -ESRCH;
	if (!(task->flags & TASK_PRIVATE) || (task->flags & TASK_THREAD))
		return -ENOTSUP;
	slot = (struct stack_slot){ .top = (char *)task,
				    .low = task->strand.low,
				    .class = task->stack_class };
	return weft__stack_touched(&slot);
}
