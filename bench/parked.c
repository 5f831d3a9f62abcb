/* SPDX-License-Identifier: MIT
 *
 * parked.c - how much memory does a task hold that waits?
 *
 *	bench-parked private|shared [tasks]
 *
 * Tasks sleep for an hour; then each is cancelled and joined. Rows: parked
 * (resident bytes a task), parked_tables (page tables a task, which the
 * resident set does not tell), parked_after (resident set after the end as a
 * multiple of before), parked_cost (CPU time of the whole life of one), and
 * the same as parked_shared... on shared stacks.
 */
#include <weft/task.h>

#include "bench.h"

enum { STACKS = 8, PRIVATE_BYTES = 5 << 10, SHARED_BYTES = 512 };
#define HOUR_NS (INT64_C(3600) * 1000000000)

struct plan {
	const char *suffix;
	weft_attr attr;
	long tasks, asleep;
};

static int sleeping(void *arg)
{
	((struct plan *)arg)->asleep++;
	return weft_sleep(HOUR_NS);
}

static void report(const struct plan *plan, const char *what, double value, const char *unit)
{
	char row[64];

	snprintf(row, sizeof(row), "parked%s%s", plan->suffix, what);
	bench_row(row, "weft", value, unit);
}

static int measure(void *arg)
{
	struct plan *plan = arg;
	size_t bytes = (size_t)plan->tasks * sizeof(weft_task *);
	weft_task **made = malloc(bytes);
	double before, tables, tasks = (double)plan->tasks;
	int64_t start;

	if (!made)
		return -1;
	memset(made, 1, bytes); /* our own pages come first, and are not counted */
	before = bench_rss();
	tables = bench_pte();
	start = bench_cpu();
	for (long i = 0; i < plan->tasks; i++)
		bench_must(weft_spawn(&made[i], &plan->attr, sleeping, plan), "weft_spawn");
	while (plan->asleep < plan->tasks)
		weft_task_yield();
	report(plan, "", (bench_rss() - before) / tasks, "bytes");
	report(plan, "_tables", (bench_pte() - tables) / tasks, "bytes");
	for (long i = 0; i < plan->tasks; i++)
		weft_cancel(made[i]);
	for (long i = 0; i < plan->tasks; i++)
		weft_join(made[i], WEFT_FOREVER, NULL);
	report(plan, "_cost", (double)(bench_cpu() - start) / tasks, "ns");
	report(plan, "_after", bench_rss() / before, "x");
	free(made);
	return 0;
}

int main(int argc, char **argv)
{
	struct plan plan = { .suffix = "" };
	long wanted = bench_arg(argc, argv, 2, 1000000);
	int shared = argc > 1 && !strcmp(argv[1], "shared");

	plan.tasks = bench_fit(wanted, shared ? SHARED_BYTES : PRIVATE_BYTES);
	if (shared) {
		plan.suffix = "_shared";
		bench_must(weft_stack_group_new(&plan.attr.shared, STACKS, 64 << 10),
			   "weft_stack_group_new");
	}
	if (plan.tasks < wanted)
		printf("NOTE parked%s weft %ld tasks, for want of memory\n", plan.suffix,
		       plan.tasks);
	bench_must(weft_run(1, measure, &plan, NULL), "weft_run");
	weft_stack_group_free(plan.attr.shared);
	return 0;
}
