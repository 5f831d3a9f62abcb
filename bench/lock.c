/* SPDX-License-Identifier: MIT
 *
 * lock.c - what do a mutex and a wait group cost?
 *
 *	bench-lock [count]
 *	bench-lock <count> <workers>
 *
 * mutex	one task locks, adds 1 to a counter, unlocks
 * mutex_8	eight tasks do so, each for its part of the count. With one worker they come one after
 *		the other
 * mutex_held	likewise, but each yields before it unlocks: everybody else waits
 * waitgroup	one task: add 1, done, wait
 *
 * With <workers> only mutex_8 is done, and reported as mutex_w<workers>, in wall time, and
 * its _cpu (crew.h).
 */
#include <errno.h>

#include <weft/sync.h>
#include <weft/task.h>

#include "crew.h"

enum { LOCKERS = 8 };

static struct {
	const char *workers;
	long count;
	long each; /* of one task */
	int yields;
} plan;

static weft_mutex mutex;
static long counter;

static int locking(void *arg)
{
	(void)arg;
	for (long left = plan.each; left > 0; left--) {
		bench_must(weft_mutex_lock(&mutex, WEFT_FOREVER), "weft_mutex_lock");
		counter++;
		if (plan.yields)
			weft_task_yield();
		bench_must(weft_mutex_unlock(&mutex), "weft_mutex_unlock");
	}
	return 0;
}

/* Return: how many times the mutex was taken. */
static double lock_all(long tasks, unsigned flags)
{
	weft_attr attr = { .flags = flags };
	weft_task *made[LOCKERS];

	counter = 0;
	plan.each = plan.count / tasks;
	for (long i = 0; i < tasks; i++)
		bench_must(weft_spawn(&made[i], &attr, locking, NULL), "weft_spawn");
	for (long i = 0; i < tasks; i++)
		weft_join(made[i], WEFT_FOREVER, NULL);
	if (counter != plan.each * tasks)
		bench_must(-EIO, "the mutex let two in");
	return (double)counter;
}

static void run_mutex(const char *row, long tasks)
{
	int64_t start = bench_cpu();
	double locks = lock_all(tasks, 0);

	bench_row(row, "weft", (double)(bench_cpu() - start) / locks, "ns");
}

static void run_waitgroup(void)
{
	static weft_waitgroup group;
	int64_t start = bench_cpu();

	for (long i = 0; i < plan.count; i++) {
		weft_waitgroup_add(&group, 1);
		weft_waitgroup_done(&group);
		bench_must(weft_waitgroup_wait(&group, WEFT_FOREVER), "weft_waitgroup_wait");
	}
	bench_row("waitgroup", "weft", (double)(bench_cpu() - start) / (double)plan.count, "ns");
}

static int measure(void *arg)
{
	struct crew_clock start = crew_start();

	(void)arg;
	if (plan.workers) {
		crew_row("mutex", plan.workers, start, lock_all(LOCKERS, WEFT_SPREAD), "ns");
		return 0;
	}
	run_mutex("mutex", 1);
	run_mutex("mutex_8", LOCKERS);
	plan.yields = 1;
	run_mutex("mutex_held", LOCKERS);
	run_waitgroup();
	return 0;
}

int main(int argc, char **argv)
{
	plan.count = bench_arg(argc, argv, 1, 1000000);
	plan.workers = argc > 2 ? argv[2] : NULL;
	bench_must(weft_run(plan.workers ? (unsigned)atoi(plan.workers) : 1, measure, NULL, NULL),
		   "weft_run");
	return 0;
}
