/* SPDX-License-Identifier: MIT
 *
 * leftover.c - whom a thread has left behind: it ended, and some of its tasks had not.
 *
 * No list links all tasks, so all blocks of the process are looked at. That takes a
 * moment, and happens once, after a mistake.
 */
#include <base/log.h>
#include <core/runtime.h>
#include <core/task_each.h>

enum { NAMED = 10 }; /* so many are named */

struct search {
	const struct worker *worker;
	unsigned found;
};

/* Those of the ended thread do not run, so theirs is no moving picture. */
static bool name_if_ours(struct task *task, void *arg)
{
	struct search *search = arg;

	if (task->state == TASK_DEAD || task_worker(task) != search->worker->index ||
	    (task->flags & TASK_THREAD))
		return true;
	if (search->found++ < NAMED)
		weft__warn("  task %llu \"%s\" (spawned at %s)", (unsigned long long)task->id,
			   task_name(task), task_site(task));
	return true;
}

void weft__leftover_list(const struct worker *worker)
{
	struct search search = { .worker = worker };

	weft__task_each(&(struct task_visitor){ .task = name_if_ours, .arg = &search });
	if (search.found > NAMED)
		weft__warn("  and %u more", search.found - NAMED);
}
