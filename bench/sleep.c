/* SPDX-License-Identifier: MIT
 *
 * sleep.c - how long until a million tasks have each slept 10 ms?
 *
 *	bench-sleep private|shared [tasks]
 *
 * Rows: sleep (private stacks; the spawner yields after every thousand),
 * sleep_shared (shared stacks, all spawned at once), and their CPU time.
 *
 * Why the spawner yields: Go preempts its main goroutine every 10 ms, so that
 * there never are a million goroutines at once, and weft does not. A yield now
 * and then comes to the same. Without it the row would measure a million first
 * touches of a page, which is the business of the row "parked".
 */
#include <weft/task.h>

#include "bench.h"

enum { BATCH = 1000, NAP_NS = 10000000 };

struct plan {
	const char *row, *row_cpu;
	weft_attr attr;
	long tasks;
};

static int nap(void *arg)
{
	(void)arg;
	return weft_sleep(NAP_NS);
}

static int start_all(void *arg)
{
	struct plan *plan = arg;

	for (long i = 1; i <= plan->tasks; i++) {
		bench_must(weft_spawn(NULL, &plan->attr, nap, NULL), "weft_spawn");
		if (!plan->attr.shared && i % BATCH == 0)
			weft_task_yield();
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct plan plan = { .row = "sleep", .row_cpu = "sleep_cpu" };
	int64_t wall, cpu;

	if (argc > 1 && !strcmp(argv[1], "shared")) {
		plan.row = "sleep_shared";
		plan.row_cpu = "sleep_shared_cpu";
		bench_must(weft_stack_group_new(&plan.attr.shared, 8, 64 << 10),
			   "weft_stack_group_new");
	}
	plan.tasks = bench_arg(argc, argv, 2, 1000000);
	wall = bench_wall();
	cpu = bench_cpu();
	/* Returns when the last of them has ended. */
	bench_must(weft_run(1, start_all, &plan, NULL), "weft_run");
	bench_row(plan.row, "weft", (double)(bench_wall() - wall) / 1e9, "s");
	bench_row(plan.row_cpu, "weft", (double)(bench_cpu() - cpu) / 1e9, "s");
	weft_stack_group_free(plan.attr.shared);
	return 0;
}
