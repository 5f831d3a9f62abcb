/* SPDX-License-Identifier: MIT
 *
 * spawn.c - what does a short-lived task cost?
 *
 * Rows: spawn (make one, wait for its end, again), spawn_batch (a thousand at
 * once, then all their ends), both a task. spawn_shared: as spawn, on a shared
 * stack.
 */
#include <weft/task.h>

#include "bench.h"

enum { BATCH = 1000 };

static long sum;

static int body(void *arg)
{
	sum += (long)arg;
	return 0;
}

static void run_one(const char *row, long count, const weft_attr *attr)
{
	weft_task *task;
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i++) {
		bench_must(weft_spawn(&task, attr, body, (void *)i), "weft_spawn");
		weft_join(task, WEFT_FOREVER, NULL);
	}
	bench_row(row, "weft", (double)(bench_cpu() - start) / (double)count, "ns");
}

static void run_batch(const char *row, long count)
{
	static weft_task *made[BATCH];
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i += BATCH) {
		for (long n = 0; n < BATCH; n++)
			bench_must(weft_spawn(&made[n], NULL, body, (void *)n), "weft_spawn");
		for (long n = 0; n < BATCH; n++)
			weft_join(made[n], WEFT_FOREVER, NULL);
	}
	bench_row(row, "weft", (double)(bench_cpu() - start) / (double)count, "ns");
}

static int measure(void *arg)
{
	long count = *(long *)arg;
	weft_attr attr = { 0 };

	run_one("spawn", count, NULL);
	run_batch("spawn_batch", count < BATCH ? BATCH : count / BATCH * BATCH);
	bench_must(weft_stack_group_new(&attr.shared, 1, 64 << 10), "weft_stack_group_new");
	run_one("spawn_shared", count, &attr);
	weft_stack_group_free(attr.shared);
	return 0;
}

int main(int argc, char **argv)
{
	long count = bench_arg(argc, argv, 1, 5000000);

	bench_must(weft_run(1, measure, &count, NULL), "weft_run");
	return 0;
}
