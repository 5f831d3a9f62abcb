/* SPDX-License-Identifier: MIT
 *
 * stats.c - weft_stats() and weft_stack_used(): numbers that are kept anyway.
 */
#include <errno.h>

#include <core/runtime.h>
#include <weft/debug.h>

int weft_stats(weft_stats_data *ret_stats)
{
	const struct worker *worker = weft__thread.worker;

	if (!worker)
		return -EPERM;
	*ret_stats = (weft_stats_data){
		.spawned = atomic_load_explicit(&((struct worker *)worker)->spawned,
						memory_order_relaxed),
		.alive = (uint64_t)worker_alive(worker) + 1,
		.switches = worker->switches,
		.parks = worker->parks,
		.polls = worker->poller.polls,
		.timers = worker->wheel.armed,
	};
	weft__stack_count(&ret_stats->stacks_used, &ret_stats->stacks_cached);
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
