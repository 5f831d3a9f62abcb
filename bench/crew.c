/* SPDX-License-Identifier: MIT
 *
 * crew.c - does the same work end sooner with more workers?
 *
 *	bench-crew <what> <workers> [count]
 *
 * yield	1,000 tasks take turns; each worker has its share (WEFT_SPREAD)
 * spawn	one task makes a thousand empty tasks at a time and joins them
 * spawn2	two tasks do so, each for half of the count
 * tree		so many tasks in a binary tree: each spawns its children and joins them
 * leaves	such a tree, whose tasks each compute for some 20 us
 *
 * With <workers> 1of2 there are two, and one of them is kept out of the way (one_of_two.h).
 *
 * Rows: <what>_w<workers>, wall time a turn or a task, and its _cpu (crew.h).
 */
#include <weft/task.h>

#include "burn.h"
#include "crew.h"
#include "one_of_two.h"

enum { YIELDERS = 1000, BATCH = 1000, SPAWNERS_MAX = 2 };

static struct {
	const char *workers; /* as it was asked for */
	long count;
	long each;            /* of one task */
	_Atomic long waiting; /* tasks that have begun */
	_Atomic int go;
} plan;

/* --- yield ------------------------------------------------------------------------ */

static int yielding(void *arg)
{
	(void)arg;
	plan.waiting++;
	while (!plan.go)
		weft_task_yield();
	for (long left = plan.each; left > 0; left--)
		weft_task_yield();
	return 0;
}

static void run_yield(void)
{
	static weft_task *made[YIELDERS];
	weft_attr attr = { .flags = WEFT_SPREAD };
	struct crew_clock start;

	plan.each = plan.count / YIELDERS + 1;
	for (long i = 0; i < YIELDERS; i++)
		bench_must(weft_spawn(&made[i], &attr, yielding, NULL), "weft_spawn");
	while (plan.waiting < YIELDERS)
		weft_task_yield();
	start = crew_start();
	plan.go = 1;
	for (long i = 0; i < YIELDERS; i++)
		weft_join(made[i], WEFT_FOREVER, NULL);
	crew_row("yield", plan.workers, start, (double)(plan.each * YIELDERS), "ns");
}

/* --- spawn ------------------------------------------------------------------------ */

static int empty(void *arg)
{
	(void)arg;
	return 0;
}

static int spawning(void *arg)
{
	weft_task *made[BATCH];

	(void)arg;
	for (long i = 0; i < plan.each; i += BATCH) {
		for (long n = 0; n < BATCH; n++)
			bench_must(weft_spawn(&made[n], NULL, empty, NULL), "weft_spawn");
		for (long n = 0; n < BATCH; n++)
			weft_join(made[n], WEFT_FOREVER, NULL);
	}
	return 0;
}

static void run_spawn(const char *what, long spawners)
{
	weft_task *made[SPAWNERS_MAX];
	weft_attr attr = { .flags = is_one_of_two(plan.workers) ? 0 : WEFT_SPREAD };
	struct crew_clock start;

	plan.each = BATCH;
	spawning(NULL); /* the stacks have been touched once */
	plan.each = (plan.count / spawners + BATCH - 1) / BATCH * BATCH;
	start = crew_start();
	for (long i = 0; i < spawners; i++)
		bench_must(weft_spawn(&made[i], &attr, spawning, NULL), "weft_spawn");
	for (long i = 0; i < spawners; i++)
		weft_join(made[i], WEFT_FOREVER, NULL);
	crew_row(what, plan.workers, start, (double)(plan.each * spawners), "ns");
}

/* --- trees ------------------------------------------------------------------------ */

static int node(void *arg);

/* What the children of a task of so many below it, and itself, answer. */
static int branch(long count)
{
	weft_task *made[2];
	long part[2] = { (count - 1) / 2, count - 1 - (count - 1) / 2 };
	int sum = 1, value;

	for (int i = 0; i < 2; i++)
		if (part[i])
			bench_must(weft_spawn(&made[i], NULL, node, (void *)part[i]), "weft_spawn");
	for (int i = 0; i < 2; i++)
		if (part[i] && weft_join(made[i], WEFT_FOREVER, &value) == 0)
			sum += value;
	return sum;
}

static int node(void *arg)
{
	if (plan.each)
		burn_steps();
	return branch((long)arg);
}

static void run_tree(const char *what, int computes)
{
	struct crew_clock start;

	plan.each = computes;
	start = crew_start();
	if (branch(plan.count) != plan.count)
		bench_must(-1, "a task of the tree is missing");
	crew_row(what, plan.workers, start, (double)plan.count, "ns");
}

/* ---------------------------------------------------------------------------------- */

static int measure(void *arg)
{
	const char *what = arg;
	int status = 0;

	keep_one_out(plan.workers);
	if (!strcmp(what, "yield") && !is_one_of_two(plan.workers))
		run_yield();
	else if (!strcmp(what, "spawn"))
		run_spawn("spawn", 1);
	else if (!strcmp(what, "spawn2"))
		run_spawn("spawn2", 2);
	else if (!strcmp(what, "tree"))
		run_tree("tree", 0);
	else if (!strcmp(what, "leaves"))
		run_tree("leaves", 1);
	else
		status = 2;
	let_it_in(plan.workers);
	return status;
}

int main(int argc, char **argv)
{
	int status = 2;

	plan.workers = argc > 2 ? argv[2] : "1";
	plan.count = bench_arg(argc, argv, 3, 1000000);
	if (argc > 1)
		bench_must(weft_run(workers_count(plan.workers), measure, argv[1], &status),
			   "weft_run");
	if (status)
		fprintf(stderr, "usage: bench-crew yield|spawn|spawn2|tree|leaves "
				"<workers|1of2> [count]\n");
	return status;
}
