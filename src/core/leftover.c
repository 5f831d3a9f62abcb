/* SPDX-License-Identifier: MIT
 *
 * leftover.c - whom a thread has left behind: it ended, and some of its tasks had not.
 *
 * No list links all tasks, so all blocks of the process are looked at. That takes a
 * moment, and happens once, after a mistake.
 */
#include <base/log.h>
#include <core/runtime.h>
#include <stack/slab.h>

enum { NAMED = 10 }; /* so many are named */

struct search {
	const struct worker *worker;
	unsigned found;
};

/* Another thread may be about to make or to free a task there: what is read of it may
 * be of either life, but the words that say whose it is are its maker's. */
static void name_if_ours(void *block, void *arg)
{
	struct search *search = arg;
	const struct task *task = block;

	if (!task->id || task->state == TASK_DEAD || task_worker(task) != search->worker->index)
		return;
	if (search->found++ < NAMED)
		weft__warn("  task %llu \"%s\" (spawned at %s)", (unsigned long long)task->id,
			   task_name(task), task_site(task));
}

void weft__leftover_list(const struct worker *worker)
{
	struct search search = { .worker = worker };

	weft__stack_each(name_if_ours, &search);
	weft__block_each(name_if_ours, &search);
	if (search.found > NAMED)
		weft__warn("  and %u more", search.found - NAMED);
}
