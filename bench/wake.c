/* SPDX-License-Identifier: MIT
 *
 * wake.c - what do a park, a wake and a timer cost by themselves?
 *
 * These go below the public interface, to the calls that channels, mutexes
 * and I/O are made of. Rows: wake (two tasks wake each other in turn: one
 * wake, one park, one switch a hop), timer (arm and cancel, 1,000 armed).
 */
#include <core/park.h>
#include <core/timer.h>

#include "bench.h"

enum { TIMERS = 1000 };

struct side {
	uint64_t ticket; /* of the wait it is in */
	long hops;
};

static struct side sides[2];

static int hopping(void *arg)
{
	struct side *mine = &sides[(long)arg], *other = &sides[(long)arg ^ 1];
	struct task *self = weft__task_current();

	while (mine->hops-- > 0) {
		mine->ticket = weft__park_begin(self);
		if (other->ticket) /* it has begun */
			weft__wake(other->ticket, 0);
		weft__park(self, WAIT_OTHER, WEFT_FOREVER);
	}
	weft__wake(other->ticket, 0);
	return 0;
}

static void run_wake(long count)
{
	weft_task *made[2];
	int64_t start = bench_cpu();

	for (long i = 0; i < 2; i++) {
		sides[i].hops = count / 2;
		bench_must(weft_spawn(&made[i], NULL, hopping, (void *)i), "weft_spawn");
	}
	for (int i = 0; i < 2; i++)
		weft_join(made[i], WEFT_FOREVER, NULL);
	bench_row("wake", "weft", (double)(bench_cpu() - start) / (double)count, "ns");
}

static void run_timer(long count)
{
	static struct timer timers[TIMERS];
	static struct wheel wheel;
	int64_t now = weft_now(), start = bench_cpu();

	weft__wheel_init(&wheel, now);
	for (long i = 0; i < count; i += TIMERS) {
		for (int n = 0; n < TIMERS; n++) {
			timers[n].when_ns = now + (int64_t)n * 3600000000;
			weft__timer_arm(&wheel, &timers[n]);
		}
		for (int n = 0; n < TIMERS; n++)
			weft__timer_cancel(&wheel, &timers[n]);
	}
	bench_row("timer", "weft", (double)(bench_cpu() - start) / (double)count, "ns");
}

static int measure(void *arg)
{
	long count = *(long *)arg;

	run_wake(count);
	run_timer(count < TIMERS ? TIMERS : count / TIMERS * TIMERS);
	return 0;
}

int main(int argc, char **argv)
{
	long count = bench_arg(argc, argv, 1, 10000000);

	bench_must(weft_run(1, measure, &count, NULL), "weft_run");
	return 0;
}
