/* SPDX-License-Identifier: MIT
 *
 * yield.c - what does a turn cost, when so many tasks take turns?
 *
 *	bench-yield [tasks] [yields] [sites]
 *
 * Every task has begun, and touched its stack, before the clock starts. With
 * "sites" the tasks yield from two places in the code by turns, as tasks of a real
 * program do. From one place alone a processor's return stack, which knows
 * nothing of our switches, happens to hold the right address after each.
 */
#include <weft/task.h>

#include "bench.h"

struct plan {
	const char *suffix;
	long tasks, each;
};

static int yielding(void *arg)
{
	for (long left = ((struct plan *)arg)->each + 2; left > 0; left--)
		weft_task_yield();
	return 0;
}

static int yielding_elsewhere(void *arg)
{
	for (long left = ((struct plan *)arg)->each + 2; left > 0; left--)
		if (weft_task_yield() < 0)
			return -1;
	return 0;
}

static int measure(void *arg)
{
	struct plan *plan = arg;
	weft_task **made = calloc((size_t)plan->tasks, sizeof(*made));
	char row[64];
	int64_t start;

	for (long i = 0; i < plan->tasks; i++) {
		weft_fn *body = *plan->suffix && i % 2 ? yielding_elsewhere : yielding;

		bench_must(weft_spawn(&made[i], NULL, body, plan), "weft_spawn");
	}
	weft_task_yield();
	weft_task_yield();
	start = bench_cpu();
	for (long i = 0; i < plan->tasks; i++)
		weft_join(made[i], WEFT_FOREVER, NULL);
	snprintf(row, sizeof(row), "yield_%ld%s", plan->tasks, plan->suffix);
	bench_row(row, "weft", (double)(bench_cpu() - start) / (double)(plan->each * plan->tasks),
		  "ns");
	free(made);
	return 0;
}

int main(int argc, char **argv)
{
	struct plan plan = { .suffix = argc > 3 ? "_sites" : "" };

	plan.tasks = bench_arg(argc, argv, 1, 2);
	plan.each = bench_arg(argc, argv, 2, 20000000) / plan.tasks;
	bench_must(weft_run(1, measure, &plan, NULL), "weft_run");
	return 0;
}
