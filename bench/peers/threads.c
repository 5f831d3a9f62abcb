/* SPDX-License-Identifier: MIT
 *
 * threads.c - peers of the task rows: what the kernel's threads do.
 *
 *	peer-threads <row> [count]
 *
 * The driver pins the process to one CPU, so that sched_yield(2) has someone
 * to yield to.
 */
#include <pthread.h>
#include <sched.h>

#include "../bench.h"

static pthread_barrier_t gate;

static void *yielding(void *arg)
{
	long each = *(long *)arg;

	pthread_barrier_wait(&gate);
	for (long i = 0; i < each; i++)
		sched_yield();
	return NULL;
}

static void run_yield(const char *row, long tasks, long total)
{
	pthread_t *made = calloc((size_t)tasks, sizeof(*made));
	long each = total / tasks;
	pthread_attr_t attr;
	int64_t start;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_barrier_init(&gate, NULL, (unsigned)tasks + 1);
	for (long i = 0; i < tasks; i++)
		bench_must(-pthread_create(&made[i], &attr, yielding, &each), "pthread_create");
	pthread_barrier_wait(&gate);
	start = bench_cpu();
	for (long i = 0; i < tasks; i++)
		pthread_join(made[i], NULL);
	bench_row(row, "threads", (double)(bench_cpu() - start) / (double)(each * tasks), "ns");
	free(made);
}

static void *ending(void *arg)
{
	return arg;
}

static void run_spawn(long count)
{
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i++) {
		pthread_t thread;

		bench_must(-pthread_create(&thread, NULL, ending, NULL), "pthread_create");
		pthread_join(thread, NULL);
	}
	bench_row("spawn", "threads", (double)(bench_cpu() - start) / (double)count, "ns");
}

int main(int argc, char **argv)
{
	const char *row = argc > 1 ? argv[1] : "";

	if (!strcmp(row, "yield_2"))
		run_yield(row, 2, bench_arg(argc, argv, 2, 500000));
	else if (!strcmp(row, "yield_1000"))
		run_yield(row, 1000, bench_arg(argc, argv, 2, 500000));
	else if (!strcmp(row, "spawn"))
		run_spawn(bench_arg(argc, argv, 2, 10000));
	else
		return 2;
	return 0;
}
